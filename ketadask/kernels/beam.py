"""Beam search: personas grown from the best of each size, without a proof.

It gives branch and bound its first threshold, and is the documented fallback for cohorts so large
that bounds no longer prune. Of each size the ``width`` best are kept, and every literal is tried
on each of them; the result is the K best of all conjunctions tried. Therefore

* all single literals are tried and, if ``width`` is at least the number of literals, all pairs of
  different covers;
* at every rank, more literals never give a worse persona than fewer;
* neither the order of the literals nor their blocks change the result, because lists are ranked
  completely and thresholds only leave out conjunctions that would have no rank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from ketadask.kernels.best_list import ascending, empty_list, new_list, offer, threshold
from ketadask.kernels.branch import record
from ketadask.kernels.compiled import kernel
from ketadask.kernels.covers import clashes, cover_sum, hopeless
from ketadask.kernels.screens import cached_rows, next_hopeful, screen_rows
from ketadask.kernels.state import (
    LANES,
    MAX,
    NODES,
    SCREENED,
    BestList,
    CoverBlock,
    SearchState,
)


def beam(blocks: Callable[[], Iterable[CoverBlock]], width: int, state: SearchState) -> None:
    """Grow personas from the ``width`` best of each size and offer them to ``state.best``.

    ``blocks`` returns, at each call, all literals in search order.
    """
    words = state.best.covers.shape[1]
    current, following = new_list(width, words), new_list(width, words)
    for block in blocks():
        offer_singles(block, state, current)
    for size in range(2, state.limits.max_literals + 1):
        empty_list(following)
        state.counts[NODES] += current.n_filled[0]
        for block in blocks():
            grow(block, state, size, current, following)
        current, following = following, current


@kernel()
def offer_singles(block: CoverBlock, state: SearchState, level_list: BestList) -> None:
    """Offer single literals to the list of their size, and to that of the best."""
    arrays, order = state.arrays, block.order
    one = int(np.int64(1))  # typed: see `grow`
    ids = np.full(MAX, np.int32(-1), dtype=np.int32)
    cover = np.empty(block.covers.shape[1], dtype=np.uint64)
    # From the last on, which are the best where the order is that of the bounds.
    for t in range(order.size - 1, -1, -1):
        cover[:] = block.covers[0, :, t]
        total, support = cover_sum(cover, arrays.sums)
        ids[0] = order[t]
        if support < state.limits.min_support:
            continue
        q = total / arrays.denominator[support]
        if q >= threshold(level_list):
            offer(level_list, q, one, ids, cover, arrays.feature, False)
        if q >= threshold(state.best):
            record(state, cover, ids, one)
    state.counts[SCREENED] += order.size


@kernel()
def grow(
    block: CoverBlock, state: SearchState, size: int, current: BestList, following: BestList
) -> None:
    """Try every literal of a block on every persona of ``current``; ``size`` is that of the new."""
    feature, sums, denominator = state.arrays.feature, state.arrays.sums, state.arrays.denominator
    planes, bounds, fine = state.screen
    best, counts, min_support = state.best, state.counts, state.limits.min_support
    covers, order = block.covers, block.order
    width, rows = covers.shape[1], order.size
    # Typed values: for every mix of plain constants the inner loops would be compiled anew.
    zero = int(np.int64(0))
    supports = np.empty(rows, dtype=np.int64)
    totals = np.empty(rows, dtype=np.int64)
    margin = np.empty(rows + LANES)
    cover = np.empty(width, dtype=np.uint64)
    prefix = np.empty(width, dtype=np.uint64)
    ids = np.full(MAX, np.int32(-1), dtype=np.int32)
    ordered_ids = np.full(MAX, np.int32(-1), dtype=np.int32)
    last = size == state.limits.max_literals
    # Tiles of literals stay in the cache for all prefixes.
    tile = cached_rows(width)
    for start in range(0, rows, tile):
        count = min(rows - start, tile)
        for rank in range(current.n_filled[0]):
            slot = current.slots[rank]
            ids[:] = current.ids[slot]
            prefix[:] = current.covers[slot]
            q = threshold(best) if last else min(threshold(best), threshold(following))
            hopeful = screen_rows(
                prefix, covers, zero, start, start + count, planes, bounds, q,
                supports, totals, margin,
            )  # fmt: skip
            counts[SCREENED] += count
            j = next_hopeful(margin, 0, count) if hopeful else count
            while j < count:
                at, t = start + j, j
                j = next_hopeful(margin, j + 1, count)
                if width > 1 and supports[t] < min_support:
                    continue
                if clashes(ids, size - 1, order[at], feature):
                    continue
                for w in range(width):
                    cover[w] = prefix[w] & covers[0, w, at]
                if width > 1 and hopeless(cover, fine, denominator, q):
                    continue
                total, support = cover_sum(cover, sums)
                q_new = total / denominator[support]
                if support < min_support or q_new < q:
                    continue
                ids[size - 1] = order[at]
                if not last and q_new >= threshold(following):
                    ascending(ids, size, ordered_ids)
                    offer(following, q_new, size, ordered_ids, cover, feature, False)
                if q_new >= threshold(best):
                    record(state, cover, ids, size)
                q = threshold(best) if last else min(threshold(best), threshold(following))
