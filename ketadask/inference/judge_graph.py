"""The graphs of verdicts: recurrence, p and d of personas over splits, reduced on the workers.

Personas are summarised in groups, a task each: a task holds all splits of its personas and returns
a row per persona, so the driver never holds a table of the size of the splits. The splits are read
from parts, or, for lazy hits, are the results of other tasks: then the searches of all units, the
splits and the relabelled trials are one graph, on any scheduler.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import getitem
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from dask.base import tokenize
from dask.delayed import Delayed, delayed

from ketadask import names as nm
from ketadask.inference.companion import null_tables
from ketadask.inference.evaluation import PersonaSet, evaluate_block
from ketadask.inference.null import null_maxima
from ketadask.inference.stability import (
    CELLS,
    group_stability,
    passes_gate,
    select_group,
    summarise_personas,
)
from ketadask.pipeline.executor import Executor, collect
from ketadask.pipeline.lazy_table import LazyTable, as_block, lazy_table
from ketadask.pipeline.shared_folder import check_visible
from ketadask.schema.checks import TableContract
from ketadask.schema.tables import NULLS
from ketadask.store.ranges import Range, blocks, gaps, range_name

if TYPE_CHECKING:
    from ketadask.search.hits_graph import LazyResampling
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.store.parts import Parts

MAXIMA = TableContract(
    "maxima", {name: NULLS.columns[name] for name in ("relabelling", "method", "q", "t")}
)


@dataclass(frozen=True, eq=False)
class LazyNull:
    """The origin of lazy null maxima: the search, and the task of the table ``nulls``."""

    question: str
    seed: int
    method: str
    candidates: int
    relabellings: int
    table: Delayed


def persona_stability(
    parts: Parts,
    ranges: Sequence[Range],
    personas: PersonaSet,
    executor: Executor,
    *,
    gate: str,
    split_hits: pd.Series,
    n: int | None = None,
    cells: int = CELLS,
) -> pd.DataFrame:
    """Summarise each persona over the splits below ``n`` of the complete parts ``ranges``.

    A task holds at most ``cells`` rows, of some personas and all splits. Every number is computed
    from rows in the order of the splits, so blocks change nothing. Columns as in
    `summarise_personas`.
    """
    n_splits = sum(last - first + 1 for first, last in ranges)
    shared = delayed(split_hits, traverse=False)
    tasks = [
        delayed(group_stability)(
            parts, ranges, personas, group, gate=gate, split_hits=shared, n=n,
        )
        for group in _groups(len(personas), n_splits, cells)
    ]  # fmt: skip
    tables = collect(tasks, executor)
    return pd.concat(tables, ignore_index=True) if tables else personas.frame()


def judgement(hits: LazyResampling, gate: str) -> list[Delayed]:
    """Return two tasks: the searches of all units, by polarity, and the stability of personas."""
    search, problem, n = hits.search, hits.problem, hits.splitter.n_splits
    node = delayed(problem, traverse=False, name=f"problem-{tokenize(problem)}")
    units = delayed(dict)(
        [
            (polarity, delayed(_search_units)(node, search, polarity))
            for polarity in search.polarities
        ]
    )
    personas = delayed(PersonaSet.of)(units)
    tables = [
        delayed(evaluate_block)(
            node, personas, hits.splitter, delayed(getitem)(block, "searches"),
            (first, min(last, n - 1)), search=search, gates=hits.gates,
        )
        for (first, last), block in zip(hits.ranges, hits.blocks, strict=True)
    ]  # fmt: skip
    counts = [delayed(_count_hits)(delayed(getitem)(block, "hits"), gate) for block in hits.blocks]
    split_hits = delayed(pd.concat)(counts)
    summaries = [
        delayed(_summarise_group)(
            [delayed(select_group)(table, group) for table in tables], personas, gate, split_hits
        )
        for group in _groups(search.keep * len(search.polarities), n, CELLS)
    ]
    return [units, delayed(_join)(summaries, personas)]


def lazy_maxima(
    problem: SearchProblem,
    search: PersonaSearch,
    relabellings: int,
    parts: Parts | None,
    question: str,
    block: int,
    **settings: Any,
) -> LazyTable:
    """Return the null maxima as a Dask DataFrame; settings of `null_tables`."""
    token = tokenize(problem)
    node = delayed(problem, traverse=False, name=f"problem-{token}")
    key = tokenize(token, search, parts, settings)[:12]
    ranges: list[Range] = []
    if parts is not None:
        Path(parts.folder).mkdir(parents=True, exist_ok=True)
        ranges = parts.ranges(relabellings)
    ranges = sorted([*ranges, *blocks(gaps(ranges, relabellings), block)])
    tables = [
        delayed(_read_or_relabel)(
            node, search, span, parts, relabellings, settings,
            dask_key_name=f"null-table-{range_name(*span)}-{relabellings}-{key}",
        )
        for span in ranges
    ]  # fmt: skip
    table = delayed(_sort_nulls)(tables)
    facts = {name: settings[name] for name in ("seed", "method", "candidates")}
    origin = LazyNull(question, **facts, relabellings=relabellings, table=table)
    return lazy_table([delayed(_maxima)(table) for table in tables], MAXIMA, origin)


def _groups(n_personas: int, n_splits: int, cells: int) -> list[Range]:
    return blocks([(0, n_personas - 1)], max(1, cells // max(1, n_splits))) if n_personas else []


def _search_units(problem: SearchProblem, search: PersonaSearch, polarity: str) -> Any:
    return search.solve(problem, polarity=polarity)


def _count_hits(hits: pd.DataFrame, gate: str) -> pd.Series:
    return hits[passes_gate(hits, nm.TRAIN, gate)].groupby("split").size()


def _summarise_group(
    tables: Sequence[pd.DataFrame], personas: PersonaSet, gate: str, split_hits: pd.Series
) -> pd.DataFrame | None:
    table = pd.concat(tables, ignore_index=True)
    if table.empty:  # the searches returned fewer personas than they may
        return None
    return summarise_personas(table, personas, gate=gate, split_hits=split_hits)


def _join(tables: Sequence[pd.DataFrame | None], personas: PersonaSet) -> pd.DataFrame:
    rows = [table for table in tables if table is not None]
    return pd.concat(rows, ignore_index=True) if rows else personas.frame()


def _read_or_relabel(
    problem: SearchProblem, search: PersonaSearch, block: Range, parts: Parts | None, n: int,
    settings: dict[str, Any],
) -> pd.DataFrame:  # fmt: skip
    if parts is None:
        table = null_tables(problem, search, block, **settings)["nulls"]
    else:
        check_visible(parts.folder)
        name = range_name(*block)
        if not parts.has(name):
            parts.write(name, null_tables(problem, search, block, **settings))
        table = parts.read(name, "nulls")
    return table[table["relabelling"] < n]


def _sort_nulls(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    order = ["relabelling", "method", "rank"]
    return pd.concat(tables).sort_values(order, kind="stable", ignore_index=True)


def _maxima(nulls: pd.DataFrame) -> pd.DataFrame:
    return as_block(null_maxima(nulls), MAXIMA)
