"""The searches of a study: all splits and relabelled trials, or up to an interim analysis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.schema.errors import InputError
from ketadask.store.ranges import range_name, range_size
from ketadask.study.comparison import persona_levels

if TYPE_CHECKING:
    from ketadask.inference.interim import Convergence
    from ketadask.pipeline.stage import Stage, StageResult
    from ketadask.search.thresholds import GateThresholds
    from ketadask.store.ranges import Range
    from ketadask.study.problem import StudyProblem
    from ketadask.study.run import StudyRun

EARLY = "early"
_LAST_INTERIM = 1_600


def gates_of(work: StudyRun) -> GateThresholds:
    """Return the thresholds of the gates."""
    from ketadask.search.thresholds import GateThresholds

    return GateThresholds(p=work.settings.gates.p, d=work.settings.gates.d)


def splits_stage(work: StudyRun, problem: StudyProblem) -> Stage:
    """Return the stage that searches all splits."""
    from ketadask.search.graph import search_stage

    parts, gates = work.paths.hits(), gates_of(work)
    return search_stage(problem.search_problem, problem.search, problem.splitter, parts, gates)


def relabelled_stage(
    work: StudyRun, problem: StudyProblem, relabellings: int | None = None
) -> Stage:
    """Return the stage that searches all relabelled trials, or the first ``relabellings``."""
    from ketadask.inference.graph import null_stage

    null = work.settings.null
    return null_stage(
        problem.search_problem,
        problem.search,
        null.relabellings if relabellings is None else relabellings,
        work.paths.nulls(),
        seed=work.settings.seed,
        method=problem.null.method,
        candidates=null.candidates,
    )


def run_searches(work: StudyRun, problem: StudyProblem) -> tuple[StudyProblem, list[StageResult]]:
    """Search splits and relabelled trials, all or up to an early stop; print the convergence.

    Returns
    -------
    The problem with the splits that the verdicts rest on, and the results of the stages.
    """
    work.clear_stops()
    if work.settings.splits.stop == EARLY:
        problem, splits = _search_until_converged(work, problem)
    else:
        work.on_range = _print_convergence(work, problem)
        splits = work.run_stage(splits_stage(work, problem))
        work.on_range = None
    if work.settings.null.stop == EARLY and splits.complete:
        return problem, [splits, _search_until_futile(work, problem)]
    return problem, [splits, work.run_stage(relabelled_stage(work, problem))]


def truncate_problem(work: StudyRun, problem: StudyProblem) -> StudyProblem:
    """Return the problem with the number of splits at which the study stopped."""
    return _first_splits(problem, work.n_items("splits", problem.splitter.n_splits))


def relabellings(work: StudyRun) -> int:
    """Return the number of relabelled trials that the verdicts rest on."""
    return work.n_items("relabellings", work.settings.null.relabellings)


def require_searches(work: StudyRun, problem: StudyProblem) -> None:
    """Raise where splits or relabelled trials are missing that the verdicts need."""
    for stage in (
        splits_stage(work, problem),
        relabelled_stage(work, problem, relabellings(work)),
    ):
        missing = range_size(stage.missing())
        if missing:
            raise InputError(
                f"{missing:,} of {stage.total:,} {stage.unit} have not been searched",
                file=work.folder.path,
                remedy="complete them with `ketadask search`, or run all stages with "
                "`ketadask run`",
            )


def _first_splits(problem: StudyProblem, n_splits: int) -> StudyProblem:
    return replace(problem, splitter=replace(problem.splitter, n_splits=n_splits))


def _convergence(work: StudyRun, problem: StudyProblem) -> Convergence:
    from ketadask.inference.interim import Convergence

    return Convergence.of_best(
        problem.search_units(work.progress),
        problem.search_problem,
        problem.search,
        problem.splitter,
        gates_of(work),
        work.settings.gates.use,
        candidates=work.settings.null.candidates,
        statistic=work.settings.null.statistic,
    )


def _search_until_converged(
    work: StudyRun, problem: StudyProblem
) -> tuple[StudyProblem, StageResult]:
    """Search splits up to the interim analysis at which recurrence is precise enough."""
    from ketadask.inference.interim import interim_counts

    planned = problem.splitter.n_splits
    for n_splits in interim_counts(planned):
        subset = _first_splits(problem, n_splits)
        result = work.run_stage(splits_stage(work, subset))
        if not result.complete or n_splits == planned:
            break
        convergence = _convergence(work, problem)
        searches = work.paths.hits().read_below("searches", n_splits, "split", "polarity")
        convergence.add(searches, (0, n_splits - 1))
        work.progress.print(f"search: {convergence.line()}")
        if convergence.is_precise():
            work.record_stop("splits", planned, n_splits, convergence.line())
            break
    return subset, result


def _search_until_futile(work: StudyRun, problem: StudyProblem) -> StageResult:
    """Search relabelled trials up to the interim analysis after which all verdicts are noise.

    The best persona has the smallest p. Once so many relabelled trials have reached its statistic
    that the remaining ones cannot make it suggestive, nor the linear modifier supported, no verdict
    can change.
    """
    from ketadask.inference.companion import companion_summary
    from ketadask.inference.interim import interim_counts, is_verdict_final
    from ketadask.inference.null import maxima_by_method
    from ketadask.inference.second_stage import strongest
    from ketadask.inference.verdicts import verdict_labels
    from ketadask.kernels.maxt import TIE

    verdict, null = work.settings.verdict, work.settings.null
    planned = null.relabellings
    has_values = problem.search_problem.values is not None
    alpha, linear_alpha = persona_levels(work.settings, has_values=has_values)
    levels = {"alpha": alpha, "suggestive": verdict.suggestive}
    best = strongest(
        problem.search_problem,
        problem.search,
        candidates=null.candidates,
        result_by_polarity=problem.search_units(work.progress),
    ).largest(null.statistic)
    threshold = best - TIE * abs(best) if np.isfinite(best) else np.inf
    for count in interim_counts(planned):
        stage_result = work.run_stage(relabelled_stage(work, problem, count))
        if not stage_result.complete or count == planned:
            break
        nulls = work.paths.nulls().read_below("nulls", count, "relabelling")
        maxima = maxima_by_method(nulls, null.statistic)
        n_reaching = int((maxima >= threshold).sum(axis=1).max())
        p = np.array([(n_reaching + 1) / (count + 1)])
        is_final = is_verdict_final(p, count, planned, **levels)[0]
        companions = work.paths.nulls().read_below("companions", count, "relabelling")
        linear = companion_summary(problem.search_problem, companions, linear_alpha).get("linear")
        if linear_alpha is not None and linear is not None:
            level = {"alpha": linear_alpha, "suggestive": linear_alpha}
            p_linear = np.array([linear["p"]])
            is_final &= not linear["supported"]
            is_final &= is_verdict_final(p_linear, count, planned, **level)[0]
        if is_final and verdict_labels(p, **levels)[0] == nm.NOISE:
            reason = f"{n_reaching:,} of {count:,} relabelled trials reach the best persona"
            reason += "; no verdict can change any more"
            work.record_stop("relabellings", planned, count, reason)
            break
    return stage_result


def _print_convergence(work: StudyRun, problem: StudyProblem) -> Callable[[Range], None]:
    """Return a callback that prints the precision of recurrence after 100 splits, 200 and so on."""
    from ketadask.inference.interim import FIRST_INTERIM

    waiting: list[Range] = []
    following, convergence, parts = FIRST_INTERIM, None, work.paths.hits()

    def on_range(splits: Range) -> None:
        nonlocal following, convergence
        if following > min(_LAST_INTERIM, problem.splitter.n_splits):
            return
        waiting.append(splits)
        if range_size(waiting) + (convergence.splits if convergence else 0) < following:
            return
        convergence = convergence or _convergence(work, problem)
        while waiting:
            block = waiting.pop()
            convergence.add(parts.read(range_name(*block), "searches"), block)
        work.progress.print(f"search: {convergence.line()}")
        while following <= convergence.splits:
            following *= 2

    return on_range
