"""Repeated measures as one number per unit: mean level, slope, and a model of all visits."""

from __future__ import annotations

import numpy as np

from ketadask.kernels.ridge import cell_means

_TOLERANCE, _MAX_STEPS = 1e-10, 20_000


def mean_level(day: np.ndarray, y: np.ndarray) -> float:
    """Return the area under a course by trapezoids, divided by its duration.

    Examples
    --------
    >>> mean_level(np.array([0.0, 2.0, 6.0]), np.array([30.0, 20.0, 20.0]))
    21.666666666666668
    """
    return float(np.trapezoid(y, day) / (day[-1] - day[0]))


def slope(day: np.ndarray, y: np.ndarray) -> float:
    """Return the least-squares slope of a course per day.

    Examples
    --------
    >>> slope(np.array([0.0, 1.0, 2.0]), np.array([5.0, 4.0, 3.0]))
    -1.0
    """
    centred = day - day.mean()
    return float(centred @ y / (centred @ centred))


def expected_courses(y: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the expectation of each unit's course given its observed visits, and the covariance.

    The model has a mean per cell and visit and one unstructured covariance of the visits, fitted by
    maximum likelihood (EM). The mean of the expectations over a cell is the estimated mean of the
    model, so their difference between arms is the contrast of the mixed model for repeated
    measures. Missing visits are taken as missing at random.

    Parameters
    ----------
    y
        (unit, visit) outcome, NaN where missing; each unit has a visit, each cell each of them.
    cell
        (unit,) codes of the cells, such as trial and arm.

    References
    ----------
    Mallinckrodt et al. 2008, 10.1177/009286150804200402; Dempster, Laird & Rubin 1977.
    """
    observed = np.isfinite(y)
    means = _cell_means_of_observed(y, cell)
    z = np.where(observed, y, means[cell])
    covariance = np.diag(np.square(z - means[cell]).sum(axis=0) / observed.sum(axis=0))
    patterns, pattern = np.unique(observed, axis=0, return_inverse=True)
    members = [np.flatnonzero(pattern.reshape(-1) == k) for k in range(len(patterns))]
    for _ in range(_MAX_STEPS):
        spread = np.zeros_like(covariance)
        for present, units in zip(patterns, members, strict=True):
            if present.all():
                continue
            gap = ~present
            slopes = np.linalg.solve(covariance[np.ix_(present, present)],
                                     covariance[np.ix_(present, gap)])  # fmt: skip
            mean = means[cell[units]]
            rest = y[np.ix_(units, present)] - mean[:, present]
            z[np.ix_(units, gap)] = mean[:, gap] + rest @ slopes
            own = covariance[np.ix_(gap, gap)] - covariance[np.ix_(gap, present)] @ slopes
            spread[np.ix_(gap, gap)] += len(units) * own
        fitted = np.stack([cell_means(column, cell) for column in z.T], axis=1)
        residual = z - fitted
        update = (residual.T @ residual + spread) / len(y)
        step = max(np.abs(update - covariance).max(), np.abs(fitted - means[cell]).max())
        means[cell], covariance = fitted, update
        if step <= _TOLERANCE * max(np.sqrt(np.diag(update).max()), 1e-300):
            break
    return z, covariance


def _cell_means_of_observed(y: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Return (cell, visit) the means of the observed values."""
    total = np.stack([np.bincount(cell, np.nan_to_num(column)) for column in y.T], axis=1)
    count = np.stack([np.bincount(cell, np.isfinite(column)) for column in y.T], axis=1)
    return np.asarray(total / np.maximum(count, 1))
