"""One search as several tasks: each searches below its share of the first literals."""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ketadask.kernels.result import SearchResult

if TYPE_CHECKING:
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem

Pose = Callable[..., tuple[Any, Mapping[str, Any]]]
"""From the problem to the problem searched and what `PersonaSearch.solve` is told of it."""


@dataclass(frozen=True, eq=False)
class PartialResult:
    """What a part of a search found, and how many seconds it took."""

    found: SearchResult
    seconds: float


def solve_piece(
    problem: SearchProblem,
    search: PersonaSearch,
    pose: Pose,
    before: Sequence[PartialResult],
    **asked: Any,
) -> PartialResult:
    """Search a part, starting from what was found ``before``."""
    started = time.perf_counter()
    problem, how = pose(problem)
    start = before[0].found.ids if before else None
    found = search.solve(problem, **how, **asked, start=start)
    return PartialResult(found, time.perf_counter() - started)


def merge_pieces(
    problem: SearchProblem,
    search: PersonaSearch,
    pose: Pose,
    pieces: Sequence[PartialResult],
    *,
    keep: int | None = None,
) -> PartialResult:
    """Keep the K best of all parts."""
    problem, how = pose(problem)
    merged = search.merge(problem, [piece.found for piece in pieces], **how, keep=keep)
    return PartialResult(merged, sum(piece.seconds for piece in pieces))


def peak_memory() -> float:
    """Return the largest memory this process has held, in bytes."""
    with contextlib.suppress(OSError, StopIteration):
        # What getrusage says begins with the memory of the process that started this one.
        with open("/proc/self/status") as file:
            line = next(line for line in file if line.startswith("VmHWM:"))
        return float(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak * (1 if sys.platform == "darwin" else 1024))
