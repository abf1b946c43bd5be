"""The inner loops: weighted bit counts of many covers against one prefix.

A weight per unit (0..255) is held as eight packed planes, so that the sum of the weights in a
cover is ``sum over b of popcount(cover & plane_b) << b``. Rows are contiguous and every loop is
free of branches, which lets the compiler use the widest registers there are.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ketadask.kernels.popcount import popcount

TILE = 2048
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

    Tiles of rows stay in the nearest cache while the words of a cover are added up. Arrays are
    indexed whole: a view would cost more than eight rows.
    """
    for start in range(first, last, TILE):
        stop = min(last, start + TILE)
        shift = start - first
        for t in range(stop - start):
            support[shift + t] = 0
            total[shift + t] = 0
        for w in range(prefix.size):
            word = prefix[w]
            if word == 0:
                continue
            p0, p1, p2, p3 = planes[0, w], planes[1, w], planes[2, w], planes[3, w]
            p4, p5, p6, p7 = planes[4, w], planes[5, w], planes[6, w], planes[7, w]
            for t in range(stop - start):
                v = word & covers[level, w, start + t]
                support[shift + t] += popcount(v)
                total[shift + t] += (
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
def margins_one(
    word: np.uint64,
    covers: np.ndarray,
    level: int,
    first: int,
    count: int,
    planes: np.ndarray,
    step: float,
    base: float,
    slope: float,
    squared: float,
    n: float,
    out: np.ndarray,
) -> None:
    """Weigh one-word covers and compare, in one pass over registers (see `screen_rows`).

    Whole registers are computed, also past the last row: ``covers`` and ``out`` have `LANES` to
    spare.
    """
    p0, p1, p2, p3 = planes[0, 0], planes[1, 0], planes[2, 0], planes[3, 0]
    p4, p5, p6, p7 = planes[4, 0], planes[5, 0], planes[6, 0], planes[7, 0]
    for t in range((count + LANES - 1) // LANES * LANES):
        v = word & covers[level, 0, first + t]
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
        out[t] = largest * abs(largest) - squared * (k * (n - slope * k))


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
    division or root, by signed squares. ``numbers`` holds step, base, sigma^2 / n, slope and n.
    """
    step, base, unit, slope, n = numbers
    q = max(q, LOWEST)
    squared = q * abs(q) * (1.0 - np.sign(q) * SLACK) * unit
    count = last - first
    if prefix.size == 1:
        margins_one(
            prefix[0], covers, level, first, count, planes, step, base, slope, squared, n, out
        )
    else:
        weigh(prefix, covers, level, first, last, planes, support, total)
        for t in range(count):
            k = float(support[t])
            largest = step * total[t] + base * k
            out[t] = largest * abs(largest) - squared * (k * (n - slope * k))
    hopeful = 0
    for t in range(count):
        hopeful += out[t] >= 0.0
    return hopeful > 0
