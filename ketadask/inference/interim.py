"""How well the recurrence of the best personas is known, while the splits are still running."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import norm

from ketadask import names as nm
from ketadask.inference.evaluation import PersonaSet, evaluate_block
from ketadask.inference.stability import passes
from ketadask.inference.verdicts import ALPHA, SUGGESTIVE, verdict_labels
from ketadask.kernels.resampling import wilson

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from ketadask.kernels.result import SearchResult
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.search.thresholds import GateThresholds
    from ketadask.store.ranges import Range


FIRST_LOOK = 100
REACH = 0.03
"""Recurrence is known well enough once its 95 % interval reaches no further to either side."""


def interim_counts(count: int) -> list[int]:
    """Return after how many of ``count`` one looks: 100, twice that, and so on, and all.

    Fixed numbers, so that blocks and workers cannot change where a study stops.

    Examples
    --------
    >>> looks(500), looks(60)
    ([100, 200, 400, 500], [60])
    """
    made = []
    each = FIRST_LOOK
    while each < count:
        made.append(each)
        each *= 2
    return [*made, count]


@dataclass
class Convergence:
    """Counts in how many splits each of a few personas was a hit.

    Parameters
    ----------
    problem, search, splitter, gates, use
        What was searched, how, on which splits, and what makes a hit.
    personas
        The personas followed: the best one of each polarity on all data, as a rule.
    """

    problem: SearchProblem
    search: PersonaSearch
    splitter: Any
    gates: GateThresholds
    use: str
    personas: PersonaSet
    splits: int = 0
    hits: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Start without splits."""
        self.hits = np.zeros(len(self.personas), dtype=np.int64)

    @classmethod
    def of_best(
        cls,
        found: Mapping[str, SearchResult],
        problem: SearchProblem,
        search: PersonaSearch,
        splitter: Any,
        gates: GateThresholds,
        use: str,
    ) -> Convergence:
        """Follow the best persona of each polarity, of what was ``found`` on all data."""
        every = PersonaSet.of(found)
        first = np.unique(every.polarity, return_index=True)[1]
        best = PersonaSet(every.ids[np.sort(first)], every.polarity[np.sort(first)])
        return cls(problem, search, splitter, gates, use, best)

    def add(self, searches: pd.DataFrame, numbers: Range) -> None:
        """Count the splits ``numbers``, both ends included, that have not been counted yet."""
        if len(self.personas):
            table = evaluate_block(
                self.problem, self.personas, self.splitter, searches, numbers,
                search=self.search, gates=self.gates,
            )  # fmt: skip
            hit = table["kept"].to_numpy() & passes(table, nm.TRAIN, self.use)
            self.hits += hit.reshape(-1, len(self.personas)).sum(axis=0)
        self.splits += numbers[1] - numbers[0] + 1

    @property
    def reach(self) -> float:
        """How far the widest interval reaches to one side; 0 where nothing is followed."""
        if not len(self.personas) or not self.splits:
            return float("inf") if len(self.personas) else 0.0
        _, low, high = self.widest
        return (high - low) / 2

    @property
    def widest(self) -> tuple[float, float, float]:
        """Recurrence and its interval of the persona that is known least well."""
        low, high = wilson(self.hits, self.splits)
        k = int(np.argmax(high - low))
        return self.hits[k] / self.splits, float(low[k]), float(high[k])

    def settled(self, reach: float = REACH) -> bool:
        """Whether the recurrence of all personas followed is known to within ``reach``."""
        return self.reach <= reach

    def more(self, reach: float = REACH) -> int:
        """How many more splits it takes until it is, if recurrence stays what it is.

        Examples
        --------
        >>> made = Convergence(None, None, None, None, "published",
        ...                    Personas(np.zeros((1, 4)), np.array(["favourable"])))
        >>> made.splits, made.hits = 100, np.array([50])
        >>> made.more(0.05), made.more(0.2)
        (281, 0)
        """
        if self.settled(reach):
            return 0
        rate = self.widest[0]
        z = norm.ppf(0.975)
        # Wilson's interval of rate r over n splits reaches z sqrt(r (1 - r) n + z^2/4) / (n + z^2).
        n = np.arange(self.splits + 1, int(z**2 / (4 * reach**2)) + self.splits + 2)
        width = z * np.sqrt(rate * (1 - rate) * n + z**2 / 4) / (n + z**2)
        return int(n[np.argmax(width <= reach)] - self.splits)

    def line(self) -> str:
        """Return one line about it."""
        if not len(self.personas):
            return f"after {self.splits:,} splits: nothing is followed, no persona is admissible"
        rate, low, high = self.widest
        text = f"after {self.splits:,} splits the best persona is a hit in {rate:.0%} of them"
        text += f" ({low:.0%} to {high:.0%})"
        left = self.more()
        if not left:
            return f"{text}: settled to within {REACH:.0%}"
        return f"{text}; {left:,} more settle it to within {REACH:.0%}; no verdict waits for them"


def is_verdict_final(
    p: np.ndarray, done: int, planned: int, *, alpha: float = ALPHA, suggestive: float = SUGGESTIVE
) -> np.ndarray:
    """Return whether the word of each persona is certain before all relabellings are made.

    Of ``planned`` relabellings ``done`` gave the adjusted p-values ``p``, (b + 1) / (done + 1).
    At worst every further one reaches the observed statistic, at best none does; where both ends
    have the same word, stopping gives the word that all of them would have given.

    Examples
    --------
    >>> settled(np.array([0.01, 0.3]), done=99, planned=999), settled(np.array([0.9]), 299, 999)
    (array([False, False]), array([ True]))
    """
    reached = np.rint(np.asarray(p) * (done + 1)) - 1
    lowest = (reached + 1) / (planned + 1)
    highest = (reached + planned - done + 1) / (planned + 1)
    return verdict_labels(lowest, alpha, suggestive) == verdict_labels(highest, alpha, suggestive)
