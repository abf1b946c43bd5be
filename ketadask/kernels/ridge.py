"""One ridge regression within cells, its penalty chosen by leaving out cluster by cluster.

The outcome is regressed on all features at once, with a mean of its own for each cell (site and
arm, for example). The left-out errors of all penalties have a closed form, so nothing is drawn at
random and nothing is fitted twice (Golub, Heath & Wahba 1979, 10.1080/00401706.1979.10489751).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RELATIVE_PENALTIES = tuple(10.0**power for power in np.arange(2.5, -2.51, -0.5).tolist())
"""Penalties in mean eigenvalues of the features' Gram matrix, largest first."""


class CellRidge(NamedTuple):
    """A ridge regression within cells.

    ``penalty`` is infinite where left-out errors are least without features. ``r2`` is the share
    of the left-out squared error of the cell means that the features remove. ``coefficients`` are
    (basis,); ``factor`` F (unit, rank) gives the smoother beside the cell means, F F'.
    """

    penalty: float
    r2: float
    coefficients: np.ndarray
    factor: np.ndarray


def standardise(X: np.ndarray) -> np.ndarray:
    """Return features with mean 0 and standard deviation 1; missing values are 0, the mean.

    A constant feature becomes 0.

    Examples
    --------
    >>> standardise(np.array([[1.0, 5.0], [3.0, 5.0], [np.nan, 5.0]]))
    array([[-1.,  0.],
           [ 1.,  0.],
           [ 0.,  0.]])
    """
    X = np.asarray(X, dtype=np.float64)
    has_value = np.isfinite(X)
    count = np.maximum(has_value.sum(axis=0), 1)
    centre = np.where(has_value, X, 0.0).sum(axis=0) / count
    Z = np.where(has_value, X - centre, 0.0)
    spread = np.sqrt(np.einsum("uf,uf->f", Z, Z) / count)
    Z /= np.where(spread > 1e-12 * (1.0 + np.abs(centre)), spread, np.inf)
    return Z


def feature_basis(X: np.ndarray) -> np.ndarray:
    """Return B (unit, min(unit, feature)) with B B' = Z Z' / p of the p standardised features Z.

    A ridge regression on the columns of B has the same fitted values as one on all features.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(3, 8))
    >>> B, Z = feature_basis(X), standardise(X)
    >>> B.shape, bool(np.allclose(B @ B.T, Z @ Z.T / 8))
    ((3, 3), True)
    """
    Z = standardise(X)
    n, p = Z.shape
    Z /= np.sqrt(max(p, 1))
    if p <= n:
        return Z
    eigenvalues, vectors = np.linalg.eigh(Z @ Z.T)
    return np.asarray(vectors * np.sqrt(np.maximum(eigenvalues, 0.0)))


