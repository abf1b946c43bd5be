"""Ranges of indices: their names, a choice without overlap, gaps and blocks."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable

Range = tuple[int, int]

_NAME = re.compile(r"^(\d{6,})-(\d{6,})$")


def range_name(first: int, last: int) -> str:
    """Return the name of the part that holds ``first`` to ``last``, both included.

    Examples
    --------
    >>> range_name(0, 49)
    '000000-000049'
    """
    if not 0 <= first <= last:
        raise ValueError(f"a range needs 0 <= first <= last, found {first} to {last}")
    return f"{first:06d}-{last:06d}"


def parse_range(name: str) -> Range | None:
    """Return the range a part is named after, or None.

    Examples
    --------
    >>> parse_range("000050-000099"), parse_range("participants")
    ((50, 99), None)
    """
    match = _NAME.match(name)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2])
    return (first, last) if first <= last and range_name(first, last) == name else None


def disjoint_ranges(ranges: Iterable[Range], n: int | None = None) -> list[Range]:
    """Choose ranges that do not overlap and cover as many indices (below ``n``) as possible.

    Ties are broken by fewer ranges, then by earlier ends; the order of ``ranges`` is irrelevant.

    Examples
    --------
    >>> disjoint_ranges([(0, 9), (5, 104), (0, 4)])
    [(0, 4), (5, 104)]
    """
    by_end = sorted({r for r in ranges if n is None or r[0] < n}, key=lambda r: (r[1], r[0]))
    ends = [last for _, last in by_end]
    # best[i]: (number of indices, -number of ranges) of the best choice among the first i ranges,
    # and whether the i-th belongs to it.
    best = [((0, 0), False)]
    for i, (first, last) in enumerate(by_end):
        indices, ranges_before = best[bisect_left(ends, first)][0]
        size = (last if n is None else min(last, n - 1)) - first + 1
        value = (indices + size, ranges_before - 1)
        best.append((value, True) if value > best[i][0] else (best[i][0], False))
    choice, i = [], len(by_end)
    while i > 0:
        if best[i][1]:
            choice.append(by_end[i - 1])
            i = bisect_left(ends, by_end[i - 1][0])
        else:
            i -= 1
    return choice[::-1]


def gaps(ranges: Iterable[Range], n: int) -> list[Range]:
    """Return the ranges of 0 to ``n - 1`` between and after some ranges, in order.

    Examples
    --------
    >>> gaps([(0, 9), (20, 29)], 40)
    [(10, 19), (30, 39)]
    """
    missing, start = [], 0
    for first, last in (*sorted(ranges), (n, n)):
        if start < min(first, n):
            missing.append((start, min(first, n) - 1))
        start = max(start, last + 1)
    return missing


def blocks(ranges: Iterable[Range], size: int) -> list[Range]:
    """Divide ranges into blocks of at most ``size`` indices.

    Examples
    --------
    >>> blocks([(0, 4), (10, 11)], 3)
    [(0, 2), (3, 4), (10, 11)]
    """
    if size < 1:
        raise ValueError(f"a block needs at least one index, found {size}")
    return [
        (start, min(start + size - 1, last))
        for first, last in ranges
        for start in range(first, last + 1, size)
    ]


def range_size(ranges: Iterable[Range]) -> int:
    """Return how many items lie in disjoint ranges.

    Examples
    --------
    >>> range_size([(0, 4), (10, 11)])
    7
    """
    return sum(last - first + 1 for first, last in ranges)


def overlaps(ranges: Iterable[Range], others: Iterable[Range]) -> list[Range]:
    """Return the parts of ``ranges`` that also lie in ``others``; both are disjoint and in order.

    Examples
    --------
    >>> overlaps([(0, 4), (10, 14)], [(3, 11)])
    [(3, 4), (10, 11)]
    """
    others = list(others)
    return [
        (max(first, start), min(last, end))
        for first, last in ranges
        for start, end in others
        if max(first, start) <= min(last, end)
    ]
