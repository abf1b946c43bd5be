"""Trials of noise, of any size, to time searches on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ketadask.search.literals import Literals
    from ketadask.search.problem import SearchProblem

UNITS, FEATURES, CUTS = 63, 360, 6


def synthetic_values(units: int = UNITS, features: int = FEATURES, seed: int = 7) -> np.ndarray:
    """Noise (unit, feature): the first half of the features takes the values 0 to 4.

    Examples
    --------
    >>> synthetic_values(5, 3).shape
    (5, 3)
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(units, features)))
    ordinal = features // 2
    return np.hstack(
        [
            rng.integers(0, 5, (units, ordinal)).astype(np.float64),
            rng.normal(size=(units, features - ordinal)),
        ]
    )


def synthetic_literals(
    units: int = UNITS, features: int = FEATURES, *, cuts: int = CUTS, seed: int = 7
) -> Literals:
    """Encode such features; 63 units and 360 features give 3,600 literals."""
    from ketadask.kernels.settings import LiteralSettings
    from ketadask.search.encoding import encode_values

    names = [f"x{i}" for i in range(features)]
    return encode_values(
        synthetic_values(units, features, seed), LiteralSettings(cuts=cuts), names=names
    )


def synthetic_problem(
    units: int = UNITS, features: int = FEATURES, *, cuts: int = CUTS, seed: int = 7
) -> SearchProblem:
    """A pooled crossover trial without any persona: two cases per participant, active works.

    Examples
    --------
    >>> problem = synthetic_problem(9, 4)
    >>> problem.trial
    <TrialArrays: pooled, 9 units of 5 participants>
    """
    from ketadask.cohort.designs import POOLED, TrialArrays
    from ketadask.search.problem import SearchProblem

    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(units,)))
    row = np.arange(units)
    participant, period = row // 2, row % 2 + 1
    active_first = participant % 2 == 0
    active = active_first == (period == 1)
    improvement = rng.normal(size=units) + 0.8 * active
    outcome = np.full((units, 2), np.nan)
    outcome[row, np.where(active, 0, 1)] = improvement
    stratum = active_first.astype(np.int64)
    same = np.zeros(units, dtype=np.int64)
    responder = np.bincount(participant, weights=improvement)[participant] > 0.8
    trial = TrialArrays(
        POOLED, outcome, participant, stratum, 2 * stratum + responder, period, active_first, same
    )  # fmt: skip
    return SearchProblem(synthetic_literals(units, features, cuts=cuts, seed=seed), trial)
