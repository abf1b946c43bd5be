"""All pairs of literals: the exhaustive search of two, also if they do not all fit in memory.

Covers of many units exceed a cache. Several roots at a time therefore meet a tile of partners while
it is in the cache, instead of every root meeting all partners.
"""

from __future__ import annotations

import numpy as np

from ketadask.kernels.best_list import threshold
from ketadask.kernels.branch import record
from ketadask.kernels.compiled import kernel
from ketadask.kernels.covers import reachable_q
from ketadask.kernels.screens import SLACK, cached_rows, next_hopeful, screen_rows
from ketadask.kernels.state import LANES, MAX, NODES, SCREENED, CoverBlock, SearchState

ROOTS = 64


@kernel()
def pairs(
    roots: CoverBlock,
    bounds: np.ndarray,
    partners: CoverBlock,
    span: tuple[int, int, int],
    state: SearchState,
    max_nodes: int,
) -> int:
    """Try every partner on every root of a span that precedes it in the search order.

    Parameters
    ----------
    bounds
        Bound of each root.
    span
        Position of the first root, of the one after the last, and the step between them.
    max_nodes
        Largest number of nodes; the search stops there.

    Returns
    -------
    Position of the root at which ``max_nodes`` ended the search; ``span[1]`` if it did not.
    """
    covers, order, first = partners.covers, partners.order, partners.first
    feature, sums, denominator = state.arrays.feature, state.arrays.sums, state.arrays.denominator
    planes, screen_bounds, fine = state.screen
    best, counts, root_covers, root_order = state.best, state.counts, roots.covers, roots.order
    width, rows = covers.shape[1], order.size
    zero = int(np.int64(0))  # typed: see `beam.grow`
    tile = cached_rows(width)
    support = np.empty(rows, dtype=np.int64)
    total = np.empty(rows, dtype=np.int64)
    margin = np.empty(rows + LANES)
    cover = np.empty(width, dtype=np.uint64)
    ids = np.full(MAX, np.int32(-1), dtype=np.int32)
    prefixes = np.empty((ROOTS, width), dtype=np.uint64)
    literal = np.empty(ROOTS, dtype=np.int32)
    begins = np.empty(ROOTS, dtype=np.int64)
    q = threshold(best)
    at = span[0]
    while at < span[1]:
        n_roots, stop = 0, span[1]
        while at < span[1] and n_roots < ROOTS:
            t, begin = at - roots.first, max(zero, at + 1 - first)
            # No pair below a root whose bound is under the K-th best can enter the list.
            if begin < rows and bounds[t] >= q - SLACK * abs(q):
                if first <= at + 1:  # the first block a root meets
                    if counts[NODES] >= max_nodes:
                        stop = at
                        break
                    counts[NODES] += 1
                counts[SCREENED] += rows - begin
                literal[n_roots], begins[n_roots] = root_order[t], begin
                for w in range(width):
                    prefixes[n_roots, w] = root_covers[0, w, t]
                n_roots += 1
            at += span[2]
        start = begins[0] if n_roots else rows
        while start < rows:
            end = min(rows, start + tile)
            for g in range(n_roots):
                begin = max(start, begins[g])
                if begin >= end:
                    continue
                hopeful = screen_rows(
                    prefixes[g], covers, zero, begin, end, planes, screen_bounds, q,
                    support, total, margin,
                )  # fmt: skip
                count = end - begin
                j = next_hopeful(margin, 0, count) if hopeful else count
                while j < count:
                    ids[0], ids[1] = literal[g], order[begin + j]
                    for w in range(width):
                        cover[w] = prefixes[g, w] & covers[0, w, begin + j]
                    if reachable_q(cover, ids, 2, q, feature, denominator, sums, fine) >= q:
                        record(state, cover, ids, 2)
                        q = threshold(best)
                    j = next_hopeful(margin, j + 1, count)
            start = end
        if stop < span[1]:
            return stop
    return span[1]
