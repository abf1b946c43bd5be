"""Bit counting rate of this machine, and of the inner loop of the search.

The ceiling is that of a loop that does nothing else: words from the nearest cache, AND with a
mask, count, add up. A candidate of the search costs nine such counts per word: its support and
eight planes of its score.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ketadask.bench.timing import fastest_times
from ketadask.kernels.popcount import popcount
from ketadask.kernels.screens import margins_one, weigh
from ketadask.kernels.state import LANES

PLANES = 8
COUNTS = PLANES + 1
_RESIDENT = 2048
_CACHE_LINE_WORDS = 8


@njit(nogil=True)
def _one_mask(words: np.ndarray, mask: np.uint64, rounds: int) -> int:
    total = 0
    for r in range(rounds):
        m = mask + np.uint64(r)
        for i in range(np.uint64(words.size)):
            total += popcount(words[i] & m)
    return total


@njit(nogil=True)
def _four_masks(words: np.ndarray, mask: np.uint64, rounds: int) -> int:
    total = 0
    for r in range(rounds):
        m = mask + np.uint64(r)
        k, p, q = m * np.uint64(3), m * np.uint64(5), m * np.uint64(7)
        for i in range(np.uint64(words.size)):
            v = words[i]
            total += popcount(v & m) + popcount(v & k) + popcount(v & p) + popcount(v & q)
    return total


@njit(nogil=True)
def _margins(
    covers: np.ndarray, planes: np.ndarray, out: np.ndarray, count: int, rounds: int
) -> int:
    hopeful = 0
    for r in range(rounds):
        word = ~np.uint64(r)
        hopeful += margins_one(
            word, covers, 0, r % 2, count - 1, planes, -100.0, 0.0, 1.9e6, 3.0e4, out
        )
    return hopeful


@njit(nogil=True)
def _weigh_rounds(
    prefix: np.ndarray,
    covers: np.ndarray,
    planes: np.ndarray,
    support: np.ndarray,
    total: np.ndarray,
    rounds: int,
) -> None:
    for r in range(rounds):
        weigh(prefix, covers, 0, r % 2, support.size, planes, support, total)


def inner_rates(
    *,
    rows: int = 3600,
    words: tuple[int, ...] = (16, 157),
    counts: int = 200_000_000,
    repeats: int = 15,
) -> dict[str, Any]:
    """Measure the ceiling and the loops without pruning, in turns.

    Parameters
    ----------
    rows
        Number of literals.
    words
        Words per cover of the loops for larger cohorts.
    counts
        Approximate number of words that each timed call counts.
    repeats
        Calls of each; the fastest is used.

    Returns
    -------
    ``ceiling`` in words/s; ``candidates`` and ``words`` per second of the one-word loop and its
    ``ratio`` to the ceiling; ``many``: the same for each of ``words``.
    """
    rng = np.random.default_rng(np.random.SeedSequence(0))
    resident = _resident_words(rng, _RESIDENT)
    rounds = max(2, counts // _RESIDENT)
    mask = np.uint64(0x5DEECE66D1234567)
    calls: dict[str, Any] = {
        "one mask": lambda: _one_mask(resident, mask, rounds),
        "four masks": lambda: _four_masks(resident, mask, rounds // 4),
    }
    word_counts = {"one mask": rounds * _RESIDENT, "four masks": rounds // 4 * 4 * _RESIDENT}

    covers, planes = _covers(rng, rows, 1)
    out = np.empty(rows + LANES)
    once = max(2, counts // (COUNTS * rows))
    calls["one word"] = lambda: _margins(covers, planes, out, rows, once)
    word_counts["one word"] = once * COUNTS * (rows - 1)
    for width in words:
        name = f"{width} words"
        calls[name], word_counts[name] = _weighing(rng, rows, width, counts)

    least = fastest_times(calls, repeats)
    rate = {name: word_counts[name] / least[name] for name in calls}
    ceiling = max(rate["one mask"], rate["four masks"])
    return {
        "ceiling": ceiling,
        "candidates": rate["one word"] / COUNTS,
        "words": rate["one word"],
        "ratio": rate["one word"] / ceiling,
        "many": [
            {"words_per_cover": width, "words": rate[f"{width} words"],
             "ratio": rate[f"{width} words"] / ceiling}
            for width in words
        ],
    }  # fmt: skip


def _weighing(rng: np.random.Generator, rows: int, width: int, counts: int) -> tuple[Any, int]:
    covers, planes = _covers(rng, rows, width)
    prefix = rng.integers(1, 2**64, width, dtype=np.uint64)
    support, total = np.zeros((2, rows), dtype=np.int64)
    rounds = max(2, counts // (COUNTS * rows * width)) // 2 * 2
    word_counts = COUNTS * width * (rounds * rows - rounds // 2)
    return lambda: _weigh_rounds(prefix, covers, planes, support, total, rounds), word_counts


def _covers(rng: np.random.Generator, rows: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    covers = rng.integers(0, 2**64, (1, width, rows + LANES), dtype=np.uint64)
    return covers, rng.integers(0, 2**64, (PLANES, width), dtype=np.uint64)


def _resident_words(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return words that begin where a cache line does."""
    words = rng.integers(0, 2**64, size + _CACHE_LINE_WORDS, dtype=np.uint64)
    first = -(words.ctypes.data // words.itemsize) % _CACHE_LINE_WORDS
    return words[first : first + size]
