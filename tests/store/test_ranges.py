"""Ranges never count a number twice and never lose one."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketadask.store.ranges import blocks, disjoint_ranges, gaps, parse_range, range_name

RANGES = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda r: (min(r), max(r))), max_size=8
)


def numbers(ranges):
    return [number for first, last in ranges for number in range(first, last + 1)]


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_names_are_read_back(first, length):
    assert parse_range(range_name(first, first + length)) == (first, first + length)


@pytest.mark.parametrize(
    "name", ["cohort", "000010-000009", "0-49", "0000000-0000049", "000000-000049.hits", "-"]
)
def test_other_names_are_no_ranges(name):
    assert parse_range(name) is None


@pytest.mark.parametrize(("first", "last"), [(5, 4), (-1, 4)])
def test_impossible_ranges_are_refused(first, last):
    with pytest.raises(ValueError, match="first <= last"):
        range_name(first, last)


@given(RANGES, st.none() | st.integers(1, 40), st.randoms())
def test_choice_has_no_overlap_and_is_as_large_as_brute_force(ranges, n, random):
    chosen = disjoint_ranges(ranges, n)
    assert len(numbers(chosen)) == len(set(numbers(chosen)))
    assert set(chosen) <= set(ranges)

    def size(some):
        return len([number for number in numbers(some) if n is None or number < n])

    most = max(
        size(some)
        for k in range(len(ranges) + 1)
        for some in combinations(ranges, k)
        if len(numbers(some)) == len(set(numbers(some)))
    )
    assert size(chosen) == most
    random.shuffle(ranges)
    assert disjoint_ranges(ranges, n) == chosen


@given(RANGES, st.integers(1, 40), st.integers(1, 9))
def test_what_is_missing_completes_what_is_covered(ranges, n, size):
    chosen = disjoint_ranges(ranges, n)
    todo = blocks(gaps(chosen, n), size)
    assert all(last - first < size for first, last in todo)
    together = sorted(number for number in numbers(chosen) + numbers(todo) if number < n)
    assert together == list(range(n))
    # once the gaps are filled nothing is missing, whatever else lies there
    assert gaps(disjoint_ranges([*ranges, *todo], n), n) == []


def test_a_block_holds_something():
    with pytest.raises(ValueError, match="at least one"):
        blocks([(0, 4)], 0)
