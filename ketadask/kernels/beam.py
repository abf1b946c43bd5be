"""Beam search: personas grown from the best of each size, without a proof.

It gives branch and bound its first threshold, and is the documented fallback for cohorts so large
that bounds no longer prune.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ketadask.kernels.branch import record
from ketadask.kernels.covers import clashes, cover_sum, hopeless
from ketadask.kernels.keep import MAX, ascending, empty_list, offer, threshold
from ketadask.kernels.screens import LANES, next_hopeful, screen_rows


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
    feature, _, _, _, _, _, denominator, sums = problem
    planes, numbers, (fine, step, base) = score_screen
    depth, min_support, _, _, _, _ = limits
    width, rows = words.shape[0], order.size
    covers = words.reshape((1, width, words.shape[1]))
    # Typed values: for every mix of plain constants the inner loops would be compiled anew.
    zero: Any = np.int64(0)
    one: Any = np.int64(1)
    support = np.empty(rows, dtype=np.int64)
    total = np.empty(rows, dtype=np.int64)
    margin = np.empty(rows + LANES)
    ids = np.full(MAX, np.int32(-1), dtype=np.int32)
    ordered = np.full(MAX, np.int32(-1), dtype=np.int32)
    cover = np.empty(width, dtype=np.uint64)
    for t in range(rows):
        cover[:] = words[:, t]
        exact, k = cover_sum(cover, sums)
        ids[0] = order[t]
        ids[1] = -1
        if k < min_support:
            continue
        value = exact / denominator[k]
        if value >= threshold(level_list):
            offer(level_list, value, one, ids, cover, feature, False)
        if value >= threshold(best):
            record(best, cover, exact, k, ids, one, problem, limits)
    counts[1] += rows
    prefix = np.empty(width, dtype=np.uint64)
    current, following = level_list, next_list
    for size in range(2, depth + 1):
        empty_list(following)
        _, slots, _, all_ids, all_covers, filled = current
        for b in range(filled[0]):
            slot = slots[b]
            ids[:] = all_ids[slot]
            prefix[:] = all_covers[slot]
            q = threshold(following)
            screen_rows(
                prefix, covers, zero, zero, rows, planes, numbers, q, support, total, margin
            )
            counts[0] += 1
            counts[1] += rows
            t = next_hopeful(margin, 0, rows)
            while t < rows:
                at = t
                t = next_hopeful(margin, t + 1, rows)
                if width > 1 and support[at] < min_support:
                    continue
                if clashes(ids, size - 1, order[at], feature):
                    continue
                for w in range(width):
                    cover[w] = prefix[w] & words[w, at]
                if width > 1 and hopeless(cover, fine, step, base, denominator, q):
                    continue
                exact, k = cover_sum(cover, sums)
                value = exact / denominator[k]
                if k < min_support or value < q:
                    continue
                ids[size - 1] = order[at]
                ascending(ids, size, ordered)
                offer(following, value, size, ordered, cover, feature, False)
                if value >= threshold(best):
                    record(best, cover, exact, k, ids, size, problem, limits)
                q = threshold(following)
        current, following = following, current
