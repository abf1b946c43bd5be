"""Scores of the three designs, and the arrays of a search matrix."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from dask.base import tokenize
from hypothesis import given, settings
from hypothesis import strategies as st

from ketadask.cohort.designs import trial_arrays
from ketadask.cohort.relabel import relabel
from ketadask.cohort.units import score_units
from ketadask.kernels.scores import (
    cross_fitted,
    crossover_score,
    parallel_score,
    period_effect,
    pooled_score,
)
from ketadask.schema.errors import InputError
from tests.cohort.cohorts import crossover_cohort, parallel_cohort

outcomes = st.lists(
    st.tuples(st.floats(-50, 50), st.booleans(), st.integers(0, 2)), min_size=2, max_size=40
).filter(lambda rows: len({arm for _, arm, _ in rows}) == 2)


def columns(rows):
    y, arm, stratum = (np.array(column) for column in zip(*rows, strict=True))
    return y, arm.astype(bool), stratum


@settings(max_examples=100, deadline=None)
@given(outcomes)
def test_mean_pooled_score_is_the_difference_of_the_arms_means(rows):
    y, arm, _ = columns(rows)
    score = pooled_score(y, arm)
    assert score.mean() == pytest.approx(y[arm].mean() - y[~arm].mean(), abs=1e-9)
    # Adding the same to all, or to a whole arm, changes nothing or the mean by just that.
    assert pooled_score(y + 7, arm) == pytest.approx(score, abs=1e-9)
    assert pooled_score(y + 7 * arm, arm).mean() == pytest.approx(score.mean() + 7, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(outcomes)
def test_mean_parallel_score_is_the_stratified_difference(rows):
    y, arm, stratum = columns(rows)
    score = parallel_score(y, arm, stratum)
    for s in np.unique(stratum):
        own = stratum == s
        if 0 < arm[own].sum() < own.sum():
            difference = y[own & arm].mean() - y[own & ~arm].mean()
            assert score[own].mean() == pytest.approx(difference, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(outcomes)
def test_crossover_sequences_get_equal_means_and_keep_their_average(rows):
    y, first, _ = columns(rows)
    control = np.zeros(y.size)
    score = crossover_score(y, control, first)
    assert score[first].mean() == pytest.approx(score[~first].mean(), abs=1e-9)
    assert score[first].mean() == pytest.approx((y[first].mean() + y[~first].mean()) / 2, abs=1e-9)
    # A period effect of any size leaves the scores as they are.
    period = np.where(first, -4.0, 4.0)
    assert crossover_score(y + period, control, first) == pytest.approx(score, abs=1e-9)


def test_one_sequence_alone_has_no_period_effect():
    y = np.array([3.0, 5.0])
    for first in (True, False):
        assert period_effect(y, np.full(2, first)) == 0.0
        assert crossover_score(y, np.zeros(2), np.full(2, first)).tolist() == [3.0, 5.0]


def test_scores_without_an_arm_are_not_numbers():
    y = np.array([1.0, 2.0])
    for arm in (np.ones(2, bool), np.zeros(2, bool)):
        assert np.isnan(pooled_score(y, arm)).all()
        assert np.isnan(parallel_score(y, arm, np.zeros(2))).all()


def test_scores_of_a_set_estimate_its_own_benefit():
    # 4,000 cases, benefit 2 outside and 8 inside a set that half of them belong to, three arms
    # shares by site: the mean score inside must be 8 within four standard errors.
    rng = np.random.default_rng(1)
    site = rng.integers(0, 3, 4000)
    inside = rng.random(4000) < 0.5
    arm = rng.random(4000) < np.array([0.3, 0.5, 0.7])[site]
    y = rng.normal(3 * site, 2) + np.where(inside, 8.0, 2.0) * arm
    score = parallel_score(y, arm, site)
    for side, benefit in ((inside, 8.0), (~inside, 2.0)):
        error = score[side].std() / np.sqrt(side.sum())
        assert abs(score[side].mean() - benefit) < 4 * error


def test_a_good_prediction_narrows_the_scores_and_a_wrong_one_does_not_bias_them():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(3000, 5))
    X[rng.random(X.shape) < 0.05] = np.nan
    arm = rng.random(3000) < 0.5
    y = np.nan_to_num(X) @ [5.0, 3.0, 0.0, 0.0, 0.0] + 2.0 * arm + rng.normal(size=3000)
    plain = parallel_score(y, arm, np.zeros(3000))
    made = cross_fitted(X, y, arm, np.arange(3000) % 5)
    adjusted = parallel_score(y, arm, np.zeros(3000), made)
    assert adjusted.std() < 0.4 * plain.std()
    wrong = parallel_score(y, arm, np.zeros(3000), made[::-1])
    for score in (plain, adjusted, wrong):
        assert abs(score.mean() - 2.0) < 4 * score.std() / np.sqrt(3000)


def test_cross_fitted_predictions_never_see_the_unit():
    rng = np.random.default_rng(0)
    X, arm, fold = rng.normal(size=(40, 3)), np.arange(40) % 2 == 0, np.arange(40) // 2 % 4
    y = rng.normal(size=40)
    made = cross_fitted(X, y, arm, fold)
    changed = np.where(fold == 1, 100.0, y)
    again = cross_fitted(X, changed, arm, fold)
    assert (again[fold == 1] == made[fold == 1]).all()
    assert not np.allclose(again[fold != 1], made[fold != 1])


def test_ridge_is_that_of_the_normal_equations():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 4)), rng.normal(size=30)
    fold = np.r_[np.zeros(20), np.ones(10)]
    made = cross_fitted(X, y, np.ones(30, bool), fold, (3.0,))
    fit, out = fold == 0, fold == 1
    Z = (X - X[fit].mean(axis=0)) / X[fit].std(axis=0)
    beta = np.linalg.solve(Z[fit].T @ Z[fit] + 3.0 * np.eye(4), Z[fit].T @ (y[fit] - y[fit].mean()))
    assert made[out, 0] == pytest.approx(y[fit].mean() + Z[out] @ beta)


def test_a_trial_has_a_token_of_its_content():
    trial = trial_arrays(score_units(crossover_cohort(10)))
    assert tokenize(trial) == tokenize(pickle.loads(pickle.dumps(trial)))
    assert tokenize(trial) == tokenize(relabel(trial, seed=1, index=0)[1])
    others = [
        replace(trial, score=trial.score + 1e-12),
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
