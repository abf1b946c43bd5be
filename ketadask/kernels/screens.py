"""The inner loops: weighted bit counts of many covers against one prefix.

A weight per unit (0..255) is held as eight packed planes, so that the sum of the weights in a
cover is ``sum over b of popcount(cover & plane_b) << b``. Rows are contiguous and every loop is
free of branches, which lets the compiler use the widest registers there are. Rows are numbered by
unsigned integers: a signed index may count from the end, and the loads would become gathers.
"""

from __future__ import annotations

import numpy as np

from ketadask.kernels.compiled import kernel
from ketadask.kernels.popcount import popcount
from ketadask.kernels.state import LANES, ScreenBounds

TILE = 1024
CACHED = 1 << 20
STRIDE = 64
SLACK = 1e-9
LOWEST = -1e100


@kernel()
def cached_rows(width: int) -> int:
    """Return how many rows of so many words a core's own cache holds, a few at least."""
    return max(STRIDE, CACHED // (8 * width) // LANES * LANES)


@kernel()
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

    Tiles of rows stay in the nearest cache while the words of a cover are added up: one to begin
    with where their number is odd, two where that is left over, then four at a time.
    """
    odd, even = prefix.size % 2, prefix.size % 4 // 2 * 2
    for start in range(first, last, TILE):
        count = min(last, start + TILE) - start
        begin, into = np.uint64(start), np.uint64(start - first)
        if odd:
            _weigh_one(prefix, covers, level, begin, count, planes, support, total, into)
        else:
            support[into : into + np.uint64(count)] = 0
            total[into : into + np.uint64(count)] = 0
        if even:
            _weigh_two(prefix, covers, level, odd, begin, count, planes, support, total, into)
        for w in range(odd + even, prefix.size, 4):
            _weigh_four(prefix, covers, level, w, begin, count, planes, support, total, into)


@kernel()
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


@kernel()
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
    """Add two words to the sums: counts of one plane are added up before they are shifted."""
    a, b = np.uint64(w), np.uint64(w + 1)
    word_a, word_b = prefix[a], prefix[b]
    a0, a1, a2, a3 = planes[0, a], planes[1, a], planes[2, a], planes[3, a]
    a4, a5, a6, a7 = planes[4, a], planes[5, a], planes[6, a], planes[7, a]
    b0, b1, b2, b3 = planes[0, b], planes[1, b], planes[2, b], planes[3, b]
    b4, b5, b6, b7 = planes[4, b], planes[5, b], planes[6, b], planes[7, b]
    for t in range(np.uint64(count)):
        e = word_a & covers[level, a, begin + t]
        f = word_b & covers[level, b, begin + t]
        support[into + t] += popcount(e) + popcount(f)
        total[into + t] += (
            (popcount(e & a0) + popcount(f & b0))
            + ((popcount(e & a1) + popcount(f & b1)) << 1)
            + ((popcount(e & a2) + popcount(f & b2)) << 2)
            + ((popcount(e & a3) + popcount(f & b3)) << 3)
            + ((popcount(e & a4) + popcount(f & b4)) << 4)
            + ((popcount(e & a5) + popcount(f & b5)) << 5)
            + ((popcount(e & a6) + popcount(f & b6)) << 6)
            + ((popcount(e & a7) + popcount(f & b7)) << 7)
        )


@kernel()
def _weigh_four(
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
    """Add four words to the sums, as `_weigh_two` does two."""
    a, b, c, d = np.uint64(w), np.uint64(w + 1), np.uint64(w + 2), np.uint64(w + 3)
    word_a, word_b, word_c, word_d = prefix[a], prefix[b], prefix[c], prefix[d]
    a0, a1, a2, a3 = planes[0, a], planes[1, a], planes[2, a], planes[3, a]
    a4, a5, a6, a7 = planes[4, a], planes[5, a], planes[6, a], planes[7, a]
    b0, b1, b2, b3 = planes[0, b], planes[1, b], planes[2, b], planes[3, b]
    b4, b5, b6, b7 = planes[4, b], planes[5, b], planes[6, b], planes[7, b]
    c0, c1, c2, c3 = planes[0, c], planes[1, c], planes[2, c], planes[3, c]
    c4, c5, c6, c7 = planes[4, c], planes[5, c], planes[6, c], planes[7, c]
    d0, d1, d2, d3 = planes[0, d], planes[1, d], planes[2, d], planes[3, d]
    d4, d5, d6, d7 = planes[4, d], planes[5, d], planes[6, d], planes[7, d]
    for t in range(np.uint64(count)):
        e = word_a & covers[level, a, begin + t]
        f = word_b & covers[level, b, begin + t]
        g = word_c & covers[level, c, begin + t]
        h = word_d & covers[level, d, begin + t]
        support[into + t] += popcount(e) + popcount(f) + popcount(g) + popcount(h)
        s0 = popcount(e & a0) + popcount(f & b0) + popcount(g & c0) + popcount(h & d0)
        s1 = popcount(e & a1) + popcount(f & b1) + popcount(g & c1) + popcount(h & d1)
        s2 = popcount(e & a2) + popcount(f & b2) + popcount(g & c2) + popcount(h & d2)
        s3 = popcount(e & a3) + popcount(f & b3) + popcount(g & c3) + popcount(h & d3)
        s4 = popcount(e & a4) + popcount(f & b4) + popcount(g & c4) + popcount(h & d4)
        s5 = popcount(e & a5) + popcount(f & b5) + popcount(g & c5) + popcount(h & d5)
        s6 = popcount(e & a6) + popcount(f & b6) + popcount(g & c6) + popcount(h & d6)
        s7 = popcount(e & a7) + popcount(f & b7) + popcount(g & c7) + popcount(h & d7)
        total[into + t] += (
            (s0 + (s1 << 1) + (s2 << 2) + (s3 << 3))
            + (s4 << 4) + (s5 << 5) + (s6 << 6) + (s7 << 7)
        )  # fmt: skip


@kernel(fastmath={"contract"})
def margins_one(
    word: np.uint64,
    covers: np.ndarray,
    level: int,
    first: int,
    count: int,
    planes: np.ndarray,
    base: float,
    excess: float,
    need: float,
    fall: float,
    out: np.ndarray,
) -> bool:
    """Weigh one-word covers and compare, in one pass over registers (see `screen_rows`).

    Whole registers are computed, also past the last row: ``covers`` and ``out`` have `LANES` to
    spare. Says whether any margin is not below zero, those past the last row included.
    """
    p0, p1, p2, p3 = planes[0, 0], planes[1, 0], planes[2, 0], planes[3, 0]
    p4, p5, p6, p7 = planes[4, 0], planes[5, 0], planes[6, 0], planes[7, 0]
    begin = np.uint64(first)
    hopeful = False
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
        largest = (total + excess) + base * k
        margin = largest * abs(largest) - k * (need - fall * k)
        out[t] = margin
        hopeful |= margin >= 0.0
    return hopeful


@kernel(fastmath={"contract"})
def margins_many(
    support: np.ndarray,
    total: np.ndarray,
    count: int,
    base: float,
    excess: float,
    need: float,
    fall: float,
    out: np.ndarray,
) -> bool:
    """Compare what `weigh` has summed up; say whether any margin is not below zero."""
    hopeful = False
    for t in range(np.uint64(count)):
        k = float(support[t])
        largest = (total[t] + excess) + base * k
        margin = largest * abs(largest) - k * (need - fall * k)
        out[t] = margin
        hopeful |= margin >= 0.0
    return hopeful


@kernel(inline="always")
def screen_rows(
    prefix: np.ndarray,
    covers: np.ndarray,
    level: int,
    first: int,
    last: int,
    planes: np.ndarray,
    bounds: ScreenBounds,
    q: float,
    support: np.ndarray,
    total: np.ndarray,
    out: np.ndarray,
) -> bool:
    """Return whether any of ``prefix & covers[level, :, first:last]`` may reach ``q``.

    Fills ``out`` with margins: below zero, the cover surely does not reach ``q``. The largest
    possible sum (see `ScreenBounds`) is compared with ``q * sigma * sqrt(k (n - slope k) / n)``
    without division or root, by signed squares: ``need k - fall k^2`` is the square of the sum
    that ``q`` requires. ``support`` and ``total`` are overwritten.
    """
    base, excess, variance, slope, units = bounds
    q = max(q, LOWEST)
    squared_q = q * abs(q) * (1.0 - np.sign(q) * SLACK) * variance
    need, fall = squared_q * units, squared_q * slope
    count = last - first
    if prefix.size == 1:
        hopeful = margins_one(
            prefix[0], covers, level, first, count, planes, base, excess, need, fall, out
        )
    else:
        weigh(prefix, covers, level, first, last, planes, support, total)
        hopeful = margins_many(support, total, count, base, excess, need, fall, out)
    return hopeful


@kernel()
def next_hopeful(margin: np.ndarray, at: int, count: int) -> int:
    """Return the first row from ``at`` on whose margin is not below zero; ``count`` if none is."""
    while at < count:
        if at % STRIDE == 0 and at + STRIDE <= count:
            hopeful, first = 0, np.uint64(at)
            for t in range(np.uint64(STRIDE)):
                hopeful += margin[first + t] >= 0.0
            if hopeful == 0:
                at += STRIDE
                continue
        if margin[at] >= 0.0:
            return at
        at += 1
    return count
