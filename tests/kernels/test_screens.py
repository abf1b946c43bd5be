"""The inner loops count what NumPy counts, for any number of words, rows and starts."""

from __future__ import annotations

import numpy as np
import pytest

from ketadask.kernels.screens import TILE, margins_one, screen_rows, weigh
from ketadask.kernels.state import LANES, ScreenBounds


def random_bits(words, rows, seed=0):
    """Return covers (2, word, row + LANES), a prefix and eight planes of random bits."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    bits = [(2, words, rows + LANES), (words,), (8, words)]
    return [rng.integers(0, 2**64, size, dtype=np.uint64) for size in bits]


def count_by_numpy(covers, prefix, planes):
    """Support and weighted sum of every row of (word, row), by NumPy."""
    inside = covers & prefix[:, None]
    support = np.bitwise_count(inside).sum(axis=0, dtype=np.int64)
    total = sum(
        np.bitwise_count(inside & planes[b][:, None]).sum(axis=0, dtype=np.int64) << b
        for b in range(8)
    )
    return support, total


@pytest.mark.parametrize("words", [1, 2, 3, 4, 7, 16])
@pytest.mark.parametrize(("first", "last"), [(0, 1), (3, 20), (5, 5), (1, 2 * TILE + 9)])
def test_weigh_counts_as_numpy_does(words, first, last):
    covers, prefix, planes = random_bits(words, 2 * TILE + 9)
    support, total = np.full((2, last + 1), -7, dtype=np.int64)
    weigh(prefix, covers, 1, first, last, planes, support, total)
    expected = count_by_numpy(covers[1, :, first:last], prefix, planes)
    np.testing.assert_array_equal(support[: last - first], expected[0])
    np.testing.assert_array_equal(total[: last - first], expected[1])
    assert (support[last - first :] == -7).all()
    assert (total[last - first :] == -7).all()


@pytest.mark.parametrize("words", [1, 2, 5])
@pytest.mark.parametrize("slope", [0.0, 1.0])
@pytest.mark.parametrize("q", [-3.0, 0.0, 2.5, 9.0])
def test_margins_compare_with_the_sum_that_q_requires(words, slope, q):
    covers, prefix, planes = random_bits(words, 300)
    n, base, excess, variance, first, last = 64.0 * words, -65.0, 31.5, 1250.0, 7, 290
    bounds = ScreenBounds(base, excess, variance, slope, n)
    support, total = np.zeros((2, 300), dtype=np.int64)
    margin = np.full(300 + LANES, np.nan)
    any_hope = screen_rows(
        prefix, covers, 0, first, last, planes, bounds, q, support, total, margin
    )
    k, weight = count_by_numpy(covers[0, :, first:last], prefix, planes)
    largest = weight + excess + base * k
    required = q * np.sqrt(variance * k * (n - slope * k))
    hopeful = margin[: last - first] >= 0
    clear = np.abs(largest - required) > 1e-6
    np.testing.assert_array_equal(hopeful[clear], (largest > required)[clear])
    assert clear.sum() > 250
    assert any_hope or not hopeful.any()


def test_a_tie_with_q_is_hopeful():
    """Rounding must not discard a cover whose Q equals the one required."""
    covers, prefix, planes = random_bits(1, 512)
    k, weight = count_by_numpy(covers[0, :, :512], prefix, planes)
    base, excess, variance, n = -65.0, 31.5, 1250.0, 64.0
    for row in range(512):
        largest = weight[row] + excess + base * k[row]
        if 0 < k[row] < 64:
            q = largest / np.sqrt(variance * k[row] * (n - k[row]))
            support, total = np.zeros((2, 1), dtype=np.int64)
            margin = np.empty(2 * LANES)
            assert screen_rows(
                prefix, covers, 0, row, row + 1, planes,
                ScreenBounds(base, excess, variance, 1.0, n), q,
                support, total, margin,
            ), row  # fmt: skip
            assert margin[0] >= 0, row


def test_one_word_margins_tell_whether_any_is_hopeful():
    covers, prefix, planes = random_bits(1, 64)
    margin = np.empty(64 + LANES)
    hopeful = margins_one(prefix[0], covers, 0, 0, 64, planes, -65.0, 0.0, 25000.0, 0.0, margin)
    assert hopeful
    assert (margin[:64] >= 0).any()
    assert not margins_one(prefix[0], covers, 0, 0, 64, planes, -65.0, 0.0, 1e12, 0.0, margin)
    assert (margin[:64] < 0).all()
