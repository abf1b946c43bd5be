"""Fixtures of all tests."""

import os
from pathlib import Path

import hypothesis
import pytest

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
