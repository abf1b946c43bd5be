"""The lazy hits of a notebook: a task per block of splits, a partition of a Dask DataFrame each.

A task searches its splits and gives its tables; with a store it reads the part that exists and
writes the one that is missing, so the same call continues an interrupted one. Everything that a
user derives from the hits, and the verdicts, share these tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import getitem
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dask.base import tokenize
from dask.delayed import Delayed, delayed

from ketadask.pipeline.lazy_table import LazyTable, as_block, lazy_table
from ketadask.pipeline.shared_folder import check_visible
from ketadask.schema.tables import HITS, SEARCHES
from ketadask.search.block import search_block
from ketadask.search.graph import write_hits
from ketadask.search.resampling import split_parts, splits_of
from ketadask.store.parts import Parts
from ketadask.store.ranges import Range, blocks, gaps, range_name

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.search.thresholds import GateThresholds


@dataclass(frozen=True, eq=False)
class LazyResampling:
    """The origin of lazy hits: the search, and a task per block of splits.

    Attributes
    ----------
    search, problem, splitter, gates
        As in `ResamplingResult`.
    blocks
        Tasks that give the tables ``hits`` and ``searches``.
    ranges
        The splits of each block; the last may extend beyond those of ``splitter``.
    """

    search: PersonaSearch
    problem: SearchProblem
    splitter: Any
    gates: GateThresholds
    blocks: Sequence[Delayed]
    ranges: Sequence[Range]


def lazy_hits(
    search: PersonaSearch,
    problem: SearchProblem,
    splitter: Any,
    store: Path | str | None,
    gates: GateThresholds,
    block: int,
) -> LazyTable:
    """Return the hits of all splits as a Dask DataFrame, a block of splits per partition."""
    splitter, parts = splits_of(splitter, problem), None
    ranges: list[Range] = []
    if store is not None:
        parts = split_parts(search, problem, splitter, store, gates)
        parts.folder.mkdir(parents=True, exist_ok=True)
        ranges = parts.ranges(splitter.n_splits)
    ranges = sorted([*ranges, *blocks(gaps(ranges, splitter.n_splits), block)])
    tasks = hit_tables(problem, search, splitter, ranges, gates, parts)
    origin = LazyResampling(search, problem, splitter, gates, tasks, ranges)
    return lazy_table([delayed(getitem)(task, "hits") for task in tasks], HITS, origin)


def hit_tables(
    problem: SearchProblem,
    search: PersonaSearch,
    splitter: Any,
    ranges: Sequence[Range],
    gates: GateThresholds,
    parts: Parts | None,
) -> list[Delayed]:
    """Return one task per range of splits, which gives the tables ``hits`` and ``searches``.

    With ``parts`` a task reads its part if it is complete, and writes it if not. The last part may
    hold further splits, of a study of more.
    """
    token = tokenize(problem)
    node = delayed(problem, traverse=False, name=f"problem-{token}")
    key = tokenize(token, search, splitter, parts, gates)[:12]
    return [
        delayed(_read_or_search)(
            node, search, splitter, block, parts, gates,
            dask_key_name=f"split-tables-{range_name(*block)}-{key}",
        )
        for block in ranges
    ]  # fmt: skip


def _read_or_search(
    problem: SearchProblem, search: PersonaSearch, splitter: Any, block: Range,
    parts: Parts | None, gates: GateThresholds,
) -> dict[str, pd.DataFrame]:  # fmt: skip
    contracts, name = {"hits": HITS, "searches": SEARCHES}, range_name(*block)
    tables: dict[str, pd.DataFrame] = {}
    if parts is None:
        tables, _ = search_block(problem, search, splitter, *block, gates=gates)
    else:
        check_visible(parts.folder)
        if not parts.has(name):
            write_hits(problem, search, splitter, block, parts, gates)
    for table, contract in contracts.items():
        rows = tables[table] if parts is None else parts.read(name, table)
        tables[table] = as_block(rows[rows["split"] < splitter.n_splits], contract)
    return tables
