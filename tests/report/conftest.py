"""Results of a small study, shared by the tests of the report."""

import pytest

from ketadask import names as nm
from ketadask.report.context import ReportContext, build_context
from ketadask.report.page import render
from ketadask.report.report_data import ReportData
from tests.report.example_data import make_data


@pytest.fixture(scope="session")
def data() -> ReportData:
    return make_data()


@pytest.fixture(scope="session")
def context(data) -> ReportContext:
    return build_context(data)


@pytest.fixture(scope="session")
def noise_context() -> ReportContext:
    return build_context(make_data(nm.NOISE))


@pytest.fixture(scope="session")
def page(data) -> str:
    return render(data)
