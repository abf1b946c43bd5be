"""Random effects against published tables, statsmodels, and a root found by halving."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from ketadask.kernels.random_effects import (
    difference,
    paule_mandel,
    prediction_interval,
    random_effects,
)

# Nine laboratories; Kacker 2004, Metrologia 41:132-136, table 1, first row.
LABORATORIES = np.array([61.00, 61.40, 62.21, 62.30, 62.34, 62.60, 62.70, 62.84, 65.90])
OF_LABORATORIES = np.array([0.2025, 1.21, 0.09, 0.2025, 0.3844, 0.5625, 0.0676, 0.0225, 1.8225])
# Ten trials of a drug against high blood pressure; Riley, Higgins & Deeks 2011, BMJ 342:d549,
# standard errors as the R package pimeta (data set sbp) gives them.
PRESSURE = np.array([0.0, 0.1, -0.4, -0.8, -0.63, 0.22, -0.34, -0.51, 0.03, -0.81])
OF_PRESSURE = np.ravel(
    [
        [0.423477, 0.219392, 0.025511, 0.198983, 0.301026],
        [0.301026, 0.071430, 0.102043, 0.122451, 0.301026],
    ]
)
AGREEING = np.array([2.0, 2.1, 1.9, 2.05])


def by_halving(effect, variance):
    """The root that Paule and Mandel ask for, found without any cleverness."""

    def scatter(tau2):
        w = 1 / (variance + tau2)
        return (w * (effect - (w * effect).sum() / w.sum()) ** 2).sum()

    low, high = 0.0, 10 * np.ptp(effect) ** 2 + 1.0
    if scatter(low) <= len(effect) - 1:
        return 0.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if scatter(middle) > len(effect) - 1 else (low, middle)
    return high


def test_published_spread_of_laboratories():
    made = random_effects(LABORATORIES, np.sqrt(OF_LABORATORIES))
    assert np.sqrt(made.tau2) == pytest.approx(0.8399, abs=5e-5)
    # R metafor, rma(method = "PM"), as statsmodels keeps it for its own tests.
    assert made.tau2 == pytest.approx(0.705395309224248, rel=1e-10)
    assert made.effect == pytest.approx(62.4076199113286, rel=1e-12)
    assert made.se == pytest.approx(0.338030602684471, rel=1e-10)
    assert (made.cochran_q, made.cochran_p) == pytest.approx(
        (24.801897741835, 0.00167935146372742), rel=1e-8
    )


@pytest.mark.parametrize(
    ("mean", "bounds", "tau2", "predicted"),
    [
        # Higgins, Thompson & Spiegelhalter with DerSimonian & Laird's variance
        (-0.3340597, (-0.5068, -0.1613), 0.02824971, (-0.7597777, 0.09165839)),
        # Partlett & Riley: restricted maximum likelihood, Hartung & Knapp's standard error
        (-0.3287, (-0.5761, -0.0814), 0.0700, (-0.9887, 0.3312)),
    ],
)
def test_published_prediction_intervals(mean, bounds, tau2, predicted):
    se = (bounds[1] - bounds[0]) / 2 / stats.t.ppf(0.975, 9)
    made = prediction_interval(mean, se, tau2, 10)
    assert made == pytest.approx(predicted, abs=3e-4)


@pytest.mark.parametrize(
    ("effect", "se"),
    [(LABORATORIES, np.sqrt(OF_LABORATORIES)), (PRESSURE, OF_PRESSURE), (AGREEING, AGREEING)],
)
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_as_statsmodels_has_it(effect, se, level):
    made = random_effects(effect, se, level=level, floor=False)
    told = combine_effects(
        effect, se**2, method_re="iterated", use_t=True, alpha=1 - level, atol=1e-12
    )
    assert made.tau2 == pytest.approx(told.tau2, abs=1e-9)
    assert made.effect == pytest.approx(told.mean_effect_re)
    assert made.se == pytest.approx(told.sd_eff_w_re_hksj, rel=1e-6)
    assert (made.low, made.high) == pytest.approx(told.conf_int(alpha=1 - level)[3], rel=1e-6)
    assert made.cochran_q == pytest.approx(told.q)
    assert made.cochran_p == pytest.approx(told.test_homogeneity().pvalue)
    assert made.i2 == pytest.approx(max(told.i2, 0.0))
    assert made.weight == pytest.approx(told.weights_rel_re)


def test_trials_that_agree_too_well_do_not_shorten_the_interval():
    se = np.full(4, 0.5)
    free, floored = (random_effects(AGREEING, se, floor=f) for f in (False, True))
    assert free.tau2 == floored.tau2 == 0.0
    assert floored.se == pytest.approx(0.5 / 2)
    assert free.se < 0.2 * floored.se
    # Where the trials differ, both are the same: Paule and Mandel's variance makes q one.
    for effect, width in ((LABORATORIES, np.sqrt(OF_LABORATORIES)), (PRESSURE, OF_PRESSURE)):
        one, two = (random_effects(effect, width, floor=f) for f in (False, True))
        assert one.se == pytest.approx(two.se, rel=1e-9)


effects = st.lists(st.tuples(st.floats(-50, 50), st.floats(0.05, 20)), min_size=2, max_size=12)


@settings(max_examples=60, deadline=None)
@given(effects)
def test_variance_of_true_effects_is_the_root(trials):
    effect, se = np.array(trials).T
    made = paule_mandel(effect, se**2)
    assert made == pytest.approx(by_halving(effect, se**2), rel=1e-6, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(effects, st.floats(-20, 20), st.floats(0.1, 10))
def test_moves_and_stretches_with_the_effects(trials, by, scale):
    effect, se = np.array(trials).T
    one = random_effects(effect, se)
    two = random_effects(scale * effect + by, scale * se)
    assert two.effect == pytest.approx(scale * one.effect + by, rel=1e-6, abs=1e-6)
    assert two.se == pytest.approx(scale * one.se, rel=1e-6)
    assert one.low <= one.effect <= one.high
    assert one.weight.sum() == pytest.approx(1)
    if len(effect) > 2:
        assert one.prediction_low <= one.low
        assert one.high <= one.prediction_high


def test_what_cannot_be_told_is_missing():
    none = random_effects(np.array([np.nan]), np.array([1.0]))
    assert none.trials == 0
    assert np.isnan(none.effect)
    one = random_effects(np.array([np.nan, 3.0, 5.0]), np.array([1.0, 0.5, 0.0]))
    assert (one.trials, one.effect, one.se) == (1, 3.0, 0.5)
    assert one.weight.tolist() == [0.0, 1.0, 0.0]
    assert np.isnan([one.low, one.high, one.tau2, one.prediction_low]).all()
    two = random_effects(np.array([3.0, 5.0]), np.array([1.0, 1.0]))
    assert np.isfinite([two.low, two.high]).all()
    assert np.isnan([two.prediction_low, two.prediction_high]).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_difference_between_singles_is_welchs(seed):
    rng = np.random.default_rng(seed)
    score, inside = rng.normal(size=40), rng.random(40) < 0.3
    score[inside] *= 3
    made = difference(score, inside, np.arange(40))
    told = stats.ttest_ind(score[inside], score[~inside], equal_var=False)
    assert made.effect == pytest.approx(score[inside].mean() - score[~inside].mean())
    assert made.effect / made.se == pytest.approx(told.statistic)
    assert (made.low, made.high) == pytest.approx(tuple(told.confidence_interval(0.95)))


def test_units_of_a_participant_count_as_one():
    rng = np.random.default_rng(3)
    score, inside = rng.normal(size=30), np.arange(30) < 12
    once = difference(score, inside, np.arange(30))
    twice = difference(np.repeat(score, 2), np.repeat(inside, 2), np.repeat(np.arange(30), 2))
    assert (twice.se, twice.low) == pytest.approx((once.se, once.low))
    naive = difference(np.repeat(score, 2), np.repeat(inside, 2), np.arange(60))
    assert naive.se < 0.75 * once.se


def test_a_difference_needs_two_participants_on_each_side():
    score = np.array([1.0, 2.0, 3.0, 4.0])
    assert np.isnan(difference(score, np.array([1, 0, 0, 0], bool), np.arange(4)).effect)
    same = difference(score, np.array([1, 1, 0, 0], bool), np.array([0, 0, 1, 2]))
    assert np.isnan(same.effect)


@pytest.mark.parametrize("base", [0.0, 0.1, 0.3, 1 / 3])
def test_scores_that_differ_by_rounding_only_have_no_standard_error(base):
    inside = np.arange(13) < 6
    still = difference(np.where(inside, 0.7, 0.1) + base, inside, np.arange(13))
    assert still.effect == pytest.approx(0.6)
    assert np.isnan([still.se, still.low, still.high]).all()


def test_intervals_cover_what_they_should():
    rng = np.random.default_rng(11)
    mean, tau, hits, further, rounds = 4.0, 1.5, 0, 0, 1_500
    for _ in range(rounds):
        se = rng.uniform(0.8, 1.6, 8)
        made = random_effects(rng.normal(mean, np.hypot(tau, se)), se)
        hits += made.low <= mean <= made.high
        further += made.prediction_low <= rng.normal(mean, tau) <= made.prediction_high
    assert hits / rounds == pytest.approx(0.95, abs=0.02)
    assert 0.9 <= further / rounds <= 0.99
