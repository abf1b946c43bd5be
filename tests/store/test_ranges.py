"""Ranges count no index twice and lose none."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketadask.store.ranges import blocks, disjoint_ranges, gaps, parse_range, range_name

RANGES = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda r: (min(r), max(r))), max_size=8
)


def indices(ranges):
    return [index for first, last in ranges for index in range(first, last + 1)]


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_a_name_gives_its_range(first, length):
    assert parse_range(range_name(first, first + length)) == (first, first + length)


@pytest.mark.parametrize(
    "name", ["cohort", "000010-000009", "0-49", "0000000-0000049", "000000-000049.hits", "-"]
)
def test_other_names_are_no_ranges(name):
    assert parse_range(name) is None


@pytest.mark.parametrize(("first", "last"), [(5, 4), (-1, 4)])
def test_impossible_ranges_are_an_error(first, last):
    with pytest.raises(ValueError, match="first <= last"):
        range_name(first, last)


@given(RANGES, st.none() | st.integers(1, 40), st.randoms())
def test_choice_has_no_overlap_and_is_as_large_as_brute_force(ranges, n, random):
    choice = disjoint_ranges(ranges, n)
    assert len(indices(choice)) == len(set(indices(choice)))
    assert set(choice) <= set(ranges)

    def size(subset):
        return len([index for index in indices(subset) if n is None or index < n])

    most = max(
        size(subset)
        for k in range(len(ranges) + 1)
        for subset in combinations(ranges, k)
        if len(indices(subset)) == len(set(indices(subset)))
    )
    assert size(choice) == most
    random.shuffle(ranges)
    assert disjoint_ranges(ranges, n) == choice


@given(RANGES, st.integers(1, 40), st.integers(1, 9))
def test_gaps_complete_the_ranges(ranges, n, size):
    choice = disjoint_ranges(ranges, n)
    todo = blocks(gaps(choice, n), size)
    assert all(last - first < size for first, last in todo)
    together = sorted(index for index in indices(choice) + indices(todo) if index < n)
    assert together == list(range(n))
    # with the gaps filled nothing is missing, whatever other ranges exist
    assert gaps(disjoint_ranges([*ranges, *todo], n), n) == []


def test_a_block_has_an_index():
    with pytest.raises(ValueError, match="at least one"):
        blocks([(0, 4)], 0)
