"""Two calls for a notebook: relabel the trial, and judge what the splits found against it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from ketadask.inference.verdicts import ALPHA, JACCARD, SUGGESTIVE
from ketadask.schema.datasets import COHORT
from ketadask.schema.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.search.resampling import ResamplingResult


@dataclass(frozen=True, eq=False)
class NullDistribution:
    """Relabelled trials of one search.

    Parameters
    ----------
    table
        Table that keeps ``schema.NULLS``.
    asked
        Fingerprint of the search and its problem: verdicts are refused where it differs.
    seed, how
        Address of the relabellings, and what was exchanged.
    """

    table: pd.DataFrame
    asked: str
    seed: int
    how: str

    @property
    def relabellings(self) -> int:
        """How many there are."""
        return int(self.table["relabelling"].nunique())

    @property
    def maxima(self) -> pd.DataFrame:
        """The largest Q per relabelling and polarity."""
        from ketadask.inference.null import null_maxima

        return null_maxima(self.table)

    def __repr__(self) -> str:
        """Say how many, and of what."""
        return f"<Null: {self.relabellings} relabelled trials, how={self.how!r}, seed={self.seed}>"


def null(
    search: PersonaSearch,
    cohort: xr.Dataset,
    *,
    relabellings: int = 999,
    seed: int = 7,
    how: str = "features",
    design: str = "crossover",
    memory: float | None = None,
) -> NullDistribution:
    """Repeat a search on relabelled trials, with Dask's current scheduler.

    Parameters
    ----------
    search
        The search whose findings will be judged.
    cohort
        A cohort (``design`` makes the scores) or a search matrix, as `PersonaSearch.fit` takes.
    relabellings
        How many; the smallest adjusted p is 1 / (relabellings + 1).
    how
        ``features``, ``arms`` or ``no-effect``: see `ketadask.cohort.relabel`.
    memory
        Bytes that a process searching may take; no limit by default.
    """
    from ketadask.cohort.relabel import check_exchange
    from ketadask.inference.graph import null_table

    matrix = cohort
    if set(COHORT.variables) <= set(cohort.data_vars):
        from ketadask.cohort.designs import score_units

        matrix = score_units(cohort, design=design)
    problem = search.problem(matrix, memory=memory)
    if relabellings < 1:
        raise InputError("at least one relabelling is needed", value=relabellings, remedy="try 999")
    check_exchange(problem.trial, how)
    table = null_table(problem, search, relabellings, seed=seed, how=how)
    return NullDistribution(table, _asked(search, problem), seed, how)


def judge(
    hits: ResamplingResult,
    null: NullDistribution,
    *,
    use: str = "heterogeneity",
    alpha: float = ALPHA,
    suggestive: float = SUGGESTIVE,
    jaccard: float = JACCARD,
) -> pd.DataFrame:
    """Return the verdict table of a resampling study: see `ketadask.inference.verdicts.build_verdicts`.

    Parameters
    ----------
    hits
        What `PersonaSearch.run` returned. What its personas are worth on every split is computed
        with Dask's current scheduler, and kept beside its parts.
    null
        Relabelled trials of the same search and cohort, enough for a p of ``alpha``.
    use
        Gate that makes a hit: ``published``, ``heterogeneity`` or ``both``.
    """
    from ketadask.inference import verdicts
    from ketadask.inference.evaluation import PersonaSet
    from ketadask.inference.graph import evaluate_missing
    from ketadask.inference.stability import persona_stability
    from ketadask.store.fingerprints import fingerprint
    from ketadask.store.parts import Parts

    if null.asked != _asked(hits.search, hits.problem):
        raise InputError(
            "the relabelled trials belong to another search or cohort",
            remedy="make them with null(search, cohort) of the search and cohort that were run",
        )
    _need_enough(null.relabellings, alpha)
    personas, count = PersonaSet.of(hits.found), hits.splitter.n_splits
    key = fingerprint(hits.parts.key, personas.frame().to_dict("list"))
    parts = Parts(hits.parts.folder.parent.parent / "evaluations" / key[:12], key)
    ranges = evaluate_missing(hits, personas, parts)
    stability = persona_stability(parts, ranges, personas, use=use, n=count)
    return verdicts.build_verdicts(
        hits.problem, hits.search, hits.found, null.table, stability,
        alpha=alpha, suggestive=suggestive, jaccard=jaccard,
    )  # fmt: skip


def _need_enough(relabellings: int, alpha: float) -> None:
    """Refuse a level that no p from so few relabelled trials can reach."""
    from ketadask.kernels.maxt import may_reach

    if may_reach(alpha, relabellings) < 0:
        raise InputError(
            f"so few relabelled trials cannot give an adjusted p below {1 / (relabellings + 1):.3g}"
            f", above alpha {alpha:g}",
            where="null",
            value=f"{relabellings} relabelled trials",
            remedy=f"make {math.ceil(1 / alpha - 1e-9) - 1} or more, or raise alpha",
        )


def _asked(search: PersonaSearch, problem: SearchProblem) -> str:
    from ketadask.store.fingerprints import fingerprint

    return fingerprint(search.__dask_tokenize__(), problem.__dask_tokenize__())
