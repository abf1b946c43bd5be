"""The stages that compute in bulk: splits, relabelled trials, chosen personas on all splits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ketadask import names as nm
from ketadask.schema.errors import InputError
from ketadask.store.ranges import range_size
from ketadask.study.problem import StudyProblem
from ketadask.study.run import STOPPED, StudyRun, stopped, stopped_at

if TYPE_CHECKING:
    from ketadask.inference.interim import Convergence
    from ketadask.pipeline.stage import Stage, StageResult
    from ketadask.search.thresholds import GateThresholds
    from ketadask.store.ranges import Range
    from ketadask.study.problem import StudyProblem


def gates_of(work: StudyRun) -> GateThresholds:
    """Return the thresholds of the gates."""
    from ketadask.search.thresholds import GateThresholds

    return GateThresholds(p=work.settings.gates.p, d=work.settings.gates.d)


def splits_stage(work: StudyRun, asked: StudyProblem) -> Stage:
    """Return the stage that searches all splits."""
    from ketadask.search.graph import search_stage

    parts, gates = work.place.hits(), gates_of(work)
    return search_stage(asked.problem, asked.search, asked.splitter, parts, gates)


def relabelled_stage(work: StudyRun, asked: StudyProblem, relabellings: int | None = None) -> Stage:
    """Return the stage that searches all relabelled trials, or the first ``relabellings``."""
    from ketadask.inference.graph import null_stage

    null = work.settings.null
    return null_stage(
        asked.problem,
        asked.search,
        null.relabellings if relabellings is None else relabellings,
        work.place.nulls(),
        seed=work.settings.seed,
        method=null.method,
    )


def require_parts(work: StudyRun, asked: StudyProblem, relabellings: int) -> None:
    """Raise where splits or relabelled trials are missing that a verdict needs."""
    for name, parts, total in (
        ("splits", work.place.hits(), asked.splitter.n_splits),
        ("relabelled trials", work.place.nulls(), relabellings),
    ):
        missing = range_size(parts.missing(total))
        if missing:
            raise InputError(
                f"{missing:,} of {total:,} {name} have not been searched",
                file=work.run.path,
                remedy="finish them with `ketadask search`, or do everything with `ketadask run`",
            )


SETTLED = "early"
_LAST_LOOK = 1_600


def run_searches(work: StudyRun, asked: StudyProblem) -> tuple[StudyProblem, list[StageResult]]:
    """Search splits and relabelled trials, all or until they are settled; say how it converges.

    Returns
    -------
    What was asked, with as many splits as the verdicts will rest on, and how the stages ended.
    """
    work.run.write_json(STOPPED, {})
    if work.settings.splits.stop == SETTLED:
        asked, splits = _until_settled(work, asked)
    else:
        work.watch = _watching(work, asked)
        splits = work.run_stage(splits_stage(work, asked))
        work.watch = None
    if work.settings.null.stop == SETTLED and splits.complete:
        return asked, [splits, _until_noise(work, asked)]
    return asked, [splits, work.run_stage(relabelled_stage(work, asked))]


def truncate_problem(work: StudyRun, asked: StudyProblem) -> StudyProblem:
    """Return what was asked with the number of splits at which the study stopped."""
    count = stopped_at(work, "splits", asked.splitter.n_splits)
    return asked if count == asked.splitter.n_splits else _first(asked, count)


def relabellings(work: StudyRun) -> int:
    """Return the number of relabelled trials that the verdicts rest on."""
    return stopped_at(work, "relabellings", work.settings.null.relabellings)


def _record(work: StudyRun, what: str, planned: int, made: int, why: str) -> None:
    entry = {"planned": planned, "made": made, "why": why}
    work.run.write_json(STOPPED, stopped(work) | {what: entry})
    work.progress.print(f"{what}: stopped at {made:,} of {planned:,}: {why}")


def _first(asked: StudyProblem, count: int) -> StudyProblem:
    return replace(asked, splitter=replace(asked.splitter, n_splits=count))


def _convergence(work: StudyRun, asked: StudyProblem) -> Convergence:
    from ketadask.inference.interim import Convergence

    use, found = work.settings.gates.use, asked.found(work.progress)
    return Convergence.of_best(
        found, asked.problem, asked.search, asked.splitter, gates_of(work), use
    )


def _until_settled(work: StudyRun, asked: StudyProblem) -> tuple[StudyProblem, StageResult]:
    """Search splits in looks, fixed beforehand, until recurrence is known well enough."""
    from ketadask.inference.interim import interim_counts

    planned, ended, some = asked.splitter.n_splits, None, asked
    for count in interim_counts(planned):
        some = _first(asked, count)
        ended = work.run_stage(splits_stage(work, some))
        if not ended.complete or count == planned:
            break
        made = _convergence(work, asked)
        parts = work.place.hits()
        searches = parts.read_below("searches", count, "split", "polarity")
        made.add(searches, (0, count - 1))
        work.progress.print(f"search: {made.line()}")
        if made.settled():
            _record(work, "splits", planned, count, made.line())
            break
    assert ended is not None
    return some, ended


def _until_noise(work: StudyRun, asked: StudyProblem) -> StageResult:
    """Search relabelled trials in looks until all personas are certain to be called noise.

    The best persona has the smallest p; where so many relabelled trials have reached it that none
    to come could make it suggestive, every verdict has the word that all of them would give.
    """
    import numpy as np

    from ketadask.inference.interim import interim_counts, is_verdict_final
    from ketadask.inference.null import null_maxima
    from ketadask.inference.verdicts import verdict_labels
    from ketadask.kernels.maxt import TIE

    wanted, planned = work.settings.verdict, work.settings.null.relabellings
    found = asked.found(work.progress).values()
    best = max((float(each.q[0]) for each in found if len(each.q)), default=-np.inf)
    threshold = best - TIE * abs(best) if np.isfinite(best) else np.inf
    ended = None
    for count in interim_counts(planned):
        ended = work.run_stage(relabelled_stage(work, asked, count))
        if not ended.complete or count == planned:
            break
        maxima = null_maxima(work.place.nulls().read_below("nulls", count, "relabelling"))
        reached = int((maxima.groupby("relabelling")["q"].max() >= threshold).sum())
        p = np.array([(reached + 1) / (count + 1)])
        levels = {"alpha": wanted.alpha, "suggestive": wanted.suggestive}
        if (
            is_verdict_final(p, count, planned, **levels)[0]
            and verdict_labels(p, **levels)[0] == nm.NOISE
        ):
            why = f"{reached:,} of {count:,} relabelled trials reach the best persona"
            _record(work, "relabellings", planned, count, f"{why}; no word can change any more")
            break
    assert ended is not None
    return ended


def _watching(work: StudyRun, asked: StudyProblem) -> Callable[[Range], None]:
    """Return what says, after 100 splits, 200 and so on, how well recurrence is known."""
    from ketadask.inference.interim import FIRST_LOOK
    from ketadask.store.ranges import range_name

    waiting: list[Range] = []
    look, made, parts = FIRST_LOOK, None, work.place.hits()

    def seen(numbers: Range) -> None:
        nonlocal look, made
        if look > _LAST_LOOK or look > asked.splitter.n_splits:
            return
        waiting.append(numbers)
        there = range_size(waiting)
        if there + (made.splits if made else 0) < look:
            return
        made = made or _convergence(work, asked)
        while waiting:
            each = waiting.pop()
            made.add(parts.read(range_name(*each), "searches"), each)
        work.progress.print(f"search: {made.line()}")
        while look <= made.splits:
            look *= 2

    return seen
