"""A study without a scheduler: each task of a job array computes its share of the blocks.

Strategy: blocks are cut the same way by everybody and dealt out by number, so that tasks need not
talk. The first to come prepares data and cohort while the others wait; after that everyone
writes parts of its own, which nobody else touches. A search is never split over tasks, however
long it takes: that needs a scheduler. What a killed task did not finish is made when it is
submitted again, or by `ketadask run`, which counts everything before it judges.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ketadask.cluster.connect import connect
from ketadask.pipeline.stage import Stage, require
from ketadask.schema.errors import InputError
from ketadask.store.ranges import Range, blocks
from ketadask.store.run_folder import RunFolder
from ketadask.study.judge import calibration_stages
from ketadask.study.paths import prepare_data
from ketadask.study.problem import build_problem
from ketadask.study.run import SEARCH, StudyRun
from ketadask.study.search import SETTLED, relabelled_stage, splits_stage

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
        work = _ArrayRun(study.place, run, study.progress, lambda stage: executor, lambda work: {})
        work.index, work.n_tasks = number, of
        with _turn(run, study.progress.print):
            prepare_data(study.settings, study.out, study.progress)
            asked = build_problem(work)
        stages = [splits_stage(work, asked), relabelled_stage(work, asked)]
        require(*map(work.run_stage, [*stages, *calibration_stages(work, asked)]))
    return RunSummary(run.path, tuple(work.results))


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
            study.progress.print(
                f"{key}: {stop} does not end an array early: its tasks compute all {planned:,} "
                f"{unit}, and the verdicts rest on those before the stop"
            )


class _ArrayRun(StudyRun):
    """The work of one task: stages end when its own blocks are computed."""

    index: int
    n_tasks: int

    def select(self, stage: Stage) -> Stage:
        """Return the stage of this task's blocks; searches stay whole."""
        block = self.settings.execution.block
        subset = task_blocks(stage.n_items, self.index, self.n_tasks, block)
        return replace(stage, subset=subset, n_searches=0)


def task_blocks(total: int, number: int, of: int, block: int | None) -> list[Range]:
    """Return the blocks of one task.

    Examples
    --------
    >>> task_blocks(10, 1, 2, block=3)
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
