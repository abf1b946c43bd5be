"""Repeated measures against statsmodels: a mixed model with unstructured covariance, and slopes."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from ketadask.kernels.repeated import expected_courses, mean_level, slope

RNG = np.random.default_rng(0)
COVARIANCE = np.array([[4, 2, 1, 1], [2, 5, 3, 2], [1, 3, 6, 3], [1, 2, 3, 7.0]])


def trial(n, missing):
    cell = np.arange(n) % 2
    y = RNG.multivariate_normal(np.zeros(4), COVARIANCE, n) + np.outer(cell, np.arange(4))
    gap = RNG.random((n, 4)) < missing
    gap[:, 0] = False
    return np.where(gap, np.nan, y), cell


def test_the_contrast_is_that_of_a_mixed_model_with_unstructured_covariance():
    y, arm = trial(80, 0.25)
    rows = [(u, arm[u], v, y[u, v]) for u, v in np.argwhere(np.isfinite(y)).tolist()]
    table = pd.DataFrame(rows, columns=["unit", "arm", "visit", "y"])
    model = smf.mixedlm("y ~ 0 + C(arm):C(visit)", table, groups="unit", re_formula="0 + C(visit)")
    fit = model.fit(reml=False, method="lbfgs", maxiter=2_000)
    reference = np.array(fit.fe_params).reshape(4, 2).T
    z, covariance = expected_courses(y, arm)
    means = np.stack([z[arm == a].mean(axis=0) for a in (0, 1)])
    assert means == pytest.approx(reference, abs=2e-4)
    unstructured = np.asarray(fit.cov_re) + fit.scale * np.eye(4)
    assert covariance == pytest.approx(unstructured, abs=5e-3)


def test_the_means_are_generalised_least_squares_of_the_covariance():
    """Independent of any optimiser: the normal equations hold at 1e-6."""
    y, arm = trial(60, 0.3)
    z, covariance = expected_courses(y, arm)
    left, right = np.zeros((8, 8)), np.zeros(8)
    for u in range(len(y)):
        seen = np.flatnonzero(np.isfinite(y[u]))
        design = np.zeros((seen.size, 8))
        design[np.arange(seen.size), 4 * arm[u] + seen] = 1.0
        precision = np.linalg.inv(covariance[np.ix_(seen, seen)])
        left += design.T @ precision @ design
        right += design.T @ precision @ y[u, seen]
    means = np.linalg.solve(left, right).reshape(2, 4)
    assert np.stack([z[arm == a].mean(axis=0) for a in (0, 1)]) == pytest.approx(means, abs=1e-6)


def test_without_gaps_each_course_is_its_own():
    y, arm = trial(30, 0.0)
    z, covariance = expected_courses(y, arm)
    assert (z == y).all()
    residual = y - np.stack([y[arm == a].mean(axis=0) for a in (0, 1)])[arm]
    assert covariance == pytest.approx(residual.T @ residual / 30)


def test_slopes_are_least_squares_and_levels_are_trapezoids():
    day, y = np.array([0.0, 1.0, 3.0, 7.0]), RNG.normal(size=4)
    assert slope(day, y) == pytest.approx(sm.OLS(y, sm.add_constant(day)).fit().params[1])
    fine = np.linspace(0, 7, 700_001)
    assert mean_level(day, y) == pytest.approx(np.interp(fine, day, y).mean(), abs=1e-5)
