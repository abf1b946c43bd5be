"""A study without a scheduler: each task of a job array computes a fraction of the blocks.

Strategy: every task cuts the same blocks and takes those of its own index, so tasks need not
communicate. The first task prepares data and cohort while the others wait; afterwards each writes
parts of its own. A search is never split over tasks: that needs a scheduler. The blocks of a killed
task are computed when it is submitted again, or by `ketadask run`, which verifies all parts before
it computes verdicts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
from ketadask.study.search import EARLY, relabelled_stage, splits_stage

if TYPE_CHECKING:
    from ketadask.study.study import RunSummary, Study

_MAX_WAIT_SECONDS = 3600.0


def run_array_task(study: Study, index: int, n_tasks: int) -> RunSummary:
    """Compute the blocks of task ``index`` (from 0) of ``n_tasks``; verdicts are not computed."""
    from ketadask.study.study import RunSummary

    if not 0 <= index < n_tasks:
        raise InputError(
            f"tasks are numbered from 0 to {n_tasks - 1}",
            where="--task",
            value=index,
            remedy="give the array `--array=0-7` and 8 as --tasks, for example",
        )
    paths, progress = study.paths, study.progress
    folder = paths.open()
    _print_ignored_stops(study)
    with connect(study.profile.for_stage(SEARCH)) as executor:
        work = _ArrayRun(
            paths, folder, progress, lambda stage: executor, index=index, n_tasks=n_tasks
        )
        with _wait_for_lock(folder, progress.print):
            prepare_data(study.settings, study.out, progress)
            problem = build_problem(work)
        stages = [splits_stage(work, problem), relabelled_stage(work, problem)]
        require(*map(work.run_stage, [*stages, *calibration_stages(work, problem)]))
    return RunSummary(folder.path, tuple(work.results))


def _print_ignored_stops(study: Study) -> None:
    """Print that an array does not stop early.

    An early stop needs an interim analysis of all results so far, and a task has its own only. The
    verdicts are the same as without an array: the interim analyses are fixed in advance and follow
    when the verdicts are computed.
    """
    splits, null = study.settings.splits, study.settings.null
    for key, stop, planned, unit in (
        ("splits.stop", splits.stop, splits.count, "splits"),
        ("null.stop", null.stop, null.relabellings, "relabelled trials"),
    ):
        if stop == EARLY:
            study.progress.print(
                f"{key}: {stop} does not end an array early: its tasks compute all {planned:,} "
                f"{unit}, and the verdicts use those before the stop"
            )


@dataclass
class _ArrayRun(StudyRun):
    """The run of one task: stages are complete when its own blocks are."""

    index: int = 0
    n_tasks: int = 1

    def select(self, stage: Stage) -> Stage:
        """Return the stage of this task's blocks; searches are not split.

        The first task extracts the features of all recordings, because the cohort needs them.
        """
        if stage.part_names is not None:
            return stage
        block = self.settings.execution.block
        subset = task_blocks(stage.n_items, self.index, self.n_tasks, block)
        return replace(stage, subset=subset, n_searches=0)


def task_blocks(total: int, index: int, n_tasks: int, block: int | None) -> list[Range]:
    """Return the blocks of one task.

    Examples
    --------
    >>> task_blocks(10, index=1, n_tasks=2, block=3)
    [(3, 5), (9, 9)]
    """
    size = block or max(1, -(-total // (8 * n_tasks)))
    return blocks([(0, total - 1)], size)[index::n_tasks] if total else []


@contextmanager
def _wait_for_lock(folder: RunFolder, print_line: Callable[[str], None]) -> Iterator[None]:
    """Lock the run folder, after the tasks that came before."""
    end, is_first = time.monotonic() + _MAX_WAIT_SECONDS, True
    while True:
        lock = folder.lock()
        try:
            lock.__enter__()
            break
        except InputError as error:
            if "being written" not in error.problem or time.monotonic() > end:
                raise
            if is_first:
                print_line("waiting for the cohort, which another task prepares")
            is_first = False
            time.sleep(0.5)
    try:
        yield
    finally:
        lock.__exit__(None, None, None)
