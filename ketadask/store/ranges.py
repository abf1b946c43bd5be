"""Ranges of split numbers: their names, a choice without overlap, and the gaps."""

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
    found = _NAME.match(name)
    if found is None:
        return None
    first, last = int(found[1]), int(found[2])
    return (first, last) if first <= last and range_name(first, last) == name else None


def disjoint_ranges(ranges: Iterable[Range], n: int | None = None) -> list[Range]:
    """Choose ranges that do not overlap and cover as many numbers (below ``n``) as possible.

    Of equally good choices the one with fewer ranges stands, then the one whose ranges end first;
    the order in which ranges are given does not matter.

    Examples
    --------
    >>> choose([(0, 9), (5, 104), (0, 4)])
    [(0, 4), (5, 104)]
    """
    ordered = sorted({r for r in ranges if n is None or r[0] < n}, key=lambda r: (r[1], r[0]))
    ends = [last for _, last in ordered]
    # best[i]: (numbers covered, -ranges used) and the choice among the first i ranges.
    best: list[tuple[tuple[int, int], int | None]] = [((0, 0), None)]
    for i, (first, last) in enumerate(ordered):
        covered, used = best[bisect_left(ends, first)][0]
        size = (last if n is None else min(last, n - 1)) - first + 1
        with_it = (covered + size, used - 1)
        best.append((with_it, i) if with_it > best[i][0] else (best[i][0], None))
    chosen, i = [], len(ordered)
    while i > 0:
        if best[i][1] is None:
            i -= 1
        else:
            chosen.append(ordered[i - 1])
            i = bisect_left(ends, ordered[i - 1][0])
    return chosen[::-1]


def gaps(covered: Iterable[Range], n: int) -> list[Range]:
    """Return the ranges of 0 to ``n - 1`` that are not covered, in order.

    Examples
    --------
    >>> gaps([(0, 9), (20, 29)], 40)
    [(10, 19), (30, 39)]
    """
    missing, following = [], 0
    for first, last in sorted(covered):
        if following < min(first, n):
            missing.append((following, min(first, n) - 1))
        following = max(following, last + 1)
    if following < n:
        missing.append((following, n - 1))
    return missing


def blocks(ranges: Iterable[Range], size: int) -> list[Range]:
    """Divide ranges into ranges of at most ``size`` numbers.

    Examples
    --------
    >>> blocks([(0, 4), (10, 11)], 3)
    [(0, 2), (3, 4), (10, 11)]
    """
    if size < 1:
        raise ValueError(f"a block holds at least one number, found {size}")
    return [
        (start, min(start + size - 1, last))
        for first, last in ranges
        for start in range(first, last + 1, size)
    ]
