"""The formula of power and sample size, against documented output of rpact and statsmodels."""

import numpy as np
import pytest
from scipy.stats import norm
from statsmodels.stats.power import TTestIndPower, TTestPower

from ketadask.kernels.sample_size import agreement, smallest_size, t_test_power


def test_documented_sample_size_of_rpact():
    # Lakens, Improving Your Statistical Inferences, chapter on sequential analysis, prints rpact's
    # getSampleSizeMeans(alternative = 0.5, sided = 2, alpha = 0.05, beta = 0.1): "Number of
    # subjects fixed: 170.1", critical value 0.303 on the scale of the effect.
    def power_of(n):
        return t_test_power(0.5, 2 / np.sqrt(n), n - 2, alpha=0.05, sides=2)

    assert smallest_size(lambda tenth: power_of(tenth / 10), 0.9) == 1701
    assert smallest_size(power_of, 0.9, step=2) == 172


@pytest.mark.parametrize("effect", [0.2, 0.5, 1.1])
@pytest.mark.parametrize("n", [8, 40, 500])
def test_power_is_that_of_statsmodels(effect, n):
    two_arms = TTestIndPower().power(effect, n / 2, 0.025, alternative="larger")
    assert t_test_power(effect, 2 / np.sqrt(n), n - 2, alpha=0.025) == pytest.approx(two_arms)
    paired = TTestPower().power(effect, n, 0.05, alternative="larger")
    assert t_test_power(effect, 1 / np.sqrt(n), n - 1) == pytest.approx(paired)


def test_power_without_degrees_of_freedom_is_none_and_large_trials_are_normal():
    assert t_test_power(1.0, 0.1, [0.0, -3.0]).tolist() == [0.0, 0.0]
    normal = norm.sf(norm.isf(0.05) - 2.0)
    assert t_test_power(2.0, 1.0, 19_999) == pytest.approx(normal, abs=1e-4)
    assert t_test_power(2.0, 1.0, 1e6) == pytest.approx(normal, abs=1e-6)
    assert t_test_power(100.0, 1.0, 50) == 1.0
    assert t_test_power(-100.0, 1.0, 50) == 0.0


def test_no_size_is_enough():
    assert np.isnan(smallest_size(lambda _: 0.5, 0.8))
    assert smallest_size(lambda _: 0.9, 0.8, step=2) == 2


@pytest.mark.parametrize(("literals", "prevalence"), [(1, 0.5), (2, 0.35), (3, 0.2)])
def test_people_who_cross_a_cut_dilute_the_difference(literals, prevalence):
    rng = np.random.default_rng(1)
    first = rng.normal(size=(400_000, literals))
    again = 0.8 * first + 0.6 * rng.normal(size=first.shape)
    cut = norm.ppf(prevalence ** (1 / literals))
    before, after = (first <= cut).all(axis=1), (again <= cut).all(axis=1)
    benefit = 3.0 * before
    difference = benefit[after].mean() - benefit[~after].mean()
    assert difference / 3 == pytest.approx(agreement(prevalence, literals, 0.8), abs=0.006)
    assert agreement(prevalence, literals, 1.0) == 1.0
