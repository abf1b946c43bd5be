"""Beam search: personas grown from the best of each size, without a proof.

It gives branch and bound its first threshold, and is the documented fallback for cohorts so large
that bounds no longer prune. Of each size the ``width`` best are kept, and every literal is tried
on each of them; the result is the K best of everything that was looked at. So

* all single literals are looked at, and with as many places as literals all pairs of different
  covers;
* what is found with more literals is never worse than with fewer, place by place;
* neither the order of the literals nor the blocks they come in change the result, because lists
  are ranked completely and thresholds only leave out what would have found no place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ketadask.kernels.best_list import MAX, ascending, empty_list, new_list, offer, threshold
from ketadask.kernels.branch import record
from ketadask.kernels.compiled import kernel
from ketadask.kernels.covers import clashes, cover_sum, hopeless
from ketadask.kernels.screens import LANES, cached_rows, next_hopeful, screen_rows

Blocks = Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]]


def beam(
    blocks: Blocks,
    width: int,
    problem: tuple,
    score_screen: tuple,
    limits: tuple,
    best: tuple,
    counts: np.ndarray,
) -> None:
    """Grow personas from the ``width`` best of each size; what is found goes into ``best``.

    ``blocks`` gives, each time it is called, all literals in search order: pairs of covers,
    uint64 (1, word, literal + LANES), and their literal numbers.
    """
    words, depth = best[4].shape[1], limits[0]
    current, following = new_list(width, words), new_list(width, words)
    for covers, order in blocks():
        singles(covers, order, problem, limits, best, current, counts)
    for size in range(2, depth + 1):
        empty_list(following)
        counts[0] += current[5][0]
        for covers, order in blocks():
            grow(
                covers, order, problem, score_screen, limits, size, best, current, following, counts
            )
        current, following = following, current


@kernel()
def singles(
    covers: np.ndarray,
    order: np.ndarray,
    problem: tuple,
    limits: tuple,
    best: tuple,
    level_list: tuple,
    counts: np.ndarray,
) -> None:
    """Offer single literals to the list of their size, and to that of the best."""
    feature, _, _, _, _, _, denominator, sums = problem
    min_support = limits[1]
    one: Any = np.int64(1)
    ids = np.full(MAX, np.int32(-1), dtype=np.int32)
    cover = np.empty(covers.shape[1], dtype=np.uint64)
    for t in range(order.size):
        cover[:] = covers[0, :, t]
        exact, k = cover_sum(cover, sums)
        ids[0] = order[t]
        if k < min_support:
            continue
        value = exact / denominator[k]
        if value >= threshold(level_list):
            offer(level_list, value, one, ids, cover, feature, False)
        if value >= threshold(best):
            record(best, cover, exact, k, ids, one, problem, limits)
    counts[1] += order.size


@kernel()
def grow(
    covers: np.ndarray,
    order: np.ndarray,
    problem: tuple,
    score_screen: tuple,
    limits: tuple,
    size: int,
    best: tuple,
    current: tuple,
    following: tuple,
    counts: np.ndarray,
) -> None:
    """Try every literal of a block on every persona of ``current``; ``size`` is that of the new."""
    feature, _, _, _, _, _, denominator, sums = problem
    planes, numbers, (fine, step, base) = score_screen
    depth, min_support, _, _, _, _ = limits
    width, rows = covers.shape[1], order.size
    # Typed values: for every mix of plain constants the inner loops would be compiled anew.
    zero: Any = np.int64(0)
    support = np.empty(rows, dtype=np.int64)
    total = np.empty(rows, dtype=np.int64)
    margin = np.empty(rows + LANES)
    ids = np.full(MAX, np.int32(-1), dtype=np.int32)
    ordered = np.full(MAX, np.int32(-1), dtype=np.int32)
    cover = np.empty(width, dtype=np.uint64)
    prefix = np.empty(width, dtype=np.uint64)
    _, slots, _, all_ids, all_covers, filled = current
    last = size == depth
    # Tiles of literals stay in the cache while all prefixes meet them.
    tile = cached_rows(width)
    for start in range(0, rows, tile):
        count = min(rows - start, tile)
        for b in range(filled[0]):
            slot = slots[b]
            ids[:] = all_ids[slot]
            prefix[:] = all_covers[slot]
            q = threshold(best) if last else min(threshold(best), threshold(following))
            found = screen_rows(
                prefix, covers, zero, start, start + count, planes, numbers, q,
                support, total, margin,
            )  # fmt: skip
            counts[1] += count
            j = next_hopeful(margin, 0, count) if found else count
            while j < count:
                at, t = start + j, j
                j = next_hopeful(margin, j + 1, count)
                if width > 1 and support[t] < min_support:
                    continue
                if clashes(ids, size - 1, order[at], feature):
                    continue
                for w in range(width):
                    cover[w] = prefix[w] & covers[0, w, at]
                if width > 1 and hopeless(cover, fine, step, base, denominator, q):
                    continue
                exact, k = cover_sum(cover, sums)
                value = exact / denominator[k]
                if k < min_support or value < q:
                    continue
                ids[size - 1] = order[at]
                if not last and value >= threshold(following):
                    ascending(ids, size, ordered)
                    offer(following, value, size, ordered, cover, feature, False)
                if value >= threshold(best):
                    record(best, cover, exact, k, ids, size, problem, limits)
                q = threshold(best) if last else min(threshold(best), threshold(following))
