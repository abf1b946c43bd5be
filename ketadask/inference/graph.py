"""The graphs of inference: relabelled trials, chosen personas on all splits, digests of hits.

Every task is addressed by a range of numbers (relabellings or splits, both ends included), gets
the problem as one shared node, writes its part itself and returns only the receipt: nothing is
gathered, and what is finished stays finished. Digests of hits are small and additive, so they
are merged in a tree of eights and only the last one travels back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

import pandas as pd
from dask.base import compute, tokenize
from dask.delayed import Delayed, delayed

from ketadask.inference.calibration import calibration_block
from ketadask.inference.evaluation import PersonaSet, evaluate_block
from ketadask.inference.hit_summary import HitSummary, summarise_hits
from ketadask.inference.null import kept, null_block, relabel_problem
from ketadask.search.graph import found_of
from ketadask.store.parts import Parts, Receipt
from ketadask.store.ranges import Range, blocks, range_name

if TYPE_CHECKING:
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.search.resampling import ResamplingResult
    from ketadask.search.thresholds import GateThresholds

ARITY = 8
BLOCK = 25


def null_blocks(
    problem: SearchProblem,
    search: PersonaSearch,
    ranges: Sequence[Range],
    parts: Parts,
    *,
    seed: int,
    how: str = "features",
    keep: int | None = None,
    pieces: int = 1,
) -> list[Delayed]:
    """One task per range of relabellings; each writes the table ``nulls``.

    With more than one of ``pieces`` every single search is split over so many tasks.
    """
    shared, token = _shared(problem, search, seed, how, keep, parts, pieces)
    make = partial(_named, "nulls", null_block)
    pose, keep = partial(relabel_problem, seed=seed, how=how), kept(search, keep)
    return [
        delayed(_write)(
            parts, numbers, make, shared, search, numbers, seed=seed, how=how, keep=keep,
            found=found_of(shared, search, pose, numbers, pieces, name=f"null-{token}", keep=keep),
            dask_key_name=f"null-{range_name(*numbers)}-{token}",
        )
        for numbers in ranges
    ]  # fmt: skip


def null_table(
    problem: SearchProblem, search: PersonaSearch, relabellings: int, *, seed: int, how: str
) -> pd.DataFrame:
    """All relabellings in one table, on dask's current scheduler."""
    shared, _ = _shared(problem)
    tables = compute(
        *(
            delayed(null_block)(shared, search, numbers, seed=seed, how=how)
            for numbers in blocks([(0, relabellings - 1)], BLOCK)
        )
    )
    return pd.concat(tables, ignore_index=True)


def evaluation_blocks(
    problem: SearchProblem,
    personas: PersonaSet,
    splitter: Any,
    searches: pd.DataFrame,
    ranges: Sequence[Range],
    parts: Parts,
    *,
    search: PersonaSearch,
    gates: GateThresholds,
) -> list[Delayed]:
    """One task per range of splits; each writes the table ``evaluation`` of all personas."""
    shared, token = _shared(problem, personas, splitter, search, gates, parts)
    chosen = delayed(personas, traverse=False, name=f"personas-{tokenize(personas)}")
    make = partial(_named, "evaluation", evaluate_block)
    return [
        delayed(_write)(
            parts, numbers, make, shared, chosen, splitter,
            searches[searches["split"].between(*numbers)], numbers, search=search, gates=gates,
            dask_key_name=f"evaluate-{range_name(*numbers)}-{token}",
        )
        for numbers in ranges
    ]  # fmt: skip


def calibration_blocks(
    problem: SearchProblem,
    search: PersonaSearch,
    splitter: Any,
    ranges: Sequence[Range],
    parts: Parts,
    **settings: Any,
) -> list[Delayed]:
    """One task per range of relabellings: a resampling study on each (see `calibration_block`)."""
    shared, token = _shared(problem, search, splitter, settings, parts)
    return [
        delayed(_write)(
            parts, numbers, calibration_block, shared, search, splitter, numbers, **settings,
            dask_key_name=f"calibrate-{range_name(*numbers)}-{token}",
        )
        for numbers in ranges
    ]  # fmt: skip


def evaluate_missing(run: ResamplingResult, personas: PersonaSet, parts: Parts) -> list[Range]:
    """Finish ``parts`` on dask's current scheduler; return the ranges that cover all splits."""
    count = run.splitter.n_splits
    missing = blocks(parts.missing(count), BLOCK)
    compute(
        *evaluation_blocks(
            run.problem, personas, run.splitter, run.searches, missing, parts,
            search=run.search, gates=run.gates,
        )
    )  # fmt: skip
    return parts.covered(count)


def hits_digest(
    problem: SearchProblem,
    splitter: Any,
    hits: Parts,
    ranges: Sequence[Range],
    *,
    use: str,
    n: int | None = None,
) -> Delayed:
    """One digest of the finished parts of hits named by ``ranges``, of the splits below ``n``."""
    shared, token = _shared(problem, splitter, hits, use, n)
    digests = [
        delayed(_digest)(
            shared, splitter, hits, (range_name(first, last), (first, _below(last, n))), use=use,
            dask_key_name=f"digest-{range_name(first, last)}-{token}",
        )
        for first, last in ranges
    ]  # fmt: skip
    return tree(digests, HitSummary.__add__)


def tree(leaves: Sequence[Delayed], merge: Callable[[Any, Any], Any]) -> Delayed:
    """Merge results in a tree of eights: no task holds more than eight of them."""
    level = list(leaves)
    while len(level) > 1:
        level = [delayed(reduce)(merge, level[i : i + ARITY]) for i in range(0, len(level), ARITY)]
    return level[0]


def _shared(problem: SearchProblem, *asked: Any) -> tuple[Delayed, str]:
    """Return the node of the problem, and a token of it and all else that makes a task differ."""
    token = tokenize(problem)
    return delayed(problem, traverse=False, name=f"problem-{token}"), tokenize(token, asked)[:12]


def _write(
    parts: Parts, numbers: Range, make: Callable[..., Mapping[str, pd.DataFrame]],
    *args: Any, **settings: Any,
) -> Receipt:  # fmt: skip
    return parts.write(range_name(*numbers), make(*args, **settings))


def _named(
    table: str, make: Callable[..., pd.DataFrame], *args: Any, **settings: Any
) -> Mapping[str, pd.DataFrame]:
    return {table: make(*args, **settings)}


def _digest(
    problem: SearchProblem, splitter: Any, hits: Parts, part: tuple[str, Range], *, use: str
) -> HitSummary:
    name, numbers = part
    return summarise_hits(problem, splitter, hits.read(name, "hits"), numbers, use=use)


def _below(last: int, n: int | None) -> int:
    return last if n is None else min(last, n - 1)
