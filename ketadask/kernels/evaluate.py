"""Q of chosen personas on the train side of many splits, as two matrix products."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ketadask.kernels.scoring import HETEROGENEITY, centre

CELLS = 1 << 22
"""Largest number of split x unit cells held at once."""


def persona_q(
    cover: np.ndarray, train: np.ndarray, score: np.ndarray, objective: str = HETEROGENEITY
) -> tuple[np.ndarray, np.ndarray]:
    """Return Q and support of each persona on the train side of each split.

    Parameters
    ----------
    cover
        bool (P, U), units inside each persona.
    train
        bool (S, U), units on the train side of each split.
    score
        float64 (U,), or (S, U) where every train side has scores of its own; finite on train.
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
    """Return centred scores (S, U), 0 off the train side, and the denominators by support."""
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
