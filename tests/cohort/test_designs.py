"""Scores of the three designs, and the arrays of a search matrix."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from dask.base import tokenize

from ketadask.cohort.designs import trial_arrays
from ketadask.cohort.relabel import relabel
from ketadask.cohort.units import score_units
from ketadask.schema.errors import InputError
from tests.cohort.cohorts import crossover_cohort, parallel_cohort


def test_a_trial_has_a_token_of_its_content():
    trial = trial_arrays(score_units(crossover_cohort(10)))
    assert tokenize(trial) == tokenize(pickle.loads(pickle.dumps(trial)))
    assert tokenize(trial) == tokenize(relabel(trial, seed=1, index=0)[1])
    others = [
        replace(trial, score=trial.score + 1e-9),
        replace(trial, design="pooled"),
        replace(trial, within_arm=True),
        replace(trial, stratum=trial.split_stratum, split_stratum=trial.stratum),
        relabel(trial, seed=1, index=0, method="arms")[1],
    ]
    tokens = {tokenize(each) for each in [trial, *others]}
    assert len(tokens) == 6


@pytest.mark.parametrize("arm", ["active", "control"])
@pytest.mark.parametrize("design", ["pooled", "crossover", "parallel"])
def test_a_handmade_matrix_without_an_arm_of_a_trial_names_trial_arm_and_remedy(design, arm):
    cohort = parallel_cohort(20) if design == "parallel" else crossover_cohort(20)
    made, other = score_units(cohort, design=design), "active" if arm == "control" else "control"
    later = np.isfinite(made["outcome"].sel(arm=other).values) & (np.arange(made.sizes["unit"]) > 9)
    made = made.assign_coords(trial=("unit", np.where(later, "later", "early")))
    made["outcome"].loc[{"unit": later, "arm": arm}] = np.nan
    with pytest.raises(InputError) as caught:
        trial_arrays(made)
    assert str(caught.value) == (
        f"trial later: the {design} analysis needs both arms in every trial, found "
        f"'no outcome on {arm}'; remove the units of this trial, or fill the outcomes of that arm"
    )


@pytest.mark.parametrize(
    ("design", "row", "message"),
    [
        (
            "crossover",
            [5.0, np.nan],
            r"needs an outcome on both arms, found \[5.0, nan\]; remove this",
        ),
        (
            "pooled",
            [5.0, 4.0],
            r"needs an outcome on exactly one arm, found \[5.0, 4.0\]; write NaN",
        ),
        (
            "pooled",
            [np.nan, np.nan],
            r"needs an outcome on exactly one arm, found \[nan, nan\]; remove",
        ),
    ],
)
def test_a_handmade_unit_without_its_outcomes_is_named(design, row, message):
    made = score_units(crossover_cohort(20), design=design)
    made["outcome"].values[3] = row
    who = made["participant"].values[3]
    with pytest.raises(InputError, match=rf"^outcome of participant {who}, trial \S+: .*{message}"):
        trial_arrays(made)


def test_a_handmade_matrix_of_other_arms_or_design_is_refused():
    made = score_units(crossover_cohort(20))
    with pytest.raises(InputError, match=r"^arm: unknown arms, found .'control', 'active'.; use"):
        trial_arrays(made.isel(arm=[1, 0]))
    made.attrs["design"] = "cross-over"
    with pytest.raises(InputError, match="unknown design, found 'cross-over'; did you mean 'cro"):
        trial_arrays(made)
