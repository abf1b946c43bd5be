"""Features of scales: before each infusion, never after it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketadask.features.feature_table import ABOUT, FeatureTable, feature_kind
from ketadask.features.scales import demographic_features, scale_features
from ketadask.schema.errors import InputError
from ketadask.schema.phenotype import Phenotype
from ketadask.sources.visit_tables import place_visits

SEQUENCES = {"a": "active-control", "b": "control-active", "c": "control"}


def phenotype(rows):
    """Make visits of (participant, session, period, arm, day, x)."""
    columns = ["participant", "session", "period", "arm", "day", "bdi_1"]
    return Phenotype(pd.DataFrame(rows, columns=columns))


def test_a_visit_named_by_its_arm_gets_the_period_of_that_arm():
    visits = place_visits(
        phenotype(
            [
                ("a", "d2", 0, "active", 2, 0.0),
                ("b", "d2", 0, "active", 2, 0.0),
                ("c", "d2", 0, "active", 2, 0.0),
                ("c", "b0", 0, "shared", 0, 0.0),
                ("a", "p2d1", 2, "", 1, 0.0),
                ("a", "p2d1", 2, "active", 1, 0.0),
                ("stranger", "d2", 0, "active", 2, 0.0),
            ]
        ),
        SEQUENCES,
    )
    assert visits.table["period"].tolist() == [1, 2, -1, 0, 2, -1]


def test_each_period_has_its_own_baseline_and_falls_back_on_the_shared_one():
    rows = [
        ("a", "b0", 0, "shared", 0, 1.0),
        ("a", "p2d0", 2, "", 0, 2.0),
        ("a", "p1d7", 1, "", 7, 3.0),
        ("b", "p1d-1", 1, "", -1, 0.0),
        ("b", "p1d0", 1, "", 0, 2.0),
    ]
    table = scale_features(place_visits(phenotype(rows), SEQUENCES))
    baseline = table.at(["a", "a", "b", "b"], [1, 2, 1, 2])[:, 0]
    np.testing.assert_array_equal(baseline, [1.0, 2.0, 2.0, np.nan])
    assert table.about.loc["bdi_1"].tolist() == ["scale", "ordinal", "", "BDI item 1: sadness"]


def test_scales_rated_on_different_days_before_an_infusion_all_count():
    rows = [("a", "p1d-1", 1, "", -1, 2.0), ("a", "p1d0", 1, "", 0, np.nan)]
    table = scale_features(Phenotype(phenotype(rows).table.assign(madrs_1=[5.0, 4.0])))
    assert table.at(["a"], [1]).tolist() == [[2.0, 4.0]]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 3), min_size=4, max_size=4), st.integers(1, 30))
def test_what_is_measured_after_an_infusion_never_is_a_feature(later, day):
    before = [("a", "p1d0", 1, "", 0, 1.0), ("a", "p2d0", 2, "", 0, 2.0)]
    after = [
        ("a", "x", period, arm, day, float(value))
        for value, (period, arm) in zip(
            later, [(1, ""), (2, ""), (0, "active"), (0, "control")], strict=True
        )
    ]
    alone = scale_features(place_visits(phenotype(before), SEQUENCES))
    both = scale_features(place_visits(phenotype(after + before), SEQUENCES))
    pd.testing.assert_frame_equal(alone.values, both.values)


def test_demographic_features_are_shared():
    people = pd.DataFrame(
        {"participant": ["a", "b"], "age": [30.0, 41.0], "sex": [0.0, 1.0], "bmi": [22.0, np.nan]}
    )
    table = demographic_features(people)
    np.testing.assert_array_equal(table.at(["b", "b"], [1, 2]), [[41, 1, np.nan]] * 2)
    assert table.about["kind"].to_dict()["sex"] == "ordinal"
    assert table.about["measurement_unit"].to_dict() == {"age": "years", "sex": "", "bmi": "kg/m2"}


@pytest.mark.parametrize(
    ("values", "low", "high", "kind"),
    [
        ([0, 3], 0, 3, "ordinal"),
        ([0, 7], 0, 7, "ordinal"),
        ([0, 8], 0, 8, "continuous"),
        ([0.5, 1], 0, 3, "continuous"),
        (range(8), -np.inf, np.inf, "ordinal"),
        (range(9), -np.inf, np.inf, "continuous"),
    ],
)
def test_at_most_eight_levels_are_ordinal(values, low, high, kind):
    assert feature_kind(np.array([*values, np.nan], dtype=float), low, high) == kind


def test_a_feature_table_is_checked_when_made():
    about = pd.DataFrame([["scale", "ordinal", "", "x"]], index=["x"], columns=list(ABOUT))
    index = pd.MultiIndex.from_tuples([("a", 1), ("a", 1)], names=["participant", "period"])
    with pytest.raises(InputError, match=r"appear twice, found \('a', 1\)"):
        FeatureTable(pd.DataFrame({"x": [1.0, 2.0]}, index=index), about)
    with pytest.raises(InputError, match="differ in name or order"):
        FeatureTable(pd.DataFrame({"y": [1.0]}, index=index[:1]), about)
    with pytest.raises(InputError, match="must be indexed by participant and period"):
        FeatureTable(pd.DataFrame({"x": [1.0]}), about)
