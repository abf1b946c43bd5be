"""Three calls for a notebook: relabel a trial, judge the hits of its splits, simulate power."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ketadask import names as nm
from ketadask.inference.companion import LINEAR_PART, alpha_levels
from ketadask.inference.null_method import AUTO, choose_null
from ketadask.inference.second_stage import CANDIDATES, STUDENTISED
from ketadask.inference.verdicts import ALPHA, JACCARD, SUGGESTIVE
from ketadask.pipeline.executor import CurrentScheduler, collect
from ketadask.pipeline.progress import Progress
from ketadask.pipeline.run import run_stage
from ketadask.pipeline.shared_folder import shared_scheduler
from ketadask.pipeline.stage import require
from ketadask.schema.errors import InputError
from ketadask.schema.notebook_card import NotebookCard
from ketadask.store.fingerprints import code_version, fingerprint
from ketadask.store.parts import Parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from ketadask.inference.judge_graph import LazyNull
    from ketadask.kernels.result import SearchResult
    from ketadask.pipeline.lazy_table import LazyTable
    from ketadask.schema.cohort import Cohort
    from ketadask.search.hits_graph import LazyResampling
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.search.resampling import ResamplingResult

BLOCK = 25
"""Relabellings or splits per task."""


@dataclass(frozen=True, eq=False)
class NullDistribution(NotebookCard):
    """Relabelled trials of one search.

    Parameters
    ----------
    table
        Table that keeps ``schema.NULLS``.
    question
        Fingerprint of the search and its problem: verdicts are refused where it differs.
    seed, method
        Address of the relabellings, and what was exchanged.
    candidates
        Number of personas of each that were ranked again by t.
    companion
        The feature with the largest association with the scores, and with their spread; columns of
        `companion_summary`. Empty where the features take too much memory.
    """

    table: pd.DataFrame
    question: str
    seed: int
    method: str
    candidates: int = CANDIDATES
    companion: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def relabellings(self) -> int:
        """Number of relabelled trials."""
        return int(self.table["relabelling"].nunique())

    @property
    def maxima(self) -> pd.DataFrame:
        """The largest Q and t per relabelling and method, over all polarities."""
        from ketadask.inference.null import null_maxima

        return null_maxima(self.table)

    def __repr__(self) -> str:
        """Show number, method and seed."""
        return (
            f"<NullDistribution: {self.relabellings} relabelled trials, "
            f"method={self.method!r}, seed={self.seed}>"
        )


def null(
    search: PersonaSearch,
    cohort: Cohort | xr.Dataset,
    *,
    relabellings: int = 999,
    seed: int = 7,
    method: str = AUTO,
    candidates: int = CANDIDATES,
    design: str = "crossover",
    store: Path | str = "runs",
    memory: float | None = None,
) -> NullDistribution:
    """Repeat a search on relabelled trials, on Dask's current scheduler.

    Parameters
    ----------
    search
        The search whose personas will be judged.
    cohort
        A cohort (``design`` makes the scores) or a search matrix, as `PersonaSearch.fit` takes.
    relabellings
        Number of relabelled trials; the smallest adjusted p is 1 / (relabellings + 1).
    method
        ``features``, ``arms`` or ``no-effect``: see `ketadask.cohort.relabel`; ``both``: features
        and arms, the larger p counts; ``auto``: both where `choose_null` sees a reason, else
        features.
    candidates
        Number of personas with the largest Q that are ranked again by t (see `strongest`).
    store
        Folder of the results; a later call for more relabellings computes only the new ones.
    memory
        Bytes that a process may use for a search; no limit by default.

    Examples
    --------
    >>> import ketadask as kd
    >>> scales = kd.read_phenotype(kd.simulate_study("study", participants=33), ["madrs"])
    >>> cohort = kd.assemble(scales, outcome="madrs", day=7)
    >>> kd.null(kd.PersonaSearch(max_literals=1), cohort, relabellings=19)
    <NullDistribution: 19 relabelled trials, method='features', seed=7>
    """
    from ketadask.inference.companion import companion_summary
    from ketadask.inference.graph import null_stage

    problem, settings, question = _null_problem(
        search, cohort, relabellings, design, memory, seed, method, candidates
    )
    parts = _null_parts(question, settings, store)
    stage = null_stage(problem, search, relabellings, parts, **settings)
    require(run_stage(stage, shared_scheduler(parts.folder), Progress.silent(), block=BLOCK))
    table = parts.read_below("nulls", relabellings, "relabelling", "method", "rank")
    companions = parts.read_below("companions", relabellings, "relabelling", "method")
    rows = companion_summary(problem, companions, None)
    columns = ["feature", "correlation", "t", "p"]
    companion = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns)
    return NullDistribution(table, question, companion=companion, **settings)


def lazy_null(
    search: PersonaSearch,
    cohort: Cohort | xr.Dataset,
    relabellings: int = 999,
    *,
    seed: int = 7,
    method: str = AUTO,
    candidates: int = CANDIDATES,
    design: str = "crossover",
    store: Path | str | None = None,
    block: int = BLOCK,
    memory: float | None = None,
) -> LazyTable:
    """Return the null maxima as a Dask DataFrame; nothing is searched before it is computed.

    Options as in `null`; with a ``store`` each block of relabelled trials is written there when it
    is computed, and read where it already is.

    Returns
    -------
    ``relabelling``, ``method``, and the largest ``q`` and ``t`` of each relabelled trial. `judge`
    takes it as it is.

    Examples
    --------
    >>> import ketadask as kd
    >>> scales = kd.read_phenotype(kd.simulate_study("study", participants=33), ["madrs"])
    >>> cohort = kd.assemble(scales, outcome="madrs", day=7)
    >>> null = kd.lazy_null(kd.PersonaSearch(max_literals=1), cohort, 39)
    >>> len(null), null.npartitions
    (39, 2)
    """
    from ketadask.inference.judge_graph import lazy_maxima

    problem, settings, question = _null_problem(
        search, cohort, relabellings, design, memory, seed, method, candidates
    )
    parts = None if store is None else _null_parts(question, settings, store)
    return lazy_maxima(problem, search, relabellings, parts, question, block, **settings)


def judge(
    hits: ResamplingResult | LazyTable,
    null: NullDistribution | LazyTable,
    *,
    gate: str = "heterogeneity",
    alpha: float = ALPHA,
    suggestive: float = SUGGESTIVE,
    jaccard: float = JACCARD,
    statistic: str = STUDENTISED,
    linear_share: float = LINEAR_PART,
) -> pd.DataFrame:
    """Return the verdict table of a resampling study (see `build_verdicts`).

    Parameters
    ----------
    hits
        Result of `PersonaSearch.run`, or what `PersonaSearch.hits` returns, as it is. Its personas
        are evaluated on every split with Dask's current scheduler; the results of ``run`` are
        stored beside its parts.
    null
        Relabelled trials of the same search and cohort, enough for a p of ``alpha``: the result of
        `null`, or what `lazy_null` returns.
    gate
        Gate that makes a hit: ``published``, ``heterogeneity`` or ``both``.
    statistic
        ``studentised``, or ``q`` for that of the search.
    linear_share
        Part of ``alpha`` for the linear modifier (``null.companion``): personas are supported at
        the rest, see `alpha_levels`.

    Examples
    --------
    >>> import ketadask as kd
    >>> scales = kd.read_phenotype(kd.simulate_study("study", participants=33), ["madrs"])
    >>> cohort = kd.assemble(scales, outcome="madrs", day=7)
    >>> search = kd.PersonaSearch(max_literals=1)
    >>> hits = search.run(cohort, kd.HoldoutSplit(10), store="runs")
    >>> verdicts = kd.judge(hits, kd.null(search, cohort, relabellings=39))
    >>> verdicts[["text", "support", "p_adjusted"]].head(1)
                 text  support  p_adjusted
    0  madrs_2 <= 3.5        8         1.0
    """
    from ketadask.inference.judge_graph import LazyNull
    from ketadask.inference.verdicts import build_verdicts
    from ketadask.search.hits_graph import LazyResampling

    study, origin = _origin(hits, LazyResampling), _origin(null, LazyNull)
    if origin.question != _question(study.search, study.problem):
        raise InputError(
            "the relabelled trials belong to another search or cohort",
            remedy="compute them with null(search, cohort) of the same search and cohort",
        )
    _check_relabellings(origin.relabellings, alpha)
    has_values = study.problem.values is not None
    alpha, _ = alpha_levels(alpha, linear_share, origin.relabellings, has_values=has_values)
    result, stability, nulls = _evidence(study, origin, gate)
    return build_verdicts(
        study.problem, study.search, result, nulls, stability,
        alpha=alpha, suggestive=suggestive, jaccard=jaccard,
        candidates=origin.candidates, statistic=statistic,
    )  # fmt: skip


def _origin(table: Any, kind: type) -> Any:
    """Return what an eager result or a lazy table comes from."""
    if not hasattr(table, "dask"):
        return table
    if not isinstance(getattr(table, "origin", None), kind):
        raise InputError(
            "this Dask DataFrame does not say which search it comes from",
            value=type(table).__name__,
            remedy="give judge the hits and null maxima as hits and lazy_null return them",
        )
    return table.origin


def _evidence(
    study: ResamplingResult | LazyResampling, null: NullDistribution | LazyNull, gate: str
) -> tuple[Mapping[str, SearchResult], pd.DataFrame, pd.DataFrame]:
    """Compute the personas of all units, their stability over splits, and the nulls."""
    from ketadask.inference.judge_graph import judgement
    from ketadask.search.hits_graph import LazyResampling

    lazy = [] if isinstance(null, NullDistribution) else [null.table]
    if isinstance(study, LazyResampling):
        result, stability, *nulls = collect([*judgement(study, gate), *lazy], CurrentScheduler())
    else:
        result, stability = study.result_by_polarity, _stored_stability(study, gate)
        nulls = collect(lazy, CurrentScheduler())
    return result, stability, null.table if isinstance(null, NullDistribution) else nulls[0]


def _stored_stability(hits: ResamplingResult, gate: str) -> pd.DataFrame:
    from ketadask.inference.evaluation import PersonaSet
    from ketadask.inference.graph import evaluation_stage
    from ketadask.inference.judge_graph import persona_stability
    from ketadask.inference.stability import passes_gate

    n_splits, personas = hits.splitter.n_splits, PersonaSet.of(hits.result_by_polarity)
    key = fingerprint(hits.parts.key, personas.frame().to_dict("list"))
    parts = Parts(hits.parts.folder.parent.parent / "evaluations" / key[:12], key)
    stage = evaluation_stage(
        hits.problem, personas, hits.splitter, hits.searches, parts,
        search=hits.search, gates=hits.gates,
    )  # fmt: skip
    require(run_stage(stage, shared_scheduler(parts.folder), Progress.silent(), block=BLOCK))
    table = hits.hits
    split_hits = table[passes_gate(table, nm.TRAIN, gate)].groupby("split").size()
    return persona_stability(
        parts, parts.ranges(n_splits), personas, CurrentScheduler(),
        gate=gate, split_hits=split_hits, n=n_splits,
    )  # fmt: skip


def power(
    search: PersonaSearch | None = None,
    *,
    simulations: int = 200,
    seed: int = 7,
    alpha: float = 0.05,
    **choices: Any,
) -> pd.DataFrame:
    """Return critical values and power by simulation, a row per scenario.

    Every simulated study is searched in full, and so is one relabelling of it. The largest t of the
    relabellings gives the critical value; power is the fraction of studies that exceed it. One
    relabelling of each of many studies replaces many relabellings of one: the estimate is the same
    up to differences between simulated studies, and fast. Runs on Dask's current scheduler.

    Parameters
    ----------
    search
        The search; `PersonaSearch()` by default.
    simulations
        Simulated studies per scenario.
    choices
        Settings of `Scenario`, a value or a sequence of values each.

    Returns
    -------
    The scenario, ``units``, ``critical_value``, ``power`` with its Wilson interval, ``recovered``
    (supported, and the Jaccard index with the true persona at least `RECOVERY_JACCARD`),
    ``jaccard`` and ``right`` (means over the supported; NaN without any), and mean ``saturation``.

    Examples
    --------
    >>> from ketadask.search.persona_search import PersonaSearch
    >>> table = power(PersonaSearch(1, cuts=2), simulations=20, participants=40, features=3,
    ...               literals=1, effect=3.0)
    >>> table["power"].tolist()
    [1.0]
    """
    from ketadask.inference.power import build_scenarios
    from ketadask.inference.power_graph import power_rows
    from ketadask.search.persona_search import PersonaSearch

    search = PersonaSearch() if search is None else search
    settings: dict[str, Any] = {"simulations": simulations, "seed": seed, "alpha": alpha}
    return pd.DataFrame(
        collect(power_rows(build_scenarios(**choices), search, **settings), CurrentScheduler())
    )


def _check_relabellings(relabellings: int, alpha: float) -> None:
    """Raise where no p of so few relabelled trials can reach ``alpha``."""
    from ketadask.kernels.maxt import may_reach

    if may_reach(alpha, relabellings) < 0:
        raise InputError(
            f"too few relabelled trials: the smallest adjusted p is {1 / (relabellings + 1):.3g}, "
            f"above alpha {alpha:g}",
            where="null",
            value=f"{relabellings} relabelled trials",
            remedy=f"compute {math.ceil(1 / alpha - 1e-9) - 1} or more, or raise alpha",
        )


def _question(search: PersonaSearch, problem: SearchProblem) -> str:
    return fingerprint(search.__dask_tokenize__(), problem.__dask_tokenize__())


def _null_problem(
    search: PersonaSearch, cohort: Cohort | xr.Dataset, relabellings: int, design: str,
    memory: float | None, seed: int, method: str, candidates: int,
) -> tuple[SearchProblem, dict[str, Any], str]:  # fmt: skip
    """Return problem, settings of the relabelled trials, and the fingerprint of the search."""
    from ketadask.cohort.units import search_matrix
    from ketadask.inference.null import check_relabelling

    units = search_matrix(cohort, design)
    problem = search.problem(units, memory=memory)
    if relabellings < 1:
        raise InputError("at least one relabelling is needed", value=relabellings, remedy="try 999")
    method = choose_null(method, units, seed=seed, trial=problem.trial).method
    check_relabelling(problem.trial, method)
    settings = {"seed": seed, "method": method, "candidates": candidates}
    return problem, settings, _question(search, problem)


def _null_parts(question: str, settings: dict[str, Any], store: Path | str) -> Parts:
    key = fingerprint("null", question, *settings.values(), code_version())
    # Workers may stand in another folder.
    return Parts(Path(store).resolve() / "nulls" / key[:12], key)
