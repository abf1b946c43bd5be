"""Trials with equal benefit for all participants: every claim about them is false."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from ketadask import names as nm
from ketadask.cohort.designs import CROSSOVER, PARALLEL, POOLED, TrialArrays
from ketadask.search.encoding import encode_values
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.problem import SearchProblem

PERIOD_EFFECT = 0.7
LOST = 0.15
"""Fraction of participants with one infusion only; a crossover analysis excludes them."""


@dataclass(frozen=True)
class Homogeneous:
    """A kind of trial without heterogeneity.

    Parameters
    ----------
    design
        ``crossover``, ``pooled`` or ``parallel``.
    prognostic
        Effect of one standard deviation of each of two features on the outcome of both arms; the
        remaining variation has the standard deviation sqrt(2).
    overall
        Benefit of every participant.
    participants, features
        Numbers. Every other feature is ordinal with five levels; the first half, one of the two
        prognostic ones among them, is measured before each infusion.
    """

    design: str = CROSSOVER
    prognostic: float = 0.0
    overall: float = 0.0
    participants: int = 48
    features: int = 20

    def problem(self, search: PersonaSearch, *, seed: int, index: int) -> SearchProblem:
        """Return the search problem of trial ``index``; it depends on the seed and index only."""
        stream = np.random.SeedSequence(seed, spawn_key=(nm.STREAM_SIMULATION, index))
        rng = np.random.default_rng(stream)
        n = self.participants
        value = self._values(rng)
        course = self.prognostic * (value[:, :, 0] + value[:, :, -1])
        chance = rng.normal(size=(n, 1)) + rng.normal(size=(n, 2))
        active_first = rng.permutation(n) % 2 == 0
        active = np.stack([active_first, ~active_first], axis=1)
        seen = course + chance + self.overall * active + PERIOD_EFFECT * np.array([0, 1])
        value[:, :, 1::2] = np.digitize(value[:, :, 1::2], (-1.0, -0.3, 0.3, 1.0))
        single = rng.random(n) < LOST
        return self._posed(search, value, seen, active, single)

    def _values(self, rng: np.random.Generator) -> np.ndarray:
        """(participant, period, feature) standard normal values."""
        n, half = self.participants, self.features // 2
        value = np.repeat(rng.normal(size=(n, 1, self.features)), 2, axis=1)
        anew = rng.normal(size=(n, 2, half))
        value[:, :, :half] = np.sqrt(0.7) * value[:, :, :half] + np.sqrt(0.3) * anew
        return value

    def _posed(
        self,
        search: PersonaSearch,
        value: np.ndarray,
        seen: np.ndarray,
        active: np.ndarray,
        single: np.ndarray,
    ) -> SearchProblem:
        """Turn values (participant, period, feature) and outcomes into units of the design."""
        n = len(value)
        if self.design == PARALLEL:
            who, period = np.arange(n), np.zeros(n, dtype=np.int64)
        elif self.design == POOLED:
            who, period = np.repeat(np.arange(n), 2), np.tile([0, 1], n)
            there = (period == 0) | ~single[who]
            who, period = who[there], period[there]
        else:
            who = np.flatnonzero(~single)
            period = np.where(active[who, 0], 0, 1)
        arms = np.full((len(who), 2), np.nan)
        if self.design == CROSSOVER:
            arms = np.stack([seen[who, period], seen[who, 1 - period]], axis=1)
            matrix = value[who].mean(axis=1)
        else:
            arms[np.arange(len(who)), np.where(active[who, period], 0, 1)] = seen[who, period]
            matrix = value[who, period]
        first, same = active[who, 0], np.zeros(len(who), dtype=np.int64)
        stratum = first + (2 * single[who] if self.design == POOLED else 0)
        stratum = same if self.design == PARALLEL else stratum.astype(np.int64)
        trial = TrialArrays(self.design, arms, who, stratum, stratum, period + 1, first, same)
        return SearchProblem(encode_values(matrix, search), trial)


def kinds(participants: int = 48, features: int = 20) -> list[Homogeneous]:
    """Return every design, with and without prognostic features, with and without an effect.

    Examples
    --------
    >>> len(kinds()), kinds()[0].design
    (12, 'crossover')
    """
    return [
        Homogeneous(design, prognostic, overall, participants, features)
        for design, prognostic, overall in product(
            (CROSSOVER, POOLED, PARALLEL), (0.0, 1.5), (0.0, 2.0)
        )
    ]
