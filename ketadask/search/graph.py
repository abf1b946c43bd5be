"""The graph of splits: one task per range of splits, one shared problem, parts as results.

A task gets the problem (the cohort's literals and scores) as a node that every task shares,
searches its range of splits, writes the hits as one part and returns only the receipt. Nothing is
gathered; a part that exists is never computed again. Splits are addressed by number, so the
ranges, the workers and the order of the tasks cannot change a bit of what is found.

A single search that is longer than a task becomes a small tree: tasks share its first literals out
between them, in two rounds; the second goes on from the K best of the first, and a last task keeps
the K best of all.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from dask.base import compute, tokenize
from dask.delayed import Delayed, delayed

from ketadask.cohort.splits import HoldoutSplit
from ketadask.search.block import search_block, train_side
from ketadask.search.partial import PartialResult, Pose, merge_pieces, peak_memory, solve_piece
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.problem import SearchProblem
from ketadask.search.resampling import ResamplingResult
from ketadask.search.thresholds import GateThresholds
from ketadask.store.fingerprints import code_version, fingerprint
from ketadask.store.parts import Parts, Receipt
from ketadask.store.ranges import Range, blocks, range_name

FIRST_ROUND = 4


def hit_blocks(
    problem: SearchProblem,
    search: PersonaSearch,
    splitter: Any,
    ranges: Sequence[Range],
    parts: Parts,
    gates: GateThresholds,
    pieces: int = 1,
) -> list[Delayed]:
    """One task per range of splits (both ends included); each writes tables hits and searches.

    With more than one of ``pieces`` every single search is split over so many tasks.
    """
    token = tokenize(problem)
    shared = delayed(problem, traverse=False, name=f"problem-{token}")
    # All that makes a task differ is in its key: a scheduler may still hold an earlier result.
    asked = tokenize(token, search, splitter, parts, gates, pieces)[:12]
    pose = partial(train_side, splitter=splitter)
    return [
        delayed(_write)(
            shared, search, splitter, numbers, parts, gates,
            found_of(shared, search, pose, numbers, pieces, name=f"hits-{asked}"),
            dask_key_name=f"search-{range_name(*numbers)}-{asked}",
        )
        for numbers in ranges
    ]  # fmt: skip


def found_of(
    shared: Delayed,
    search: PersonaSearch,
    pose: Pose,
    numbers: Range,
    pieces: int,
    *,
    name: str,
    keep: int | None = None,
) -> dict[tuple[int, str], Delayed] | None:
    """Split searches of a range of numbers, by number and polarity; None where none is split."""
    if pieces < 2:
        return None
    return {
        (number, polarity): split_search(
            shared, search, partial(pose, number=number), pieces,
            name=f"{name}-{number}-{polarity}", polarity=polarity, keep=keep,
        )
        for number in range(numbers[0], numbers[1] + 1)
        for polarity in search.polarities
    }  # fmt: skip


def split_search(
    shared: Delayed,
    search: PersonaSearch,
    pose: Pose,
    pieces: int,
    *,
    name: str,
    polarity: str,
    keep: int | None = None,
) -> Delayed:
    """One exact search in ``pieces`` parts: gives a `Piece` with what the whole search finds.

    What the first parts found, each beginning with a beam of its own, is handed on to the others:
    a threshold that spares them work and cannot change the result.
    """
    asked = {"polarity": polarity, "keep": keep}
    first, before = min(pieces, max(2, pieces // FIRST_ROUND)), list[Delayed]()
    for numbers in (range(first), range(first, pieces)):
        tasks = [
            delayed(solve_piece)(
                shared,
                search,
                pose,
                before,
                **asked,
                part=(i, pieces),
                dask_key_name=f"piece-{name}-{i}",
            )
            for i in numbers
        ]
        if tasks:
            merged = delayed(merge_pieces)(
                shared,
                search,
                pose,
                [*before, *tasks],
                keep=keep,
                dask_key_name=f"merge-{name}-{numbers[-1]}",
            )
            before = [merged]
    return merged


def run_splits(
    search: PersonaSearch, splitter: Any, store: str, gates: GateThresholds, block: int
) -> ResamplingResult:
    """Search what is missing of every split of a fitted search, on dask's current scheduler."""
    trial = search.problem_.trial
    if isinstance(splitter, HoldoutSplit):
        splitter.need_two_sides(trial.participant)
    count = splitter.get_n_splits(groups=trial.trial)
    splitter = replace(splitter, n_splits=count)
    # More splits add parts and invalidate none; other code invalidates all.
    asked = tokenize(search.problem_, search, replace(splitter, n_splits=1), gates)
    key = fingerprint(asked, code_version())
    parts = Parts(Path(store) / "hits" / key[:12], key)
    ranges = blocks(parts.missing(count), block)
    compute(  # type: ignore[no-untyped-call]
        *hit_blocks(search.problem_, search, splitter, ranges, parts, gates)
    )
    return ResamplingResult(search, search.problem_, splitter, gates, search.found_, parts)


def _write(
    problem: SearchProblem,
    search: PersonaSearch,
    splitter: Any,
    numbers: Range,
    parts: Parts,
    gates: GateThresholds,
    pieces: Mapping[tuple[int, str], PartialResult] | None = None,
) -> Receipt:
    begun = time.thread_time()
    found = None if pieces is None else {key: piece.found for key, piece in pieces.items()}
    tables, spent = search_block(problem, search, splitter, *numbers, gates=gates, found=found)
    spent["search_seconds"] += sum(piece.seconds for piece in (pieces or {}).values())
    facts = {**spent, "cpu_seconds": time.thread_time() - begun, "peak_memory": peak_memory()}
    return parts.write(range_name(*numbers), tables, facts=facts)
