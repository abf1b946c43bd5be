"""Run a stage: find the missing ranges, cut them into tasks of a good length, compute them.

Strategy: the parts on disk say what is missing. Without a fixed block size, one item per worker
warms up compilers and processes, a few more are timed, and the rest is cut into tasks of about ten
seconds, at least four per worker and never more than a scheduler handles well. Where one item takes
longer than a task should, or fewer items than workers remain, searches are split over several
tasks. Neither changes a result.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ketadask.pipeline.executor import Executor, TaskFailure
from ketadask.pipeline.stage import Stage, StageResult
from ketadask.pipeline.task_sizes import block_size, pieces_of, spread_of
from ketadask.schema.errors import InputError
from ketadask.store.ranges import Range, blocks, range_size

if TYPE_CHECKING:
    from ketadask.pipeline.progress import Progress, StageProgress

_log = logging.getLogger(__name__)
_TIMED_ITEMS = 4


def run_stage(
    stage: Stage,
    executor: Callable[[], Executor],
    progress: Progress,
    *,
    block: int | None = None,
    task_seconds: float = 10.0,
    on_range: Callable[[Range], None] | None = None,
) -> StageResult:
    """Compute the missing items of a stage.

    Parameters
    ----------
    executor
        Opens the executor; not called where nothing is missing.
    block
        Items per task; measured by default.
    task_seconds
        Intended length of a task, where the block is measured.
    on_range
        Called with each range as soon as its part is written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from dask import delayed
    >>> from ketadask.pipeline.executor import Synchronous
    >>> from ketadask.pipeline.progress import Progress
    >>> from ketadask.store.parts import Parts
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     parts = Parts(Path(folder), "key")
    ...     squares = pd.DataFrame({"item": range(4), "square": [0, 1, 4, 9]})
    ...     def build_graph(ranges):
    ...         return [
    ...             delayed(parts.write)(f"{a:06d}-{b:06d}", {"squares": squares[a : b + 1]})
    ...             for a, b in ranges
    ...         ]
    ...     stage = Stage("square", "numbers", 4, build_graph, parts)
    ...     result = run_stage(stage, Synchronous, Progress.silent(), block=2)
    ...     result.new, result.complete, len(parts.read_below("squares", 3, "item"))
    (4, True, 3)
    """
    missing = stage.missing()
    result = StageResult(stage.name, stage.unit, stage.total)
    result.present = stage.total - range_size(missing)
    if not missing:
        progress.print(f"{stage.name}: all {stage.total:,} {stage.unit} already complete")
        return result
    runner = executor()
    if stage.part_names is not None:
        block = 1
    with progress.stage(stage.name, stage.unit, total=stage.total, present=result.present) as bar:
        work = _StageWork(stage, result, runner, bar, on_range)
        if block is None:
            missing, block = work.measure_block(missing, task_seconds)
        result.block = block
        if missing:
            work.compute_blocks(missing, block)
    result.seconds = bar.seconds
    return result


@dataclass
class _StageWork:
    stage: Stage
    result: StageResult
    executor: Executor
    bar: StageProgress
    on_range: Callable[[Range], None] | None

    def measure_block(self, missing: list[Range], task_seconds: float) -> tuple[list[Range], int]:
        """Choose the block size by timing a few items; return it after the remaining ranges."""
        workers, n_searches, block = self.executor.workers, self.stage.n_searches, 1
        spread = workers if self.executor.distributes else 1
        n_left = range_size(missing)
        if n_left > (1 if n_searches else 8) * workers:
            missing, seconds = self.compute_blocks(missing, 1, workers)
            enough = seconds >= task_seconds or n_left <= 8 * workers
            if not n_searches or range_size(missing) >= spread:
                size = 1 if enough else _TIMED_ITEMS
                missing, seconds = self.compute_blocks(missing, size, workers)
            n_left = range_size(missing)
            block = block_size(seconds, n_left, workers, task_seconds)
            self.result.pieces = pieces_of(seconds, n_left, n_searches, task_seconds)
        n_left = range_size(missing)
        self.result.pieces = max(self.result.pieces, spread_of(n_left, spread, n_searches))
        return missing, block

    def compute_blocks(
        self, missing: list[Range], size: int, count: int | None = None
    ) -> tuple[list[Range], float]:
        """Compute ``count`` blocks, all if None; return remaining ranges and seconds per item."""
        ranges = blocks(missing, size)[:count]
        start = self.bar.seconds
        pieces = {"pieces": self.result.pieces} if self.result.pieces > 1 else {}
        tasks = self.stage.build_graph(ranges, **pieces)
        for index, outcome in self.executor.compute(tasks):
            self._record(ranges[index], outcome)
            if self.is_broken:
                return [], 0.0
        seconds = (self.bar.seconds - start) / size
        end = ranges[-1][1] if ranges else -1
        return [(max(first, end + 1), last) for first, last in missing if last > end], seconds

    @property
    def is_broken(self) -> bool:
        """Whether many tasks failed and none succeeded: the cause is common to all of them."""
        return not self.result.new and len(self.result.failures) >= 3 * self.executor.workers

    def _record(self, items: Range, outcome: object) -> None:
        if isinstance(outcome, TaskFailure):
            if isinstance(outcome.error, InputError):
                raise outcome.error
            _log.error("%s %s-%s failed\n%s", self.stage.name, *items, outcome.trace)
            self.result.failures.append((items, outcome))
            return
        count = range_size([items])
        self.result.new += count
        self.bar.advance(count)
        if self.on_range is not None:
            self.on_range(items)
