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
from ketadask.kernels.feature_bins import FeatureBins, bin_features
from ketadask.kernels.one_word import branch_words, fits_one_word, support_spans
from ketadask.kernels.pairs import pairs
from ketadask.kernels.popcount import pack
from ketadask.kernels.q_statistic import centre
from ketadask.kernels.result import SearchResult, build_result, record_start
from ketadask.kernels.screens import SLACK
from ketadask.kernels.settings import SearchSettings
from ketadask.kernels.state import (
    MAX,
    CoverBlock,
    PriceScreen,
    SearchArrays,
    SearchLimits,
    SearchState,
)
from ketadask.kernels.triples import bin_seconds, branch_seconds, fits_bins, search_triples

WHOLE = (0, 1)
PLANS = ("branch", "words", "bins", "pairs", "beam")
"""Branch and bound; the same with covers of one word; all triples by bins; all pairs; beam."""
_TICK = 0.05
_FEW = 32
_MANY_UNITS = 200
# Partners of a literal with which look-ups pay for four literals: measured.
_PARTNERS = 80
_UNLIMITED = int(np.iinfo(np.int64).max)

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
    plan: str | None = None,
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
    plan
        ``branch``, ``words`` or ``bins`` where the search can be done so; by default, the fastest.
        All plans have the same result.
    """
    settings.check()
    columns = np.arange(rows.units) if units is None else np.asarray(units)
    _check_shapes(rows, columns, score, feature, modality, arm)
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
    bounds, sufficient = _literal_bounds(blocks, centred, inverse, min_support, sums)
    # Weak literals first: bounds shorten their long lists of partners, and the strong literals,
    # whose lists stay long, come when few partners remain. Under a budget the best come first.
    direction = 1 if settings.max_nodes is None and max_seconds is None else -1
    order = np.argsort(direction * bounds, kind="stable").astype(np.int32)
    order = order[sufficient[order]]
    blocks.arrange(order)
    bounds = bounds[order]
    state = SearchState(
        arrays=SearchArrays(
            feature.astype(np.int32), modality.astype(np.int32), arms[0], arms[1],
            centred, inverse, scores.denominator, sums,
        ),
        limits=SearchLimits(
            settings.max_literals, min_support, 0 if arm is None else settings.min_per_arm,
            settings.min_modalities, settings.distinct == "features", centred.size,
        ),
        screen=score_screen(scores, centred),
        best=new_list(settings.keep, blocks.words),
        counts=np.zeros(2, dtype=np.int64),
    )  # fmt: skip
    if start is None:
        beam(blocks, _beam_width(settings, state.limits), state)
    else:
        record_start(start, blocks, state)
    stop, way = 0, "pairs" if exact else "beam"
    if exact and settings.max_literals > 1 and order.size:
        max_nodes = settings.max_nodes or _UNLIMITED
        deadline = math.inf if max_seconds is None else time.monotonic() + max_seconds
        if settings.max_literals == 2:
            stop = _search_pairs(blocks, bounds, state, max_nodes, deadline, part)
        else:
            stop, way = _search_branches(blocks, bounds, state, max_nodes, deadline, part, plan)
    upper = float(bounds[stop:].max(initial=-math.inf))
    q = float(threshold(state.best))
    # Roots below the K-th best need no search.
    proven = stop >= len(order) or settings.max_literals == 1 or upper < q - SLACK * abs(q)
    root = _root_bound(centred, scores.denominator, min_support)
    return build_result(state, -math.inf if proven else upper, root, proven, way)


def _beam_width(settings: SearchSettings, limits: SearchLimits) -> int:
    """Return how many personas per size are grown before the search.

    A search that is fast itself begins with few; its result does not depend on them.
    """
    is_fast = settings.strategy == "exact" and settings.max_nodes is None and fits_one_word(limits)
    return min(_FEW, settings.width()) if is_fast else settings.width()


def _literal_bounds(
    blocks: OrderedCovers,
    centred: np.ndarray,
    inverse: np.ndarray,
    min_support: int,
    sums: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the bound of every literal, and whether its support suffices."""
    parts = [
        single_bounds(words, count, centred, inverse, min_support, sums)
        for words, count in blocks.unordered()
    ]
    bounds = [np.zeros(0), *(part[0] for part in parts)]
    sufficient = [np.zeros(0, dtype=bool), *(part[1] for part in parts)]
    return np.concatenate(bounds), np.concatenate(sufficient)


