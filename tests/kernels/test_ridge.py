"""The ridge within cells: its closed form equals fitting again without each cluster."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketadask.kernels.ridge import (
    RELATIVE_PENALTIES,
    cell_means,
    cell_ridge,
    feature_basis,
    standardise,
)


def refit(Z, y, cell, penalty):
    """Return the means of the cells and coefficients of a penalised regression, by its equations.

    Reference: dummies for cells are not penalised, coefficients are; nothing is centred.
    """
    kinds = np.unique(cell)
    D = (cell[:, None] == kinds).astype(float)
    if np.isinf(penalty):
        return dict(zip(kinds, np.linalg.solve(D.T @ D, D.T @ y), strict=True)), np.zeros(
            Z.shape[1]
        )
    A = np.hstack([D, Z])
    P = np.diag(np.r_[np.zeros(len(kinds)), np.full(Z.shape[1], penalty)])
    beta = np.linalg.solve(A.T @ A + P, A.T @ y)
    return dict(zip(kinds, beta[: len(kinds)], strict=True)), beta[len(kinds) :]


def left_out_error(Z, y, cell, cluster, penalty):
    """Return the mean squared error of clusters predicted by a fit to all others."""
    errors = []
    for name in np.unique(cluster):
        own = cluster == name
        if not np.isin(cell[own], cell[~own]).all():
            continue  # the others have no unit in one of its cells
        mean, beta = refit(Z[~own], y[~own], cell[~own], penalty)
        errors += (y[own] - [mean[c] for c in cell[own]] - Z[own] @ beta).tolist()
    return np.mean(np.square(errors))


def example(n, p, clusters, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    X[rng.random(X.shape) < 0.1] = np.nan
    cell, cluster = rng.integers(0, 4, n), rng.integers(0, clusters, n)
    y = np.nan_to_num(X) @ rng.normal(size=p) / np.sqrt(p) + 5.0 * cell + rng.normal(size=n)
    return X, y, np.unique(cell, return_inverse=True)[1], cluster


@pytest.mark.parametrize("clusters", [8, 20, 1000])
@pytest.mark.parametrize(("n", "p"), [(30, 4), (24, 60), (40, 40)])
def test_the_closed_form_is_that_of_fitting_again_without_each_cluster(n, p, clusters):
    for seed in range(6):
        X, y, cell, cluster = example(n, p, clusters, seed)
        Z = standardise(X) / np.sqrt(p)
        ridge = cell_ridge(feature_basis(X), y, cell, np.unique(cluster, return_inverse=True)[1])
        centred = Z - cell_means(Z, cell)
        penalties = [r * np.square(centred).sum() / n for r in RELATIVE_PENALTIES] + [np.inf]
        errors = [left_out_error(Z, y, cell, cluster, penalty) for penalty in penalties]
        best = int(np.argmin(errors))
        assert ridge.penalty == pytest.approx(penalties[best])
        assert ridge.r2 == pytest.approx(1 - errors[best] / errors[-1], abs=1e-9)
        mean, beta = refit(Z, y, cell, ridge.penalty)
        fitted = np.array([mean[c] for c in cell]) + Z @ beta
        prediction = feature_basis(X) @ ridge.coefficients
        again = cell_means(y - prediction, cell) + prediction
        assert again == pytest.approx(fitted)
        # The factor gives the smoother: what one more in an outcome adds to its own fit.
        if np.isfinite(ridge.penalty):
            shifted = refit(Z, y + (np.arange(n) == 3), cell, ridge.penalty)
            own = shifted[0][cell[3]] + Z[3] @ shifted[1] - fitted[3]
            leverage = np.square(ridge.factor[3]).sum() + 1 / np.bincount(cell)[cell[3]]
            assert leverage == pytest.approx(own)


def test_the_penalty_is_infinite_where_features_predict_nothing():
    chosen = []
    for seed in range(40):
        X, _, cell, _ = example(60, 30, 1000, seed)
        y = np.random.default_rng([1, seed]).normal(size=60) + 3.0 * cell
        chosen.append(cell_ridge(feature_basis(X), y, cell, np.arange(60)))
    assert np.mean([np.isinf(ridge.penalty) for ridge in chosen]) > 0.5
    assert np.median([ridge.r2 for ridge in chosen]) == 0
    # A constant feature is no feature, and the same outcome for all leaves nothing to predict.
    for X, y in ((np.ones((9, 3)), np.arange(9.0)), (np.eye(9), np.ones(9))):
        ridge = cell_ridge(feature_basis(X), y, np.zeros(9, int), np.arange(9))
        assert (ridge.penalty, ridge.r2) == (np.inf, 0.0)
        assert not ridge.coefficients.any()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), wide=st.booleans())
def test_constants_of_cells_the_order_of_units_and_the_names_of_clusters_change_nothing(seed, wide):
    X, y, cell, cluster = example(30, 50 if wide else 5, 12, seed)
    cluster = np.unique(cluster, return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    one = cell_ridge(feature_basis(X), y, cell, cluster)
    fit = feature_basis(X) @ one.coefficients
    moved = cell_ridge(feature_basis(X), y + rng.normal(0, 50, 4)[cell], cell, cluster)
    assert feature_basis(X) @ moved.coefficients == pytest.approx(fit, abs=1e-6)
    order = rng.permutation(30)
    other = cell_ridge(
        feature_basis(X[order]), y[order], cell[order], cluster.max() - cluster[order]
    )
    assert feature_basis(X[order]) @ other.coefficients == pytest.approx(fit[order], abs=1e-9)
    assert other.r2 == pytest.approx(one.r2, abs=1e-9)
    # Nor do the units of measurement of the features.
    scaled = cell_ridge(feature_basis(7.0 - 3.0 * X), y, cell, cluster)
    assert feature_basis(7.0 - 3.0 * X) @ scaled.coefficients == pytest.approx(fit, abs=1e-9)


def test_a_basis_has_the_products_of_all_features():
    for n, p in ((20, 6), (20, 90)):
        X, *_ = example(n, p, 5, 1)
        Z, basis = standardise(X), feature_basis(X)
        assert basis.shape == (n, min(n, p))
        assert basis @ basis.T == pytest.approx(Z @ Z.T / p)
