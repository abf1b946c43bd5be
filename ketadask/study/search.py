"""The stages that compute in bulk: splits, relabelled trials, chosen personas on all splits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ketadask import names as nm
from ketadask.pipeline.run import IncompleteStudyError, StageResult, require
from ketadask.schema.errors import InputError
from ketadask.study.problem import StudyProblem
from ketadask.study.run import SEARCH, STOPPED, StudyRun, stopped, stopped_at

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.inference.evaluation import PersonaSet
    from ketadask.inference.interim import Convergence
    from ketadask.pipeline.run import StageResult
    from ketadask.search.thresholds import GateThresholds
    from ketadask.store.parts import Parts
    from ketadask.store.ranges import Range
    from ketadask.study.problem import StudyProblem


def gates_of(work: StudyRun) -> GateThresholds:
    """Return the thresholds of the gates."""
    from ketadask.search.thresholds import GateThresholds

    return GateThresholds(p=work.settings.gates.p, d=work.settings.gates.d)


def search_splits(work: StudyRun, asked: StudyProblem) -> StageResult:
    """Search every split that has no part yet."""
    from ketadask.search.graph import hit_blocks

    parts, gates = work.place.hits(), gates_of(work)
    return work.finish(
        "search",
        "splits",
        total=asked.splitter.n_splits,
        parts=parts,
        graph=lambda ranges, pieces=1: hit_blocks(
            asked.problem, asked.search, asked.splitter, ranges, parts, gates, pieces
        ),
        searches=searches_of(asked),
    )


def search_relabelled(work: StudyRun, asked: StudyProblem, count: int | None = None) -> StageResult:
    """Search every relabelled trial, or the first ``count``, that has no part yet."""
    from ketadask.inference.graph import null_blocks

    parts, null = work.place.nulls(), work.settings.null
    return work.finish(
        "null",
        "relabelled trials",
        total=null.relabellings if count is None else count,
        parts=parts,
        graph=lambda ranges, pieces=1: null_blocks(
            asked.problem, asked.search, ranges, parts, seed=work.settings.seed, how=null.how,
            pieces=pieces,
        ),
        searches=searches_of(asked),
    )  # fmt: skip


def searches_of(asked: StudyProblem) -> int:
    """Return how many searches a number stands for that may be split over tasks; 0 where none may.

    A search with a budget depends on the order it goes in, and a beam is short.
    """
    search = asked.search
    whole = search.strategy == "exact" and search.max_literals > 1 and search.nodes is None
    return len(search.polarities) if whole else 0


def evaluate(
    work: StudyRun, asked: StudyProblem, personas: PersonaSet, searches: pd.DataFrame
) -> Parts:
    """Hold the chosen personas against every split; return the parts."""
    from ketadask.inference.graph import evaluation_blocks

    parts = work.place.evaluations(personas.frame().to_dict("list"))
    ended = work.finish(
        "evaluate",
        "splits",
        total=asked.splitter.n_splits,
        parts=parts,
        graph=lambda ranges: evaluation_blocks(
            asked.problem,
            personas,
            asked.splitter,
            searches,
            ranges,
            parts,
            search=asked.search,
            gates=gates_of(work),
        ),
    )
    require(ended)
    count(work, "evaluate", "splits", parts, asked.splitter.n_splits)
    return parts


def count(work: StudyRun, name: str, unit: str, parts: Parts, total: int) -> None:
    """Count a finished stage on the disk, checksums compared; what was dropped is an error."""
    missing = parts.missing(total)
    if missing:
        listed = ", ".join(f"{first}-{last}" for first, last in missing[:5])
        left = sum(last - first + 1 for first, last in missing)
        error = IncompleteStudyError(
            f"{name}: {left:,} of {total:,} {unit} were dropped without a word ({listed})"
        )
        error.add_note("finished parts are kept; run again to compute what is missing")
        raise error
    work.counted[name] = total


def require_parts(work: StudyRun, asked: StudyProblem, relabellings: int) -> None:
    """Raise where splits or relabelled trials are missing that a verdict needs."""
    for name, parts, total in (
        ("splits", work.place.hits(), asked.splitter.n_splits),
        ("relabelled trials", work.place.nulls(), relabellings),
    ):
        missing = sum(last - first + 1 for first, last in parts.missing(total))
        if missing:
            raise InputError(
                f"{missing:,} of {total:,} {name} have not been searched",
                file=work.run.path,
                remedy="finish them with `ketadask search`, or do everything with `ketadask run`",
            )


def one(work: StudyRun, task: Any) -> Any:
    """Compute one task and return its result."""
    from ketadask.pipeline.executor import TaskFailure

    ((_, result),) = work.executor(SEARCH).compute([task])
    if isinstance(result, TaskFailure):
        raise result.error
    return result


SETTLED = "settled"
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
        splits = search_splits(work, asked)
        work.watch = None
    if work.settings.null.stop == SETTLED and splits.complete:
        return asked, [splits, _until_noise(work, asked)]
    return asked, [splits, search_relabelled(work, asked)]


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
    work.progress.say(f"{what}: stopped at {made:,} of {planned:,}: {why}")


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
        ended = search_splits(work, some)
        if not ended.complete or count == planned:
            break
        made = _convergence(work, asked)
        parts = work.place.hits()
        searches = parts.read_all("searches", count)
        made.add(searches[searches["split"] < count], (0, count - 1))
        work.progress.say(f"search: {made.line()}")
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
        ended = search_relabelled(work, asked, count)
        if not ended.complete or count == planned:
            break
        nulls = work.place.nulls().read_all("nulls", count)
        maxima = null_maxima(nulls[nulls["relabelling"] < count])
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
        there = sum(last - first + 1 for first, last in waiting)
        if there + (made.splits if made else 0) < look:
            return
        made = made or _convergence(work, asked)
        while waiting:
            each = waiting.pop()
            made.add(parts.read(range_name(*each), "searches"), each)
        work.progress.say(f"search: {made.line()}")
        while look <= made.splits:
            look *= 2

    return seen
