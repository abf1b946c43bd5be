"""The inner loops: weighted bit counts of many covers against one prefix.

A weight per unit (0..255) is held as eight packed planes, so that the sum of the weights in a
cover is ``sum over b of popcount(cover & plane_b) << b``. Rows are contiguous and every loop is
free of branches, which lets the compiler use the widest registers there are. Rows are numbered by
unsigned integers: a signed index may count from the end, and the loads would become gathers.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ketadask.kernels.popcount import popcount

TILE = 1024
LANES = 8
SLACK = 1e-9
LOWEST = -1e100


@njit(nogil=True, cache=True)
def weigh(
    prefix: np.ndarray,
    covers: np.ndarray,
    level: int,
    first: int,
    last: int,
    planes: np.ndarray,
    support: np.ndarray,
    total: np.ndarray,
) -> None:
    """Support and weighted sum of ``prefix & covers[level, :, first:last]``, from index 0.

    Tiles of rows stay in the nearest cache while the words of a cover are added up, two at a time;
    of an odd number the first word goes alone.
    """
    for start in range(first, last, TILE):
        count = min(last, start + TILE) - start
        begin, into = np.uint64(start), np.uint64(start - first)
        odd = prefix.size % 2
        if odd:
            _weigh_one(prefix, covers, level, begin, count, planes, support, total, into)
        for w in range(odd, prefix.size, 2):
            _weigh_two(prefix, covers, level, w, begin, count, planes, support, total, into)


@njit(nogil=True, cache=True)
def _weigh_one(
    prefix: np.ndarray,
    covers: np.ndarray,
    level: int,
    begin: np.uint64,
    count: int,
    planes: np.ndarray,
    support: np.ndarray,
    total: np.ndarray,
    into: np.uint64,
) -> None:
    """Start the sums with the first word."""
    word = prefix[0]
    p0, p1, p2, p3 = planes[0, 0], planes[1, 0], planes[2, 0], planes[3, 0]
    p4, p5, p6, p7 = planes[4, 0], planes[5, 0], planes[6, 0], planes[7, 0]
    for t in range(np.uint64(count)):
        v = word & covers[level, 0, begin + t]
        support[into + t] = popcount(v)
        total[into + t] = (
            popcount(v & p0)
            + (popcount(v & p1) << 1)
            + (popcount(v & p2) << 2)
            + (popcount(v & p3) << 3)
            + (popcount(v & p4) << 4)
            + (popcount(v & p5) << 5)
            + (popcount(v & p6) << 6)
            + (popcount(v & p7) << 7)
        )


@njit(nogil=True, cache=True)
def _weigh_two(
    prefix: np.ndarray,
    covers: np.ndarray,
    level: int,
    w: int,
    begin: np.uint64,
    count: int,
    planes: np.ndarray,
    support: np.ndarray,
    total: np.ndarray,
    into: np.uint64,
) -> None:
    """Add words ``w`` and ``w + 1`` to the sums; words 0 and 1 start them."""
    word, next_word = prefix[w], prefix[w + 1]
    u, x = np.uint64(w), np.uint64(w + 1)
    p0, p1, p2, p3 = planes[0, u], planes[1, u], planes[2, u], planes[3, u]
    p4, p5, p6, p7 = planes[4, u], planes[5, u], planes[6, u], planes[7, u]
    r0, r1, r2, r3 = planes[0, x], planes[1, x], planes[2, x], planes[3, x]
    r4, r5, r6, r7 = planes[4, x], planes[5, x], planes[6, x], planes[7, x]
    if w == 0:
        support[into : into + np.uint64(count)] = 0
        total[into : into + np.uint64(count)] = 0
    for t in range(np.uint64(count)):
        v = word & covers[level, u, begin + t]
        y = next_word & covers[level, x, begin + t]
        support[into + t] += popcount(v) + popcount(y)
        total[into + t] += (
            (popcount(v & p0) + popcount(y & r0))
            + ((popcount(v & p1) + popcount(y & r1)) << 1)
            + ((popcount(v & p2) + popcount(y & r2)) << 2)
            + ((popcount(v & p3) + popcount(y & r3)) << 3)
            + ((popcount(v & p4) + popcount(y & r4)) << 4)
            + ((popcount(v & p5) + popcount(y & r5)) << 5)
            + ((popcount(v & p6) + popcount(y & r6)) << 6)
            + ((popcount(v & p7) + popcount(y & r7)) << 7)
        )


@njit(nogil=True, cache=True, fastmath={"contract"})
def margins_one(
    word: np.uint64,
    covers: np.ndarray,
    level: int,
    first: int,
    count: int,
    planes: np.ndarray,
    step: float,
    base: float,
    need: float,
    fall: float,
    out: np.ndarray,
) -> int:
    """Weigh one-word covers and compare, in one pass over registers (see `screen_rows`).

    Whole registers are computed, also past the last row: ``covers`` and ``out`` have `LANES` to
    spare. Returns how many margins are not below zero, those past the last row included.
    """
    p0, p1, p2, p3 = planes[0, 0], planes[1, 0], planes[2, 0], planes[3, 0]
    p4, p5, p6, p7 = planes[4, 0], planes[5, 0], planes[6, 0], planes[7, 0]
    begin = np.uint64(first)
    hopeful = 0
    for t in range(np.uint64((count + LANES - 1) // LANES * LANES)):
        v = word & covers[level, 0, begin + t]
        k = float(popcount(v))
        total = (
            popcount(v & p0)
            + (popcount(v & p1) << 1)
            + (popcount(v & p2) << 2)
            + (popcount(v & p3) << 3)
            + (popcount(v & p4) << 4)
            + (popcount(v & p5) << 5)
            + (popcount(v & p6) << 6)
            + (popcount(v & p7) << 7)
        )
        largest = step * total + base * k
        margin = largest * abs(largest) - k * (need - fall * k)
        out[t] = margin
        hopeful += margin >= 0.0
    return hopeful


@njit(nogil=True, cache=True, fastmath={"contract"})
def margins_many(
    support: np.ndarray,
    total: np.ndarray,
    count: int,
    step: float,
    base: float,
    need: float,
    fall: float,
    out: np.ndarray,
) -> int:
    """Compare what `weigh` has summed up; returns how many margins are not below zero."""
    hopeful = 0
    for t in range(np.uint64(count)):
        k = float(support[t])
        largest = step * total[t] + base * k
        margin = largest * abs(largest) - k * (need - fall * k)
        out[t] = margin
        hopeful += margin >= 0.0
    return hopeful


@njit(nogil=True, cache=True)
def screen_rows(
    prefix: np.ndarray,
    covers: np.ndarray,
    level: int,
    first: int,
    last: int,
    planes: np.ndarray,
    numbers: tuple,
    q: float,
    support: np.ndarray,
    total: np.ndarray,
    out: np.ndarray,
) -> bool:
    """Say whether any of ``prefix & covers[level, :, first:last]`` may reach ``q``.

    Fills ``out`` with margins: below zero means that the cover surely does not reach ``q``. The
    largest possible sum is ``step * total + base * support``, where ``base`` holds the worst
    rounding error; the comparison with ``q * sigma * sqrt(k (n - slope k) / n)`` is made without
    division or root, by signed squares: ``need k - fall k^2`` is the square of what is asked.
    ``numbers`` holds step, base, sigma^2 / n, slope and n.
    """
    step, base, unit, slope, n = numbers
    q = max(q, LOWEST)
    squared = q * abs(q) * (1.0 - np.sign(q) * SLACK) * unit
    need, fall = squared * n, squared * slope
    count = last - first
    if prefix.size == 1:
        hopeful = margins_one(
            prefix[0], covers, level, first, count, planes, step, base, need, fall, out
        )
    else:
        weigh(prefix, covers, level, first, last, planes, support, total)
        hopeful = margins_many(support, total, count, step, base, need, fall, out)
    return hopeful > 0
