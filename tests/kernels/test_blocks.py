"""Searches in blocks and in parts: the same result, to the last bit, whatever the pieces."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ketadask.kernels.blocks import LEAST, OrderedCovers, PackedRows
from ketadask.kernels.exact import search_literals, search_packed
from ketadask.kernels.popcount import pack
from ketadask.kernels.q_statistic import centre
from ketadask.kernels.result import SearchResult, merge
from ketadask.kernels.screens import cached_rows
from ketadask.kernels.settings import SearchSettings
from ketadask.kernels.state import LANES

UNITS, LITERALS = 150, 300


@pytest.fixture(scope="module")
def problem():
    """Literals of 60 features with many equal covers, and scores with many ties."""
    rng = np.random.default_rng(5)
    holds = rng.random((LITERALS, UNITS)) < rng.uniform(0.1, 0.9, (LITERALS, 1))
    holds[100:150] = holds[:50]
    holds[[7, 70]] = [[False], [True]]
    return holds, np.round(rng.normal(size=UNITS), 1), np.arange(LITERALS) // 5


def memory_for(literals, units=UNITS):
    """Return the bytes with which covers come in blocks of ``literals``."""
    return 2 * 8 * -(-units // 64) * (literals + LANES)


def assert_same(one, two):
    for name in ("ids", "n_literals", "q", "support"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), strict=True)
    assert (one.upper, one.root, one.proven) == (two.upper, two.root, two.proven)


LIMITS = [
    {"keep": 1},
    {"keep": 40},
    {"keep": 40, "distinct": "features"},
    {"keep": 25, "min_modalities": 2, "min_per_arm": 25},
    {"keep": 400, "beam_width": 20},
]


def given(problem, **settings):
    holds, score, feature = problem
    rng = np.random.default_rng(1)
    family, arm = feature % 7, rng.integers(0, 2, UNITS)
    return search_literals(
        holds, score, feature, modality=family, arm=arm, min_support=15, **settings
    )


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("block", [LEAST, 97, 299])
def test_pairs_in_blocks_are_those_of_the_whole(problem, limits, block):
    whole = given(problem, max_literals=2, **limits)
    blocked = given(problem, max_literals=2, memory=memory_for(block), **limits)
    assert whole.proven
    assert_same(whole, blocked)


@pytest.mark.parametrize("nodes", [1, 40, 150])
def test_a_budget_ends_pairs_in_blocks_where_it_ends_the_whole(problem, nodes):
    asked = {"max_literals": 2, "keep": 5}
    nodes += given(problem, strategy="beam", **asked).nodes
    whole = given(problem, max_nodes=nodes, **asked)
    blocked = given(problem, max_nodes=nodes, memory=memory_for(70), **asked)
    assert whole.nodes == blocked.nodes == nodes
    assert not whole.proven
    assert whole.gap > 0
    assert_same(whole, blocked)


@pytest.mark.parametrize("block", [None, LEAST])
def test_a_budget_that_leaves_nothing_to_be_found_ends_with_a_proof(block):
    """The best pair is met at once; whoever comes after its two literals cannot be better."""
    rng = np.random.default_rng(9)
    holds = rng.random((LITERALS, UNITS)) < 0.3
    holds[:2] = np.arange(UNITS) < 10
    holds[0, 10:60], holds[1, 60:110] = True, True
    score, feature = rng.normal(size=UNITS) + 20.0 * (np.arange(UNITS) < 10), np.arange(LITERALS)
    asked = {"max_literals": 2, "min_support": 8, "keep": 1, "start": np.zeros((0, 4), np.int32)}
    asked["memory"] = np.inf if block is None else memory_for(block)
    whole = search_literals(holds, score, feature, **asked)
    assert whole.ids[0].tolist() == [0, 1, -1, -1]
    assert not search_literals(holds, score, feature, max_nodes=1, **asked).proven
    enough = search_literals(holds, score, feature, max_nodes=2, **asked)
    assert enough.nodes == 2
    assert_same(whole, enough)


@pytest.mark.parametrize("block", [None, LEAST])
def test_pairs_of_covers_too_many_for_a_cache_are_all_pairs(problem, block):
    """Tiles of partners and groups of roots, with lists of all lengths before and behind them."""
    feature = problem[2]
    rng = np.random.default_rng(8)
    units = 60_000
    assert cached_rows(units // 64) < LITERALS / 2
    many = rng.random((LITERALS, units)) < rng.uniform(0.3, 0.7, (LITERALS, 1))
    score = np.round(rng.normal(size=units), 1)
    memory = np.inf if block is None else memory_for(block, units)
    found = search_literals(
        many, score, feature, max_literals=2, keep=30, min_support=10, memory=memory
    )
    scores = centre(score)
    inside = many.astype(np.float64)
    q = (inside * scores.centred) @ inside.T
    q /= scores.denominator[(inside @ inside.T).astype(int)]
    one, two = np.triu_indices(LITERALS)
    admitted = (one == two) | (feature[one] != feature[two])
    one, two = one[admitted], two[admitted]
    best = np.lexsort((two, one, one != two, -q[one, two]))[:30]
    np.testing.assert_array_equal(found.q, q[one, two][best])
    wanted = [(i,) if i == j else (i, j) for i, j in zip(one[best], two[best], strict=True)]
    assert [tuple(i for i in ids if i >= 0) for ids in found.ids.tolist()] == wanted


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("block", [LEAST, 97])
def test_a_beam_in_blocks_is_that_of_the_whole(problem, limits, block):
    asked = {"max_literals": 4, "strategy": "beam", **limits}
    whole = given(problem, **asked)
    blocked = given(problem, memory=memory_for(block), **asked)
    assert_same(whole, blocked)
    assert (whole.nodes, whole.screened) == (blocked.nodes, blocked.screened)


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("pieces", [2, 7])
def test_parts_merge_into_the_whole(problem, limits, depth, pieces):
    holds, _, feature = problem
    limits = limits | {"min_modalities": min(depth, limits.get("min_modalities", 1))}
    whole = given(problem, max_literals=depth, **limits)
    start = given(problem, max_literals=depth, strategy="beam", **limits).ids
    parts = [
        given(problem, max_literals=depth, part=(i, pieces), start=start, **limits)
        for i in range(pieces)
    ]
    settings = {"keep": limits["keep"], "distinct": limits.get("distinct", "covers")}
    assert_same(whole, merge(parts, PackedRows.of(holds), feature, **settings))


def test_of_equal_q_fewer_literals_come_first_and_units_left_out_make_no_difference():
    holds = np.array([[1, 1, 0, 0, 1], [1, 1, 1, 0, 1], [0, 1, 0, 1, 1]], dtype=bool)
    parts = [
        SearchResult(
            np.array([ids], dtype=np.int32), np.array([size], dtype=np.int8), np.array([2.0]),
            np.array([2], dtype=np.int32), 2.0, 3.0, 1, 1, True,
        )
        for ids, size in (([0, 2, -1, -1], 2), ([1, -1, -1, -1], 1), ([0, -1, -1, -1], 1),
                          ([2, -1, -1, -1], 1))
    ]  # fmt: skip
    merged = merge(parts, PackedRows.of(holds), np.arange(3), units=np.array([0, 1, 3]))
    assert merged.ids[:, :2].tolist() == [[0, -1], [2, -1], [0, 2]]
    assert merged.n_literals.tolist() == [1, 1, 2]


def test_parts_without_a_start_and_in_blocks_merge_too(problem):
    holds, _, feature = problem
    whole = given(problem, max_literals=2, keep=30)
    parts = [
        given(problem, max_literals=2, keep=30, part=(i, 3), memory=memory_for(70))
        for i in range(3)
    ]
    assert_same(whole, merge(parts, PackedRows.of(holds), feature, keep=30))


def test_no_part_does_the_work_of_all(problem):
    whole = given(problem, max_literals=3, keep=10)
    start = given(problem, max_literals=3, keep=10, strategy="beam").ids
    nodes = [
        given(problem, max_literals=3, keep=10, part=(i, 4), start=start).nodes for i in range(4)
    ]
    assert max(nodes) < whole.nodes / 2
    assert min(nodes) > 0


def test_units_may_be_chosen_and_reordered(problem):
    holds, score, feature = problem
    units = np.random.default_rng(2).permutation(UNITS)[:90]
    rows = PackedRows.of(holds)
    settings = SearchSettings(keep=20)
    chosen = search_packed(rows, score[units], feature, settings, units=units)
    assert_same(chosen, search_literals(holds[:, units], score[units], feature, keep=20))
    parts = [
        search_packed(rows, score[units], feature, settings, units=units, part=(i, 2))
        for i in range(2)
    ]
    assert_same(chosen, merge(parts, rows, feature, units=units, keep=20))


def test_a_beam_as_wide_as_there_are_literals_finds_all_pairs(problem):
    exact = given(problem, max_literals=2, keep=60)
    beam = given(problem, max_literals=2, keep=60, strategy="beam", beam_width=LITERALS)
    assert not beam.proven
    np.testing.assert_array_equal(exact.ids, beam.ids)
    narrow = given(problem, max_literals=2, keep=60, strategy="beam", beam_width=2)
    assert narrow.q[-1] < exact.q[-1]


@pytest.mark.parametrize("width", [1, 5, 60])
def test_a_deeper_beam_is_never_worse_place_by_place(problem, width):
    q = [
        given(problem, max_literals=depth, keep=50, strategy="beam", beam_width=width).q
        for depth in (1, 2, 3, 4)
    ]
    for shallow, deep in pairwise(q):
        assert (deep[: len(shallow)] >= shallow).all()
    assert q[-1][0] > q[0][0]


def test_blocks_yield_every_literal_once_in_order(problem):
    holds, *_ = problem
    units = np.random.default_rng(3).permutation(UNITS)
    order = np.random.default_rng(4).permutation(LITERALS)[:250].astype(np.int32)
    expected = pack(holds[:, units])[:, order]
    for memory in (np.inf, memory_for(LEAST), memory_for(111)):
        blocks = OrderedCovers(PackedRows.of(holds), units, 1, memory)
        n_literals = sum(count for _, count in blocks.unordered())
        blocks.arrange(order)
        covers, ids = [], []
        for block in blocks():
            assert block.covers.nbytes <= memory
            covers.append(block.covers[0, :, : block.order.size].copy())
            ids.append(block.order)
        assert n_literals == LITERALS
        np.testing.assert_array_equal(np.hstack(covers), expected)
        np.testing.assert_array_equal(np.concatenate(ids), order)


def test_too_little_memory_is_said(problem):
    with pytest.raises(MemoryError, match="too little for blocks of 64 literals of 150 units"):
        given(problem, max_literals=2, memory=3000)
    with pytest.raises(MemoryError, match="3 literals needs all covers in memory, 0 MB"):
        given(problem, max_literals=3, memory=memory_for(100))


def test_a_budget_in_blocks_reports_a_true_gap(problem):
    whole = given(problem, max_literals=2, keep=5)
    cut = given(problem, max_literals=2, keep=5, max_nodes=1, memory=memory_for(80))
    assert not cut.proven
    assert cut.upper >= whole.q[0] >= cut.q[0]
    full = given(problem, max_literals=2, keep=5, max_nodes=10**9, memory=memory_for(80))
    assert full.proven
    np.testing.assert_array_equal(full.ids, whole.ids)
