"""Imputation within sites: values, outcomes and relabellings."""

import numpy as np
import pytest

from ketadask.cohort.designs import trial_arrays
from ketadask.cohort.impute import impute
from ketadask.cohort.relabel import relabel
from ketadask.cohort.units import score_units
from tests.cohort.cohorts import crossover_cohort, parallel_cohort


def test_values_by_hand():
    nan = np.nan
    value = np.array([[1.0, 2, nan], [5, 2, nan], [nan, 3, nan], [8, nan, nan], [nan, 7, nan]])
    level = np.array([0, 0, 0, 1, 1])
    complete, count = impute(value, level, np.array([False, True, False]))
    assert complete[:, 0].tolist() == [1, 5, 3, 8, 8]
    assert complete[:, 1].tolist() == [2, 2, 3, 7, 7]
    assert np.isnan(complete[:, 2]).all()
    assert count == 3
    # A site without any value takes that of all; of equal counts the lowest level counts.
    alone, _ = impute(np.array([[4.0], [1], [nan]]), np.array([0, 0, 1]), np.array([True]))
    assert alone.ravel().tolist() == [4, 1, 1]


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
def test_imputation_commutes_with_relabelling_and_sees_no_outcome(design):
    cohort = parallel_cohort(40) if design == "parallel" else crossover_cohort(30, 6)
    rng = np.random.default_rng(2)
    cohort["value"].values[rng.random(cohort["value"].shape) < 0.4] = np.nan
    options = {"design": design, "missing": "impute"}
    units, raw = score_units(cohort, **options), score_units(cohort, design=design)
    trial, level = trial_arrays(units), trial_arrays(raw).levels()
    assert units.attrs["imputed"] == np.isnan(raw["value"].values).sum() > 10
    assert not np.isnan(units["value"].values).any()
    assert trial_arrays(raw).basis is None or not np.allclose(trial.basis, trial_arrays(raw).basis)
    ordinal = np.zeros(units.sizes["feature"], dtype=bool)
    for index in range(5):
        rows, _ = relabel(trial, seed=1, index=index)
        again, _ = impute(raw["value"].values[rows], level, ordinal)
        assert (again == units["value"].values[rows]).all()
    better = cohort.copy(deep=True)
    better["improvement"] = cohort["improvement"] * 2 + 1
    assert (score_units(better, **options)["value"].values == units["value"].values).all()
