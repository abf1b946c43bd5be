"""Interim analyses: precision of the recurrence, and verdicts that can no longer change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import norm

from ketadask import names as nm
from ketadask.inference.evaluation import PersonaSet, evaluate_block
from ketadask.inference.second_stage import CANDIDATES, STUDENTISED, strongest
from ketadask.inference.stability import passes_gate
from ketadask.inference.verdicts import ALPHA, SUGGESTIVE, verdict_labels
from ketadask.kernels.resampling import wilson

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.kernels.result import SearchResult
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.search.thresholds import GateThresholds
    from ketadask.store.ranges import Range

FIRST_INTERIM = 100
HALF_WIDTH = 0.03
"""Half width of the 95 % interval of the recurrence at which splits have converged."""


def interim_counts(count: int) -> list[int]:
    """Return the counts at which interim analyses take place: 100, twice that, and so on, and all.

    The counts are fixed in advance, so blocks and workers cannot change where a study stops.

    Examples
    --------
    >>> interim_counts(500), interim_counts(60)
    ([100, 200, 400, 500], [60])
    """
    counts = []
    interim = FIRST_INTERIM
    while interim < count:
        counts.append(interim)
        interim *= 2
    return [*counts, count]


@dataclass
class Convergence:
    """Recurrence of a few personas while the splits are running.

    ``gate`` names the gate that makes a hit; ``personas`` are usually the best of each polarity on
    all data.
    """

    problem: SearchProblem
    search: PersonaSearch
    splitter: Any
    gates: GateThresholds
    gate: str
    personas: PersonaSet
    splits: int = 0
    hits: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.hits = np.zeros(len(self.personas), dtype=np.int64)

    @classmethod
    def of_best(
        cls,
        result_by_polarity: Mapping[str, SearchResult],
        problem: SearchProblem,
        search: PersonaSearch,
        splitter: Any,
        gates: GateThresholds,
        gate: str,
        *,
        candidates: int = CANDIDATES,
        statistic: str = STUDENTISED,
    ) -> Convergence:
        """Count the best persona of each polarity, from searches of all data.

        The best by the ``statistic`` among the ``candidates``; a polarity without any of these is
        represented by its largest Q.
        """
        best = strongest(
            problem, search, candidates=candidates, statistic=statistic,
            result_by_polarity=result_by_polarity,
        )  # fmt: skip
        frame = PersonaSet(best.ids, best.polarity).frame()
        personas = PersonaSet.of({}, frame, PersonaSet.of(result_by_polarity).frame())
        first = np.sort(np.unique(personas.polarity, return_index=True)[1])
        first_personas = PersonaSet(personas.ids[first], personas.polarity[first])
        return cls(problem, search, splitter, gates, gate, first_personas)

    def add(self, searches: pd.DataFrame, block: Range) -> None:
        """Count the first to the last split of ``block``, none of which was counted before."""
        if len(self.personas):
            table = evaluate_block(
                self.problem, self.personas, self.splitter, searches, block,
                search=self.search, gates=self.gates,
            )  # fmt: skip
            hit = table["kept"].to_numpy() & passes_gate(table, nm.TRAIN, self.gate)
            self.hits += hit.reshape(-1, len(self.personas)).sum(axis=0)
        self.splits += block[1] - block[0] + 1

    @property
    def half_width(self) -> float:
        """Half width of the widest interval; 0 without personas."""
        if not len(self.personas) or not self.splits:
            return float("inf") if len(self.personas) else 0.0
        _, low, high = self.widest_interval
        return (high - low) / 2

    @property
    def widest_interval(self) -> tuple[float, float, float]:
        """Recurrence and its interval, of the persona with the widest interval."""
        low, high = wilson(self.hits, self.splits)
        k = int(np.argmax(high - low))
        return self.hits[k] / self.splits, float(low[k]), float(high[k])

    def is_precise(self, half_width: float = HALF_WIDTH) -> bool:
        """Whether the recurrence of all personas is known to within ``half_width``."""
        return self.half_width <= half_width

    def further_splits(self, half_width: float = HALF_WIDTH) -> int:
        """Return the number of further splits to convergence, if the recurrence stays the same.

        Examples
        --------
        >>> personas = PersonaSet(np.zeros((1, 4)), np.array(["favourable"]))
        >>> convergence = Convergence(None, None, None, None, "published", personas)
        >>> convergence.splits, convergence.hits = 100, np.array([50])
        >>> convergence.further_splits(0.05), convergence.further_splits(0.2)
        (281, 0)
        """
        if self.is_precise(half_width):
            return 0
        rate = self.widest_interval[0]
        z = norm.ppf(0.975)
        # Half width of Wilson's interval of rate r over n splits:
        # z sqrt(r (1 - r) n + z^2/4) / (n + z^2).
        n = np.arange(self.splits + 1, int(z**2 / (4 * half_width**2)) + self.splits + 2)
        width = z * np.sqrt(rate * (1 - rate) * n + z**2 / 4) / (n + z**2)
        return int(n[np.argmax(width <= half_width)] - self.splits)

    def line(self) -> str:
        """Return a line for the terminal."""
        text = f"after {self.splits:,} splits"
        if not len(self.personas):
            return f"{text}: no persona is admissible"
        rate, low, high = self.widest_interval
        text += f" the best persona is a hit in {rate:.0%} of them ({low:.0%} to {high:.0%})"
        further = self.further_splits()
        precision = f"±{100 * HALF_WIDTH:.0f} percentage points"
        if not further:
            return f"{text}: converged to {precision}"
        return f"{text}; optional: {further:,} more splits narrow this to {precision}"


def is_verdict_final(
    p: np.ndarray,
    count: int,
    total: int,
    *,
    alpha: float = ALPHA,
    suggestive: float = SUGGESTIVE,
) -> np.ndarray:
    """Return whether further relabellings cannot change the verdict of each persona.

    Of ``total`` relabellings the first ``count`` gave the adjusted p-values ``p``,
    (b + 1) / (count + 1). At worst every further one reaches the observed statistic, at best none
    does; where both give the same verdict, stopping gives the verdict of all relabellings.

    Examples
    --------
    >>> is_verdict_final(np.array([0.01, 0.3]), count=99, total=999)
    array([False, False])
    >>> is_verdict_final(np.array([0.9]), 299, 999)
    array([ True])
    """
    exceedances = np.rint(np.asarray(p) * (count + 1)) - 1
    best, worst = (
        verdict_labels((exceedances + more + 1) / (total + 1), alpha, suggestive)
        for more in (0, total - count)
    )
    return np.asarray(best == worst)
