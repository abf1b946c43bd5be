"""How often can a bounded count with a smooth distribution be large, given its mean."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq, minimize_scalar


def r_concave_tail(mean: float, reached: int, steps: int, r: float) -> float:
    """Return the largest P(X >= reached) of an r-concave X on 0, 1, ..., steps, r < 0.

    X has mean ``mean * steps``. The worst case has probabilities (a + i)^(1 / r) up to some k and
    what the mean then leaves at k + 1, where it may not exceed the same curve: for each k, a runs
    between the values whose curves, cut after k and after k + 1, have the mean exactly (Shah &
    Samworth 2013). 1 where ``reached`` is at most twice the mean.

    Examples
    --------
    >>> r_concave_tail(0.1, 2, 20, -0.25), round(r_concave_tail(0.1, 12, 20, -0.25), 4)
    (1.0, 0.022)
    """
    target = mean * steps
    start = math.ceil(2.0 * target - 1e-9) + 1
    if reached < start or start > steps:
        return 1.0
    # A smaller a is a steeper curve, and the longer the curve the steeper it must be. Curves that
    # end before ``reached`` never get there.
    best = 0.0
    upper = _steepness(max(start, reached - 1), target, r)
    for k in range(max(start, reached - 1), steps):
        lower = _steepness(k + 1, target, r)
        found = minimize_scalar(
            lambda log_a, k=k: -_tail(math.exp(log_a), reached, k, target, r),
            bounds=(math.log(lower), math.log(upper)),
            method="bounded",
            options={"xatol": 1e-9},
        )
        best = max(best, -float(found.fun))
        upper = lower
    return min(max(best, _tail(upper, reached, steps, target, r)), 1.0)


def _tail(a: float, reached: int, k: int, target: float, r: float) -> float:
    """Return P(X >= reached) of the curve up to k with the rest of the mean put on k + 1."""
    i = np.arange(k + 1)
    curve = (a + i) ** (1.0 / r)
    scale = (k + 1 - target) / float(np.sum((k + 1 - i) * curve))
    return 1.0 - scale * float(np.sum(curve[:reached]))


def _steepness(k: int, target: float, r: float) -> float:
    """Return the a at which the curve (a + i)^(1 / r), i = 0..k, has mean ``target`` < k / 2."""
    i = np.arange(k + 1)

    def excess(log_a: float) -> float:
        curve = (math.exp(log_a) + i) ** (1.0 / r)
        return float(np.sum(i * curve) / np.sum(curve)) - target

    return math.exp(brentq(excess, math.log(1e-9), math.log(1e9), xtol=1e-13))
