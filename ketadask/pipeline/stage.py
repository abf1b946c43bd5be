"""A stage as a value: independent items, the tasks that compute them, and the parts they fill.

Items are addressed by their index, from 0 to ``n_items - 1``, and draw their own randomness, so
which ranges of items share a task never changes a result. Nothing here computes: `run_stage` does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ketadask.store.parts import Parts
from ketadask.store.ranges import Range, gaps, overlaps, range_size

if TYPE_CHECKING:
    from dask.delayed import Delayed

    from ketadask.pipeline.executor import TaskFailure

_LISTED_RANGES = 10


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage of a study.

    Parameters
    ----------
    name, unit
        What progress and errors call the stage and its items: ``search``, ``splits``.
    n_items
        Number of items.
    build_graph
        From ranges of items to one task per range, in the same order; each task writes its part
        and returns the receipt. Takes ``pieces``, the number of tasks per search, where
        ``n_searches`` is not 0.
    parts
        Where the results are.
    n_searches
        Searches per item that may be split over several tasks; 0 where none may be.
    part_names
        Part of each item, where items have parts of their own; parts are named by ranges if None.
    subset
        Ranges that this process computes, the parts of others left alone; all items if None. Not
        for items with ``part_names``.
    """

    name: str
    unit: str
    n_items: int
    build_graph: Callable[..., list[Delayed]]
    parts: Parts
    n_searches: int = 0
    part_names: Sequence[str] | None = None
    subset: Sequence[Range] | None = None

    @property
    def total(self) -> int:
        """Number of items that this process is responsible for."""
        return self.n_items if self.subset is None else range_size(self.subset)

    def missing(self) -> list[Range]:
        """Return the ranges of items without a finished part."""
        if self.part_names is not None:
            complete = self.parts.verify()
            present = [(i, i) for i, name in enumerate(self.part_names) if name in complete]
            return gaps(present, self.n_items)
        if self.subset is None:
            return self.parts.missing(self.n_items)
        # Other processes write here: nothing is verified or set aside under their hands.
        return overlaps(self.subset, self.parts.missing(self.n_items, check=False))

    def require_parts(self) -> None:
        """Raise unless every item has a finished part on disk, checksums compared."""
        missing = self.missing()
        if missing:
            first = ", ".join(f"{first}-{last}" for first, last in missing[:5])
            error = IncompleteStudyError(
                f"{self.name}: {range_size(missing):,} of {self.total:,} {self.unit} are missing "
                f"on disk ({first})"
            )
            error.add_note("finished parts are kept; run again to compute the missing ones")
            raise error


@dataclass
class StageResult:
    """Outcome of a stage: items computed now, items already complete, and failures."""

    name: str
    unit: str
    total: int
    present: int = 0
    new: int = 0
    seconds: float = 0.0
    block: int | None = None
    pieces: int = 1
    failures: list[tuple[Range, TaskFailure]] = field(default_factory=list)

    @property
    def missing(self) -> int:
        """Number of items without a result."""
        return self.total - self.present - self.new

    @property
    def complete(self) -> bool:
        """Whether every item has a result."""
        return self.missing == 0

    def merge(self, earlier: StageResult) -> StageResult:
        """Return the result of a stage that was run twice, ``earlier`` on fewer items."""
        return replace(
            self,
            present=self.present - earlier.new,
            new=earlier.new + self.new,
            seconds=earlier.seconds + self.seconds,
            pieces=max(earlier.pieces, self.pieces),
            failures=earlier.failures + self.failures,
        )

    def failure_summary(self) -> str:
        """Return one line with the items that failed and the first reason."""
        count = f"{self.name}: {self.missing:,} of {self.total:,} {self.unit}"
        if not self.failures:
            return f"{count} are missing"
        ranges = [f"{first}-{last}" for first, last in sorted(items for items, _ in self.failures)]
        more = len(ranges) - _LISTED_RANGES
        names = ranges[:_LISTED_RANGES] + ([f"and {more:,} more"] if more > 0 else [])
        return f"{count} failed ({', '.join(names)}): {self.failures[0][1]}"


class StudyError(RuntimeError):
    """Some tasks of a study failed; the results of the others are kept."""

    def __init__(self, results: Sequence[StageResult]) -> None:
        super().__init__("; ".join(result.failure_summary() for result in results))
        self.add_note("finished parts are kept; run again to compute the missing ones")


class IncompleteStudyError(RuntimeError):
    """All tasks of a stage reported success, but parts are missing on disk."""


def require(*results: StageResult) -> None:
    """Raise `StudyError` unless all stages are complete."""
    incomplete = [result for result in results if not result.complete]
    if incomplete:
        raise StudyError(incomplete)
