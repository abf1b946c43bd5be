"""What a resampling study found: one search of all units, and one of every train side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ketadask.kernels.result import SearchResult
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.problem import SearchProblem
from ketadask.search.thresholds import GateThresholds
from ketadask.store.parts import Parts

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class ResamplingResult:
    """A finished resampling study: what `ketadask.judge` needs besides the relabelled trials.

    Attributes
    ----------
    search, problem, splitter, gates
        What was asked.
    found
        Polarity -> the best personas of all units.
    parts
        Where the tables of the splits lie.
    """

    search: PersonaSearch
    problem: SearchProblem
    splitter: Any
    gates: GateThresholds
    found: Mapping[str, SearchResult]
    parts: Parts

    @property
    def hits(self) -> pd.DataFrame:
        """Return all hits: a row per split, polarity and rank."""
        return self._read("hits")

    @property
    def searches(self) -> pd.DataFrame:
        """Return one row per split and polarity."""
        return self._read("searches")

    def _read(self, table: str) -> pd.DataFrame:
        count = self.splitter.n_splits
        rows = self.parts.read_all(table, count)
        return rows[rows["split"] < count].reset_index(drop=True)

    def __repr__(self) -> str:
        """Say how much there is."""
        trial = self.problem.trial
        return (
            f"<Resampled: {self.splitter.n_splits} splits of {len(trial.score)} units "
            f"({trial.design}), {len(self.problem.literals)} literals, in {self.parts.folder}>"
        )
