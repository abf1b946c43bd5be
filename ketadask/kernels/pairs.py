"""All pairs of literals, block against block: the exhaustive search where not all fit in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ketadask.kernels.branch import try_cover
from ketadask.kernels.keep import MAX, threshold
from ketadask.kernels.screens import LANES, SLACK, next_hopeful, screen_rows


@njit(nogil=True, cache=True)
def pairs(
    roots: tuple,
    partners: tuple,
    part: tuple,
    problem: tuple,
    score_screen: tuple,
    limits: tuple,
    best: tuple,
    counts: np.ndarray,
) -> None:
    """Try every partner on every root that stands before it in the search order.

    Parameters
    ----------
    roots
        covers uint64 (1, word, literal + LANES), literal numbers, position of the first in the
        search order, bounds of each.
    partners
        The same without the bounds.
    part
        (i, m): only roots at positions i, i + m, i + 2 m, ...
    """
    root_covers, root_order, root_first, bounds = roots
    covers, order, first = partners
    planes, numbers, fine = score_screen
    width, rows = covers.shape[1], order.size
    zero: Any = np.int64(0)
    support = np.empty(rows, dtype=np.int64)
    total = np.empty(rows, dtype=np.int64)
    margin = np.empty(rows + LANES)
    ids = np.full(MAX, np.int32(-1), dtype=np.int32)
    cover = np.empty(width, dtype=np.uint64)
    prefix = np.empty(width, dtype=np.uint64)
    q = threshold(best)
    for t in range(root_order.size):
        at = root_first + t
        begin = max(zero, at + 1 - first)
        if at % part[1] != part[0] or begin >= rows or bounds[t] < q - SLACK * abs(q):
            continue
        ids[0] = root_order[t]
        for w in range(width):
            prefix[w] = root_covers[0, w, t]
        count = rows - begin
        counts[1] += count
        if first <= at + 1:  # the first block a root meets
            counts[0] += 1
        found = screen_rows(
            prefix, covers, zero, begin, rows, planes, numbers, q, support, total, margin
        )
        j = next_hopeful(margin, 0, count) if found else count
        while j < count:
            ids[1] = order[begin + j]
            for w in range(width):
                cover[w] = prefix[w] & covers[0, w, begin + j]
            q = try_cover(best, q, cover, ids, 2, problem, fine, limits)
            j = next_hopeful(margin, j + 1, count)
