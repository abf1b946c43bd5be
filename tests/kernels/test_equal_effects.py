"""Welch's test of equal effects against statsmodels, and its rate of false positives."""

import numpy as np
import pytest
from statsmodels.stats.oneway import anova_oneway

from ketadask.kernels.equal_effects import equal_effects


def of_groups(groups):
    sizes = np.array([len(group) for group in groups])
    variance = np.array([group.var(ddof=1) for group in groups]) / sizes
    return equal_effects(np.array([group.mean() for group in groups]), variance, sizes - 1.0)


@pytest.mark.parametrize("k", [2, 3, 7])
def test_of_means_it_is_welchs_analysis_of_variance(k):
    rng = np.random.default_rng(k)
    groups = [rng.normal(size=5 + 3 * g) * (1 + g) for g in range(k)]
    expected = anova_oneway(groups, use_var="unequal").pvalue
    assert of_groups(groups) == pytest.approx(expected, rel=1e-9)


def test_equal_effects_are_rejected_at_the_nominal_rate():
    rng = np.random.default_rng(0)
    p = [of_groups([rng.normal(size=n) * n for n in (6, 12, 20)]) for _ in range(2_000)]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.015)


def test_groups_without_variance_do_not_count():
    effect = np.array([1.0, 2.0, 5.0, 9.0])
    variance, df = np.array([1.0, 2.0, 0.0, np.nan]), np.full(4, 8.0)
    assert equal_effects(effect, variance, df) == equal_effects(effect[:2], variance[:2], df[:2])
    assert np.isnan(equal_effects(effect[1:], variance[1:], df[1:]))
