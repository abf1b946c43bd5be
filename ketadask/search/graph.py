"""The graph of splits: one task per range of splits, one shared problem, parts as results.

A task gets the problem (literals and scores) as a node that all tasks share, searches its range of
splits, writes the hits as one part and returns only the receipt. A part that exists is never
computed again. Splits are addressed by index, so ranges, workers and the order of tasks cannot
change a result.

A search that takes longer than a task becomes a small tree: tasks divide its first literals between
them in two rounds, the second starts from the K best of the first, and a last task keeps the K best
of all.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from dask.base import tokenize
from dask.delayed import Delayed, delayed

from ketadask.pipeline.stage import Stage
from ketadask.search.block import search_block, train_side
from ketadask.search.partial import BuildSearch, PartialResult, merge_pieces, solve_piece
from ketadask.store.environment import peak_memory
from ketadask.store.parts import Parts, Receipt
from ketadask.store.ranges import Range, range_name

if TYPE_CHECKING:
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.search.thresholds import GateThresholds

FIRST_ROUND = 4


def search_stage(
    problem: SearchProblem,
    search: PersonaSearch,
    splitter: Any,
    parts: Parts,
    gates: GateThresholds,
    *,
    name: str = "search",
    unit: str = "splits",
) -> Stage:
    """Return the stage that searches the training set of every split."""

    def build_graph(ranges: Sequence[Range], pieces: int = 1) -> list[Delayed]:
        return hit_blocks(problem, search, splitter, ranges, parts, gates, pieces)

    return Stage(name, unit, splitter.n_splits, build_graph, parts, divisible_searches(search))


def divisible_searches(search: PersonaSearch) -> int:
    """Return the searches per item that may be split over tasks; 0 where none may be.

    The result of a search with a node budget depends on its order, a beam search is short, and
    with ``min_literals`` above 1 a part cannot know which personas are described by fewer literals.
    """
    divisible = search.strategy == "exact" and search.max_literals > 1 and search.max_nodes is None
    divisible &= search.min_literals == 1
    return len(search.polarities) if divisible else 0


def hit_blocks(
    problem: SearchProblem,
    search: PersonaSearch,
    splitter: Any,
    ranges: Sequence[Range],
    parts: Parts,
    gates: GateThresholds,
    pieces: int = 1,
) -> list[Delayed]:
    """Return one task per range of splits; each writes tables ``hits`` and ``searches``.

    With ``pieces`` above 1 every search is split over that many tasks.
    """
    token = tokenize(problem)
    node = delayed(problem, traverse=False, name=f"problem-{token}")
    # Everything that distinguishes a task is in its key: a scheduler may hold an earlier result.
    key = tokenize(token, search, splitter, parts, gates, pieces)[:12]
    build = partial(train_side, splitter=splitter)
    return [
        delayed(write_hits)(
            node, search, splitter, block, parts, gates,
            split_searches(node, search, build, block, pieces, name=f"hits-{key}"),
            dask_key_name=f"search-{range_name(*block)}-{key}",
        )
        for block in ranges
    ]  # fmt: skip


def split_searches(
    node: Delayed,
    search: PersonaSearch,
    build: BuildSearch,
    block: Range,
    pieces: int,
    *,
    name: str,
    keep: int | None = None,
) -> dict[tuple[int, str], Delayed] | None:
    """Return the searches of a block, by index and polarity, each in ``pieces``; None for 1."""
    if pieces < 2:
        return None
    return {
        (index, polarity): split_search(
            node, search, partial(build, index=index), pieces,
            name=f"{name}-{index}-{polarity}", polarity=polarity, keep=keep,
        )
        for index in range(block[0], block[1] + 1)
        for polarity in search.polarities
    }  # fmt: skip


def split_search(
    node: Delayed,
    search: PersonaSearch,
    build: BuildSearch,
    pieces: int,
    *,
    name: str,
    polarity: str,
    keep: int | None = None,
) -> Delayed:
    """Return one exact search in ``pieces`` tasks: a `PartialResult` equal to the whole search.

    The first tasks begin with a beam of their own; their best results are a threshold for the
    others, which saves work and cannot change the result.
    """
    n_first, earlier = min(pieces, max(2, pieces // FIRST_ROUND)), list[Delayed]()
    for indices in (range(n_first), range(n_first, pieces)):
        tasks = [
            delayed(solve_piece)(
                node, search, build, earlier, polarity=polarity, keep=keep, part=(i, pieces),
                dask_key_name=f"piece-{name}-{i}",
            )
            for i in indices
        ]  # fmt: skip
        if tasks:
            merge = delayed(merge_pieces)(
                node, search, build, [*earlier, *tasks], keep=keep,
                dask_key_name=f"merge-{name}-{indices[-1]}",
            )  # fmt: skip
            earlier = [merge]
    return earlier[0]


def write_hits(
    problem: SearchProblem,
    search: PersonaSearch,
    splitter: Any,
    block: Range,
    parts: Parts,
    gates: GateThresholds,
    pieces: Mapping[tuple[int, str], PartialResult] | None = None,
) -> Receipt:
    """Search a block of splits and write its part."""
    start = time.thread_time()
    result = None if pieces is None else {key: piece.result for key, piece in pieces.items()}
    tables, cost = search_block(problem, search, splitter, *block, gates=gates, result=result)
    cost["search_seconds"] += sum(piece.seconds for piece in (pieces or {}).values())
    facts = {**cost, "cpu_seconds": time.thread_time() - start, "peak_memory": peak_memory()}
    return parts.write(range_name(*block), tables, facts=facts)
