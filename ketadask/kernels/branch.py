"""Depth-first branch and bound over conjunctions of literals.

The search order is a permutation of the literals; every set of literals is visited once, in that
order. A node is a prefix of 1..L-1 literals; its children are the literals after its last one
that survived at the parent. Two bounds prune a node:

* exact: of all subsets of a cover with k units the k best scores have the largest sum, so the
  maximum over k of Q(k best) bounds every persona below the node;
* cheap: for any price ``lam``, the k best scores sum to at most
  ``sum over the cover of max(score - lam, 0) + k lam``; the weighted count of one set of bit
  planes against a constant therefore decides for most nodes, eight rows at a time.

No persona that could tie with the K-th best is pruned, so the result is that of brute force.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ketadask.kernels.best_list import ascending, offer, threshold
from ketadask.kernels.compiled import kernel
from ketadask.kernels.covers import (
    clashes,
    count_in,
    count_modalities,
    cover_bound,
    cover_sum,
    enough_arms,
    reachable_q,
)
from ketadask.kernels.screens import SLACK, next_hopeful, screen_rows, weigh
from ketadask.kernels.state import LANES, MAX, NODES, SCREENED, PriceScreen, SearchState

SHORT = 96


class Stack(NamedTuple):
    """Children of the current prefix at every level.

    ``position`` in the search order, ``bound`` on Q and ``support`` are (level, child); ``size``
    and ``cursor`` (level,) count the children and those visited.
    """

    position: np.ndarray
    bound: np.ndarray
    support: np.ndarray
    size: np.ndarray
    cursor: np.ndarray


class Workspace(NamedTuple):
    """Working memory: ``support``, ``total`` and ``margin`` are per child of the current prefix.

    ``cover`` and ``prefix`` are packed units, ``ids`` the literals of the current conjunction,
    ``cuts`` those of `price_cuts`.
    """

    support: np.ndarray
    total: np.ndarray
    margin: np.ndarray
    cover: np.ndarray
    prefix: np.ndarray
    ids: np.ndarray
    cuts: np.ndarray


@kernel()
def record(state: SearchState, cover: np.ndarray, ids: np.ndarray, size: int) -> None:
    """Offer a conjunction to the list of the best if the limits admit it as a persona."""
    arrays, limits = state.arrays, state.limits
    total, support = cover_sum(cover, arrays.sums)
    if support < limits.min_support or support >= limits.units:
        return
    least = limits.min_modalities
    if least > 1 and count_modalities(ids, size, arrays.modality) < least:
        return
    if not enough_arms(cover, arrays.active, arrays.control, limits.min_per_arm):
        return
    ordered_ids = np.empty(MAX, dtype=np.int32)
    ascending(ids, size, ordered_ids)
    q = total / arrays.denominator[support]
    offer(state.best, q, size, ordered_ids, cover, arrays.feature, limits.by_features)


@kernel()
def price_cuts(
    q: float, price: float, denominator: np.ndarray, min_support: int, out: np.ndarray
) -> None:
    """Fill ``out[m]``: least priced sum with which a cover of at most m units may still reach q."""
    lowest = np.inf
    for k in range(out.size):
        if k >= min_support and k < out.size - 1:
            need = q * denominator[k]
            lowest = min(lowest, need - SLACK * abs(need) - k * price)
        out[k] = lowest


@kernel()
def _new_stack(covers: np.ndarray, root_bounds: np.ndarray, first: int) -> Stack:
    """Return a stack whose first level holds all literals."""
    levels, rows = covers.shape[0], root_bounds.size
    stack = Stack(
        np.empty((levels, rows), dtype=np.int32),
        np.empty((levels, rows)),
        np.empty((levels, rows), dtype=np.int64),
        np.zeros(levels, dtype=np.int64),
        np.zeros(levels, dtype=np.int64),
    )
    for t in range(rows):
        stack.position[0, t] = t
        stack.bound[0, t] = root_bounds[t]
        stack.support[0, t] = count_in(covers[0, :, t], covers[0, :, t])
    stack.size[0] = rows
    stack.cursor[0] = first
    return stack


@kernel()
def branch(
    covers: np.ndarray,
    order: np.ndarray,
    root_bounds: np.ndarray,
    span: tuple[int, int, int],
    state: SearchState,
    prices: PriceScreen,
    max_nodes: int,
) -> int:
    """Search below the roots ``span[0]..span[1]``, in their order.

    Parameters
    ----------
    covers
        uint64 (level, word, literal + LANES), a level per literal but the last: the first holds
        the covers of the literals in search order, the others are working memory.
    order
        Literal index at each position of the search order.
    root_bounds
        Bound of each single literal.
    span
        First root, the one after the last, and the step from one to the next.
    state
        Arrays, limits and screen of the search; its list and its counts are changed in place.
    prices
        Planes of the cheap bound.
    max_nodes
        Largest number of nodes; the search stops there.

    Returns
    -------
    Position of the root at which ``max_nodes`` ended the search; ``span[1]`` if it did not.
    """
    limits, counts = state.limits, state.counts
    depth, width, rows = limits.max_literals, covers.shape[1], order.size
    stack = _new_stack(covers, root_bounds, span[0])
    position, size, cursor = stack.position, stack.size, stack.cursor
    work = Workspace(
        np.empty(rows, dtype=np.int64),
        np.empty(rows, dtype=np.int64),
        np.empty(rows + LANES),
        np.empty(width, dtype=np.uint64),
        np.empty(width, dtype=np.uint64),
        np.full(MAX, np.int32(-1), dtype=np.int32),
        np.empty(limits.units + 1),
    )
    prefix, ids = work.prefix, work.ids
    q = threshold(state.best)
    price_cuts(q, prices.price, state.arrays.denominator, limits.min_support, work.cuts)
    level = int(np.int64(0))  # typed: see `beam.grow`
    while level >= 0:
        if level == depth - 2:
            q = _search_leaves(covers, order, stack, work, state, prices, level, q, max_nodes)
            if cursor[level] < size[level]:
                return int(cursor[0] - span[2])
            level -= 1
            continue
        t = cursor[level]
        cursor[level] += span[2] if level == 0 else 1
        if level == 0 and t >= span[1]:
            return span[1]
        if t >= size[level]:
            level -= 1
            continue
        # The exact bound: the K-th best may have improved since the node was pushed.
        if stack.bound[level, t] < q - SLACK * abs(q):
            continue
        if counts[NODES] >= max_nodes:
            return int(cursor[0] - span[2])
        counts[NODES] += 1
        ids[level] = order[position[level, t]]
        for w in range(width):
            prefix[w] = covers[level, w, t]
        count = size[level] - t - 1
        counts[SCREENED] += count
        if level == depth - 3 and count <= SHORT:
            q = _push_all(covers, order, stack, work, state, level, t, q)
        else:
            q = _push_bounded(covers, order, stack, work, state, prices, level, t, q)
        level += 1
        cursor[level] = 0
    return rows


@kernel(inline="always")
def _search_leaves(
    covers: np.ndarray,
    order: np.ndarray,
    stack: Stack,
    work: Workspace,
    state: SearchState,
    prices: PriceScreen,
    level: int,
    q: float,
    max_nodes: int,
) -> float:
    """Complete every prefix of the last level by each literal after it.

    Returns the Q to reach. The cursor stays below the size of the level if ``max_nodes`` ended
    the search.
    """
    position, bound, _, size, cursor = stack
    support, total, margin, cover, prefix, ids, _ = work
    planes, bounds, fine = state.screen
    feature, sums, denominator = state.arrays.feature, state.arrays.sums, state.arrays.denominator
    counts, last = state.counts, size[level]
    for t in range(cursor[level], last):
        # The exact bound of the prefix.
        if bound[level, t] < q - SLACK * abs(q):
            continue
        if counts[NODES] >= max_nodes:
            cursor[level] = t
            return q
        counts[NODES] += 1
        ids[level] = order[position[level, t]]
        for w in range(cover.size):
            prefix[w] = covers[level, w, t]
        count = last - t - 1
        counts[SCREENED] += count
        # The screen bounds Q of each conjunction from above, by rounded scores.
        hopeful = screen_rows(
            prefix, covers, level, t + 1, last, planes, bounds, q, support, total, margin
        )
        if not hopeful:
            continue
        q_before = q
        j = next_hopeful(margin, 0, count)
        while j < count:
            ids[level + 1] = order[position[level, t + 1 + j]]
            for w in range(cover.size):
                cover[w] = prefix[w] & covers[level, w, t + 1 + j]
            if reachable_q(cover, ids, level + 2, q, feature, denominator, sums, fine) >= q:
                record(state, cover, ids, level + 2)
                q = threshold(state.best)
            j = next_hopeful(margin, j + 1, count)
        if q != q_before:
            price_cuts(q, prices.price, denominator, state.limits.min_support, work.cuts)
    cursor[level] = last
    return q


@kernel(inline="always")
def _push_all(
    covers: np.ndarray,
    order: np.ndarray,
    stack: Stack,
    work: Workspace,
    state: SearchState,
    level: int,
    t: int,
    q: float,
) -> float:
    """Push a short list of children without bounds: screening below costs less than bounding."""
    position, bound, supports, size, _ = stack
    support, total, margin, cover, prefix, ids, _ = work
    planes, bounds, fine = state.screen
    feature, sums, denominator = state.arrays.feature, state.arrays.sums, state.arrays.denominator
    min_support = state.limits.min_support
    child, n_pushed, last = level + 1, 0, size[level]
    screen_rows(prefix, covers, level, t + 1, last, planes, bounds, q, support, total, margin)
    for j in range(last - t - 1):
        s = t + 1 + j
        for w in range(cover.size):
            cover[w] = prefix[w] & covers[level, w, s]
            covers[child, w, n_pushed] = cover[w]
        k = count_in(cover, cover)
        if k < min_support:
            continue
        ids[child] = order[position[level, s]]
        if (
            margin[j] >= 0
            and reachable_q(cover, ids, level + 2, q, feature, denominator, sums, fine) >= q
        ):
            record(state, cover, ids, level + 2)
            q = threshold(state.best)
        position[child, n_pushed] = position[level, s]
        bound[child, n_pushed] = np.inf
        supports[child, n_pushed] = k
        n_pushed += 1
    size[child] = n_pushed
    return q


@kernel(inline="always")
def _push_bounded(
    covers: np.ndarray,
    order: np.ndarray,
    stack: Stack,
    work: Workspace,
    state: SearchState,
    prices: PriceScreen,
    level: int,
    t: int,
    q: float,
) -> float:
    """Push the children below which the K-th best may still be reached."""
    position, bound, supports, size, _ = stack
    support, total, _, cover, prefix, ids, cuts = work
    feature, modality, active, control, centred, inverse, denominator, _ = state.arrays
    depth, min_support, min_per_arm, min_modalities, by_features, _ = state.limits
    plain = min_modalities <= 1 and not by_features
    child, n_pushed, last = level + 1, 0, size[level]
    inside = supports[level, t]
    weigh(prefix, covers, level, t + 1, last, prices.planes, support, total)
    cut = cuts[inside]
    for j in range(last - t - 1):
        # The cheap bound: priced scores of the cover against what q demands at any support.
        if support[j] < min_support or prices.step * total[j] < cut:
            continue
        s = t + 1 + j
        # A literal that leaves the cover as it was, or makes an earlier one redundant, leads only
        # to covers that fewer literals describe.
        if plain and (support[j] == inside or support[j] == supports[level, s]):
            continue
        literal = order[position[level, s]]
        if clashes(ids, child, literal, feature):
            continue
        for w in range(cover.size):
            cover[w] = prefix[w] & covers[level, w, s]
        if not enough_arms(cover, active, control, min_per_arm):
            continue
        # The exact bound over all subsets of the cover.
        highest, cover_total, k = cover_bound(cover, centred, inverse, min_support)
        if highest < q - SLACK * abs(q):
            continue
        ids[child] = literal
        if cover_total / denominator[k] >= q:
            record(state, cover, ids, level + 2)
            if threshold(state.best) != q:
                q = threshold(state.best)
                price_cuts(q, prices.price, denominator, min_support, cuts)
                cut = cuts[inside]
        # Every further literal adds at most one modality.
        n_modalities = count_modalities(ids, level + 2, modality)
        if n_modalities + depth - level - 2 < min_modalities:
            continue
        for w in range(cover.size):
            covers[child, w, n_pushed] = cover[w]
        position[child, n_pushed] = position[level, s]
        bound[child, n_pushed] = highest
        supports[child, n_pushed] = k
        n_pushed += 1
    size[child] = n_pushed
    return q
