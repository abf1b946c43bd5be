"""Findings shared by the tests of the report."""

import pytest

from ketadask import names as nm
from ketadask.report.page import render
from ketadask.report.report_data import ReportData
from tests.report.made_findings import make_findings


@pytest.fixture(scope="session")
def findings() -> ReportData:
    return make_findings()


@pytest.fixture(scope="session")
def nothing_supported() -> ReportData:
    return make_findings(nm.NOISE)


@pytest.fixture(scope="session")
def page(findings) -> str:
    return render(findings)
