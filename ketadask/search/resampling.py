"""Resampling: one search of all units, and one of the training set of every split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dask.base import tokenize

from ketadask.cohort.splits import HoldoutSplit
from ketadask.pipeline.progress import Progress
from ketadask.pipeline.run import run_stage
from ketadask.pipeline.shared_folder import shared_scheduler
from ketadask.pipeline.stage import require
from ketadask.schema.notebook_card import NotebookCard
from ketadask.search.graph import search_stage
from ketadask.store.fingerprints import code_version, fingerprint
from ketadask.store.parts import Parts

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.kernels.result import SearchResult
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.search.thresholds import GateThresholds


@dataclass(frozen=True, eq=False)
class ResamplingResult(NotebookCard):
    """A complete resampling study: with the null distribution, the input of `ketadask.judge`.

    Attributes
    ----------
    search, problem, splitter, gates
        The search, its data, the splits and the thresholds of the gates.
    result_by_polarity
        The best personas of all units.
    parts
        Where the tables of the splits are.
    """

    search: PersonaSearch
    problem: SearchProblem
    splitter: Any
    gates: GateThresholds
    result_by_polarity: Mapping[str, SearchResult]
    parts: Parts

    @property
    def hits(self) -> pd.DataFrame:
        """All hits: a row per split, polarity and rank."""
        n_splits = self.splitter.n_splits
        return self.parts.read_below("hits", n_splits, "split", "polarity", "rank")

    @property
    def searches(self) -> pd.DataFrame:
        """One row per split and polarity."""
        return self.parts.read_below("searches", self.splitter.n_splits, "split", "polarity")

    def __repr__(self) -> str:
        """Show the size of the study."""
        trial = self.problem.trial
        return (
            f"<ResamplingResult: {self.splitter.n_splits} splits of {len(trial.score)} units "
            f"({trial.design}), {len(self.problem.literals)} literals, in {self.parts.folder}>"
        )


def run_splits(
    search: PersonaSearch, splitter: Any, store: Path | str, gates: GateThresholds, block: int
) -> ResamplingResult:
    """Search the missing splits of a fitted search, on dask's current scheduler."""
    splitter = splits_of(splitter, search.problem_)
    parts = split_parts(search, search.problem_, splitter, store, gates)
    stage = search_stage(search.problem_, search, splitter, parts, gates)
    require(run_stage(stage, shared_scheduler(parts.folder), Progress.silent(), block=block))
    return ResamplingResult(
        search, search.problem_, splitter, gates, search.result_by_polarity_, parts
    )


def splits_of(splitter: Any, problem: SearchProblem) -> Any:
    """Return a splitter with its number of splits, after checking both sides."""
    trial = problem.trial
    if isinstance(splitter, HoldoutSplit):
        splitter.check_sides(trial.cluster)
    return replace(splitter, n_splits=splitter.get_n_splits(groups=trial.trial))


def split_parts(
    search: PersonaSearch,
    problem: SearchProblem,
    splitter: Any,
    store: Path | str,
    gates: GateThresholds,
) -> Parts:
    """Return the parts of splits; more splits add parts, other code invalidates all."""
    question = tokenize(problem, search, replace(splitter, n_splits=1), gates)
    key = fingerprint(question, code_version())
    # Workers may stand in another folder.
    return Parts(Path(store).resolve() / "hits" / key[:12], key)
