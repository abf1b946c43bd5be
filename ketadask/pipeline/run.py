"""Bring a stage to its end: the missing ranges, cut into blocks of a good length, computed.

Strategy: what is missing is asked of the disk. If no block size is fixed, one number per worker
warms up compilers and processes, a few more are timed, and the rest is cut so that a task takes
about ten seconds while every worker still gets at least four tasks; never into more tasks than a
scheduler is comfortable with. Which numbers lie in which block never changes a result, because
every number draws its own randomness. Where one number takes longer than a task should, or fewer
numbers are left than there are workers, searches are split over several tasks, which changes no
result either.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ketadask.pipeline.executor import Executor, TaskFailure
from ketadask.pipeline.task_sizes import block_size, pieces_of, spread_of
from ketadask.schema.errors import InputError
from ketadask.store.parts import Parts
from ketadask.store.ranges import Range, blocks

if TYPE_CHECKING:
    from dask.delayed import Delayed

    from ketadask.pipeline.progress import Progress, StageProgress

_log = logging.getLogger(__name__)
_TIMED, _NAMED = 4, 10


@dataclass
class StageResult:
    """How a stage ended: what was made, what was there, what failed."""

    name: str
    unit: str
    total: int
    reused: int = 0
    made: int = 0
    seconds: float = 0.0
    block: int | None = None
    pieces: int = 1
    failures: list[tuple[Range, TaskFailure]] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return self.reused + self.made == self.total

    def after(self, earlier: StageResult) -> StageResult:
        """Return how the stage ended that ``earlier`` began and this one went on with."""
        return replace(
            self,
            reused=self.reused - earlier.made,
            made=earlier.made + self.made,
            seconds=earlier.seconds + self.seconds,
            pieces=max(earlier.pieces, self.pieces),
            failures=earlier.failures + self.failures,
        )

    def story(self) -> str:
        """Return one line about the failures, naming what failed and the first reason."""
        spans = [f"{first}-{last}" for first, last in sorted(span for span, _ in self.failures)]
        more = [f"and {len(spans) - _NAMED:,} more"] if len(spans) > _NAMED else []
        failed = ", ".join(spans[:_NAMED] + more)
        missing = self.total - self.reused - self.made
        if not self.failures:
            return f"{self.name}: {missing:,} of {self.total:,} {self.unit} were never reported"
        reason = f": {self.failures[0][1]}"
        return f"{self.name}: {missing:,} of {self.total:,} {self.unit} failed ({failed}){reason}"


def run_stage(
    name: str,
    unit: str,
    *,
    total: int,
    parts: Parts,
    graph: Callable[..., list[Delayed]],
    executor: Callable[[], Executor],
    progress: Progress,
    block: int | None = None,
    task_seconds: float = 10.0,
    seen: Callable[[Range], None] | None = None,
    searches: int = 0,
) -> StageResult:
    """Compute the ranges of ``parts`` that are missing below ``total``.

    Parameters
    ----------
    graph
        Makes the tasks of some ranges, one task each, in their order; of ``pieces`` tasks per
        search, where it is told so.
    executor
        Opens the executor; not called where nothing is missing.
    seen
        Told each range that is finished.
    searches
        How many searches one number is made of, where these may be split over tasks.
    """
    missing = parts.missing(total)
    left = _size(missing)
    ended = StageResult(name, unit, total, reused=total - left)
    if not missing:
        progress.say(f"{name}: all {total:,} {unit} are there already")
        return ended
    runner = executor()
    with progress.stage(name, unit, total=total, done=ended.reused) as stage:
        work = _Work(ended, graph, runner, stage, seen)
        open_ended, apart = block is None, runner.workers if runner.apart else 1
        if open_ended and left > (1 if searches else 8) * runner.workers:
            missing, each = work.wave(missing, 1, runner.workers)
            few = each >= task_seconds or left <= 8 * runner.workers
            if not searches or _size(missing) >= apart:
                missing, each = work.wave(missing, 1 if few else _TIMED, runner.workers)
            left = _size(missing)
            block = block_size(each, left, runner.workers, task_seconds)
            ended.pieces = pieces_of(each, left, searches, task_seconds)
        if open_ended:
            ended.pieces = max(ended.pieces, spread_of(_size(missing), apart, searches))
        ended.block = block or 1
        if missing:
            work.wave(missing, ended.block, None)
    ended.seconds = stage.seconds
    return ended


@dataclass
class _Work:
    ended: StageResult
    graph: Callable[..., list[Delayed]]
    executor: Executor
    stage: StageProgress
    seen: Callable[[Range], None] | None = None

    def wave(self, missing: list[Range], size: int, count: int | None) -> tuple[list[Range], float]:
        """Compute ``count`` blocks (all if None); return what is left, and seconds per number."""
        ranges = blocks(missing, size)[:count]
        begun = self.stage.seconds
        split = {"pieces": self.ended.pieces} if self.ended.pieces > 1 else {}
        for index, result in self.executor.compute(self.graph(ranges, **split)):
            self._take(ranges[index], result)
            if self.hopeless:
                return [], 0.0
        each = (self.stage.seconds - begun) / size
        edge = ranges[-1][1] if ranges else -1
        return [(max(first, edge + 1), last) for first, last in missing if last > edge], each

    @property
    def hopeless(self) -> bool:
        """Whether so many tasks failed, and none succeeded, that the fault is not theirs."""
        return not self.ended.made and len(self.ended.failures) >= 3 * self.executor.workers

    def _take(self, span: Range, result: object) -> None:
        if not isinstance(result, TaskFailure):
            count = _size([span])
            self.ended.made += count
            self.stage.advance(count)
            if self.seen is not None:
                self.seen(span)
            return
        if isinstance(result.error, InputError):
            raise result.error
        _log.error("%s %s-%s failed\n%s", self.ended.name, *span, result.trace)
        self.ended.failures.append((span, result))


def _size(ranges: Sequence[Range]) -> int:
    return sum(last - first + 1 for first, last in ranges)


class StudyError(RuntimeError):
    """Some tasks of a study failed for their own reasons; what the others made is kept."""

    def __init__(self, failed: list[StageResult]) -> None:
        super().__init__("; ".join(each.story() for each in failed))
        self.add_note("finished parts are kept; run again to compute what is missing")


class IncompleteStudyError(RuntimeError):
    """A stage called itself finished and blocks of it are not on the disk."""


def require(*stages: StageResult) -> None:
    """Raise where a stage is not complete."""
    failed = [each for each in stages if not each.complete]
    if failed:
        raise StudyError(failed)
