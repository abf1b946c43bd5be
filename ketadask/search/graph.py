"""The graph of splits: one task per range of splits, one shared problem, parts as results.

A task gets the problem (the cohort's literals and scores) as a node that every task shares,
searches its range of splits, writes the hits as one part and returns only the receipt. Nothing is
gathered; a part that exists is never computed again. Splits are addressed by number, so the
ranges, the workers and the order of the tasks cannot change a bit of what is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dask.base import compute, tokenize
from dask.delayed import Delayed, delayed

from ketadask.search.block import search_block
from ketadask.search.criteria import Gates
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.problem import Problem
from ketadask.search.resampled import Resampled
from ketadask.store import (
    Parts,
    Range,
    Receipt,
    blocks,
    code_version,
    fingerprint,
    range_name,
)


def hit_blocks(
    problem: Problem,
    search: PersonaSearch,
    splitter: Any,
    ranges: Sequence[Range],
    parts: Parts,
    gates: Gates,
) -> list[Delayed]:
    """One task per range of splits (both ends included); each writes tables hits and searches."""
    token = tokenize(problem)
    shared = delayed(problem, traverse=False, name=f"problem-{token}")
    # All that makes a task differ is in its key: a scheduler may still hold an earlier result.
    asked = tokenize(token, search, splitter, parts, gates)[:12]
    return [
        delayed(_write)(
            shared, search, splitter, numbers, parts, gates,
            dask_key_name=f"search-{range_name(*numbers)}-{asked}",
        )
        for numbers in ranges
    ]  # fmt: skip


def run_splits(
    search: PersonaSearch, splitter: Any, store: str, gates: Gates, block: int
) -> Resampled:
    """Search what is missing of every split of a fitted search, on dask's current scheduler."""
    count = splitter.get_n_splits(groups=search.problem_.trial.trial)
    splitter = replace(splitter, n_splits=count)
    # More splits add parts and invalidate none; other code invalidates all.
    asked = tokenize(search.problem_, search, replace(splitter, n_splits=1), gates)
    key = fingerprint(asked, code_version())
    parts = Parts(Path(store) / "hits" / key[:12], key)
    ranges = blocks(parts.missing(count), block)
    compute(  # type: ignore[no-untyped-call]
        *hit_blocks(search.problem_, search, splitter, ranges, parts, gates)
    )
    return Resampled(search, search.problem_, splitter, gates, search.found_, parts)


def _write(
    problem: Problem,
    search: PersonaSearch,
    splitter: Any,
    numbers: Range,
    parts: Parts,
    gates: Gates,
) -> Receipt:
    tables, seconds = search_block(problem, search, splitter, *numbers, gates=gates)
    return parts.write(range_name(*numbers), tables, facts={"search_seconds": seconds})
