"""Two-stage trials: a reference of closed testing, rpact's simulations, and the type I error."""

import numpy as np
import pytest
from scipy.stats import norm, ttest_ind

from ketadask.kernels.two_stage import (
    InterimRule,
    StageStatistics,
    decide,
    enriches,
    simulate_two_stage,
)


def decide_one(first, second, rule):
    """Return (claim inside, claim of all) of one trial, written out."""
    p1, p2 = norm.sf(first), norm.sf(second)  # inside, outside, all
    if p1[0] > rule.futility:
        return False, False
    only_inside = p1[1] > rule.enrichment
    simes = [min(2 * min(p[0], p[2]), max(p[0], p[2])) for p in (p1, p2)]
    stage_two = {"inside": p2[0], "all": p2[2], "both": p2[0] if only_inside else simes[1]}
    pairs = {"inside": p1[0], "all": p1[2], "both": simes[0]}
    p = {
        name: norm.sf(
            np.sqrt(rule.fraction) * norm.isf(pairs[name])
            + np.sqrt(1 - rule.fraction) * norm.isf(stage_two[name])
        )
        for name in pairs
    }
    both = p["both"] <= rule.alpha
    return both and p["inside"] <= rule.alpha, both and p["all"] <= rule.alpha and not only_inside


def test_decisions_are_those_of_the_reference():
    rng = np.random.default_rng(3)
    first, second = rng.normal(0.8, 1.2, size=(2, 3, 2_000))
    rule = InterimRule(fraction=0.4, alpha=0.1)
    trials = decide(StageStatistics(*first), StageStatistics(*second), rule)
    expected = [decide_one(a, b, rule) for a, b in zip(first.T, second.T, strict=True)]
    assert list(zip(trials.claim_inside, trials.claim_all, strict=True)) == expected
    assert 0.1 < trials.futile.mean() < 0.5
    assert 0.1 < trials.enrichment.mean() < 0.5
    assert not (trials.futile & trials.claim).any()


def test_statistics_are_those_of_simulated_participants():
    # Two arms of raw outcomes, analysed by scipy, against draws of means and variances.
    rng, n, sigma = np.random.default_rng(5), 24, 1.5
    rule = InterimRule(enrichment=1.0, futility=1.0, fraction=0.5)
    claims = 0
    for _ in range(1_500):
        z = np.empty((2, 3))
        for stage in range(2):
            k = rng.binomial(n, 0.5)
            inside = np.arange(n) < k
            arm = np.concatenate([np.arange(k) % 2, np.arange(n - k) % 2]) == 1
            y = sigma * rng.normal(size=n) + arm * np.where(inside, 2.0, 0.2)
            p = ttest_ind(y[inside & arm], y[inside & ~arm], alternative="greater").pvalue
            z[stage, 0] = norm.isf(p) if np.isfinite(p) else 0.0
            z[stage, 1] = 0.0
            means = [y[s & arm].mean() - y[s & ~arm].mean() for s in (inside, ~inside)]
            overall = (k * means[0] + (n - k) * means[1]) / n
            rest = [
                ((y[s & a] - y[s & a].mean()) ** 2).sum()
                for s in (inside, ~inside) for a in (arm, ~arm)
            ]  # fmt: skip
            z[stage, 2] = overall / np.sqrt(4 * sum(rest) / (n - 4) / n)
        claims += any(decide_one(z[0], z[1], rule))
    one = np.ones(40_000)
    trials = simulate_two_stage(
        rng, inside=2.0 * one, outside=0.2 * one, prevalence=0.5 * one, sd=2 * sigma,
        participants=2 * n, interim=rule,
    )  # fmt: skip
    rate = claims / 1_500
    assert trials.claim.mean() == pytest.approx(rate, abs=3.5 * np.sqrt(rate * (1 - rate) / 1_500))


def test_power_is_that_of_the_simulations_in_the_tests_of_rpact():
    # rpact, tests/testthat/test-f_simulation_enrichment_means.R at commit 1d81a55, simResult2:
    # getDesignInverseNormal(informationRates = c(0.3, 1), userAlphaSpending = c(0.01, 0.025)),
    # plannedSubjects = c(60, 160), allocation 1:2, stDev 0.8, prevalence 0.2, both populations
    # continue, Simes; rejectAtLeastOne of 100 trials of each of nine pairs of effects.
    published = [0.01, 0.13, 0.70, 0.05, 0.41, 0.78, 0.24, 0.49, 0.94]
    rule = InterimRule(60 / 160, futility=1.0, enrichment=1.0, alpha=0.025, interim_alpha=0.01)
    effects = [(s, r) for s in (0, 0.25, 0.5) for r in (0, 0.25, 0.5)]
    rng, one = np.random.default_rng(7), np.ones(20_000)
    power = [
        simulate_two_stage(
            rng, inside=s * one, outside=r * one, prevalence=0.2 * one,
            sd=0.8 / np.sqrt(2 / 9), participants=160, interim=rule,
        ).claim.mean()
        for s, r in effects
    ]  # fmt: skip
    z = (np.array(published) - power) / np.sqrt(np.multiply(power, np.subtract(1, power)) / 100)
    assert np.abs(z).max() < 3
    assert (z**2).sum() < 21.7  # 99 % point of chi square with 9 degrees of freedom


@pytest.mark.parametrize("rule", [InterimRule(), InterimRule(0.3, interim_alpha=0.01)])
@pytest.mark.parametrize("outside", [0.0, 1.0, -1.0])
def test_familywise_error_is_at_most_the_level(rule, outside):
    # Nobody benefits inside; claims of all are false where the mean benefit is not positive.
    one = np.ones(60_000)
    trials = simulate_two_stage(
        np.random.default_rng(11), inside=0 * one, outside=outside * one, prevalence=0.35 * one,
        sd=2.0, participants=80, interim=rule,
    )  # fmt: skip
    false = trials.claim_inside | (trials.claim_all & (outside <= 0))
    assert false.mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60_000)


def test_the_interim_decision_uses_the_first_stage_alone():
    first = StageStatistics(*np.array([[1.0], [0.2], [1.0]]))
    assert enriches(first, InterimRule())[0]
    assert not enriches(first, InterimRule(enrichment=0.5))[0]
