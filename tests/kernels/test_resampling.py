"""Formulas over splits against published numbers, other libraries and their definitions."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from ketadask.kernels.resampling import (
    meinshausen_buhlmann_bound,
    nadeau_bengio,
    quantile_aggregate,
    shah_samworth_bound,
    t_interval,
    twice_mean,
    twice_median,
    wilson,
)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_wilson_is_that_of_statsmodels(level):
    for n in (1, 5, 33, 10_000):
        k = np.unique(np.linspace(0, n, 9).astype(int))
        low, high = wilson(k, n, level)
        expected = proportion_confint(k, n, alpha=1 - level, method="wilson")
        assert low == pytest.approx(expected[0], abs=1e-14)
        assert high == pytest.approx(expected[1], abs=1e-14)


def test_wilson_is_that_of_newcombe():
    # Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3.
    published = {(81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (0, 20): (0, 0.1611)}
    published[1, 29] = (0.0061, 0.1718)
    for (k, n), (low, high) in published.items():
        made = wilson(k, n)
        assert float(made[0]) == pytest.approx(low, abs=5e-5)
        assert float(made[1]) == pytest.approx(high, abs=5e-5)


def test_wilson_knows_nothing_without_trials_and_touches_its_ends():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        low, high = wilson(np.array([0, 0, 7]), np.array([0, 7, 7]))
    assert low.tolist()[:2] == [0.0, 0.0]
    assert high.tolist()[0::2] == [1.0, 1.0]


def test_t_interval_is_that_of_scipy():
    y = np.random.default_rng(0).normal(3, 2, 17)
    expected = stats.ttest_1samp(y, 0).confidence_interval(0.9)
    assert t_interval(y, 0.9) == pytest.approx((y.mean(), expected.low, expected.high))
    assert t_interval(y[:1])[0] == y[0]
    assert np.isnan(t_interval(y[:1])[1:]).all()
    assert np.isnan(t_interval(y[:0])).all()


def test_nadeau_bengio_from_the_definition():
    values = np.random.default_rng(0).normal(1, 2, (3, 40))
    made = nadeau_bengio(values, 33, 30, level=0.9)
    for row, mean, low, high in zip(values, *made, strict=True):
        squares = sum((x - sum(row) / 40) ** 2 for x in row)
        error = math.sqrt((1 / 40 + 30 / 33) * squares / 39)
        expected = stats.t(df=39, loc=sum(row) / 40, scale=error).interval(0.9)
        assert (mean, low, high) == pytest.approx((sum(row) / 40, *expected))


def test_nadeau_bengio_is_students_interval_where_nothing_overlaps():
    values = np.random.default_rng(0).normal(1, 2, 40)
    assert nadeau_bengio(values, 1, 0) == pytest.approx(t_interval(values))


def test_nadeau_bengio_covers_where_the_naive_interval_does_not():
    # Means of random halves of 40 values, 200 data sets: the mean over splits has the variance
    # of the whole mean, which splits that share their data understate.
    rng = np.random.default_rng(3)
    covered = naive = 0
    for _ in range(200):
        data = rng.normal(size=40)
        means = np.array([data[rng.permutation(40)[:20]].mean() for _ in range(100)])
        _, low, high = nadeau_bengio(means, 20, 20)
        covered += low <= 0 <= high
        _, low, high = t_interval(means)
        naive += low <= 0 <= high
    assert covered >= 190 - 3 * math.sqrt(200 * 0.95 * 0.05)
    assert naive < 80


def test_nadeau_bengio_with_few_splits():
    assert np.isnan(nadeau_bengio(np.ones((2, 1)), 1, 1)[1]).all()
    assert np.isnan(nadeau_bengio(np.ones((2, 0)), 1, 1)[0]).all()


def aggregated(p, gamma_min=0.05):
    """Take the definition on a fine grid of gamma: inf of the empirical quantile over gamma."""
    grid = np.arange(1, 20_000) / 20_000
    grid = grid[grid > gamma_min]
    q = np.quantile(p, grid, method="inverted_cdf") / grid
    return min(1.0, (1 - math.log(gamma_min)) * min(q.min(), p.max()))


@pytest.mark.parametrize("splits", [1, 3, 10, 20, 100, 250])
@pytest.mark.parametrize("gamma_min", [0.05, 0.2])
def test_quantile_aggregation_from_the_definition(splits, gamma_min):
    rng = np.random.default_rng(splits)
    p = rng.beta(0.2, 2, (20, splits))
    made = quantile_aggregate(p, gamma_min)
    expected = [aggregated(row, gamma_min) for row in p]
    assert made == pytest.approx(expected, rel=2e-3)


def test_quantile_aggregation_of_equal_p_values_costs_the_factor_alone():
    # All quantiles equal: the infimum is at gamma = 1 and 1 - log(0.05) = 3.9957 remains.
    assert float(quantile_aggregate(np.full(1000, 0.01))) == pytest.approx(
        0.01 * 3.995732, rel=1e-6
    )
    assert float(quantile_aggregate(np.ones(50))) == 1.0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_aggregates_are_p_values_and_do_not_depend_on_order(p):
    p = np.array(p)
    for aggregate in (twice_mean, twice_median, quantile_aggregate):
        made = float(aggregate(p))
        assert 0 <= made <= 1
        assert float(aggregate(np.sort(p)[::-1])) == pytest.approx(made, abs=1e-12)
        assert float(aggregate(np.minimum(1, p + 0.1))) >= made - 1e-12
    assert float(twice_median(p)) == min(1.0, 2 * np.median(p))
    assert float(twice_mean(p)) == pytest.approx(min(1.0, 2 * sum(p) / len(p)))


def test_aggregates_hold_their_level_over_dependent_splits():
    # 2,000 null studies of 30 p-values that share most of their noise: at most 5 % below 0.05,
    # while the share of the mean p below 0.05 has no such bound in general.
    rng = np.random.default_rng(1)
    shared = rng.normal(size=(2000, 1))
    z = np.sqrt(0.7) * shared + np.sqrt(0.3) * rng.normal(size=(2000, 30))
    p = 2 * stats.norm.sf(np.abs(z))
    for aggregate in (twice_mean, twice_median, quantile_aggregate):
        assert (aggregate(p) <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)


# tests/regtest-inference.Rout.save of the R package stabs (Hofner & Hothorn): cutoff 0.6, p = 100,
# B = 50, q = 1..10; Meinshausen-Buhlmann, Shah-Samworth unimodal.
STABS = [
    (1, 0.05, 0.02631579),
    (2, 0.2, 0.1052632),
    (3, 0.45, 0.2368421),
    (4, 0.8, 0.4210526),
    (5, 1.25, 0.6578947),
    (6, 1.8, 0.9473684),
    (7, 2.45, 1.289474),
    (8, 3.2, 1.684211),
    (9, 4.05, 2.131579),
    (10, 5.0, 2.631579),
]


@pytest.mark.parametrize(("q", "mb", "unimodal"), STABS)
def test_bounds_are_those_printed_by_the_r_package_stabs(q, mb, unimodal):
    assert meinshausen_buhlmann_bound(q, 100, 0.6) == pytest.approx(mb, rel=1e-6)
    assert shah_samworth_bound(q, 100, 0.6, 50) == pytest.approx(unimodal, rel=1e-6)


def test_further_bounds_of_stabs():
    # The same file: cutoff 0.96, q = 3, p = 10 features, B = 50 gives 0.176.
    assert shah_samworth_bound(3, 10, 0.96, 50) == pytest.approx(0.176, abs=5e-4)


def test_bounds_outside_their_range():
    assert meinshausen_buhlmann_bound(5, 40, 0.5) == 40
    assert shah_samworth_bound(5, 40, 0.5, 50) == 40
    # Too many selected for theorem 2: theorem 1, which is the worst case.
    assert shah_samworth_bound(30, 40, 0.9, 50) == pytest.approx(900 / 40 / 0.8)
    # Frequencies over 100 halves are multiples of 0.01: 0.595 asks for 0.60.
    assert shah_samworth_bound(5, 40, 0.595, 50) == shah_samworth_bound(5, 40, 0.6, 50)


@settings(max_examples=60, deadline=None)
@given(q=st.floats(0.5, 20), tau=st.floats(0.55, 1.0), pairs=st.integers(20, 500))
def test_unimodality_never_loosens_the_bound_and_a_higher_threshold_tightens_it(q, tau, pairs):
    at = shah_samworth_bound(q, 100, tau, pairs)
    halves = 2 * pairs
    grid = min(math.ceil(tau * halves - 1e-9) / halves, 1.0)
    assert at <= q * q / 100 / (2 * grid - 1) * (1 + 1e-9)
    assert shah_samworth_bound(q, 100, min(tau + 0.05, 1.0), pairs) <= at * (1 + 1e-9)
