"""The K best personas of a matrix of literals and one score per unit, with proof."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from ketadask.kernels.beam import beam
from ketadask.kernels.best_list import new_list, threshold
from ketadask.kernels.bit_planes import price_screen, score_screen
from ketadask.kernels.blocks import LiteralRows, OrderedCovers, PackedRows
from ketadask.kernels.branch import branch
from ketadask.kernels.covers import single_bounds, sum_table
from ketadask.kernels.pairs import pairs
from ketadask.kernels.popcount import pack
from ketadask.kernels.q_statistic import centre
from ketadask.kernels.result import SearchResult, reoffer, report
from ketadask.kernels.screens import SLACK
from ketadask.kernels.settings import SearchSettings

WHOLE = (0, 1)
_TICK = 0.05

Span = tuple[int, int, int]
"""Positions in the search order: the first, the one after the last, and the step."""


def search_literals(
    holds: np.ndarray, score: np.ndarray, feature: np.ndarray, **options: Any
) -> SearchResult:
    """Find the K best conjunctions of 1..L literals on distinct features.

    Parameters
    ----------
    holds
        bool (literal, unit), literals in canonical order; false where a value is missing.
    options
        Fields of `SearchSettings`, and the other arguments of `search_packed`.

    Examples
    --------
    >>> holds = np.array([[1, 1, 1, 0, 0, 0], [0, 1, 1, 1, 1, 0]], dtype=bool)
    >>> score = np.array([0., 5, 4, 1, 0, 2])
    >>> best = search_literals(holds, score, np.array([0, 1]), min_support=2)
    >>> best.ids[0], best.support[0]
    (array([ 0,  1, -1, -1], dtype=int32), np.int32(2))
    """
    if holds.ndim != 2 or holds.dtype != bool:
        raise ValueError(
            f"literals must be bool (literal, unit), found {holds.dtype} {holds.shape}"
        )
    names = options.keys() & {field.name for field in fields(SearchSettings)}
    settings = SearchSettings(**{name: options.pop(name) for name in names})
    return search_packed(PackedRows.of(holds), score, feature, settings, **options)


def search_packed(
    rows: LiteralRows,
    score: np.ndarray,
    feature: np.ndarray,
    settings: SearchSettings,
    *,
    units: np.ndarray | None = None,
    modality: np.ndarray | None = None,
    arm: np.ndarray | None = None,
    max_seconds: float | None = None,
    memory: float = math.inf,
    part: tuple[int, int] = WHOLE,
    start: np.ndarray | None = None,
) -> SearchResult:
    """Find the K best conjunctions of 1..L literals, given as packed rows.

    Parameters
    ----------
    score
        float64 (unit,); a persona is better the larger its scores are. ``settings.polarity`` is
        the caller's: for the unfavourable one, negate the scores.
    feature, modality
        int (literal,): what each literal constrains, and the modality of that feature.
    settings
        ``settings.max_nodes`` limits an exact search. Where it ends the search early, ``proven`` is
        false and ``gap`` bounds how much better the best persona could be.
    units
        int (unit,): which bit of a row each searched unit is; all of them, in order, by default.
    arm
        int (unit,) 1 active, 0 control; without it ``settings.min_per_arm`` does not apply.
    max_seconds
        Limits an exact search by the clock, which is read now and then; between blocks, where
        there are blocks.
    memory
        Bytes for the covers searched; if they take more, they are searched in blocks. Block sizes
        change only ``nodes`` and ``screened``, and where the clock ends a search.
    part
        (i, m): search only below the first literals at positions i, i + m, i + 2 m, ... of the
        search order. `result.merge` makes one result of the m parts.
    start
        int (persona, 4): personas of an earlier part of the same search. They compete with the
        others, and no beam is grown.
    """
    settings.check()
    columns = np.arange(rows.units) if units is None else np.asarray(units)
    _refuse_shapes(rows, columns, score, feature, modality, arm)
    min_support = settings.support_floor(columns.size)
    scores = centre(score, settings.objective)
    by_score = np.argsort(-scores.centred, kind="stable")
    centred = scores.centred[by_score]
    with np.errstate(divide="ignore"):
        inverse = 1.0 / scores.denominator
    exact = settings.strategy == "exact"
    levels = max(1, settings.max_literals - 1) if exact else 1
    blocks = OrderedCovers(rows, columns[by_score], levels, memory)
    if levels > 1 and not blocks.whole:
        raise MemoryError(
            f"an exact search of {settings.max_literals} literals needs all covers in memory, "
            f"{8e-6 * levels * blocks.words * len(rows):,.0f} MB, and is given {memory / 1e6:,.0f}"
        )
    arms = np.zeros((2, blocks.words), dtype=np.uint64)
    if arm is not None:
        arms = pack(np.stack([arm[by_score] == 1, arm[by_score] == 0])).T.copy()
    modality = np.zeros(len(rows), dtype=np.int32) if modality is None else modality
    sums = sum_table(centred, blocks.words)
    bounds, useful = _bounds(blocks, centred, inverse, min_support, sums)
    # Weakest literals first: their long lists of partners are cut short, and the strong ones, whose
    # lists are not, come when few partners are left. Under a budget the best come first.
    direction = 1 if settings.max_nodes is None and max_seconds is None else -1
    order = np.argsort(direction * bounds, kind="stable").astype(np.int32)
    order = order[useful[order]]
    blocks.arrange(order)
    bounds = bounds[order]
    problem = (
        feature.astype(np.int32),
        modality.astype(np.int32),
        arms[0],
        arms[1],
        centred,
        inverse,
        scores.denominator,
        sums,
    )
    screen = score_screen(scores, centred)
    limits = (
        int(settings.max_literals),
        int(min_support),
        int(settings.min_per_arm if arm is not None else 0),
        int(settings.min_modalities),
        int(settings.distinct == "features"),
        int(centred.size),
    )
    best, counts = new_list(settings.keep, blocks.words), np.zeros(2, dtype=np.int64)
    if start is None:
        beam(blocks, settings.width(), problem, screen, limits, best, counts)
    else:
        reoffer(start, blocks, problem, limits, best)
    stopped = 0
    if exact and settings.max_literals > 1 and order.size:
        most = settings.max_nodes or int(np.iinfo(np.int64).max)
        end = math.inf if max_seconds is None else time.monotonic() + max_seconds
        walk = _pairs if settings.max_literals == 2 else _branch
        stopped = walk(blocks, bounds, problem, screen, limits, best, counts, (most, end), part)
    upper = float(bounds[stopped:].max(initial=-math.inf))
    q = float(threshold(best))
    proven = stopped >= len(order) or settings.max_literals == 1 or upper < q - SLACK * abs(q)
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
    modality: np.ndarray | None,
    arm: np.ndarray | None,
) -> None:
    """Compiled code reads past the end of what is too short."""
    if units.size != np.size(score):
        raise ValueError(f"{units.size} units in the literals but {np.size(score)} scores")
    for name, numbers in (("feature", feature), ("modality", modality)):
        if numbers is not None and len(numbers) != len(rows):
            raise ValueError(f"{len(rows)} literals but {len(numbers)} {name} numbers")
    if arm is not None and len(arm) != units.size:
        raise ValueError(f"{units.size} units but {len(arm)} arms")
