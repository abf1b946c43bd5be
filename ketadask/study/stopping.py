"""Ending the bulk of a study early where asked, and only where no word of a verdict can change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ketadask import names as nm
from ketadask.study.stages import gates_of, search_relabelled, search_splits
from ketadask.study.work import Work

if TYPE_CHECKING:
    from ketadask.inference.convergence import Convergence
    from ketadask.store import Range
    from ketadask.study.blocks import Ended
    from ketadask.study.problems import Asked

STOPPED = "stopped.json"
SETTLED = "settled"
_LAST_LOOK = 1_600


def searched(work: Work, asked: Asked) -> tuple[Asked, list[Ended]]:
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


def narrowed(work: Work, asked: Asked) -> Asked:
    """Return what was asked with the number of splits at which the study stopped."""
    count = stopped_at(work, "splits", asked.splitter.n_splits)
    return asked if count == asked.splitter.n_splits else _first(asked, count)


def relabellings(work: Work) -> int:
    """Return the number of relabelled trials that the verdicts rest on."""
    return stopped_at(work, "relabellings", work.settings.null.relabellings)


def stopped_at(work: Work, what: str, planned: int) -> int:
    """Return where a stage stopped, or ``planned`` where it did not."""
    record = stopped(work).get(what, {})
    return int(record["made"]) if record.get("planned") == planned else planned


def stopped(work: Work) -> dict[str, Any]:
    """Return what ended early: per stage how many were planned and made, and why."""
    return dict(work.run.read_json(STOPPED)) if work.run.has(STOPPED) else {}


def _record(work: Work, what: str, planned: int, made: int, why: str) -> None:
    entry = {"planned": planned, "made": made, "why": why}
    work.run.write_json(STOPPED, stopped(work) | {what: entry})
    work.progress.say(f"{what}: stopped at {made:,} of {planned:,}: {why}")


def _first(asked: Asked, count: int) -> Asked:
    return replace(asked, splitter=replace(asked.splitter, n_splits=count))


def _convergence(work: Work, asked: Asked) -> Convergence:
    from ketadask.inference.convergence import Convergence

    use, found = work.settings.gates.use, asked.found(work.progress)
    return Convergence.of_best(
        found, asked.problem, asked.search, asked.splitter, gates_of(work), use
    )


def _until_settled(work: Work, asked: Asked) -> tuple[Asked, Ended]:
    """Search splits in looks, fixed beforehand, until recurrence is known well enough."""
    from ketadask.inference.convergence import looks

    planned, ended, some = asked.splitter.n_splits, None, asked
    for count in looks(planned):
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


def _until_noise(work: Work, asked: Asked) -> Ended:
    """Search relabelled trials in looks until all personas are certain to be called noise.

    The best persona has the smallest p; where so many relabelled trials have reached it that none
    to come could make it suggestive, every verdict has the word that all of them would give.
    """
    import numpy as np

    from ketadask.inference.convergence import looks
    from ketadask.inference.relabelled import null_maxima
    from ketadask.inference.sequential import settled
    from ketadask.inference.verdicts import words
    from ketadask.kernels.maxt import TIE

    wanted, planned = work.settings.verdict, work.settings.null.relabellings
    found = asked.found(work.progress).values()
    best = max((float(each.q[0]) for each in found if len(each.q)), default=-np.inf)
    threshold = best - TIE * abs(best) if np.isfinite(best) else np.inf
    ended = None
    for count in looks(planned):
        ended = search_relabelled(work, asked, count)
        if not ended.complete or count == planned:
            break
        nulls = work.place.nulls().read_all("nulls", count)
        maxima = null_maxima(nulls[nulls["relabelling"] < count])
        reached = int((maxima.groupby("relabelling")["q"].max() >= threshold).sum())
        p = np.array([(reached + 1) / (count + 1)])
        levels = {"alpha": wanted.alpha, "suggestive": wanted.suggestive}
        if settled(p, count, planned, **levels)[0] and words(p, **levels)[0] == nm.NOISE:
            why = f"{reached:,} of {count:,} relabelled trials reach the best persona"
            _record(work, "relabellings", planned, count, f"{why}; no word can change any more")
            break
    assert ended is not None
    return ended


def _watching(work: Work, asked: Asked) -> Callable[[Range], None]:
    """Return what says, after 100 splits, 200 and so on, how well recurrence is known."""
    from ketadask.inference.convergence import FIRST_LOOK
    from ketadask.store import range_name

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
