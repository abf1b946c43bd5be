"""Search-adjusted p-values: the maximum statistic over relabelled trials."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TIE = 1e-9
"""Relative tolerance of Q: sums in another order count as equal."""


def remaining_maximum(order: np.ndarray, ids: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return per relabelling the maximum over all candidates but the first j observed ones.

    Parameters
    ----------
    order
        (P, L) integer keys of the observed personas, best first, distinct.
    ids
        (B, J, L) keys of the J best candidates of each relabelled trial, best first.
    q
        (B, J) their statistics, descending; -inf where fewer than J candidates exist.

    Returns
    -------
    (B, P) array; column j holds the maximum over candidates that are not among ``order[:j]``.
    Where all J stored candidates are among them, the last stored statistic stands in: no other
    candidate can exceed it, so the p-value can only become larger.

    Examples
    --------
    >>> order = np.array([[3], [5]])
    >>> remaining_maximum(order, np.array([[[3], [8]]]), np.array([[2.5, 1.0]]))
    array([[2.5, 1. ]])
    """
    n_null, n_stored = q.shape
    rank_of = _ranks(order, ids)
    highest = np.repeat(q[:, n_stored - 1 :], len(order), axis=1)
    rank = np.arange(len(order))
    for k in range(n_stored - 1, -1, -1):
        np.copyto(highest, q[:, k : k + 1], where=rank <= rank_of[:, k : k + 1])
    return highest.reshape(n_null, len(order))


def max_t(
    observed: np.ndarray, q: np.ndarray, nulls: Sequence[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return single-step and step-down max-T adjusted p-values, (b + 1) / (B + 1).

    Parameters
    ----------
    observed
        (P, L) integer keys of the observed personas, distinct, in any order.
    q
        (P,) their statistics; larger is stronger, NaN gets p = 1.
    nulls
        One pair ``(ids (B, J, L), q (B, J))`` per list of candidates, all over the same B
        relabelled trials: one list per polarity, so that a claim of either polarity is
        adjusted for both searches.

    Returns
    -------
    Two (P,) arrays in the order of ``observed``. The step-down p of the j-th best persona
    compares with the maximum over all candidates except the j - 1 better ones, and never falls
    below the p of a better persona.

    Examples
    --------
    >>> ids = np.array([[[3], [8]], [[5], [3]], [[8], [5]]])
    >>> single, step = max_t(np.array([[3], [5]]), np.array([9.0, 2.0]),
    ...                      [(ids, np.array([[3.0, 1.0], [1.5, 1.0], [1.0, 0.5]]))])
    >>> single, step
    (array([0.25, 0.5 ]), array([0.25, 0.25]))

    References
    ----------
    Westfall & Young 1993, Resampling-Based Multiple Testing, algorithm 2.8;
    Phipson & Smyth 2010, 10.2202/1544-6115.1585, for (b + 1) / (B + 1).
    """
    observed = np.asarray(observed)
    q = np.where(np.isnan(q), -np.inf, q)
    if not len(observed):
        return np.empty(0), np.empty(0)
    by_worth = np.lexsort((*observed.T[::-1], -q))
    threshold = q[by_worth] - TIE * np.abs(np.where(np.isfinite(q[by_worth]), q[by_worth], 0.0))
    n_null = len(nulls[0][1])
    best = np.full((n_null, 1), -np.inf)
    highest = np.full((n_null, len(observed)), -np.inf)
    for ids, null_q in nulls:
        np.maximum(best, null_q[:, :1], out=best)
        np.maximum(highest, remaining_maximum(observed[by_worth], ids, null_q), out=highest)
    single, step = np.empty(len(q)), np.empty(len(q))
    single[by_worth] = _p(best >= threshold)
    step[by_worth] = np.maximum.accumulate(_p(highest >= threshold))
    return single, step


def may_reach(alpha: float, relabellings: int) -> int:
    """Return how many relabelled trials may reach a statistic while its p is at most ``alpha``.

    -1 where p is larger even if none does.

    Examples
    --------
    >>> may_reach(0.05, 999), may_reach(0.05, 19), may_reach(0.05, 18)
    (49, 0, -1)
    """
    # 0.05 * 20 must not be 0.999...: round what is whole to nine digits.
    return int(np.floor(alpha * (relabellings + 1) + 1e-9)) - 1


def _p(exceeds: np.ndarray) -> np.ndarray:
    """(B, P) exceedances -> (P,) p-values."""
    return np.asarray((exceeds.sum(axis=0) + 1) / (len(exceeds) + 1))


def _ranks(order: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return (B, J): rank of each candidate in ``order``, len(order) if it is not among them."""
    n_null, n_stored, width = ids.shape
    rows = np.concatenate([order, ids.reshape(n_null * n_stored, width)])
    _, codes = np.unique(rows, axis=0, return_inverse=True)
    codes = codes.reshape(-1)
    rank_of = np.full(codes.max() + 1, len(order), dtype=np.int64)
    rank_of[codes[: len(order)]] = np.arange(len(order))
    return rank_of[codes[len(order) :]].reshape(n_null, n_stored)
