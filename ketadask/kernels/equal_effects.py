"""Whether several groups have the same treatment effect: Welch's test of their estimates."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import fdtrc


def equal_effects(effect: np.ndarray, variance: np.ndarray, df: np.ndarray) -> float:
    """Return the p of equal effects in all groups, whose variances may differ.

    ``F = sum w (effect - mean)^2 / (k - 1) / (1 + 2 (k - 2) / (k^2 - 1) L)`` with weights w =
    1 / variance, their mean of effects, and L = sum (1 - w / sum w)^2 / df; degrees of freedom
    k - 1 and (k^2 - 1) / (3 L).

    Parameters
    ----------
    effect, variance, df
        (group,) estimates, their squared standard errors and the degrees of freedom of these. A
        group without a positive variance does not count.

    Returns
    -------
    p; NaN with fewer than two groups.

    Examples
    --------
    >>> round(equal_effects(np.array([1.0, 2.0, 6.0]), np.ones(3), np.full(3, 9.0)), 4)
    0.0065

    References
    ----------
    Welch 1951, 10.1093/biomet/38.3-4.330.
    """
    usable = np.isfinite(effect) & np.isfinite(variance) & (variance > 0) & (df > 0)
    y, v, nu = effect[usable], variance[usable], df[usable]
    k = len(y)
    if k < 2:
        return math.nan
    w = 1.0 / v
    fraction = w / w.sum()
    lack = float(((1.0 - fraction) ** 2 / nu).sum())
    between = float(w @ (y - fraction @ y) ** 2) / (k - 1)
    statistic = between / (1.0 + 2.0 * (k - 2) / (k * k - 1) * lack)
    return float(fdtrc(k - 1, (k * k - 1) / (3.0 * lack), statistic))
