"""The list of the best equals a sorted list; sums by table are exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketadask.kernels.best_list import ascending, empty_list, in_order, new_list, offer, threshold
from ketadask.kernels.brute_force import brute_force
from ketadask.kernels.covers import cover_sum, hopeless, sum_table
from ketadask.kernels.exact import search_literals
from ketadask.kernels.popcount import bit_planes, gather, pack, pack_rows, unpack_rows, words_for
from ketadask.kernels.q_statistic import centre
from ketadask.kernels.state import MAX, FineScreen

PERSONAS = st.lists(
    st.tuples(st.integers(0, 3), st.sets(st.integers(0, 6), min_size=1, max_size=3)),
    max_size=60,
)


def list_of(personas, keep, by_features):
    """Return (q, ids, cover) of the list after all personas were offered."""
    feature = np.arange(7)
    best = new_list(keep, 1)
    for q, ids in personas:
        row = np.full(MAX, -1, dtype=np.int32)
        ascending(np.array(sorted(ids, reverse=True), dtype=np.int32), len(ids), row)
        cover = np.array([min(ids) % 3 + 10 * q], dtype=np.uint64)
        offer(best, float(q), len(ids), row, cover, feature, by_features)
    q, sizes, rows, covers = in_order(best)
    assert (sizes == (rows >= 0).sum(axis=1)).all()
    assert threshold(best) == (q[-1] if len(q) == keep else -np.inf)
    return [
        (value, tuple(row[row >= 0]), int(cover[0]))
        for value, row, cover in zip(q, rows, covers, strict=True)
    ]


@settings(deadline=None)
@given(PERSONAS, st.integers(1, 8), st.booleans())
def test_the_list_keeps_what_sorting_would(personas, keep, by_features):
    if by_features:  # one feature set has one cover, and so one Q
        personas = [(sum(ids) % 4, ids) for _, ids in personas]
    best = {}
    for q, ids in personas:
        cover = min(ids) % 3 + 10 * q
        key = frozenset(ids) if by_features else cover
        rank = (-q, len(ids), tuple(sorted(ids)), cover)
        best[key] = min(best.get(key, rank), rank)
    expected = [(-q, ids, cover) for q, _, ids, cover in sorted(best.values())[:keep]]
    assert list_of(personas, keep, by_features) == expected


def test_an_empty_list_takes_new_personas():
    best = new_list(2, 1)
    row = np.array([3, -1, -1, -1], dtype=np.int32)
    for q in (1.0, 2.0, 3.0):
        offer(best, q, 1, row, np.array([int(q)], dtype=np.uint64), np.arange(7), False)
    empty_list(best)
    assert threshold(best) == -np.inf
    assert in_order(best)[0].size == 0
    offer(best, 0.5, 1, row, np.array([9], dtype=np.uint64), np.arange(7), False)
    assert in_order(best)[0].tolist() == [0.5]
    assert in_order(best)[3].tolist() == [[9]]


@pytest.mark.parametrize("units", [4, 63, 64, 65, 700])
def test_sums_by_table_are_exact_and_the_fine_screen_never_errs(units):
    rng = np.random.default_rng(units)
    scores = centre(rng.standard_t(3, size=units))
    centred = -np.sort(-scores.centred)
    holds = rng.random((200, units)) < rng.random((200, 1))
    words = pack(holds)
    sums = sum_table(centred, len(words))
    step = (centred[0] - centred[-1]) / 65535
    planes = bit_planes(np.rint((centred - centred[-1]) / step), 16)
    fine = FineScreen(planes, step, centred[-1] + step * (0.5 + 1e-6))
    n_hopeless = 0
    for row, cover in zip(holds, np.ascontiguousarray(words.T), strict=True):
        total, support = cover_sum(cover, sums)
        assert (total, support) == (centred[row].sum(), row.sum())
        if 0 < support < units:
            q = total / scores.denominator[support]
            for reachable in (q, q - 0.01):
                assert not hopeless(cover, fine, scores.denominator, reachable)
            n_hopeless += hopeless(cover, fine, scores.denominator, q + 0.01)
    assert n_hopeless > 100


@pytest.mark.parametrize("units", [1, 63, 64, 65, 200])
def test_packing_in_order_is_packing_of_the_ordered(units):
    rng = np.random.default_rng(units)
    holds, order = rng.random((5, units)) < 0.5, rng.permutation(units)
    for selection in (order, order[: units // 2 + 1]):
        out = np.zeros((words_for(selection.size), 7), dtype=np.uint64)
        gather(pack_rows(holds), selection, out, first=1)
        np.testing.assert_array_equal(out[:, 1:6], pack(holds[:, selection]))
        assert not out[:, [0, 6]].any()
    np.testing.assert_array_equal(unpack_rows(pack_rows(holds), units), holds)


@pytest.mark.parametrize("units", [257, 450, 700])
def test_the_search_equals_brute_force_with_many_words(units):
    rng = np.random.default_rng(units)
    holds = rng.random((24, units)) < rng.uniform(0.2, 0.9, size=(24, 1))
    score, feature = rng.normal(size=units) + holds[3] * holds[8], np.arange(24) // 2
    limits = {"max_literals": 3, "min_support": units // 10, "keep": 30}
    expected = brute_force(holds, score, feature, objective="heterogeneity", **limits)
    result = search_literals(holds, score, feature, **limits)
    assert result.proven
    assert result.q.tolist() == [q for q, _ in expected]
    assert [tuple(row[row >= 0]) for row in result.ids] == [ids for _, ids in expected]
