"""The overall effect of a trial with its interval, from the same outcomes as the scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ketadask.kernels.ridge import cell_means


class Interval(NamedTuple):
    """An estimate with its 95 % interval."""

    estimate: float
    low: float
    high: float


def effect_interval(
    y: np.ndarray,
    cell: np.ndarray,
    cluster: np.ndarray,
    effect: Callable[[np.ndarray], float],
) -> Interval:
    """Return a contrast of cell means with its 95 % interval; spreads may differ between cells.

    Its weights are the effects of the indicators of the cells. Independent units have Welch's
    standard error and Satterthwaite's degrees of freedom; residuals of a cluster are summed.

    Parameters
    ----------
    y
        (unit,) outcome.
    cell, cluster
        (unit,) codes of the cells, and of units that belong together.
    effect
        The contrast of an outcome, linear in the means of the cells.

    Examples
    --------
    >>> y, arm = np.array([5.0, 3.0, 4.0, 1.0, 0.0, 2.0]), np.array([1, 1, 1, 0, 0, 0])
    >>> mean_difference = lambda y: float(y[arm == 1].mean() - y[arm == 0].mean())
    >>> np.round(effect_interval(y, arm, np.arange(6), mean_difference), 3).tolist()
    [3.0, 0.733, 5.267]
    """
    from scipy.stats import t

    n = np.bincount(cell)
    weight = np.array([effect((cell == c).astype(np.float64)) for c in range(n.size)]) / n
    factor = np.sqrt(n / np.maximum(n - 1.0, 1.0))
    influence = (weight * factor)[cell] * (y - cell_means(y, cell))
    if np.unique(cluster).size == cluster.size:
        parts = np.bincount(cell, np.square(influence))
        variance = float(parts.sum())
        spread = float((np.square(parts) / np.maximum(n - 1.0, 1.0)).sum())
        df = variance**2 / spread if spread > 0 else np.inf
    else:
        variance = float(np.square(np.bincount(cluster, influence)).sum())
        df = max(np.unique(cluster).size - n.size, 1)
    estimate = effect(y)
    half = float(t.ppf(0.975, df)) * np.sqrt(variance)
    return Interval(estimate, estimate - half, estimate + half)
