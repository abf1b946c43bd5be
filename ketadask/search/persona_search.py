"""The search as a value whose settings travel, and as an estimator in scikit-learn's manner."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.kernels.exact import DISTINCT, STRATEGIES, WHOLE, search_packed
from ketadask.kernels.q_statistic import OBJECTIVES, EqualScoresError
from ketadask.kernels.result import SearchResult, merge, nothing
from ketadask.schema.datasets import COHORT
from ketadask.schema.errors import InputError, nearest
from ketadask.search.thresholds import GateThresholds, support_floor

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ketadask.cohort.designs import TrialArrays
    from ketadask.search.problem import SearchProblem
    from ketadask.search.resampling import ResamplingResult

# Of the memory of a process; the rest is for Python itself, tables and what is no array.
LITERALS_SHARE, COVERS_SHARE = 0.25, 0.4
LEAST_WIDTH = 64

_CHOICES = {
    "objective": OBJECTIVES,
    "polarity": ("both", *nm.POLARITIES),
    "distinct": DISTINCT,
    "strategy": STRATEGIES,
}


class PersonaSearch:
    """Exact search for the personas that benefit most, and least.

    Parameters
    ----------
    max_literals
        Most value ranges a persona combines, 1 to 4.
    min_support
        Fewest units inside; the larger of 8 and 20 % of the units searched by default.
    min_arm
        Fewest units of each arm inside, in designs where a unit has one arm.
    keep
        Personas kept per search.
    cuts, intervals, explicit, include, exclude, priority
        How features become literals: see `ketadask.search.encoding.encode_values`.
    objective
        ``heterogeneity``: benefit above the rest's; ``effect``: benefit above zero.
    polarity
        ``favourable``, ``unfavourable`` or ``both``.
    distinct
        The personas kept differ in their ``covers``, or in their ``features``.
    strategy
        ``exact``: branch and bound, with proof; ``beam``: for cohorts too large for that.
    width
        Personas the beam keeps per size; ``keep`` of them, but at least 64, if not given. Where
        `solve` is asked for fewer personas the beam is as wide as ever, so that relabelled trials
        are searched as the study itself was.
    min_families
        Fewest feature families a persona spans.
    nodes, seconds
        Budget of an exact search; where it ends the search, the result says what gap is left.
        A budget of seconds gives results that depend on the machine.

    Examples
    --------
    >>> PersonaSearch(max_literals=2).get_params()["max_literals"]
    2
    """

    def __init__(
        self,
        max_literals: int = 3,
        *,
        min_support: int | None = None,
        min_arm: int = 2,
        keep: int = 100,
        cuts: int = 6,
        intervals: bool = False,
        explicit: Mapping[str, Sequence[float]] | None = None,
        include: Sequence[str] | None = None,
        exclude: Sequence[str] | None = None,
        priority: Sequence[str] | None = None,
        objective: str = "heterogeneity",
        polarity: str = "both",
        distinct: str = "covers",
        strategy: str = "exact",
        width: int | None = None,
        min_families: int = 1,
        nodes: int | None = None,
        seconds: float | None = None,
    ) -> None:
        self.max_literals = max_literals
        self.min_support = min_support
        self.min_arm = min_arm
        self.keep = keep
        self.cuts = cuts
        self.intervals = intervals
        self.explicit = explicit
        self.include = include
        self.exclude = exclude
        self.priority = priority
        self.objective = objective
        self.polarity = polarity
        self.distinct = distinct
        self.strategy = strategy
        self.width = width
        self.min_families = min_families
        self.nodes = nodes
        self.seconds = seconds

    @classmethod
    def _names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the settings by name (``deep`` is there for scikit-learn)."""
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self, **settings: Any) -> PersonaSearch:
        """Change settings by name; return self."""
        for name, value in settings.items():
            if name not in self._names():
                raise InputError("unknown setting", value=name, remedy=nearest(name, self._names()))
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        """Show what differs from the defaults."""
        signature = inspect.signature(type(self).__init__).parameters
        changed = {
            name: value
            for name, value in self.get_params().items()
            if value != signature[name].default
        }
        return f"PersonaSearch({', '.join(f'{k}={v!r}' for k, v in changed.items())})"

    def __dask_tokenize__(self) -> tuple[object, ...]:
        """Equal settings have equal tokens, in any process."""
        return (
            "ketadask.search.persona_search.PersonaSearch",
            repr(sorted(self.get_params().items())),
        )

    @property
    def polarities(self) -> tuple[str, ...]:
        """Polarities this search looks for."""
        return nm.POLARITIES if self.polarity == "both" else (self.polarity,)

    def support_floor(self, units: int) -> int:
        """Return the fewest units a persona must hold when ``units`` are searched."""
        return support_floor(units, self.min_support)

    def problem(
        self, units: xr.Dataset, *, memory: float | None = None, folder: Path | None = None
    ) -> SearchProblem:
        """Return literals and trial arrays of a search matrix.

        Parameters
        ----------
        memory
            Bytes that a process searching it may take; no limit by default.
        folder
            Where literals that take more than a quarter of that are kept, in a file; in memory
            if not given.
        """
        from ketadask.cohort.designs import trial_arrays
        from ketadask.search.encoding import encode
        from ketadask.search.problem import SearchProblem

        self._check()
        memory = math.inf if memory is None else memory
        literals = encode(
            units,
            cuts=self.cuts,
            intervals=self.intervals,
            explicit=self.explicit,
            include=self.include,
            exclude=self.exclude,
            priority=self.priority,
            memory=LITERALS_SHARE * memory,
            folder=folder,
        )
        return SearchProblem(literals, trial_arrays(units), memory)

    def solve(
        self,
        problem: SearchProblem,
        *,
        polarity: str = nm.FAVOURABLE,
        train: np.ndarray | None = None,
        rows: np.ndarray | None = None,
        keep: int | None = None,
        strategy: str | None = None,
        part: tuple[int, int] = WHOLE,
        start: np.ndarray | None = None,
    ) -> SearchResult:
        """Search one trial.

        Parameters
        ----------
        train
            bool (unit,): search these units only, by scores made of them alone (`Trial.scores`);
            those whose trial lacks an arm there have none and are not searched. Nothing is found
            where fewer than two are left, or all scores are equal.
        rows
            Permutation of the units: unit u gets the features of unit ``rows[u]``.
        keep, strategy
            Personas kept, and how they are searched, if not as in the settings.
        part, start
            One of m parts of the search, and what is known before (see `exact.search_rows`).
        """
        literals, trial = problem.literals, problem.trial
        units, score = _searched(trial, train)
        if train is not None and units.size < 2 and train.any():
            return nothing()  # the side lacks an arm, or is a single unit
        try:
            return search_packed(
                literals.rows,
                -score if polarity == nm.UNFAVOURABLE else score,
                literals.feature,
                units=units if rows is None else rows[units],
                family=literals.family,
                arm=None if trial.paired else trial.arm[units],
                max_literals=self.max_literals,
                min_support=self.support_floor(units.size),
                min_arm=0 if trial.paired else self.min_arm,
                min_families=self.min_families,
                keep=self.keep if keep is None else keep,
                objective=self.objective,
                distinct=self.distinct,
                strategy=self.strategy if strategy is None else strategy,
                width=self.width or max(self.keep, keep or 0, LEAST_WIDTH),
                nodes=self.nodes,
                seconds=self.seconds,
                memory=COVERS_SHARE * problem.memory,
                part=part,
                start=start,
            )
        except EqualScoresError:
            if train is None:
                raise
            return nothing()  # a side on which all benefit alike names nobody: no hit there
        except MemoryError as error:
            raise InputError(
                str(error) or "the search does not fit in memory",
                where="memory (execution.memory of a study)",
                value=f"{problem.memory / 1e9:.3g}GB" if math.isfinite(problem.memory) else None,
                remedy="give a search more memory, or set search.strategy to beam",
            ) from error

    def merge(
        self,
        problem: SearchProblem,
        found: Sequence[SearchResult],
        *,
        train: np.ndarray | None = None,
        rows: np.ndarray | None = None,
        keep: int | None = None,
    ) -> SearchResult:
        """Make one result of the parts of a search; settings as these were given."""
        units, _ = _searched(problem.trial, train)
        return merge(
            found,
            problem.literals.rows,
            problem.literals.feature,
            units=units if rows is None else rows[units],
            keep=self.keep if keep is None else keep,
            distinct=self.distinct,
        )

    def fit(
        self,
        X: xr.Dataset,
        y: object = None,
        *,
        design: str = "crossover",
        memory: float | None = None,
    ) -> PersonaSearch:
        """Search a cohort (its ``design`` makes the scores) or a search matrix.

        ``memory`` is how many bytes a process may take; no limit by default. Sets
        ``problem_``, ``found_`` (polarity -> `Found`) and ``personas_`` (a table).
        """
        from ketadask.cohort.designs import score_units as make_units

        matrix = make_units(X, design=design) if set(COHORT.variables) <= set(X.data_vars) else X
        self.problem_ = self.problem(matrix, memory=memory)
        self.found_ = {each: self.solve(self.problem_, polarity=each) for each in self.polarities}
        self.personas_ = self._table()
        return self

    def _table(self) -> pd.DataFrame:
        import pandas as pd

        from ketadask.search.top_personas import personas_table

        literals, score = self.problem_.literals, self.problem_.trial.score
        tables = [
            personas_table(found, literals, score).assign(polarity=polarity)
            for polarity, found in self.found_.items()
        ]
        return pd.concat(tables, ignore_index=True)

    def run(
        self,
        cohort: xr.Dataset,
        splits: Any,
        *,
        design: str = "crossover",
        store: str = "runs",
        gates: GateThresholds | None = None,
        block: int = 50,
        memory: float | None = None,
    ) -> ResamplingResult:
        """Search the whole cohort, and the train side of every split that has not been yet.

        Runs on dask's current scheduler: processes of a ``Client`` where there is one. Parts are
        written into the folder ``store`` and used again by a later call that asks the same.
        ``memory`` is how many bytes each process may take; no limit by default.
        """
        from ketadask.search.graph import run_splits

        fitted = self.fit(cohort, design=design, memory=memory)
        return run_splits(fitted, splits, store, gates or GateThresholds(), block)

    def _check(self) -> None:
        for name, valid in _CHOICES.items():
            value = getattr(self, name)
            if value not in valid:
                raise InputError(
                    f"unknown {name}", where=f"search.{name}", value=value,
                    remedy=nearest(str(value), valid),
                )  # fmt: skip
        if not 1 <= self.max_literals <= nm.MAX_LITERALS:
            raise InputError(
                "number of literals out of range", where="search.max_literals",
                value=self.max_literals, remedy=f"give 1 to {nm.MAX_LITERALS}",
            )  # fmt: skip


def _searched(trial: TrialArrays, train: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the units searched, and their scores."""
    if train is None:
        return np.arange(len(trial.score)), trial.score
    score = trial.scores(train)
    units = np.flatnonzero(np.isfinite(score))
    return units, score[units]
