"""Beam search: personas grown from the best of each size, without a proof.

It gives branch and bound its first threshold, and is the documented fallback for cohorts so large
that bounds no longer prune.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ketadask.kernels.branch import record
from ketadask.kernels.covers import clashes, cover_sum
from ketadask.kernels.keep import MAX, offer, threshold
from ketadask.kernels.screens import LANES, screen_rows


@njit(nogil=True, cache=True)
def beam(
    words: np.ndarray,
    order: np.ndarray,
    problem: tuple,
    score_screen: tuple,
    limits: tuple,
    best: tuple,
    level_list: tuple,
    next_list: tuple,
    counts: np.ndarray,
) -> None:
    """Grow personas from the best of each size; a first threshold, or a search of its own.

    ``level_list`` and ``next_list`` are empty lists of the beam's width (see `keep.new_list`).
    """
    feature, _, _, _, centred, _, denominator = problem
    planes, numbers = score_screen
    depth, min_support, _, _, _, _ = limits
    width, rows = words.shape[0], order.size
    covers = words.reshape((1, width, words.shape[1]))
    support = np.empty(rows, dtype=np.int64)
    total = np.empty(rows, dtype=np.int64)
    margin = np.empty(rows + LANES)
    ids = np.full(MAX, np.int32(-1), dtype=np.int32)
    ordered = np.full(MAX, np.int32(-1), dtype=np.int32)
    cover = np.empty(width, dtype=np.uint64)
    for t in range(rows):
        cover[:] = words[:, t]
        exact, k = cover_sum(cover, centred)
        ids[0] = order[t]
        ids[1] = -1
        if k >= min_support:
            offer(level_list, exact / denominator[k], 1, ids, cover, feature, False)
            record(best, cover, exact, k, ids, 1, problem, limits)
    counts[1] += rows
    prefix = np.empty(width, dtype=np.uint64)
    current, following = level_list, next_list
    for size in range(2, depth + 1):
        following[4][0] = 0
        following[0][:] = -np.inf
        for b in range(current[4][0]):
            prefix[:] = current[3][b]
            q = threshold(following)
            screen_rows(prefix, covers, 0, 0, rows, planes, numbers, q, support, total, margin)
            counts[0] += 1
            counts[1] += rows
            for t in range(rows):
                if margin[t] < 0:
                    continue
                if clashes(current[2][b], size - 1, order[t], feature):
                    continue
                for w in range(width):
                    cover[w] = prefix[w] & words[w, t]
                exact, k = cover_sum(cover, centred)
                value = exact / denominator[k]
                if k < min_support or value < threshold(following):
                    continue
                ids[:] = current[2][b]
                ids[size - 1] = order[t]
                ordered[:] = np.int32(-1)
                ordered[:size] = np.sort(ids[:size])
                offer(following, value, size, ordered, cover, feature, False)
                record(best, cover, exact, k, ids, size, problem, limits)
        current, following = following, current
