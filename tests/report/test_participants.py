"""Flow of participants and missing values."""

from dataclasses import replace

import pandas as pd
import pytest

from ketadask import names as nm
from ketadask.report.context import build_context
from ketadask.report.page import render
from ketadask.report.participants import ReasonCount, flow_view, missingness_view
from tests.report.example_data import page_section


def test_exclusions_before_the_cohort_and_before_the_search_are_separate(data):
    late = {"participant": "sub-KX0001", "period": 0, "reason": "one period only"}
    exclusions = pd.concat([data.exclusions, pd.DataFrame([late])], ignore_index=True)
    data = replace(data, exclusions=exclusions)
    view = flow_view(build_context(data))
    assert view.assessed == 36
    assert view.before == (
        ReasonCount("no outcome at day 7", 2),
        ReasonCount("one period only", 1),
    )
    assert view.after == (ReasonCount("one period only", 1),)
    assert view.exclusions == ()
    assert len(flow_view(build_context(data, identifiers=True)).exclusions) == 4


@pytest.mark.filterwarnings("error")
def test_a_study_without_units_has_no_missing_values(data):
    empty = data.units.isel({nm.UNIT: []})
    assert missingness_view(build_context(replace(data, units=empty))) is None


@pytest.mark.parametrize(("missing", "is_unknown"), [("unknown", True), ("impute", False)])
def test_missing_values_are_unknown_or_imputed_in_every_section(data, missing, is_unknown):
    features = {**data.settings["features"], "missing": missing}
    page = render(replace(data, settings={**data.settings, "features": features}))
    for name in ("missingness", "methods", "checklists"):
        section = page_section(page, name)
        assert ("is unknown to" in section) == is_unknown
        assert ("median of trial and site" in section) != is_unknown


def test_missingness_is_that_of_the_units(data, context):
    values = data.units["value"].to_pandas()
    view = missingness_view(context)
    assert view.n_rows == len(values)
    for row in view.modalities:
        own = values.loc[:, data.units["modality"].values == row.modality]
        assert row.fraction == pytest.approx(own.isna().to_numpy().mean())
        assert row.worst_fraction == pytest.approx(own.isna().mean().max())
