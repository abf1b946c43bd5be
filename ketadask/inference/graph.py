"""The graphs of inference: relabelled trials, personas on all splits, summaries of hits.

A task is addressed by a range of relabellings or splits (both ends included), gets the problem as
one shared node, writes its part and returns only the receipt. Summaries of hits are small and
additive, so they are merged in a tree of eights and only the last one is returned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

from dask.base import tokenize
from dask.delayed import Delayed, delayed

from ketadask.inference.calibration import calibration_block
from ketadask.inference.companion import null_tables
from ketadask.inference.evaluation import PersonaSet, evaluate_block
from ketadask.inference.hit_summary import HitSummary, summarise_hits
from ketadask.inference.null import relabel_problem, relabelling_methods
from ketadask.inference.second_stage import CANDIDATES
from ketadask.pipeline.stage import Stage
from ketadask.search.graph import divisible_searches, split_searches
from ketadask.store.parts import Parts, Receipt
from ketadask.store.ranges import Range, range_name

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.search.thresholds import GateThresholds

ARITY = 8


def null_stage(
    problem: SearchProblem, search: PersonaSearch, relabellings: int, parts: Parts, *, method: str,
    **settings: Any,
) -> Stage:  # fmt: skip
    """Return the stage that searches relabelled trials; settings of `null_blocks`."""

    def build_graph(ranges: Sequence[Range], pieces: int = 1) -> list[Delayed]:
        return null_blocks(problem, search, ranges, parts, method=method, pieces=pieces, **settings)

    n_searches = divisible_searches(search) * len(relabelling_methods(method))
    return Stage("null", "relabelled trials", relabellings, build_graph, parts, n_searches)


def null_blocks(
    problem: SearchProblem,
    search: PersonaSearch,
    ranges: Sequence[Range],
    parts: Parts,
    *,
    seed: int,
    method: str = "features",
    candidates: int = CANDIDATES,
    pieces: int = 1,
) -> list[Delayed]:
    """Return one task per range of relabellings; each writes ``nulls`` and ``companions``.

    With ``pieces`` above 1 every search is split over that many tasks.
    """
    node, token = _share_problem(problem, search, seed, method, candidates, parts, pieces)
    keep = min(search.keep, candidates)
    return [
        delayed(_write)(
            parts, block, null_tables, node, search, block,
            seed=seed, method=method, candidates=candidates,
            partial_results=None if pieces < 2 else {
                name: split_searches(
                    node, search, partial(relabel_problem, seed=seed, method=name), block, pieces,
                    name=f"null-{name}-{token}", keep=keep,
                )
                for name in relabelling_methods(method)
            },
            dask_key_name=f"null-{range_name(*block)}-{token}",
        )
        for block in ranges
    ]  # fmt: skip


def evaluation_stage(
    problem: SearchProblem,
    personas: PersonaSet,
    splitter: Any,
    searches: pd.DataFrame,
    parts: Parts,
    **settings: Any,
) -> Stage:
    """Return the stage that evaluates personas on every split; settings of `evaluate_block`."""

    def build_graph(ranges: Sequence[Range]) -> list[Delayed]:
        return evaluation_blocks(problem, personas, splitter, searches, ranges, parts, **settings)

    return Stage("evaluate", "splits", splitter.n_splits, build_graph, parts)


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
    """Return one task per range of splits; each writes the table ``evaluation`` of all personas."""
    node, token = _share_problem(problem, personas, splitter, search, gates, parts)
    personas_node = delayed(personas, traverse=False, name=f"personas-{tokenize(personas)}")
    compute = partial(_as_table, "evaluation", evaluate_block)
    return [
        delayed(_write)(
            parts, block, compute, node, personas_node, splitter,
            searches[searches["split"].between(*block)], block, search=search, gates=gates,
            dask_key_name=f"evaluate-{range_name(*block)}-{token}",
        )
        for block in ranges
    ]  # fmt: skip


def calibration_stage(
    problem: SearchProblem,
    search: PersonaSearch,
    splitter: Any,
    n_studies: int,
    parts: Parts,
    **settings: Any,
) -> Stage:
    """Return the stage of resampling studies of relabelled trials, as `calibration_block`."""
    node, token = _share_problem(problem, search, splitter, settings, parts)

    def build_graph(ranges: Sequence[Range]) -> list[Delayed]:
        return [
            delayed(_write)(
                parts, block, calibration_block, node, search, splitter, block, **settings,
                dask_key_name=f"calibrate-{range_name(*block)}-{token}",
            )
            for block in ranges
        ]  # fmt: skip

    return Stage("calibrate", "relabelled studies", n_studies, build_graph, parts)


def hits_summary(
    problem: SearchProblem,
    splitter: Any,
    hits: Parts,
    ranges: Sequence[Range],
    *,
    gate: str,
    n: int,
) -> Delayed:
    """Return the summary of the hits of the splits below ``n``, from the parts of ``ranges``."""
    node, token = _share_problem(problem, splitter, hits, gate, n)
    summaries = [
        delayed(_summarise)(
            node, splitter, hits, range_name(first, last), (first, min(last, n - 1)), gate=gate,
            dask_key_name=f"summary-{range_name(first, last)}-{token}",
        )
        for first, last in ranges
    ]  # fmt: skip
    return tree(summaries, HitSummary.__add__)


def tree(leaves: Sequence[Delayed], merge: Callable[[Any, Any], Any]) -> Delayed:
    """Merge results in a tree of eights: no task holds more than eight of them."""
    level = list(leaves)
    while len(level) > 1:
        level = [delayed(reduce)(merge, level[i : i + ARITY]) for i in range(0, len(level), ARITY)]
    return level[0]


def _share_problem(problem: SearchProblem, *others: Any) -> tuple[Delayed, str]:
    """Return the node of the problem, and a token of everything that distinguishes a task."""
    token = tokenize(problem)
    return delayed(problem, traverse=False, name=f"problem-{token}"), tokenize(token, others)[:12]


def _write(
    parts: Parts, block: Range, compute: Callable[..., Mapping[str, pd.DataFrame]],
    *args: Any, **settings: Any,
) -> Receipt:  # fmt: skip
    return parts.write(range_name(*block), compute(*args, **settings))


def _as_table(
    name: str, compute: Callable[..., pd.DataFrame], *args: Any, **settings: Any
) -> Mapping[str, pd.DataFrame]:
    return {name: compute(*args, **settings)}


def _summarise(
    problem: SearchProblem, splitter: Any, hits: Parts, name: str, splits: Range, *, gate: str
) -> HitSummary:
    return summarise_hits(problem, splitter, hits.read(name, "hits"), splits, gate=gate)