def cell_means(values: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Return the mean of each unit's cell, in the shape of ``values`` (unit, ...).

    Examples
    --------
    >>> cell_means(np.array([1.0, 3.0, 7.0]), np.array([0, 0, 1]))
    array([2., 2., 7.])
    """
    size = np.bincount(cell)
    if values.ndim == 1:
        return np.asarray((np.bincount(cell, weights=values) / np.maximum(size, 1))[cell])
    order = np.argsort(cell, kind="stable")
    present = np.flatnonzero(size)
    first = (np.cumsum(size) - size)[present]
    means = np.zeros((size.size, values.shape[1]))
    means[present] = np.add.reduceat(values[order], first, axis=0) / size[present, None]
    return np.asarray(means[cell])


def cell_ridge(
    basis: np.ndarray,
    y: np.ndarray,
    cell: np.ndarray,
    cluster: np.ndarray,
    relative_penalties: Sequence[float] = RELATIVE_PENALTIES,
) -> CellRidge:
    """Regress ``y`` on a basis within cells; the penalty is that of the least left-out error.

    Parameters
    ----------
    basis
        (unit, r), columns penalised alike.
    y
        (unit,) outcome.
    cell
        (unit,) codes of cells, each with an unpenalised mean.
    cluster
        (unit,) codes of what is left out together. Clusters that hold a whole cell cannot be
        predicted by the others and do not count.
    relative_penalties
        Penalties to choose from, in mean eigenvalues of the centred Gram matrix; no features at
        all is always among the choices and wins ties.

    Examples
    --------
    >>> x = np.arange(12.0)
    >>> one, people = np.zeros(12, int), np.arange(12)
    >>> ridge = cell_ridge(feature_basis(x[:, None]), 2 * x, one, people)
    >>> round(ridge.penalty, 4), round(ridge.r2, 2)
    (0.0032, 1.0)
    """
    n = y.shape[0]
    residual = y - cell_means(y, cell)
    Z = basis - cell_means(basis, cell)
    is_wide = n < Z.shape[1]
    eigenvalues, vectors = np.linalg.eigh(Z @ Z.T if is_wide else Z.T @ Z)
    eigenvalues = np.maximum(eigenvalues, 0.0)
    T = vectors * np.sqrt(eigenvalues) if is_wide else Z @ vectors  # Z Z' = T T'
    mean_eigenvalue = float(eigenvalues.sum()) / max(n, 1)
    if mean_eigenvalue < 1e-12:
        return no_ridge(n, basis.shape[1])
    penalties = mean_eigenvalue * np.append(relative_penalties, np.inf)
    shrinkage = 1.0 / (eigenvalues[:, None] + penalties)
    errors = _left_out_errors(residual, T, shrinkage, cell, cluster)
    best = int(np.argmin(errors))
    if not errors[best] < errors[-1] * (1.0 - 1e-9):
        return no_ridge(n, basis.shape[1])
    weight = shrinkage[:, best]
    if is_wide:
        coefficients = Z.T @ (vectors @ (weight * (vectors.T @ residual)))
    else:
        coefficients = vectors @ (weight * (T.T @ residual))
    r2 = float(1.0 - errors[best] / errors[-1])
    return CellRidge(float(penalties[best]), r2, coefficients, T * np.sqrt(weight))


def no_ridge(n_units: int, n_columns: int) -> CellRidge:
    """Return the regression on cell means alone."""
    return CellRidge(np.inf, 0.0, np.zeros(n_columns), np.zeros((n_units, 0)))


def _left_out_errors(
    residual: np.ndarray,
    T: np.ndarray,
    shrinkage: np.ndarray,
    cell: np.ndarray,
    cluster: np.ndarray,
) -> np.ndarray:
    """Return (penalty,) mean squared errors of clusters predicted by the others.

    With H = cell means + T diag(shrinkage) T', the left-out errors of a cluster b are
    (I - H_bb)^-1 r_b, r the residuals. The residuals of the cell means enter.
    """
    errors = residual[:, None] - T @ (shrinkage * (T.T @ residual)[:, None])
    size = np.bincount(cell)[cell]
    usable = np.ones(residual.shape[0], dtype=bool)
    count = np.bincount(cluster)
    for members in sorted(set(count[count > 0].tolist())):
        alike = np.flatnonzero(count[cluster] == members)
        order = alike[np.argsort(cluster[alike], kind="stable")]
        block: np.ndarray = order.reshape(-1, members)
        if members == 1:
            unit = block[:, 0]
            rest = 1.0 - 1.0 / size[unit][:, None] - np.square(T[unit]) @ shrinkage
            usable[unit] = size[unit] > 1
            errors[unit] /= np.where(usable[unit][:, None], rest, 1.0)
            continue
        same = cell[block][:, :, None] == cell[block][:, None, :]
        usable[block] = (same.sum(axis=2) < size[block]).all(axis=1)[:, None]
        own = usable[block[:, 0]]
        block, means = block[own], same[own] / size[block[own]][:, :, None]
        rows = T[block]
        for k in range(shrinkage.shape[1]):
            smoother = means + (rows * shrinkage[:, k]) @ rows.transpose(0, 2, 1)
            solution = np.linalg.solve(np.eye(members) - smoother, errors[block, k][:, :, None])
            errors[block, k] = solution[:, :, 0]
    return np.asarray(np.square(errors[usable]).sum(axis=0) / max(int(usable.sum()), 1))
