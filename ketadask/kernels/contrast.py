"""Contrast of the mean score inside with that outside, studentised; clusters count as one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ketadask.kernels.compiled import kernel
from ketadask.kernels.q_statistic import HETEROGENEITY

MODERATION = 10.0
"""Degrees of freedom given to the variance of all scores.

In simulated crossovers of 60 people, 0.91 of the power of Q remained with 5, and 0.99 with 15 (60
trials of each of eight personas). Where the spread depends on a feature, 3.2 to 5.2 % of the trials
without any persona had a claim with 5, 4.0 to 6.5 % with 10, up to 7.8 % with 25 (400 trials each).
"""
MIN_OUTSIDE = 8
"""Fewest units outside a persona for a contrast."""


@dataclass(frozen=True, eq=False)
class Contrast:
    """Contrasts of some personas; all arrays (persona,).

    Attributes
    ----------
    t
        Difference over its standard error; NaN where undefined.
    difference, se
        Mean score inside minus that outside, and its standard error.
    outside
        Number of units outside.
    """

    t: np.ndarray
    difference: np.ndarray
    se: np.ndarray
    outside: np.ndarray


def contrast(
    inside: np.ndarray,
    score: np.ndarray,
    *,
    outside: np.ndarray | None = None,
    cluster: np.ndarray | None = None,
    moderation: float = MODERATION,
    objective: str = HETEROGENEITY,
    min_outside: int = MIN_OUTSIDE,
) -> Contrast:
    """Return the studentised contrast of each persona.

    Parameters
    ----------
    inside
        bool (persona, unit).
    score
        float64 (unit,).
    outside
        bool (persona, unit), units known to be outside; all that are not inside by default. Units
        that are neither, because a feature is missing, are left out.
    cluster
        (unit,) equal codes are the same participant (or family); every unit its own by default.
    moderation
        Degrees of freedom d0 of the prior variance, see below.
    objective
        ``heterogeneity``: mean inside minus mean outside; ``effect``: mean inside.
    min_outside
        Personas with fewer units outside have no t (objective ``heterogeneity``).

    Returns
    -------
    t is NaN where a side has fewer than two clusters, a single cluster holds a whole side, or no
    variance remains up to rounding.

    Notes
    -----
    Without clusters the variance is ``v_in / k + v_out / m``, with ``v_g = ((n_g - 1) s_g^2 +
    d0 s^2) / (n_g - 1 + d0)`` and s^2 the variance of all scores: Welch's t for d0 = 0, the order
    of Q for large d0 (Smyth 2004, 10.2202/1544-6115.1027, for the moderation).

    With clusters, cluster c contributes ``A_c = R_c / (k sqrt(1 - a_c / k))`` to the mean inside,
    R_c the sum of its a_c residuals there, and B_c likewise outside: Bell and McCaffrey's unbiased
    estimate (2002, "CR2"), HC2 where clusters are single units. The covariance matrix of the two
    means is ``W C W + V C0 V``: C the sums of squares and products of (A_c, B_c); C0 that of
    scores with variance s^2 and the covariance of all pairs of units of one cluster; and W, V
    diagonal with the square roots of ``df / (df + d0)`` and ``d0 / (df + d0)``, df the clusters of
    the side less one.

    Examples
    --------
    >>> score = np.array([5.0, 6.0, 7.0, 1.0, 2.0, 0.0])
    >>> inside = np.array([[True, True, True, False, False, False]])
    >>> contrast(inside, score, moderation=0, min_outside=2).t.round(3)
    array([6.124])
    """
    inside = np.asarray(inside, dtype=np.bool_)
    score = np.asarray(score, dtype=np.float64)
    outside = ~inside if outside is None else np.asarray(outside, dtype=np.bool_)
    codes = np.arange(score.size) if cluster is None else np.unique(cluster, return_inverse=True)[1]
    centred = score - score.mean()
    variance, covariance = _moments(centred, codes)
    heterogeneity = objective == HETEROGENEITY
    difference, squared_se = np.empty(len(inside)), np.empty(len(inside))
    _fill_contrasts(
        inside, outside, centred, codes.astype(np.int64), int(codes.max(initial=-1)) + 1,
        variance, covariance, float(moderation), heterogeneity, difference, squared_se,
    )  # fmt: skip
    n_outside = outside.sum(axis=1)
    if not heterogeneity:
        difference += score.mean()
    rounding = (score.size * np.finfo(np.float64).eps * np.abs(score).max(initial=0.0)) ** 2
    is_valid = squared_se > rounding
    if heterogeneity:
        is_valid &= n_outside >= min_outside
    se = np.sqrt(np.where(is_valid, squared_se, np.nan))
    return Contrast(difference / se, difference, se, n_outside)


def _moments(centred: np.ndarray, codes: np.ndarray) -> tuple[float, float]:
    """Variance of all scores, and mean product of two units of one cluster (0 without any)."""
    size, total = np.bincount(codes), np.bincount(codes, weights=centred)
    square = float(centred @ centred)
    n_pairs = int((size * (size - 1)).sum())
    covariance = (float(total @ total) - square) / n_pairs if n_pairs else 0.0
    return square / max(centred.size - 1, 1), covariance


@kernel()
def _fill_contrasts(
    inside: np.ndarray,
    outside: np.ndarray,
    centred: np.ndarray,
    codes: np.ndarray,
    n_clusters: int,
    variance: float,
    covariance: float,
    moderation: float,
    heterogeneity: bool,
    difference: np.ndarray,
    squared_se: np.ndarray,
) -> None:
    """Fill difference and squared standard error per persona; NaN and 0 where undefined."""
    count = np.empty((2, n_clusters))
    total = np.empty((2, n_clusters))
    size, mean, n_groups, single = np.empty(2), np.empty(2), np.empty(2), np.empty(2)
    for k in range(inside.shape[0]):
        count[:] = 0.0
        total[:] = 0.0
        for u in range(centred.size):
            if inside[k, u]:
                count[0, codes[u]] += 1.0
                total[0, codes[u]] += centred[u]
            elif outside[k, u]:
                count[1, codes[u]] += 1.0
                total[1, codes[u]] += centred[u]
        for side in range(2):
            size[side], n_groups[side], single[side], mean[side] = 0.0, 0.0, 0.0, 0.0
            for c in range(n_clusters):
                if count[side, c] > 0.0:
                    n_groups[side] += 1.0
                    size[side] += count[side, c]
                    mean[side] += total[side, c]
                    single[side] += count[side, c] * (count[side, c] - 1.0)
            mean[side] /= max(size[side], 1.0)
        difference[k], squared_se[k] = np.nan, 0.0
        if heterogeneity:
            if size[0] > 0.0 and size[1] > 0.0:
                difference[k] = mean[0] - mean[1]
        elif size[0] > 0.0:
            difference[k] = mean[0]
        if n_groups[0] < 2.0 or (heterogeneity and n_groups[1] < 2.0):
            continue
        # C and C0: of the mean inside, of that outside, and of both.
        c_in, c_out, c_both, n_pairs_across = 0.0, 0.0, 0.0, 0.0
        for c in range(n_clusters):
            a, b = count[0, c], count[1, c]
            influence_in, influence_out = 0.0, 0.0
            if a > 0.0:
                influence_in = (total[0, c] - a * mean[0]) / (size[0] * np.sqrt(1.0 - a / size[0]))
            if heterogeneity and b > 0.0:
                influence_out = (total[1, c] - b * mean[1]) / (size[1] * np.sqrt(1.0 - b / size[1]))
            c_in += influence_in * influence_in
            c_out += influence_out * influence_out
            c_both += influence_in * influence_out
            n_pairs_across += a * b
        df = n_groups[0] - 1.0
        own_in = df / (df + moderation)
        prior = max((variance + covariance * single[0] / size[0]) / size[0], 0.0)
        squared_se[k] = own_in * c_in + (1.0 - own_in) * prior
        if heterogeneity:
            df = n_groups[1] - 1.0
            own_out = df / (df + moderation)
            prior = max((variance + covariance * single[1] / size[1]) / size[1], 0.0)
            squared_se[k] += own_out * c_out + (1.0 - own_out) * prior
            both = np.sqrt(own_in * own_out) * c_both
            both += (
                np.sqrt((1.0 - own_in) * (1.0 - own_out))
                * covariance * n_pairs_across / (size[0] * size[1])
            )  # fmt: skip
            squared_se[k] -= 2.0 * both
