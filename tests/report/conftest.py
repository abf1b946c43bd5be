"""Findings shared by the tests of the report."""

import cloudpickle
import pytest

from ketadask import names as nm
from ketadask.report import Findings, canvas
from ketadask.report.page import render
from tests.report.made_findings import make_findings


@pytest.fixture(scope="session", autouse=True)
def drawn():
    """Figures of this session by all that they are painted from; each is drawn once.

    Most tests change one thing of the study: the figures it does not reach would be drawn again
    every time, and take nearly all the time of a page.
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


@pytest.fixture(scope="session")
def findings() -> Findings:
    return make_findings()


@pytest.fixture(scope="session")
def nothing_supported() -> Findings:
    return make_findings(nm.NOISE)


@pytest.fixture(scope="session")
def page(findings) -> str:
    return render(findings)
