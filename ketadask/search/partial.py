"""A search as several tasks: each covers a fraction of the first literals."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ketadask.kernels.result import SearchResult

if TYPE_CHECKING:
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem

BuildSearch = Callable[..., tuple[Any, Mapping[str, Any]]]
"""From a problem to the problem searched and the further arguments of `PersonaSearch.solve`."""


@dataclass(frozen=True, eq=False)
class PartialResult:
    """Result of a part of a search, and its seconds."""

    result: SearchResult
    seconds: float


def solve_piece(
    problem: SearchProblem,
    search: PersonaSearch,
    build: BuildSearch,
    earlier: Sequence[PartialResult],
    **options: Any,
) -> PartialResult:
    """Search a part, starting from an ``earlier`` result if there is one."""
    start = time.perf_counter()
    problem, arguments = build(problem)
    ids = earlier[0].result.ids if earlier else None
    result = search.solve(problem, **arguments, **options, start=ids)
    return PartialResult(result, time.perf_counter() - start)


def merge_pieces(
    problem: SearchProblem,
    search: PersonaSearch,
    build: BuildSearch,
    pieces: Sequence[PartialResult],
    *,
    keep: int | None = None,
) -> PartialResult:
    """Return the K best of all parts."""
    problem, arguments = build(problem)
    results = [piece.result for piece in pieces]
    result = search.merge(problem, results, **arguments, keep=keep)
    return PartialResult(result, sum(piece.seconds for piece in pieces))
