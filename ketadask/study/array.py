"""A study without a scheduler: each task of a job array computes its share of the blocks.

Strategy: blocks are cut the same way by everybody and dealt out by number, so that tasks need not
talk. The first to come prepares data and cohort while the others wait; after that everyone
writes parts of its own, which nobody else touches. A search is never split over tasks, however
long it takes: that needs a scheduler. What a killed task did not finish is made when it is
submitted again, or by `ketadask run`, which counts everything before it judges.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ketadask.cluster.connect import connect
from ketadask.pipeline.run import require
from ketadask.schema.errors import InputError
from ketadask.store.parts import Parts
from ketadask.store.ranges import Range, blocks, disjoint_ranges, gaps, parse_range
from ketadask.store.run_folder import RunFolder
from ketadask.study.judge import relabelled_studies
from ketadask.study.paths import prepare_data
from ketadask.study.problem import build_problem
from ketadask.study.run import SEARCH, StudyRun
from ketadask.study.search import SETTLED, search_relabelled, search_splits

if TYPE_CHECKING:
    from ketadask.study.study import RunSummary, Study

_PATIENCE = 3600.0


def run_array_task(study: Study, number: int, of: int) -> RunSummary:
    """Compute the blocks of task ``number`` (from 0) of ``of`` tasks; nothing is judged."""
    from ketadask.study.study import RunSummary

    if not 0 <= number < of:
        raise InputError(
            f"tasks are numbered from 0 to {of - 1}",
            where="--task",
            value=number,
            remedy="give the array `--array=0-7` and 8 as --tasks, for example",
        )
    run = study.place.open()
    _told_of_stops(study)
    with connect(study.profile.for_stage(SEARCH)) as executor:
        work = _Share(study.place, run, study.progress, lambda stage: executor, lambda work: {})
        work.number, work.of = number, of
        with _turn(run, study.progress.say):
            prepare_data(study.settings, study.out, study.progress)
            asked = build_problem(work)
        searched = search_splits(work, asked), search_relabelled(work, asked)
        require(*searched, *relabelled_studies(work, asked))
    return RunSummary(run.path, tuple(work.ended))


def _told_of_stops(study: Study) -> None:
    """Say that an array computes all that is planned, whatever may end a study early.

    Where to stop is found by looking at everything so far; tasks of an array never see that. The
    verdicts rest on as many as without an array: the looks are fixed beforehand, and whoever
    judges makes them.
    """
    splits, null = study.settings.splits, study.settings.null
    for key, stop, planned, unit in (
        ("splits.stop", splits.stop, splits.count, "splits"),
        ("null.stop", null.stop, null.relabellings, "relabelled trials"),
    ):
        if stop == SETTLED:
            study.progress.say(
                f"{key}: {stop} does not end an array early: its tasks compute all {planned:,} "
                f"{unit}, and the verdicts rest on those before the stop"
            )


class _Share(StudyRun):
    """The work of one task: stages end when its own blocks are there."""

    number: int
    of: int

    def portion(self, total: int, parts: Parts, searches: int) -> dict[str, Any]:
        """Return this task's blocks; searches stay whole, for nobody could take their parts."""
        mine = task_blocks(total, self.number, self.of, self.settings.execution.block)
        sizes = [last - first + 1 for first, last in mine]
        return {
            "total": sum(sizes),
            "parts": _Own(parts, mine),
            "block": max(sizes, default=1),
        }


class _Own:
    """The parts of a stage as one task sees them: only its own blocks can be missing.

    Receipts are believed and nothing is set aside, for others are writing here.
    """

    def __init__(self, parts: Parts, mine: Sequence[Range]) -> None:
        self._parts, self._mine = parts, mine

    def missing(self, n: int) -> list[Range]:
        """Return what is missing of this task's blocks; ``n`` counts them."""
        total = max((last for _, last in self._mine), default=-1) + 1
        ranges = [each for each in map(parse_range, self._parts.receipts()) if each is not None]
        left = gaps(disjoint_ranges(ranges, total), total)
        return [
            (max(first, a), min(last, b))
            for first, last in self._mine
            for a, b in left
            if max(first, a) <= min(last, b)
        ]


def task_blocks(total: int, number: int, of: int, block: int | None) -> list[Range]:
    """Return the blocks of one task.

    Examples
    --------
    >>> dealt(10, number=1, of=2, block=3)
    [(3, 5), (9, 9)]
    """
    size = block or max(1, -(-total // (8 * of)))
    return blocks([(0, total - 1)], size)[number::of] if total else []


@contextmanager
def _turn(run: RunFolder, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the run folder, after those who came before."""
    end, told = time.monotonic() + _PATIENCE, False
    while True:
        lock = run.lock()
        try:
            lock.__enter__()
            break
        except InputError as error:
            if "being written" not in error.problem or time.monotonic() > end:
                raise
            if not told:
                say("another task prepares the study; waiting")
                told = True
            time.sleep(0.5)
    try:
        yield
    finally:
        lock.__exit__(None, None, None)
