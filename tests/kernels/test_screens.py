"""The inner loops count what NumPy counts, for any number of words, rows and starts."""

from __future__ import annotations

import numpy as np
import pytest

from ketadask.kernels.screens import LANES, TILE, margins_one, screen_rows, weigh


def made(words, rows, seed=0):
    """Return covers (2, word, row + LANES), a prefix and eight planes of random bits."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    bits = [(2, words, rows + LANES), (words,), (8, words)]
    return [rng.integers(0, 2**64, size, dtype=np.uint64) for size in bits]


def counted(covers, prefix, planes):
    """Support and weighted sum of every row of (word, row), by NumPy."""
    held = covers & prefix[:, None]
    support = np.bitwise_count(held).sum(axis=0, dtype=np.int64)
    total = sum(
        np.bitwise_count(held & planes[b][:, None]).sum(axis=0, dtype=np.int64) << b
        for b in range(8)
    )
    return support, total


@pytest.mark.parametrize("words", [1, 2, 3, 4, 7, 16])
@pytest.mark.parametrize(("first", "last"), [(0, 1), (3, 20), (5, 5), (1, 2 * TILE + 9)])
def test_weigh_counts_as_numpy_does(words, first, last):
    covers, prefix, planes = made(words, 2 * TILE + 9)
    support, total = np.full((2, last + 1), -7, dtype=np.int64)
    weigh(prefix, covers, 1, first, last, planes, support, total)
    expected = counted(covers[1, :, first:last], prefix, planes)
    np.testing.assert_array_equal(support[: last - first], expected[0])
    np.testing.assert_array_equal(total[: last - first], expected[1])
    assert (support[last - first :] == -7).all()
    assert (total[last - first :] == -7).all()


@pytest.mark.parametrize("words", [1, 2, 5])
@pytest.mark.parametrize("slope", [0.0, 1.0])
@pytest.mark.parametrize("q", [-3.0, 0.0, 2.5, 9.0])
def test_margins_compare_with_what_q_asks(words, slope, q):
    covers, prefix, planes = made(words, 300)
    n, base, more, unit, first, last = 64.0 * words, -65.0, 31.5, 1250.0, 7, 290
    numbers = (base, more, unit, slope, n)
    support, total = np.zeros((2, 300), dtype=np.int64)
    margin = np.full(300 + LANES, np.nan)
    any_hope = screen_rows(
        prefix, covers, 0, first, last, planes, numbers, q, support, total, margin
    )
    k, weight = counted(covers[0, :, first:last], prefix, planes)
    largest = weight + more + base * k
    asked = q * np.sqrt(unit * k * (n - slope * k))
    hopeful = margin[: last - first] >= 0
    clear = np.abs(largest - asked) > 1e-6
    np.testing.assert_array_equal(hopeful[clear], (largest > asked)[clear])
    assert clear.sum() > 250
    assert any_hope or not hopeful.any()


def test_what_ties_with_q_is_hopeful():
    """Rounding must not throw away a cover whose Q equals the one asked for."""
    covers, prefix, planes = made(1, 512)
    k, weight = counted(covers[0, :, :512], prefix, planes)
    base, more, unit, n = -65.0, 31.5, 1250.0, 64.0
    for row in range(512):
        largest = weight[row] + more + base * k[row]
        if 0 < k[row] < 64:
            q = largest / np.sqrt(unit * k[row] * (n - k[row]))
            support, total = np.zeros((2, 1), dtype=np.int64)
            margin = np.empty(2 * LANES)
            assert screen_rows(
                prefix, covers, 0, row, row + 1, planes, (base, more, unit, 1.0, n), q,
                support, total, margin,
            ), row  # fmt: skip
            assert margin[0] >= 0, row


def test_one_word_margins_tell_whether_any_is_hopeful():
    covers, prefix, planes = made(1, 64)
    margin = np.empty(64 + LANES)
    hopeful = margins_one(prefix[0], covers, 0, 0, 64, planes, -65.0, 0.0, 25000.0, 0.0, margin)
    assert hopeful
    assert (margin[:64] >= 0).any()
    assert not margins_one(prefix[0], covers, 0, 0, 64, planes, -65.0, 0.0, 1e12, 0.0, margin)
    assert (margin[:64] < 0).all()
