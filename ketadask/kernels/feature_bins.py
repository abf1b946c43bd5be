"""Literals as runs of the bins of their features: what cuts of ordered values give."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ketadask.kernels.popcount import unpack


class FeatureBins(NamedTuple):
    """Literals as runs of bins. Columns are literals; complements share a column.

    Attributes
    ----------
    bins
        int32 (feature, unit): bin of each unit, -1 in no literal of the feature.
    n_bins
        int64 (feature,).
    first
        int64 (feature + 1,): first column of each feature.
    literal, complement
        int32 (column,): literal of a column, and that of all other units; -1 if there is none.
    low, high
        int64 (column,): bins of the literal, from ``low`` to before ``high``.
    covers
        uint64 (literal, word).
    """

    bins: np.ndarray
    n_bins: np.ndarray
    first: np.ndarray
    literal: np.ndarray
    complement: np.ndarray
    low: np.ndarray
    high: np.ndarray
    covers: np.ndarray


def bin_features(words: np.ndarray, units: int, feature: np.ndarray) -> FeatureBins | None:
    """Return the bins of all features; None if the literals of a feature are no runs of bins.

    Parameters
    ----------
    words
        uint64 (word, literal): covers.
    feature
        int (literal,), ascending or not.
    """
    bins, n_bins, first = [], [], [0]
    literal: list[int] = []
    complement: list[int] = []
    runs: list[tuple[int, int]] = []
    order = np.argsort(feature, kind="stable")
    starts = np.flatnonzero(np.diff(feature[order], prepend=-1))
    for ids in np.split(order, starts[1:]) if order.size else []:
        holds = unpack(np.ascontiguousarray(words[:, ids]), units)
        own, low, high = _bins_of(holds)
        if own is None:
            return None
        bins.append(own)
        n_bins.append(int(own.max()) + 1)
        last = n_bins[-1] if (own >= 0).all() else -2
        # Of two complements, the literal of the first bins has the column.
        prefix = {int(high[i]): i for i in range(len(ids)) if low[i] == 0 < high[i]}
        partner = {
            prefix[int(low[i])]: i for i in range(len(ids)) if high[i] == last and low[i] in prefix
        }
        for i in sorted(set(range(len(ids))) - set(partner.values())):
            literal.append(int(ids[i]))
            complement.append(int(ids[partner[i]]) if i in partner else -1)
            runs.append((int(low[i]), int(high[i])))
        first.append(len(literal))
    low_high = np.array(runs, dtype=np.int64).reshape(-1, 2)
    return FeatureBins(
        np.array(bins, dtype=np.int32).reshape(-1, units),
        np.array(n_bins, dtype=np.int64),
        np.array(first, dtype=np.int64),
        np.array(literal, dtype=np.int32),
        np.array(complement, dtype=np.int32),
        np.ascontiguousarray(low_high[:, 0]),
        np.ascontiguousarray(low_high[:, 1]),
        np.ascontiguousarray(words.T),
    )


def _bins_of(holds: np.ndarray) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """Return the bin of each unit, and the runs of bins of the literals of one feature."""
    size, present = holds.sum(axis=1), holds.any(axis=0)
    proper = np.flatnonzero(size < present.sum())
    score = np.zeros(present.size, dtype=np.int64)
    if proper.size:
        # Nothing but the first bin, or the last, is outside the largest literal.
        largest = proper[np.argmax(size[proper])]
        end = np.flatnonzero(present & ~holds[largest])[0]
        score = -holds[holds[:, end]].sum(axis=0)
    own = np.full(present.size, -1)
    own[present] = np.unique(score[present], return_inverse=True)[1]
    n_bins = int(own.max(initial=-1)) + 1
    low = np.where(holds, own, n_bins).min(axis=1)
    high = np.where(holds, own, -1).max(axis=1) + 1
    per_bin = np.concatenate([[0], np.cumsum(np.bincount(own[present], minlength=n_bins))])
    if (per_bin[high.clip(min=0)] - per_bin[low] != size).any():
        return None, low, high
    return own, low, high
