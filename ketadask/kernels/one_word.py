"""Branch and bound over conjunctions of three or four literals where a cover is one word.

The same search as `branch`, with two steps that need no branch per candidate:

* Bound of many partners. The denominator D(k) of Q is concave, so on a span a..b of supports it is
  above its chord, alpha + beta k. A subset of a cover that has a..b units and reaches q therefore
  has ``sum over the cover of max(score - q beta, 0) >= q alpha``.
* Leaves. If supports are between a and b, a cover that reaches q has
  ``sum over the cover of (score - q beta) >= q alpha``.

Both are weighted sums compared with a constant, by `parts`. What passes is summed exactly. The
covers of a list are squeezed to the units of their common prefix.

No persona that could tie with the K-th best is left out, so the result is that of brute force.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from ketadask.kernels.best_list import threshold
from ketadask.kernels.branch import record
from ketadask.kernels.byte_sums import (
    GROUPS,
    NARROW,
    SMALLEST,
    SUBSETS,
    WIDE,
    byte_need,
    byte_step,
    has_byte_lookup,
    narrow_hits,
    split_words,
    subset_sums,
    units_per_group,
    wide_hits,
)
from ketadask.kernels.compiled import kernel
from ketadask.kernels.covers import word_sum
from ketadask.kernels.popcount import WORD, lowest_bit, popcount
from ketadask.kernels.screens import SLACK
from ketadask.kernels.state import MAX, NODES, SCREENED, SearchLimits, SearchState

ONE = np.uint64(1)
_SPANS = 4
_LEAF_NEED = 110
_BOUND_NEED = 250


class LiteralList(NamedTuple):
    """Covers that share a prefix: one level of the search.

    Attributes
    ----------
    words
        uint64 (cover,), each a part of the prefix; after the last, the prefix itself.
    literal
        int32 (cover,): the last literal of each.
    parts
        uint8 (group, cover): the units of the prefix inside each.
    units
        int64 (64,): the units of the prefix, from the highest score on.
    table
        int8 (span + 1, group, 16) sums of weights: of the bounds by span, and of the leaves.
    groups
        int64 (span,): groups of four units with any weight above 0.
    counts
        int64 (2,): covers, and units of the prefix.
    q
        float64 (1,): the q of the tables.
    """

    words: np.ndarray
    literal: np.ndarray
    parts: np.ndarray
    units: np.ndarray
    table: np.ndarray
    groups: np.ndarray
    counts: np.ndarray
    q: np.ndarray


class SpanWeights(NamedTuple):
    """Weights of the bound for one q.

    Attributes
    ----------
    edges
        int64 (span + 1,): supports at which the spans meet.
    weights
        float64 (span, unit), in steps of a byte.
    need, positive
        int64 (span,): what a sum has to reach, and the number of units of positive weight.
    q
        float64 (1,).
    """

    edges: np.ndarray
    weights: np.ndarray
    need: np.ndarray
    positive: np.ndarray
    q: np.ndarray


class WordMemory(NamedTuple):
    """``hits`` a bit per cover, ``cover`` a word, ``ids`` a conjunction, ``weights`` per unit."""

    hits: np.ndarray
    cover: np.ndarray
    ids: np.ndarray
    weights: np.ndarray


def fits_one_word(limits: SearchLimits) -> bool:
    """Return whether `branch_words` can search such personas on this processor."""
    return (
        limits.max_literals >= MAX - 1
        and limits.units <= WORD
        and limits.min_support < limits.units - 1
        and has_byte_lookup()
    )


@functools.cache
def support_spans(units: int, min_support: int) -> np.ndarray:
    """Return supports that divide those of personas into spans, shorter where they are small.

    Examples
    --------
    >>> support_spans(63, 13)
    array([13, 17, 25, 38, 62])
    """
    last = units - 1
    steps = np.linspace(0.0, 1.0, _SPANS + 1) ** 1.3
    edges = np.rint(min_support * (last / min_support) ** steps)
    return np.unique(edges.astype(np.int64))


@kernel()
def _new_level(rows: int) -> LiteralList:
    return LiteralList(
        np.zeros(rows + WIDE, dtype=np.uint64),
        np.zeros(rows + WIDE, dtype=np.int32),
        np.zeros((GROUPS, rows + WIDE), dtype=np.uint8),
        np.zeros(WORD, dtype=np.int64),
        np.zeros((_SPANS + 1, GROUPS, SUBSETS), dtype=np.int8),
        np.zeros(_SPANS, dtype=np.int64),
        np.zeros(2, dtype=np.int64),
        np.full(1, -np.inf),
    )


@kernel()
def _finish(level: LiteralList, prefix: np.uint64, count: int) -> None:
    """Squeeze the covers of a list, and their prefix after them, to the units of the prefix."""
    n_units, left = 0, prefix
    while left != 0:
        level.units[n_units] = lowest_bit(left)
        left &= left - ONE
        n_units += 1
    level.words[count] = prefix
    level.counts[0], level.counts[1] = count, n_units
    level.q[0] = -np.inf
    split_words(level.words, count + 1, level.units, n_units, level.parts)


@kernel()
def _weigh(q: float, state: SearchState, spans: SpanWeights) -> None:
    """Compute the weights of the bound."""
    denominator, centred = state.arrays.denominator, state.arrays.centred
    edges, weights, need, positive, own_q = spans
    for p in range(edges.size - 1):
        a, b = edges[p], edges[p + 1]
        beta = (denominator[b] - denominator[a]) / (b - a)
        alpha = denominator[a] - beta * a
        n_positive = 0
        for u in range(centred.size):
            weights[p, u] = max(centred[u] - q * beta, 0.0)
            n_positive += weights[p, u] > 0.0
        step = byte_step(q * alpha, _BOUND_NEED, weights[p])
        for u in range(centred.size):
            weights[p, u] /= step
        need[p], positive[p] = byte_need(q * alpha, step), n_positive
    own_q[0] = q


@kernel()
def _bound_tables(level: LiteralList, spans: SpanWeights) -> None:
    """Compute the tables of the bound for the units of a list."""
    for p in range(spans.edges.size - 1):
        count, n_units = 0, level.counts[1]
        while count < n_units and level.units[count] < spans.positive[p]:
            count += 1
        level.groups[p] = -(-count // units_per_group())
        subset_sums(spans.weights[p], level.units, count, level.table[p])
    level.q[0] = spans.q[0]


@kernel()
def _mark(level: LiteralList, t: int, spans: SpanWeights, hits: np.ndarray) -> bool:
    """Mark the covers after ``t`` whose common part with it may have a part that reaches q."""
    first, last = t + 1, level.counts[0]
    support = popcount(level.words[t])
    address, stride = level.parts.ctypes.data, level.parts.shape[1]
    hits[: (last - first) // WORD + WIDE // WORD + 1] = 0
    new_hits = np.uint64(0)
    for p in range(spans.edges.size - 1):
        if p > 0 and spans.edges[p] >= support:
            break
        groups, total = level.groups[p], 0
        for g in range(groups):
            total += level.table[p, g, level.parts[g, t]]
        if total < spans.need[p]:
            continue
        table = level.table[p].ctypes.data
        for z in range(first, last, WIDE):
            place = hits[(z - first) // WORD :].ctypes.data
            new_hits |= wide_hits(
                address, stride, z, t, table, groups, SMALLEST, spans.need[p] + SMALLEST, place
            )
    return bool(new_hits != 0)


@kernel()
def _push(
    parent: LiteralList,
    t: int,
    child: LiteralList,
    state: SearchState,
    spans: SpanWeights,
    hits: np.ndarray,
) -> int:
    """List the covers after ``t`` that may lead to personas in ``child``; return their number."""
    limits, feature = state.limits, state.arrays.feature
    active, control = state.arrays.active[0], state.arrays.control[0]
    plain = limits.min_modalities <= 1 and not limits.by_features
    prefix, own = parent.words[t], feature[parent.literal[t]]
    first, last = t + 1, parent.counts[0]
    state.counts[NODES] += 1
    state.counts[SCREENED] += last - first
    if parent.q[0] != spans.q[0]:
        _bound_tables(parent, spans)
    count = 0
    if _mark(parent, t, spans, hits):
        for start in range(first, last, WORD):
            bits = hits[(start - first) // WORD]
            if last - start < WORD:
                bits &= (ONE << np.uint64(last - start)) - ONE
            while bits != 0:
                z = start + lowest_bit(bits)
                bits &= bits - ONE
                other = parent.words[z]
                cover = prefix & other
                child.words[count], child.literal[count] = cover, parent.literal[z]
                # A literal that leaves the cover as it was, or makes an earlier one redundant,
                # leads only to covers that fewer literals describe.
                useful = not plain or ((cover != prefix) & (cover != other))
                useful &= popcount(cover) >= limits.min_support
                useful &= feature[parent.literal[z]] != own
                if limits.min_per_arm > 0:
                    useful &= popcount(cover & active) >= limits.min_per_arm
                    useful &= popcount(cover & control) >= limits.min_per_arm
                count += useful
    if count:
        _finish(child, prefix, count)
    child.counts[0] = count
    return count


@kernel()
def _leaf_tables(level: LiteralList, q: float, state: SearchState, weights: np.ndarray) -> int:
    """Compute the table of the leaves of a list; return what a sum has to reach."""
    denominator, centred = state.arrays.denominator, state.arrays.centred
    a, b = state.limits.min_support, state.limits.min_support + 1
    for z in range(level.counts[0]):
        b = max(b, popcount(level.words[z]))
    b = min(b, state.limits.units - 1)
    beta = (denominator[b] - denominator[a]) / (b - a)
    need = q * (denominator[a] - beta * a)
    for u in range(centred.size):
        weights[u] = centred[u] - q * beta
    step = byte_step(need, _LEAF_NEED, weights)
    for u in range(centred.size):
        weights[u] /= step
    subset_sums(weights, level.units, level.counts[1], level.table[_SPANS])
    return byte_need(need, step)


@kernel()
def _search_leaves(
    level: LiteralList, size: int, rows: int, q: float, state: SearchState, memory: WordMemory
) -> float:
    """Offer the covers of a list, and the common parts of its first ``rows`` with those after.

    ``size`` is the number of literals of the prefix. Returns the Q to reach.
    """
    arrays, min_support = state.arrays, state.limits.min_support
    count, groups = level.counts[0], -(-level.counts[1] // units_per_group())
    need = _leaf_tables(level, q, state, memory.weights)
    address, stride = level.parts.ctypes.data, level.parts.shape[1]
    table, scratch = level.table[_SPANS].ctypes.data, memory.hits.ctypes.data
    state.counts[NODES] += rows
    for y in range(-1, rows):
        row = count if y < 0 else y  # the prefix itself comes first
        state.counts[SCREENED] += count - y - 1
        for start in range(y + 1, count, NARROW):
            bits = narrow_hits(address, stride, start, row, table, groups, 0, need, scratch)
            if count - start < NARROW:
                bits &= (ONE << np.uint64(count - start)) - ONE
            while bits != 0:
                z = start + lowest_bit(bits)
                bits &= bits - ONE
                word = level.words[row] & level.words[z]
                support = popcount(word)
                if support < min_support or (
                    y >= 0 and arrays.feature[level.literal[y]] == arrays.feature[level.literal[z]]
                ):
                    continue
                if word_sum(word, 0, arrays.sums) / arrays.denominator[support] >= q:
                    memory.cover[0] = word
                    memory.ids[size] = level.literal[z]
                    if y >= 0:
                        memory.ids[size + 1] = level.literal[y]
                    record(state, memory.cover, memory.ids, size + 1 + (y >= 0))
                    q = max(q, threshold(state.best))
    return q


@kernel()
def branch_words(
    words: np.ndarray,
    order: np.ndarray,
    root_bounds: np.ndarray,
    span: tuple[int, int, int],
    edges: np.ndarray,
    state: SearchState,
) -> None:
    """Search below the roots ``span[0]..span[1]``, in their order.

    Parameters
    ----------
    words
        uint64 (literal,): covers of the literals in search order.
    order
        Literal index at each position of the search order.
    root_bounds
        Bound of each single literal.
    span
        First root, the one after the last, and the step from one to the next.
    edges
        Supports at which spans meet, see `support_spans`.
    state
        Arrays, limits and screen of the search; its list and its counts are changed in place.
        The list is full, and its last Q is above 0.
    """
    limits, units, rows = state.limits, state.limits.units, order.size
    roots, firsts = _new_level(rows), _new_level(rows)
    seconds = _new_level(rows if limits.max_literals == MAX else 0)
    roots.words[:rows], roots.literal[:rows] = words[:rows], order
    _finish(roots, ~np.uint64(0) >> np.uint64(WORD - units), rows)
    n_spans = edges.size - 1
    spans = SpanWeights(
        edges,
        np.zeros((n_spans, units)),
        np.zeros(n_spans, dtype=np.int64),
        np.zeros(n_spans, dtype=np.int64),
        np.full(1, -np.inf),
    )
    memory = WordMemory(
        np.zeros(rows // WORD + WIDE // WORD + 2, dtype=np.uint64),
        np.zeros(1, dtype=np.uint64),
        np.full(MAX, np.int32(-1), dtype=np.int32),
        np.zeros(units),
    )
    q = threshold(state.best)
    for t in range(span[0], span[1], span[2]):
        if root_bounds[t] < q - SLACK * q:
            continue
        if spans.q[0] != q:
            _weigh(q, state, spans)
        memory.ids[0] = order[t]
        count = _push(roots, t, firsts, state, spans, memory.hits)
        if count == 0:
            continue
        if limits.max_literals < MAX:
            q = _search_leaves(firsts, 1, count, q, state, memory)
            continue
        q = _search_leaves(firsts, 1, 0, q, state, memory)
        for y in range(count):
            if spans.q[0] != q:
                _weigh(q, state, spans)
            memory.ids[1] = firsts.literal[y]
            n_seconds = _push(firsts, y, seconds, state, spans, memory.hits)
            if n_seconds:
                q = _search_leaves(seconds, 2, n_seconds, q, state, memory)
