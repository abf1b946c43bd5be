"""From outcomes and arms to one score per unit, whose mean over a set is the set's benefit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ketadask.kernels.ridge import cell_means

_GRID_BITS = 34  # of a score: results of different processors differ in later bits


class Regression(NamedTuple):
    """Regression on features, for the units that are scored.

    Parameters
    ----------
    prediction
        (unit,) prediction from the features.
    factor
        (unit, rank) factor F of `CellRidge` where the same units were fitted; none elsewhere.
    cluster
        (unit,) codes of units that share features; each its own by default.
    """

    prediction: np.ndarray
    factor: np.ndarray | None = None
    cluster: np.ndarray | None = None


def percent_improvement(improvement: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Return improvements in percent of their baselines, NaN where there is none above 0.

    Examples
    --------
    >>> percent_improvement(np.array([12.0, 3.0]), np.array([30.0, 0.0]))
    array([40., nan])
    """
    positive_baseline = np.where(np.asarray(baseline) > 0, baseline, np.nan)
    return np.asarray(100.0 * np.asarray(improvement) / positive_baseline)


def paired_scores(
    difference: np.ndarray,
    active_first: np.ndarray,
    cell: np.ndarray,
    effect: np.ndarray,
    regression: Regression | None = None,
) -> np.ndarray:
    """Score participants with both arms: difference minus mean of its cell plus overall effect.

    With a regression on features, it predicts the first period minus the second, the same way in
    both sequences: baselines that predict the course from one period to the other make the
    differences of participants vary more where they are extreme. The score is the overall effect
    + c w e as in `unpaired_scores`, with w = 1 where active came first and -1 elsewhere.

    Parameters
    ----------
    difference
        (unit,) outcome on active minus outcome on control.
    active_first
        (unit,) True where the active arm came first.
    cell
        (unit,) codes of site and sequence.
    effect
        (unit,) as `paired_effects` returns it.
    regression
        Of the first period minus the second; none by default.

    Returns
    -------
    (unit,) scores; every cell has the same mean, that of ``effect``.

    Examples
    --------
    With one site, this is the difference without the period effect (Senn 2002, Cross-over Trials
    in Clinical Research, chapter 3):

    >>> first = np.array([True, True, False, False])
    >>> paired_scores(np.array([5.0, 7.0, 2.0, 4.0]), first, 1 - first, np.full(4, 4.5))
    array([3.5, 5.5, 3.5, 5.5])
    """
    sign = np.where(np.asarray(active_first, dtype=bool), 1.0, -1.0)
    score = _weighted_residuals(
        sign * difference, sign, sign, cell, np.zeros(len(sign)), regression
    )
    return _on_grid(np.mean(effect) + score)


def unpaired_scores(
    y: np.ndarray,
    active: np.ndarray,
    level: np.ndarray,
    cell: np.ndarray,
    effect: np.ndarray,
    regression: Regression | None = None,
) -> np.ndarray:
    """Score units observed on one arm: overall effect + c w e.

    e = (y - mean of the cell - prediction) / sqrt(1 - h) has equal variance for all units, h being
    the leverage of a unit in its own expectation. w = 1/q on active and -1/(1 - q) on control, q
    the fraction on active in the level (site). The constant c makes the benefit of a set minus
    that of the others unbiased: on average over random sets, a unit's effect a, 1 on active and 0
    on control, contributes w (a - F F' a within the cluster) / sqrt(1 - h) to it.

    Parameters
    ----------
    y
        (unit,) outcome, larger is better; 0 and 1 for a response.
    active
        (unit,) True on the active arm.
    level, cell
        (unit,) codes of trial and site, and of the cells within them.
    effect
        (unit,) as `unpaired_effects` returns it.
    regression
        Of the outcome; none by default.

    Returns
    -------
    (unit,) scores; every level has the same mean, that of ``effect``.

    Examples
    --------
    >>> arm = np.array([True, True, False, False])
    >>> one = np.zeros(4, dtype=int)
    >>> unpaired_scores(np.array([5.0, 3.0, 1.0, 0.0]), arm, one, 1 - arm, np.full(4, 3.5))
    array([5.5, 1.5, 2.5, 4.5])
    """
    fraction = cell_means(active.astype(np.float64), level)
    weight = np.where(active, 1.0 / fraction, -1.0 / (1.0 - fraction))
    in_mean = 1.0 / np.bincount(cell)[cell]
    arm = active.astype(np.float64)
    score = _weighted_residuals(y, weight, arm, cell, in_mean, regression)
    return _on_grid(np.mean(effect) + score)


