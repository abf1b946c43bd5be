"""Fixtures of all tests."""

import os
from pathlib import Path

import cloudpickle
import hypothesis
import pytest

from ketadask.report import canvas

ROOT = Path(__file__).parents[1]
# How long an example takes says how busy the machine is, not whether it is right.
hypothesis.settings.register_profile("ketadask", deadline=None)
hypothesis.settings.load_profile("ketadask")


@pytest.fixture(scope="session")
def real_data():
    """Return the folder of public data that the project reads and never contains."""
    folder = Path(os.environ.get("KETADASK_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "clinical").is_dir():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            "public data not found: download OpenNeuro ds005917, ds004215 and the derivatives of "
            "AOMIC-PIOP2 (ds002790), and set KETADASK_REAL_DATA"
        )
    return folder


@pytest.fixture(scope="session", autouse=True)
def figure_cache():
    """Draw each figure of this session once, and return the drawings by what they depend on.

    Many studies of the tests differ in one detail only, and figures take most of a report's time.
    """
    cache: dict[bytes, tuple] = {}
    svg_pair = canvas.svg_pair

    def cached_svg_pair(*args):
        key = cloudpickle.dumps(args)
        if key not in cache:
            cache[key] = svg_pair(*args)
        return cache[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canvas, "svg_pair", cached_svg_pair)
        yield cache


@pytest.fixture(scope="session")
def drawn_once(figure_cache):
    """Return a function that draws each figure of a report once, by its name.

    For tests of studies that do not look at the figures: those of one name are of one kind.
    """
    drawings: dict[str, tuple] = {}
    svg_pair = canvas.svg_pair

    def first_svg_pair(name, *args):
        if name not in drawings:
            drawings[name] = svg_pair(name, *args)
        return drawings[name]

    return first_svg_pair
