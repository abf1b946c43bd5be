"""Linear modifiers against scipy, statsmodels and sums by hand."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from ketadask.kernels.modifiers import linear_modifiers
from ketadask.kernels.ridge import standardise


def draw(n=50, features=4):
    rng = np.random.default_rng(3)
    value = standardise(rng.normal(size=(n, features)))
    return value, value[:, 0] + rng.normal(size=n), rng.integers(0, 20, n)


def test_the_correlation_is_that_of_scipy():
    value, score, _ = draw()
    _, correlation = linear_modifiers(value, score)
    for k in range(value.shape[1]):
        assert correlation[k] == pytest.approx(stats.pearsonr(value[:, k], score).statistic)


def test_t_is_the_score_test_of_statsmodels():
    """Its square is n R2 of Koenker's regression: 1 on products of feature and residual."""
    value, score, _ = draw()
    t, _ = linear_modifiers(value, score)
    products = value[:, :1] * (score - score.mean())[:, None]
    fit = sm.OLS(np.ones(len(score)), products).fit()
    assert t[0] ** 2 == pytest.approx(len(score) * fit.rsquared)


def test_clusters_are_summed():
    value, score, cluster = draw()
    t, _ = linear_modifiers(value, score, cluster)
    products = value * (score - score.mean())[:, None]
    sums = np.array([products[cluster == c].sum(axis=0) for c in np.unique(cluster)])
    assert t == pytest.approx(sums.sum(axis=0) / np.sqrt((sums**2).sum(axis=0)))
    single, _ = linear_modifiers(value, score, np.arange(len(score))[::-1])
    assert single == pytest.approx(linear_modifiers(value, score)[0])


def test_what_is_constant_is_no_modifier():
    value = np.zeros((10, 1))
    assert linear_modifiers(value, np.arange(10.0))[0].tolist() == [0.0]
    assert linear_modifiers(value + 1.0, np.ones(10))[1].tolist() == [0.0]
