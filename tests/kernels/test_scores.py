"""Formulas of the scores: means, invariances, and what they estimate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketadask.kernels.ridge import cell_ridge, feature_basis
from ketadask.kernels.scores import (
    Regression,
    paired_effects,
    paired_scores,
    unpaired_effects,
    unpaired_scores,
)


@st.composite
def outcomes(draw):
    """Return outcomes, arms and levels; every level has two units or more on each arm."""
    levels, rng = draw(st.integers(1, 3)), np.random.default_rng(draw(st.integers(0, 10**6)))
    level = np.repeat(np.arange(levels), 2 * draw(st.integers(2, 8)))
    arm = np.arange(level.size) % 2 == 0
    extra = rng.random(level.size) < 0.3
    level, arm = np.r_[level, level[extra]], np.r_[arm, arm[extra]]
    return rng.normal(0, 10, level.size), arm, level


def score(y, arm, level, regression=None):
    effect = unpaired_effects(y, arm, level, 0 * level)
    return unpaired_scores(y, arm, level, 2 * level + arm, effect, regression)


@settings(max_examples=60, deadline=None)
@given(outcomes())
def test_all_levels_have_the_mean_of_the_overall_effects(example):
    y, arm, level = example
    scores = score(y, arm, level)
    effects = [
        y[arm & (level == k)].mean() - y[~arm & (level == k)].mean() for k in np.unique(level)
    ]
    overall = np.average(effects, weights=np.bincount(level))
    for k in np.unique(level):
        assert scores[level == k].mean() == pytest.approx(overall, abs=1e-7)


@settings(max_examples=60, deadline=None)
@given(outcomes(), st.floats(-30, 30), st.floats(-30, 30))
def test_a_constant_of_a_site_and_arm_moves_the_level_of_the_scores_at_most(example, one, two):
    y, arm, level = example
    scores = score(y, arm, level)
    moved = score(y + one * (level == 0) + two * arm, arm, level)
    assert moved - two == pytest.approx(scores, abs=1e-7)
    site_and_arm = score(y + one * ((level == 0) & arm), arm, level)
    assert site_and_arm - site_and_arm.mean() == pytest.approx(scores - scores.mean(), abs=1e-7)


def test_scores_by_hand():
    # Cells of two and three: h = 1/2 and 1/3; q = 2/5.
    y, arm = np.array([5.0, 3.0, 1.0, 0.0, 5.0]), np.array([1, 1, 0, 0, 0], dtype=bool)
    level, effect = np.zeros(5, dtype=int), 4.0 - 2.0
    weight = np.where(arm, 5 / 2, -5 / 3)
    e = np.array([1, -1, -1, -2, 3]) / np.sqrt(np.where(arm, 1 / 2, 2 / 3))
    c = 1.0 / np.mean(weight * arm / np.sqrt(np.where(arm, 1 / 2, 2 / 3)))
    assert score(y, arm, level) == pytest.approx(effect + c * weight * e)


@settings(max_examples=60, deadline=None)
@given(outcomes(), st.floats(-30, 30))
def test_sequences_of_a_crossover_have_equal_means_whatever_the_period_effect(example, period):
    difference, first, level = example
    cell = 2 * level + first

    def scores_of(difference):
        return paired_scores(difference, first, cell, paired_effects(difference, level, cell))

    scores = scores_of(difference)
    for k in np.unique(cell):
        assert scores[cell == k].mean() == pytest.approx(scores.mean(), abs=1e-7)
    assert scores_of(difference + np.where(first, period, -period)) == pytest.approx(
        scores, abs=1e-7
    )
    if level.max() == 0:
        means = [difference[first].mean(), difference[~first].mean()]
        assert scores.mean() == pytest.approx(np.mean(means), abs=1e-7)


def test_a_feature_that_predicts_the_second_period_leaves_a_crossover():
    rng = np.random.default_rng(0)
    first, x, noise = np.arange(400) % 2 == 0, rng.normal(size=400), 0.1 * rng.normal(size=400)
    sign, inside = np.where(first, 1.0, -1.0), rng.random(400) < 0.3
    difference = 2.0 + 3.0 * inside + sign * (4.0 * x + 1.0) + noise
    cell, effect = first.astype(int), paired_effects(difference, 0 * first, first.astype(int))
    ridge = cell_ridge(feature_basis(x[:, None]), sign * difference, cell, np.arange(400))
    prediction = feature_basis(x[:, None]) @ ridge.coefficients
    regression = Regression(prediction, ridge.factor)
    plain = paired_scores(difference, first, cell, effect)
    scores = paired_scores(difference, first, cell, effect, regression)
    assert plain.std() > 4
    assert scores[inside].std() < 0.5
    assert scores[inside].mean() - scores[~inside].mean() == pytest.approx(3.0, abs=0.1)
    assert scores.mean() == pytest.approx(plain.mean(), abs=1e-6)


def test_the_overall_effect_of_several_periods_is_that_within_periods():
    rng = np.random.default_rng(0)
    period, arm, level = rng.integers(0, 2, 200), rng.random(200) < 0.3, rng.integers(0, 3, 200)
    arm |= (period == 1) & (rng.random(200) < 0.7)  # most of the second period are on active
    y = rng.normal(size=200) + 9.0 * period + 2.0 * arm
    effect = unpaired_effects(y, arm, level, period)
    for k in range(3):
        own, parts = level == k, []
        for p in (0, 1):
            one, other = own & (period == p) & arm, own & (period == p) & ~arm
            weight = one.sum() * other.sum() / (one.sum() + other.sum())
            parts.append((y[one].mean() - y[other].mean(), weight))
        assert effect[own] == pytest.approx(sum(d * w for d, w in parts) / sum(w for _, w in parts))
    # Where a period has one arm only, the arms are compared across periods.
    crossed = unpaired_effects(y, arm, level, arm.astype(int))
    assert crossed == pytest.approx(unpaired_effects(y, arm, level, 0 * period))


def test_scores_of_a_set_estimate_its_own_benefit():
    # 4,000 cases, benefit 2 outside and 8 inside a set that half of them belong to, three arms
    # shares by site: the mean score inside must be 8 within four standard errors.
    rng = np.random.default_rng(1)
    site = rng.integers(0, 3, 4000)
    inside = rng.random(4000) < 0.5
    arm = rng.random(4000) < np.array([0.3, 0.5, 0.7])[site]
    y = rng.normal(3 * site, 2) + np.where(inside, 8.0, 2.0) * arm
    scores = score(y, arm, site)
    for side, benefit in ((inside, 8.0), (~inside, 2.0)):
        error = scores[side].std() / np.sqrt(side.sum())
        assert abs(scores[side].mean() - benefit) < 4 * error


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("prognosis", [0.0, 4.0])
def test_the_benefit_of_a_set_is_unbiased_though_the_regression_sees_all_outcomes(pairs, prognosis):
    # 60 units or 60 pairs, 40 features, a set that has nothing to do with them: adjusted scores
    # must estimate its benefit of 5 within four standard errors over 400 trials.
    estimates, narrower = [], []
    for seed in range(400):
        rng = np.random.default_rng([3, seed])
        X, inside = rng.normal(size=(60, 40)), rng.permutation(60) % 3 == 0
        X, inside = (np.repeat(a, 1 + pairs, axis=0) for a in (X, inside))
        n = len(X)
        who = np.arange(n) // (1 + pairs)
        arm = np.arange(n) % 2 == 0 if pairs else rng.permutation(n) % 2 == 0
        y = prognosis * X[:, :3].sum(axis=1) + rng.normal(0, 4, n) + 5.0 * (arm & inside)
        cell, one = arm.astype(int), np.zeros(n, dtype=int)
        basis = feature_basis(X)
        ridge = cell_ridge(basis, y, cell, who)
        regression = Regression(basis @ ridge.coefficients, ridge.factor, who)
        adjusted = score(y, arm, one, regression)
        plain = score(y, arm, one)
        estimates.append(adjusted[inside].mean() - adjusted[~inside].mean())
        narrower.append(adjusted.std() / plain.std())
    error = np.std(estimates) / np.sqrt(400)
    assert abs(np.mean(estimates) - 5.0) < 4 * error
    if prognosis:
        assert np.mean(narrower) < 0.75
