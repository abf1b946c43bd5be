"""The K best personas of a matrix of literals and one score per unit, with proof."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ketadask.kernels.beam import beam
from ketadask.kernels.best_list import MAX, new_list, threshold
from ketadask.kernels.bit_planes import price_screen, score_screen
from ketadask.kernels.blocks import LiteralRows, OrderedCovers, PackedRows
from ketadask.kernels.branch import branch
from ketadask.kernels.covers import single_bounds, sum_table
from ketadask.kernels.pairs import pairs
from ketadask.kernels.popcount import pack
from ketadask.kernels.q_statistic import HETEROGENEITY, centre
from ketadask.kernels.result import SearchResult, reoffer, report
from ketadask.kernels.screens import SLACK

STRATEGIES = ("exact", "beam")
DISTINCT = ("covers", "features")
WHOLE = (0, 1)
_TICK = 0.05

Span = tuple[int, int, int]
"""Positions in the search order: the first, the one after the last, and the step."""


def search_literals(
    holds: np.ndarray, score: np.ndarray, feature: np.ndarray, **settings: Any
) -> SearchResult:
    """Find the K best conjunctions of 1..L literals on distinct features.

    Parameters
    ----------
    holds
        bool (literal, unit), literals in canonical order; false where a value is missing.

    Everything else as in `search_rows`.

    Examples
    --------
    >>> holds = np.array([[1, 1, 1, 0, 0, 0], [0, 1, 1, 1, 1, 0]], dtype=bool)
    >>> best = search(holds, np.array([0., 5, 4, 1, 0, 2]), np.array([0, 1]), min_support=2)
    >>> best.ids[0], best.support[0]
    (array([ 0,  1, -1, -1], dtype=int32), np.int32(2))
    """
    if holds.ndim != 2 or holds.dtype != bool:
        raise ValueError(
            f"literals must be bool (literal, unit), found {holds.dtype} {holds.shape}"
        )
    return search_packed(PackedRows.of(holds), score, feature, **settings)


def search_packed(
    rows: LiteralRows,
    score: np.ndarray,
    feature: np.ndarray,
    *,
    units: np.ndarray | None = None,
    family: np.ndarray | None = None,
    arm: np.ndarray | None = None,
    max_literals: int = 3,
    min_support: int = 8,
    min_arm: int = 0,
    min_families: int = 1,
    keep: int = 100,
    objective: str = HETEROGENEITY,
    distinct: str = "covers",
    strategy: str = "exact",
    width: int | None = None,
    nodes: int | None = None,
    seconds: float | None = None,
    memory: float = math.inf,
    part: tuple[int, int] = WHOLE,
    start: np.ndarray | None = None,
) -> SearchResult:
    """Find the K best conjunctions of 1..L literals, given as packed rows.

    Parameters
    ----------
    score
        float64 (unit,).
    feature, family
        int (literal,): what each literal constrains, and the family of that feature.
    units
        int (unit,): which bit of a row each searched unit is; all of them, in order, by default.
    arm
        int (unit,) 1 active, 0 control; needed only with ``min_arm``.
    width
        Personas kept per size by the beam; the larger of ``keep`` and 64 by default.
    nodes, seconds
        Budget of an exact search. Where it leaves out what could still find a place, ``proven`` is
        false and ``gap`` says how much better the best persona could be. The clock is looked at
        now and then; between blocks, where there are blocks.
    memory
        Bytes for the covers searched; where they would take more, they are searched in blocks.
        Which ones changes ``nodes`` and ``screened``, and where a clock stops, and nothing else.
    part
        (i, m): search only below the first literals at positions i, i + m, i + 2 m, ... of the
        search order. `found.merge` makes one result of the m parts.
    start
        int (persona, 4): personas found before, by the same search. They take part, and no beam
        is grown.
    """
    columns = np.arange(rows.units) if units is None else np.asarray(units)
    _refuse_shapes(rows, columns, score, feature, family, arm)
    _refuse_settings(max_literals, min_support, keep, distinct, strategy)
    scores = centre(score, objective)
    by_score = np.argsort(-scores.centred, kind="stable")
    centred = scores.centred[by_score]
    with np.errstate(divide="ignore"):
        inverse = 1.0 / scores.denominator
    levels = max(1, max_literals - 1) if strategy == "exact" else 1
    blocks = OrderedCovers(rows, columns[by_score], levels, memory)
    if levels > 1 and not blocks.whole:
        raise MemoryError(
            f"an exact search of {max_literals} literals needs all covers in memory, "
            f"{8e-6 * levels * blocks.words * len(rows):,.0f} MB, and is given {memory / 1e6:,.0f}"
        )
    arms = np.zeros((2, blocks.words), dtype=np.uint64)
    if arm is not None and min_arm > 0:
        arms = pack(np.stack([arm[by_score] == 1, arm[by_score] == 0])).T.copy()
    family = np.zeros(len(rows), dtype=np.int32) if family is None else family
    sums = sum_table(centred, blocks.words)
    bounds, useful = _bounds(blocks, centred, inverse, min_support, sums)
    # Weakest literals first: their long lists of partners are cut short, and the strong ones, whose
    # lists are not, come when few partners are left. Under a budget the best come first.
    direction = 1 if nodes is None and seconds is None else -1
    order = np.argsort(direction * bounds, kind="stable").astype(np.int32)
    order = order[useful[order]]
    blocks.arrange(order)
    bounds = bounds[order]
    problem = (
        feature.astype(np.int32),
        family.astype(np.int32),
        arms[0],
        arms[1],
        centred,
        inverse,
        scores.denominator,
        sums,
    )
    screen = score_screen(scores, centred)
    limits = (
        int(max_literals),
        int(min_support),
        int(min_arm if arm is not None else 0),
        int(min_families),
        int(distinct == "features"),
        int(centred.size),
    )
    best, counts = new_list(keep, blocks.words), np.zeros(2, dtype=np.int64)
    if start is None:
        beam(blocks, int(width or max(keep, 64)), problem, screen, limits, best, counts)
    else:
        reoffer(start, blocks, problem, limits, best)
    stopped = 0
    if strategy == "exact" and max_literals > 1 and order.size:
        most = np.iinfo(np.int64).max if nodes is None else int(nodes)
        end = math.inf if seconds is None else time.monotonic() + seconds
        walk = _pairs if max_literals == 2 else _branch
        stopped = walk(blocks, bounds, problem, screen, limits, best, counts, (most, end), part)
    upper = float(bounds[stopped:].max(initial=-math.inf))
    q = float(threshold(best))
    proven = stopped >= len(order) or max_literals == 1 or upper < q - SLACK * abs(q)
    root = _root_bound(centred, scores.denominator, min_support)
    return report(best, counts, -math.inf if proven else upper, root, proven)


def _bounds(
    blocks: OrderedCovers,
    centred: np.ndarray,
    inverse: np.ndarray,
    min_support: int,
    sums: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Bound of every literal by number, and whether it holds enough units to be of use."""
    made = [
        single_bounds(words, count, centred, inverse, min_support, sums)
        for words, count in blocks.unordered()
    ]
    none = np.zeros(0), np.zeros(0, dtype=bool)
    bounds, useful = (np.concatenate(each) for each in zip(none, *made, strict=True))
    return bounds, useful


