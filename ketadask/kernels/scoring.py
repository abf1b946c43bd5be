"""Centred scores on a fixed grid, so that every sum over a persona is exact in float64.

Sums of float64 numbers depend on their order, and near-ties would be ranked by rounding. The
centred scores are therefore rounded once to a power-of-two grid so fine (about 2^-52 times n
times the largest score) that the sum over any set of units is exact. Brute force, branch and
bound, and matrix products then agree to the last bit, in any order, on any machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

HETEROGENEITY = "heterogeneity"
EFFECT = "effect"
OBJECTIVES = (HETEROGENEITY, EFFECT)


class EqualScoresError(ValueError):
    """Scores that do not differ: nothing can be searched."""


@dataclass(frozen=True)
class Scores:
    """Centred scores and the denominators of Q.

    Attributes
    ----------
    centred
        float64 (unit,), exact multiples of one power of two, scaled by another so that the
        largest score lies between 0.5 and 1.
    sigma
        Standard deviation of the scaled scores, n - 1 in the denominator.
    denominator
        float64 (n + 1,): ``Q = sum of centred / denominator[support]``; inf at 0 and n, because
        a persona that holds nobody or everybody says nothing.
    slope
        1 for heterogeneity, 0 for effect: the variance of a sum of k units is
        ``sigma^2 k (n - slope k) / n``.
    """

    centred: np.ndarray
    sigma: float
    denominator: np.ndarray
    slope: float


def centre(score: np.ndarray, objective: str = HETEROGENEITY) -> Scores:
    """Centre scores and put them on the grid.

    With objective ``heterogeneity`` Q is the exact permutation z statistic of a set of k units
    among n, ``sum(s - mean) / (sd * sqrt(k (1 - k/n)))``; with ``effect`` it is
    ``sum(s) / (sd * sqrt(k))``.

    Examples
    --------
    >>> scores = centre(np.array([1.0, 2.0, 6.0]))
    >>> scores.centred, round(scores.sigma, 3)
    (array([-0.25 , -0.125,  0.375]), 0.331)
    """
    score = np.asarray(score, dtype=np.float64)
    _refuse(score, objective)
    n = score.size
    size = math.frexp(float(np.abs(score).max()))[1]
    score = np.ldexp(score, -size)  # Q has no scale; squares must neither overflow nor vanish
    mean = math.fsum(score) / n
    sigma = math.sqrt(math.fsum((score - mean) ** 2) / (n - 1))
    if sigma <= 1e-12:
        value = np.ldexp(score[0], size)
        raise EqualScoresError(
            f"all {n} scores are equal ({value:g}): no persona can differ from the rest"
        )
    shifted = score - mean if objective == HETEROGENEITY else score
    grid = 2.0 ** (math.frexp(np.abs(shifted).max())[1] + math.ceil(math.log2(n)) - 52)
    support = np.arange(n + 1)
    slope = 1.0 if objective == HETEROGENEITY else 0.0
    denominator = sigma * np.sqrt(support * (1 - slope * support / n))
    denominator[[0, n]] = np.inf
    return Scores(np.round(shifted / grid) * grid, sigma, denominator, slope)


def _refuse(score: np.ndarray, objective: str) -> None:
    if objective not in OBJECTIVES:
        raise ValueError(f"objective must be one of {OBJECTIVES}, found {objective!r}")
    if score.ndim != 1 or score.size < 2:
        raise ValueError(f"at least two units with a score are needed, found shape {score.shape}")
    bad = np.flatnonzero(~np.isfinite(score))
    if bad.size:
        raise ValueError(
            f"score of unit {bad[0]} is {score[bad[0]]} ({bad.size} such units); "
            "drop units without a score or impute them before the search"
        )
