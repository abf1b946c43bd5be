"""The overall effect and its interval against scipy, statsmodels and repeated trials."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from ketadask.kernels.overall import effect_interval
from ketadask.kernels.scores import paired_effects, unpaired_effects

RNG = np.random.default_rng(8)


def unpaired(y, active, level):
    one = np.zeros(len(y), dtype=int)
    cell = level * 2 + active
    return effect_interval(
        y, cell, np.arange(len(y)), lambda v: float(unpaired_effects(v, active, level, one).mean())
    )


def test_two_arms_are_welchs_interval():
    active = np.arange(40) % 3 == 0
    y = RNG.normal(size=40) * np.where(active, 3.0, 1.0) + active
    welch = stats.ttest_ind(y[active], y[~active], equal_var=False).confidence_interval()
    estimate, low, high = unpaired(y, active, np.zeros(40, dtype=int))
    assert estimate == pytest.approx(y[active].mean() - y[~active].mean())
    assert (low, high) == pytest.approx((welch.low, welch.high), rel=1e-9)


def test_sites_are_averaged_by_their_size():
    active, level = np.arange(60) % 2 == 0, np.repeat([0, 1], [40, 20])
    y = RNG.normal(size=60) + 5 * level + active
    parts = [y[active & (level == s)].mean() - y[~active & (level == s)].mean() for s in (0, 1)]
    estimate, low, high = unpaired(y, active, level)
    assert estimate == pytest.approx((2 * parts[0] + parts[1]) / 3)
    assert low < estimate < high


def test_a_crossover_is_the_mean_of_its_sequences():
    first, one = np.repeat([True, False], [12, 18]), np.zeros(30, dtype=int)
    y = RNG.normal(2, 1, 30) + first
    estimate, low, high = effect_interval(
        y, 1 - first, np.arange(30), lambda v: float(paired_effects(v, one, 1 - first).mean())
    )
    design = np.column_stack((np.ones(30), np.where(first, 1.0, -1.0)))
    fit = sm.OLS(y, design).fit(cov_type="HC2")
    assert estimate == pytest.approx(fit.params[0])
    assert (high - low) / 2 == pytest.approx(fit.bse[0] * 2.05, rel=0.03)


def test_units_of_a_cluster_count_once():
    """Each unit twice, as a cluster of two, has the interval of the units themselves."""
    active = np.arange(50) % 2 == 0
    y = RNG.normal(size=50) + active
    alone = unpaired(y, active, np.zeros(50, dtype=int))
    twice, arm = np.repeat(y, 2), np.repeat(active, 2)
    one = np.zeros(100, dtype=int)
    pairs = effect_interval(
        twice,
        arm.astype(int),
        np.repeat(np.arange(50), 2),
        lambda v: float(unpaired_effects(v, arm, one, one).mean()),
    )
    assert pairs == pytest.approx(alone, abs=0.03)