def _branch(
    blocks: OrderedCovers,
    bounds: np.ndarray,
    problem: tuple,
    screen: tuple,
    limits: tuple,
    best: tuple,
    counts: np.ndarray,
    budget: tuple,
    part: tuple[int, int],
) -> int:
    """Run branch and bound over the roots."""
    covers, order, (most, end) = blocks.one(), blocks.order, budget
    prices = price_screen(covers[0], order.size, problem, limits, float(threshold(best)))

    def search(span: Span) -> int:
        return branch(
            covers, order, bounds, span, problem, screen, prices, limits, best, most, counts
        )

    return _in_slices((part[0], order.size, part[1]), end, search)


def _pairs(
    blocks: OrderedCovers,
    bounds: np.ndarray,
    problem: tuple,
    screen: tuple,
    limits: tuple,
    best: tuple,
    counts: np.ndarray,
    budget: tuple,
    part: tuple[int, int],
) -> int:
    """Hold every literal against those behind it; all of a block, where they come in blocks."""
    most, end = budget
    first = 0
    for covers, order in blocks():
        roots = (covers, order, first, bounds[first : first + order.size])

        def search(span: Span, roots: tuple = roots) -> int:
            for partners in blocks.beside(roots[2]):
                until = pairs(roots, partners, span, problem, screen, limits, best, most, counts)
                span = (span[0], until, span[2])
            return span[1]

        last = first + order.size
        span = (first + (part[0] - first) % part[1], last, part[1])
        stopped = _in_slices(span, end, search, fine=blocks.whole)
        if stopped < last:
            return stopped
        first = last
    return first


def _in_slices(span: Span, end: float, search: Callable[[Span], int], *, fine: bool = True) -> int:
    """Search a span of roots; in slices of some hundredths of a second where a clock is watched.

    Slices that are not to be ``fine`` are as long as the span. Returns the position of the root at
    which a budget ended the search; one past the span where it did not.
    """
    first, last, step = span
    length = step if fine and math.isfinite(end) else max(step, last - first)
    while first < last and time.monotonic() < end:
        until, started = min(last, first + length), time.monotonic()
        stopped = search((first, until, step))
        if stopped < until:
            return stopped
        first += -(-(until - first) // step) * step
        double = time.monotonic() - started < _TICK
        length = length * 2 if double else max(step, length // 2 // step * step)
    return first


def _root_bound(centred: np.ndarray, denominator: np.ndarray, min_support: int) -> float:
    """Largest Q of any set of at least ``min_support`` and fewer than all units."""
    q = np.cumsum(centred) / denominator[1:]
    admitted = q[max(1, min_support) - 1 : -1]
    return float(admitted.max()) if admitted.size else float("nan")


def _refuse_shapes(
    rows: LiteralRows,
    units: np.ndarray,
    score: np.ndarray,
    feature: np.ndarray,
    family: np.ndarray | None,
    arm: np.ndarray | None,
) -> None:
    """Compiled code reads past the end of what is too short."""
    if units.size != np.size(score):
        raise ValueError(f"{units.size} units in the literals but {np.size(score)} scores")
    for name, numbers in (("feature", feature), ("family", family)):
        if numbers is not None and len(numbers) != len(rows):
            raise ValueError(f"{len(rows)} literals but {len(numbers)} {name} numbers")
    if arm is not None and len(arm) != units.size:
        raise ValueError(f"{units.size} units but {len(arm)} arms")


def _refuse_settings(
    max_literals: int, min_support: int, keep: int, distinct: str, strategy: str
) -> None:
    if not 1 <= max_literals <= MAX:
        raise ValueError(f"max_literals must be 1 to {MAX}, found {max_literals}")
    if min_support < 1:
        raise ValueError(f"min_support must be at least 1, found {min_support}")
    if keep < 1:
        raise ValueError(f"keep must be at least 1, found {keep}")
    if distinct not in DISTINCT:
        raise ValueError(f"distinct must be one of {DISTINCT}, found {distinct!r}")
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy must be one of {STRATEGIES}, found {strategy!r}")
