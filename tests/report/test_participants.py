"""Flow of participants and missing values."""

from dataclasses import replace

import pandas as pd
import pytest

from ketadask import names as nm
from ketadask.report.context import build_context
from ketadask.report.participants import ReasonCount, flow_view, missingness_view


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


def test_missingness_is_that_of_the_units(data, context):
    values = data.units["value"].to_pandas()
    view = missingness_view(context)
    assert view.n_rows == len(values)
    for row in view.modalities:
        own = values.loc[:, data.units["modality"].values == row.modality]
        assert row.fraction == pytest.approx(own.isna().to_numpy().mean())
        assert row.worst_fraction == pytest.approx(own.isna().mean().max())
