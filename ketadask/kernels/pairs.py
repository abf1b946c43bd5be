"""All pairs of literals: the exhaustive search of two, also where not all fit in memory.

Covers of many units take more than a cache holds. Several roots at a time therefore meet a tile
of partners while it lies in the cache, instead of every root all partners.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ketadask.kernels.best_list import MAX, threshold
from ketadask.kernels.branch import try_cover
from ketadask.kernels.compiled import kernel
from ketadask.kernels.screens import LANES, SLACK, cached_rows, next_hopeful, screen_rows

ROOTS = 64


@kernel()
def pairs(
    roots: tuple,
    partners: tuple,
    span: tuple,
    problem: tuple,
    score_screen: tuple,
    limits: tuple,
    best: tuple,
    budget: int,
    counts: np.ndarray,
) -> int:
    """Try every partner on every root of a span that stands before it in the search order.

    Parameters
    ----------
    roots
        covers uint64 (1, word, literal + LANES), literal numbers, position of the first in the
        search order, bounds of each.
    partners
        The same without the bounds.
    span
        Position of the first root, of the one after the last, and the step between them.
    budget
        Largest number of nodes; the search stops there.

    Returns
    -------
    Position of the root at which the budget ended the search; ``span[1]`` where it did not.
    """
    root_covers, root_order, root_first, bounds = roots
    covers, order, first = partners
    planes, numbers, fine = score_screen
    width, rows = covers.shape[1], order.size
    zero: Any = np.int64(0)
    tile = cached_rows(width)
    support = np.empty(rows, dtype=np.int64)
    total = np.empty(rows, dtype=np.int64)
    margin = np.empty(rows + LANES)
    ids = np.full(MAX, np.int32(-1), dtype=np.int32)
    cover = np.empty(width, dtype=np.uint64)
    prefixes = np.empty((ROOTS, width), dtype=np.uint64)
    literal = np.empty(ROOTS, dtype=np.int32)
    begins = np.empty(ROOTS, dtype=np.int64)
    q = threshold(best)
    at = span[0]
    while at < span[1]:
        held, stopped = 0, span[1]
        while at < span[1] and held < ROOTS:
            t, begin = at - root_first, max(zero, at + 1 - first)
            if begin < rows and bounds[t] >= q - SLACK * abs(q):
                if first <= at + 1:  # the first block a root meets
                    if counts[0] >= budget:
                        stopped = at
                        break
                    counts[0] += 1
                counts[1] += rows - begin
                literal[held], begins[held] = root_order[t], begin
                for w in range(width):
                    prefixes[held, w] = root_covers[0, w, t]
                held += 1
            at += span[2]
        start = begins[0] if held else rows
        while start < rows:
            last = min(rows, start + tile)
            for g in range(held):
                begin = max(start, begins[g])
                if begin >= last:
                    continue
                found = screen_rows(
                    prefixes[g], covers, zero, begin, last, planes, numbers, q,
                    support, total, margin,
                )  # fmt: skip
                count = last - begin
                j = next_hopeful(margin, 0, count) if found else count
                while j < count:
                    ids[0], ids[1] = literal[g], order[begin + j]
                    for w in range(width):
                        cover[w] = prefixes[g, w] & covers[0, w, begin + j]
                    q = try_cover(best, q, cover, ids, 2, problem, fine, limits)
                    j = next_hopeful(margin, j + 1, count)
            start = last
        if stopped < span[1]:
            return stopped
    return span[1]