def _search_branches(
    blocks: OrderedCovers,
    bounds: np.ndarray,
    state: SearchState,
    max_nodes: int,
    deadline: float,
    part: tuple[int, int],
    plan: str | None,
) -> tuple[int, str]:
    """Search below the roots; return where a budget ended that, and the plan."""
    covers, order, q = blocks.one(), blocks.order, float(threshold(state.best))
    span = (part[0], order.size, part[1])
    # Chords bound what reaches a Q above zero only.
    has_budget = max_nodes != _UNLIMITED or math.isfinite(deadline)
    prices = price_screen(covers[0], order.size, state.arrays, state.limits, q)
    has_chords = max_nodes == _UNLIMITED and q > 0.0 and plan in (None, "words")
    n_partners = order.size * (1.0 - prices.prune_rate)
    is_worthwhile = plan == "words" or state.limits.max_literals < MAX or n_partners > _PARTNERS
    if has_chords and is_worthwhile and fits_one_word(state.limits):
        edges = support_spans(state.limits.units, state.limits.min_support)

        def search_words(span: Span) -> int:
            branch_words(covers[0, 0], order, bounds, span, edges, state)
            return span[1]

        return _in_slices(span, deadline, search_words), "words"
    if not has_budget and plan in (None, "bins"):
        runs = _bins_if_fast(blocks, state, prices, part, is_choice=plan == "bins")
        if runs is not None and q > 0.0:
            largest = int(np.bitwise_count(runs.covers).sum(axis=1).max())
            support = state.limits.min_support, min(largest, state.limits.units - 1)
            search_triples(runs, support, state, part)
            return order.size, "bins"
        if runs is not None:  # other parts are searched by first feature
            span = (0, order.size, 1)

    def search(span: Span) -> int:
        return branch(covers, order, bounds, span, state, prices, max_nodes)

    return _in_slices(span, deadline, search), "branch"


def _bins_if_fast(
    blocks: OrderedCovers,
    state: SearchState,
    prices: PriceScreen,
    part: tuple[int, int],
    *,
    is_choice: bool,
) -> FeatureBins | None:
    """Return the bins of all features if a search by them is possible, and the faster one.

    All parts of a search answer alike: they do not look at its threshold.
    """
    limits, feature = state.limits, state.arrays.feature
    if not fits_bins(limits, feature.size, blocks.memory):
        return None
    is_part = part != WHOLE

    def is_slow(columns: int) -> bool:
        if is_choice or is_part:
            return not is_choice and limits.units < _MANY_UNITS
        seconds = bin_seconds(columns, np.unique(feature).size, limits.units)
        return seconds > branch_seconds(blocks.order.size, limits.units, prices.prune_rate)

    if is_slow(feature.size // 2):
        return None
    words = np.empty((blocks.words, feature.size), dtype=np.uint64)
    blocks.load(np.arange(feature.size), words)
    runs = bin_features(words, limits.units, feature)
    return None if runs is None or is_slow(runs.literal.size) else runs


def _search_pairs(
    blocks: OrderedCovers,
    bounds: np.ndarray,
    state: SearchState,
    max_nodes: int,
    deadline: float,
    part: tuple[int, int],
) -> int:
    """Combine every literal with those after it, block by block."""
    for roots in blocks():
        first, last = roots.first, roots.first + roots.order.size

        def search(span: Span, roots: CoverBlock = roots) -> int:
            for partners in blocks.partners(roots.first):
                stop = pairs(roots, bounds[roots.first :], partners, span, state, max_nodes)
                span = (span[0], stop, span[2])
            return span[1]

        span = (first + (part[0] - first) % part[1], last, part[1])
        stop = _in_slices(span, deadline, search, fine=blocks.whole)
        if stop < last:
            return stop
    return blocks.order.size


def _in_slices(
    span: Span, deadline: float, search: Callable[[Span], int], *, fine: bool = True
) -> int:
    """Search a span of roots; if there is a deadline, in slices of some hundredths of a second.

    Slices that are not ``fine`` are as long as the span. Returns the position of the root at which
    a budget ended the search; a position at or after the end of the span if none did.
    """
    first, last, step = span
    length = step if fine and math.isfinite(deadline) else max(step, last - first)
    while first < last and time.monotonic() < deadline:
        end, start_time = min(last, first + length), time.monotonic()
        stop = search((first, end, step))
        if stop < end:
            return stop
        first += -(-(end - first) // step) * step
        is_short = time.monotonic() - start_time < _TICK
        length = length * 2 if is_short else max(step, length // 2 // step * step)
    return first


def _root_bound(centred: np.ndarray, denominator: np.ndarray, min_support: int) -> float:
    """Largest Q of any set of at least ``min_support`` and fewer than all units."""
    q = np.cumsum(centred) / denominator[1:]
    q = q[max(1, min_support) - 1 : -1]
    return float(q.max()) if q.size else math.nan


def _check_shapes(
    rows: LiteralRows,
    units: np.ndarray,
    score: np.ndarray,
    feature: np.ndarray,
    modality: np.ndarray | None,
    arm: np.ndarray | None,
) -> None:
    """Raise if an array is too short: compiled code would read past its end."""
    if units.size != np.size(score):
        raise ValueError(f"{units.size} units in the literals but {np.size(score)} scores")
    for name, values in (("feature", feature), ("modality", modality)):
        if values is not None and len(values) != len(rows):
            raise ValueError(f"{len(rows)} literals but {len(values)} values of {name}")
    if arm is not None and len(arm) != units.size:
        raise ValueError(f"{units.size} units but {len(arm)} arms")
