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
def drawn():
    """Figures of this session by all that they are painted from; each is drawn once.

    Many studies of the tests are the same, or differ in one thing: the figures it does not reach
    would be drawn again every time, and take nearly all the time of a page.
    """
    made: dict[bytes, tuple] = {}
    painted = canvas._painted

    def remembered(*told):
        key = cloudpickle.dumps(told)
        if key not in made:
            made[key] = painted(*told)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canvas, "_painted", remembered)
        yield made
