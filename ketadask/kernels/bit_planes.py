"""Weights that the inner loops count: rounded scores, and scores above a price."""

from __future__ import annotations

import numpy as np

from ketadask.kernels.branch import price_cuts
from ketadask.kernels.compiled import kernel
from ketadask.kernels.popcount import WORD, bit_planes, lowest_bit, popcount
from ketadask.kernels.q_statistic import Scores
from ketadask.kernels.state import (
    FineScreen,
    PriceScreen,
    ScoreScreen,
    ScreenBounds,
    SearchArrays,
    SearchLimits,
)

_LEVELS = 255
_FINE_LEVELS = 65535
_FINE_PLANES = 16
_PRICES = 8
_FREE_QUANTILE = 0.75


def score_screen(scores: Scores, centred: np.ndarray) -> ScoreScreen:
    """Round the scores to eight planes, and bound the rounding error of a sum.

    With any ``fee``, the rounding errors of k units sum to at most ``k fee`` plus the sum of the
    errors above the fee; that is well below k times the largest error. If covers have many words,
    a finer rounding decides about those that pass.
    """
    low, high = float(centred[-1]), float(centred[0])
    step = (high - low) / _LEVELS
    exact_weights = (centred - low) / step
    weights = np.rint(exact_weights).clip(0, _LEVELS)
    errors = exact_weights - weights
    fee = float(np.sort(errors)[int(_FREE_QUANTILE * (errors.size - 1))])
    bounds = ScreenBounds(
        base=low / step + fee + 1e-9,
        excess=float((errors - fee).clip(min=0.0).sum()) + 1e-9 * centred.size,
        variance=scores.sigma**2 / centred.size / step**2,
        slope=scores.slope,
        units=float(centred.size),
    )
    return ScoreScreen(bit_planes(weights), bounds, _fine_screen(centred, low, high))


def _fine_screen(centred: np.ndarray, low: float, high: float) -> FineScreen:
    """Round the scores to 16 planes; covers of one word are summed at once and need none."""
    step = (high - low) / _FINE_LEVELS
    planes = np.zeros((_FINE_PLANES, 1), dtype=np.uint64)
    if centred.size > WORD:
        weights = np.rint((centred - low) / step).clip(0, _FINE_LEVELS)
        planes = bit_planes(weights, _FINE_PLANES)
    return FineScreen(planes, step, low + step * (0.5 + 1e-6))


def price_screen(
    words: np.ndarray, rows: int, arrays: SearchArrays, limits: SearchLimits, q: float
) -> PriceScreen:
    """Choose the price that prunes most of a fixed selection of pairs; round weights up."""
    centred, units = arrays.centred, limits.units
    places = ((units - 1) * np.linspace(0.1, 0.7, _PRICES)).astype(np.int64)
    prices = np.unique(centred[places].clip(min=0.0))
    n_pairs = max(64, min(2048, 400_000 // units, 2 * rows))
    counts = _prune_counts(
        words, rows, n_pairs, prices, (centred[:, None] - prices).clip(min=0.0),
        q, arrays.denominator, limits.min_support,
    )  # fmt: skip
    best_price = float(prices[np.argmax(counts)])
    gains = (centred - best_price).clip(min=0.0)
    step = max(float(gains[0]), 1e-300) / _LEVELS
    planes = bit_planes(np.ceil(gains / step).clip(0, _LEVELS))
    return PriceScreen(planes, step * (1 + 1e-9), best_price, float(counts.max() / n_pairs))


@kernel()
def _prune_counts(
    words: np.ndarray,
    rows: int,
    n_pairs: int,
    prices: np.ndarray,
    gains: np.ndarray,
    q: float,
    denominator: np.ndarray,
    min_support: int,
) -> np.ndarray:
    """Return how many pairs each price prunes; ``gains`` (unit, price) are scores above it."""
    cuts = np.empty((prices.size, denominator.size))
    for p in range(prices.size):
        price_cuts(q, prices[p], denominator, min_support, cuts[p])
    counts, total = np.zeros(prices.size, dtype=np.int64), np.empty(prices.size)
    for step in range(n_pairs):
        left = step * 7919 % rows
        right = (left + 1 + step * 104729) % rows
        total[:] = 0.0
        inside = 0
        for w in range(words.shape[0]):
            inside += popcount(words[w, left])
            both = words[w, left] & words[w, right]
            while both != 0:
                total += gains[64 * w + lowest_bit(both)]
                both &= both - np.uint64(1)
        for p in range(prices.size):
            counts[p] += total[p] < cuts[p, inside]
    return counts
