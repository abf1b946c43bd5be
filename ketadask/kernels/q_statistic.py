"""The search statistic Q: centred scores, and Q of personas on the training sets of many splits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

import numpy as np

from ketadask.kernels.settings import Objective

HETEROGENEITY: Objective = "heterogeneity"
CELLS = 1 << 22
"""Largest number of split x unit cells in memory at once."""


class EqualScoresError(ValueError):
    """All scores are equal, so no persona can differ."""


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
        Q of no units or of all units is undefined.
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
    _check_scores(score, objective)
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


def _check_scores(score: np.ndarray, objective: str) -> None:
    if objective not in get_args(Objective):
        raise ValueError(f"objective must be one of {get_args(Objective)}, found {objective!r}")
    if score.ndim != 1 or score.size < 2:
        raise ValueError(f"at least two units with a score are needed, found shape {score.shape}")
    bad = np.flatnonzero(~np.isfinite(score))
    if bad.size:
        raise ValueError(
            f"score of unit {bad[0]} is {score[bad[0]]} ({bad.size} such units); "
            "drop units without a score or impute them before the search"
        )


def persona_q(
    cover: np.ndarray, train: np.ndarray, score: np.ndarray, objective: str = HETEROGENEITY
) -> tuple[np.ndarray, np.ndarray]:
    """Return Q and support of each persona on the training set of each split.

    Parameters
    ----------
    cover
        bool (P, U), units inside each persona.
    train
        bool (S, U), units in the training set of each split.
    score
        float64 (U,), or (S, U) with scores of every training set; finite in it.
        For the unfavourable polarity Q changes its sign, exactly.
    objective
        ``heterogeneity`` or ``effect``.

    Returns
    -------
    ``q`` float64 (P, S) and ``support`` int64 (P, S). Scores lie on a grid on which every sum is
    exact, so Q equals the search's to the last bit, in splits of any number at a time. Q is NaN
    in splits whose train scores are all equal or fewer than two.

    Examples
    --------
    >>> cover = np.array([[True, True, False, False]])
    >>> q, support = persona_q(cover, np.ones((1, 4), bool), np.array([3.0, 3.0, 1.0, 1.0]))
    >>> q.round(3), support
    (array([[1.732]]), array([[2]]))
    """
    n_splits = len(train)
    q = np.full((len(cover), n_splits), np.nan)
    support = np.zeros((len(cover), n_splits), dtype=np.int64)
    inside, score = cover.astype(np.float64), np.broadcast_to(score, train.shape)
    for part in _slices(n_splits, train.shape[1]):
        support[:, part] = np.rint(inside @ train[part].T.astype(np.float64)).astype(np.int64)
        centred, denominators = _centred(train[part], score[part], objective)
        total = inside @ centred.T
        for column, denominator in enumerate(denominators):
            if denominator is not None:
                k = part.start + column
                q[:, k] = total[:, column] / denominator[support[:, k]]
    return q, support


def _centred(
    train: np.ndarray, score: np.ndarray, objective: str
) -> tuple[np.ndarray, list[np.ndarray | None]]:
    """Return centred scores (S, U), 0 outside the training set, and the denominators by support."""
    centred = np.zeros(train.shape)
    denominators: list[np.ndarray | None] = []
    for row, mask, own in zip(centred, train, score, strict=True):
        try:
            scores = centre(own[mask], objective)
        except ValueError:
            denominators.append(None)
            continue
        row[mask] = scores.centred
        denominators.append(scores.denominator)
    return centred, denominators


def _slices(n_splits: int, n_units: int) -> Iterator[slice]:
    step = max(1, CELLS // max(1, n_units))
    for start in range(0, n_splits, step):
        yield slice(start, min(start + step, n_splits))