def _weighted_residuals(
    y: np.ndarray,
    weight: np.ndarray,
    treatment: np.ndarray,
    cell: np.ndarray,
    in_mean: np.ndarray,
    regression: Regression | None,
) -> np.ndarray:
    """Return c w e, centred in each cell: residuals of equal variance, and an unbiased benefit.

    ``treatment`` is how a unit's benefit enters its residual, ``in_mean`` the leverage of a unit in
    the mean of its cell.
    """
    n_units = y.shape[0]
    prediction, factor, cluster = regression or Regression(np.zeros(n_units))
    residual = y - prediction
    F = np.zeros((n_units, 0)) if factor is None else factor
    cluster = np.arange(n_units) if cluster is None else cluster
    rest = 1.0 - in_mean - np.square(F).sum(axis=1)
    scale = np.where(rest > 1e-9, 1.0 / np.sqrt(np.maximum(rest, 1e-9)), 0.0)
    e = scale * (residual - cell_means(residual, cell))
    cluster_sum = cell_means(treatment[:, None] * F, cluster) * np.bincount(cluster)[cluster, None]
    gain = float(np.mean(weight * scale * (treatment - np.einsum("ur,ur->u", F, cluster_sum))))
    c = 1.0 / gain if gain > 1e-9 else 1.0
    return np.asarray(c * weight * (e - cell_means(e, cell)))


def paired_effects(difference: np.ndarray, level: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Return (unit,) the overall effect of each unit's level: the mean of its cells' means.

    The cells are sequences, which a period effect moves in opposite directions.

    Examples
    --------
    >>> one = np.zeros(3, dtype=int)
    >>> paired_effects(np.array([5.0, 7.0, 2.0]), one, np.array([0, 0, 1]))
    array([4., 4., 4.])
    """
    each_cell = 1.0 / np.bincount(cell)[cell]
    total = np.bincount(level, weights=difference * each_cell)
    n_cells = np.maximum(np.bincount(level, weights=each_cell), 1e-9)
    return np.asarray((total / n_cells)[level])


def unpaired_effects(
    y: np.ndarray, active: np.ndarray, level: np.ndarray, period: np.ndarray
) -> np.ndarray:
    """Return (unit,) the overall effect of each unit's level: the difference of its arms' means.

    Differences of several periods are averaged with weights n1 n0 / (n1 + n0), n1 and n0 the units
    per arm (Mantel & Haenszel); where no period has both arms, periods are not told apart.

    Examples
    --------
    >>> y, active = np.array([5.0, 3.0, 1.0]), np.array([True, True, False])
    >>> one = np.zeros(3, dtype=int)
    >>> unpaired_effects(y, active, one, one)
    array([3., 3., 3.])
    """
    _, cell = np.unique(level * (int(period.max()) + 1) + period, return_inverse=True)
    total, weight = np.zeros(int(level.max()) + 1), np.zeros(int(level.max()) + 1)
    for block in (cell, level):
        n1, n0 = (np.bincount(block, weights=arm) for arm in (active, ~active))
        sum1, sum0 = (np.bincount(block, weights=y * arm) for arm in (active, ~active))
        precision = n1 * n0 / (n1 + n0)
        difference = sum1 / np.maximum(n1, 1) - sum0 / np.maximum(n0, 1)
        owner = np.zeros(n1.size, dtype=np.int64)
        owner[block] = level
        own = weight[owner] == 0
        total += np.bincount(
            owner[own], weights=(precision * difference)[own], minlength=total.size
        )
        weight += np.bincount(owner[own], weights=precision[own], minlength=total.size)
    return np.asarray((total / np.where(weight > 0, weight, 1.0))[level])


def _on_grid(score: np.ndarray) -> np.ndarray:
    """Round scores to 34 bits of the largest, so that every worker has the same ones."""
    largest = float(np.abs(score).max(initial=0.0))
    if largest == 0.0 or not np.isfinite(largest):
        return np.asarray(score)
    unit = 2.0 ** (np.floor(np.log2(largest)) - _GRID_BITS)
    return np.asarray(np.round(score / unit) * unit)
