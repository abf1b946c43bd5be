"""The search as a value whose settings travel, and as an estimator in scikit-learn's manner."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from copy import copy
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.kernels.exact import WHOLE, search_packed
from ketadask.kernels.q_statistic import EqualScoresError
from ketadask.kernels.result import SearchResult, merge, nothing
from ketadask.kernels.ridge import standardise
from ketadask.kernels.settings import describe_settings
from ketadask.schema.errors import InputError, nearest
from ketadask.schema.notebook_card import NotebookCard
from ketadask.search.array_search import best_of_length, membership, search_values
from ketadask.search.estimator import check_names, transformer_tags, validate_arrays
from ketadask.search.settings import PersonaSettings
from ketadask.search.thresholds import GateThresholds

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ketadask.cohort.designs import TrialArrays
    from ketadask.pipeline.lazy_table import LazyTable
    from ketadask.schema.cohort import Cohort
    from ketadask.search.problem import SearchProblem
    from ketadask.search.resampling import ResamplingResult

_log = logging.getLogger(__name__)
# Of the memory of a process; the rest is for Python itself, tables and other objects.
LITERALS_FRACTION, COVERS_FRACTION, VALUES_FRACTION = 0.25, 0.4, 0.02


class PersonaSearch(PersonaSettings, NotebookCard):
    """Exact search for the personas that benefit most, and least.

    On arrays and DataFrames it is a transformer of scikit-learn: ``fit(X, score)``, then
    ``transform(X)`` gives the membership of each row in each persona. On a cohort or a search
    matrix, scores follow from the design.

    Parameters
    ----------
    OPTIONS

    Attributes
    ----------
    personas_
        A table, a row per persona: of each polarity the best first.
    literals_, result_by_polarity_
        `Literals`, and `SearchResult` by polarity.
    problem_
        `SearchProblem` of a cohort or search matrix.
    n_features_in_, feature_names_in_
        Number of features, and their names where X has any.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 3))
    >>> score = 3.0 * (X[:, 1] > 0) + rng.normal(size=60)
    >>> search = PersonaSearch(max_literals=1, keep=1, polarity="favourable").fit(X, score)
    >>> search.get_feature_names_out()
    array(['x1 > 0.1 (0.094012 | 0.21466)'], dtype=object)
    >>> search.transform([[0, 1, 0], [0, -1, 0], [0, np.nan, 0]])[:, 0]
    array([ 1.,  0., nan])
    """

    # As in scikit-learn, an estimator may change and equals only itself.
    __setattr__, __eq__, __hash__ = object.__setattr__, object.__eq__, object.__hash__

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the settings by name (``deep`` is there for scikit-learn)."""
        return {option.name: getattr(self, option.name) for option in fields(self)}

    def set_params(self, **settings: Any) -> PersonaSearch:
        """Change settings by name; return self."""
        valid = list(self.get_params())
        for name, value in settings.items():
            if name not in valid:
                raise InputError("unknown setting", value=name, remedy=nearest(name, valid))
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        """Show what differs from the defaults."""
        default = PersonaSearch().get_params()
        changed = {k: v for k, v in self.get_params().items() if v != default[k]}
        return f"PersonaSearch({', '.join(f'{k}={v!r}' for k, v in changed.items())})"

    def __dask_tokenize__(self) -> tuple[object, ...]:
        """Equal settings have equal tokens, in any process."""
        return (
            "ketadask.search.persona_search.PersonaSearch",
            repr(sorted(self.get_params().items())),
        )

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

        self.check()
        memory = math.inf if memory is None else memory
        literals = encode(
            units,
            self,
            include=self.include,
            exclude=self.exclude,
            priority=self.priority,
            memory=LITERALS_FRACTION * memory,
            folder=folder,
        )
        features = np.unique(literals.feature)
        values, names = None, tuple(literals.feature_names[k] for k in features)
        if 4 * len(features) * units.sizes[nm.UNIT] <= VALUES_FRACTION * memory:
            matrix = units["value"].transpose(nm.UNIT, nm.FEATURE).values
            values = standardise(matrix[:, features]).astype(np.float32)
        labels = {str(name): str(text) for name, text in units["label"].to_series().items() if text}
        return SearchProblem(literals, trial_arrays(units), memory, values, names, labels)

    def solve(
        self,
        problem: SearchProblem,
        *,
        polarity: str = nm.FAVOURABLE,
        train: np.ndarray | None = None,
        rows: np.ndarray | None = None,
        keep: int | None = None,
        part: tuple[int, int] = WHOLE,
        start: np.ndarray | None = None,
    ) -> SearchResult:
        """Search one trial.

        Parameters
        ----------
        train
            bool (unit,): search these units only, with scores computed from them alone
            (`TrialArrays.scores`). Units whose trial lacks an arm among them have no score and are
            not searched. The result is empty if fewer than two units have scores, or if all scores
            are equal.
        rows
            Permutation of the units: unit u gets the features of unit ``rows[u]``.
        keep
            Number of personas to keep, instead of that of the settings.
        part, start
            One of m parts of the search, and literals of personas of an earlier part; see
            `ketadask.kernels.exact.search_packed`. Only where ``min_literals`` is 1: another part
            may describe a persona with fewer literals.
        """
        if part != WHOLE and self.min_literals > 1:
            raise ValueError("a search with min_literals above 1 has no parts")
        literals, trial = problem.literals, problem.trial
        units, score = _search_units(trial, train)
        if train is not None and units.size < 2 and train.any():
            return nothing()  # the side lacks an arm, or is a single unit
        keep = self.keep if keep is None else keep
        # A smaller ``keep`` does not narrow the beam: relabelled trials are searched as the study.
        settings = copy(self).set_params(
            beam_width=max(self.width(), 0 if self.beam_width else keep)
        )

        def search(**changes: int) -> SearchResult:
            return search_packed(
                literals.rows,
                -score if polarity == nm.UNFAVOURABLE else score,
                literals.feature,
                copy(settings).set_params(**changes),
                units=units if rows is None else rows[units],
                modality=literals.modality,
                arm=None if trial.has_pairs else trial.arm[units],
                max_seconds=self.max_seconds,
                memory=COVERS_FRACTION * problem.memory,
                part=part,
                start=start,
            )

        try:
            result = best_of_length(search, settings, keep)
            if train is None and rows is None:
                size = f"{units.size} units, {len(literals)} literals, depth {self.max_literals}"
                _log.info("search of %s: plan %s", size, result.plan)
            return result
        except EqualScoresError:
            if train is None:
                raise
            return nothing()  # all units of the training set benefit alike: no hit
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
        results: Sequence[SearchResult],
        *,
        train: np.ndarray | None = None,
        rows: np.ndarray | None = None,
        keep: int | None = None,
    ) -> SearchResult:
        """Merge the results of the parts of a search, which had the same arguments."""
        units, _ = _search_units(problem.trial, train)
        return merge(
            results,
            problem.literals.rows,
            problem.literals.feature,
            units=units if rows is None else rows[units],
            keep=self.keep if keep is None else keep,
            distinct=self.distinct,
        )

    def fit(
        self,
        X: Cohort | xr.Dataset | pd.DataFrame | np.ndarray,
        y: Any = None,
        *,
        design: str = "crossover",
        memory: float | None = None,
    ) -> PersonaSearch:
        """Search an array with one score ``y`` per row, a cohort, or a search matrix.

        The scores of a cohort follow from its ``design``. ``memory`` limits the bytes of a process
        that searches a cohort; no limit by default.
        """
        from ketadask.schema.cohort import Cohort

        self.check()
        if isinstance(X, Cohort) or hasattr(X, "data_vars"):
            return self._fit_cohort(X, design, memory)
        values, score = validate_arrays(self, X, y)
        names = getattr(self, "feature_names_in_", None)
        self.literals_, self.result_by_polarity_ = search_values(
            values, score, self, names=names, polarities=self.polarities
        )
        self.personas_ = self._table(score)
        return self

    def _fit_cohort(self, X: Any, design: str, memory: float | None) -> PersonaSearch:
        from ketadask.cohort.units import search_matrix

        self.problem_ = self.problem(search_matrix(X, design), memory=memory)
        self.literals_ = self.problem_.literals
        self.result_by_polarity_ = {
            polarity: self.solve(self.problem_, polarity=polarity) for polarity in self.polarities
        }
        self.feature_names_in_ = np.array(self.literals_.feature_names, dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)
        self.personas_ = self._table(self.problem_.trial.score)
        return self

    def _table(self, score: np.ndarray) -> pd.DataFrame:
        import pandas as pd

        from ketadask.search.literals import personas_table

        tables = [
            personas_table(result, self.literals_, score).assign(polarity=polarity)
            for polarity, result in self.result_by_polarity_.items()
        ]
        return pd.concat(tables, ignore_index=True)

    def transform(self, X: pd.DataFrame | np.ndarray) -> np.ndarray:
        """Return (row, persona): 1 inside, 0 outside, NaN where missing values leave it open."""
        values, _ = validate_arrays(self, X)
        ids = np.concatenate([result.ids for result in self.result_by_polarity_.values()])
        return membership(values, self.literals_, ids)

    def fit_transform(self, X: Any, y: Any = None, **options: Any) -> np.ndarray:
        """Search, and return the membership of the rows that were searched."""
        return self.fit(X, y, **options).transform(X)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the personas in words, a name per column of `transform`."""
        check_names(self, input_features)
        table = self.personas_
        is_single = len(self.result_by_polarity_) == 1
        texts = table["persona"] if is_single else table["polarity"] + ": " + table["persona"]
        return texts.to_numpy(dtype=object)

    def __sklearn_tags__(self) -> Any:
        """Return the tags by which scikit-learn treats the search as a transformer."""
        return transformer_tags()

    def hits(
        self,
        cohort: Cohort | xr.Dataset,
        splits: Any,
        *,
        design: str = "crossover",
        store: Path | str | None = None,
        gates: GateThresholds | None = None,
        block: int = 50,
        memory: float | None = None,
    ) -> LazyTable:
        """Return the hits of all splits as a Dask DataFrame; nothing is searched before.

        Filter, reduce, persist and compute it as any other, on any scheduler; `ketadask.judge`
        takes it as it is. With a ``store`` each block of splits is written there when it is
        computed, and read where it already is: the same call continues an interrupted one.

        Examples
        --------
        >>> import ketadask as kd
        >>> scales = kd.read_phenotype(kd.simulate_study("study", participants=33), ["madrs"])
        >>> cohort = kd.assemble(scales, outcome="madrs", day=7)
        >>> hits = PersonaSearch(max_literals=1).hits(cohort, kd.HoldoutSplit(6), block=3)
        >>> int(hits[hits["rank"] == 1]["split"].nunique().compute())
        6
        """
        from ketadask.cohort.units import search_matrix
        from ketadask.schema.cohort import dataset_of
        from ketadask.search.hits_graph import lazy_hits

        dataset_of(cohort)
        problem = self.problem(search_matrix(cohort, design), memory=memory)
        return lazy_hits(self, problem, splits, store, gates or GateThresholds(), block)

    def run(
        self,
        cohort: Cohort | xr.Dataset,
        splits: Any,
        *,
        design: str = "crossover",
        store: Path | str = "runs",
        gates: GateThresholds | None = None,
        block: int = 50,
        memory: float | None = None,
    ) -> ResamplingResult:
        """Search all units, and the training set of every split without a result.

        Runs on dask's current scheduler, that of a ``Client`` if there is one. Results are parts in
        the folder ``store``; a later call with the same search and splits uses them.
        ``memory`` limits the bytes of each process; no limit by default.
        """
        from ketadask.schema.cohort import dataset_of
        from ketadask.search.resampling import run_splits

        dataset_of(cohort)  # an array has scores of its own, which no split can compute again
        self.fit(cohort, design=design, memory=memory)
        return run_splits(self, splits, store, gates or GateThresholds(), block)


PersonaSearch.__doc__ = (PersonaSearch.__doc__ or "").replace(
    "    OPTIONS", describe_settings(PersonaSearch)
)


def _search_units(trial: TrialArrays, train: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the units to search, and their scores."""
    if train is None:
        return np.arange(len(trial.score)), trial.score
    score = trial.scores(train)
    units = np.flatnonzero(np.isfinite(score))
    return units, score[units]
