"""The weights that the inner loops count: rounded scores, and scores above a price."""

from __future__ import annotations

import numpy as np

from ketadask.kernels.branch import price_cuts
from ketadask.kernels.popcount import bit_planes, unpack
from ketadask.kernels.q_statistic import Scores

_LEVELS = 255
_FINE = 65535
_PRICES = 8
_FREE = 0.75


def score_screen(scores: Scores, centred: np.ndarray) -> tuple:
    """Quantise the scores to eight planes, and bound what rounding takes from a sum.

    With any ``fee``, the rounding errors of k units sum to at most ``k fee`` and the sum of what
    all errors exceed the fee by; that is well below k times the worst error. Where covers have
    many words, a finer quantisation decides about those that pass.
    """
    low, high = float(centred[-1]), float(centred[0])
    step = (high - low) / _LEVELS
    exact = (centred - low) / step
    weights = np.rint(exact).clip(0, _LEVELS)
    planes = bit_planes(weights)
    errors = exact - weights
    fee = float(np.quantile(errors, _FREE))
    numbers = (
        low / step + fee + 1e-9,
        float((errors - fee).clip(min=0.0).sum()) + 1e-9 * centred.size,
        scores.sigma**2 / centred.size / step**2,
        scores.slope,
        float(centred.size),
    )
    fine_step = (high - low) / _FINE
    weights = np.rint((centred - low) / fine_step).clip(0, _FINE)
    fine = bit_planes(weights, 16), fine_step, low + fine_step * (0.5 + 1e-6)
    return planes, numbers, fine


def price_screen(words: np.ndarray, rows: int, problem: tuple, limits: tuple, q: float) -> tuple:
    """Choose the price that prunes most of a fixed selection of pairs; round weights up."""
    centred, denominator = problem[4], problem[6]
    units, min_support = limits[5], limits[1]
    pairs = max(64, min(2048, 400_000 // units))
    steps = np.arange(pairs)
    left = steps * 7919 % rows
    right = (left + 1 + steps * 104729) % rows
    inside = unpack(words[:, left] & words[:, right], units)
    parents = unpack(words[:, left], units).sum(axis=1)
    best_price, best_pruned = 0.0, -1
    for price in np.unique(np.quantile(centred, np.linspace(0.3, 0.9, _PRICES)).clip(min=0.0)):
        cuts = np.empty(units + 1)
        price_cuts(q, price, denominator, min_support, cuts)
        pruned = int((inside @ (centred - price).clip(min=0.0) < cuts[parents]).sum())
        if pruned > best_pruned:
            best_price, best_pruned = float(price), pruned
    gains = (centred - best_price).clip(min=0.0)
    step = max(float(gains[0]), 1e-300) / _LEVELS
    return bit_planes(np.ceil(gains / step).clip(0, _LEVELS)), step * (1 + 1e-9), best_price
