"""Depth-first branch and bound over conjunctions of literals.

The search order is a permutation of the literals; every set of literals is met once, in that
order. A node is a prefix of 1..L-1 literals; its children are the literals after its last one
that survived at the parent. Two bounds prune a node:

* exact: of all subsets of a cover with k units the k best scores have the largest sum, so the
  maximum over k of Q(k best) bounds every persona below the node;
* cheap: for any price ``lam``, the k best scores sum to at most
  ``sum over the cover of max(score - lam, 0) + k lam``; the weighted count of one set of bit
  planes against a constant therefore decides for most nodes, eight rows at a time.

Nothing is pruned that could tie with the K-th best, so the result is that of brute force.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ketadask.kernels.best_list import MAX, ascending, offer, threshold
from ketadask.kernels.compiled import kernel
from ketadask.kernels.covers import (
    clashes,
    count_in,
    cover_bound,
    cover_sum,
    distinct_features,
    enough_arms,
    families_of,
    hopeless,
)
from ketadask.kernels.screens import LANES, SLACK, next_hopeful, screen_rows, weigh

SHORT = 96


@kernel()
def record(
    best: tuple,
    cover: np.ndarray,
    total: float,
    support: int,
    ids: np.ndarray,
    size: int,
    problem: tuple,
    limits: tuple,
) -> None:
    """Offer a conjunction to the list of the best if it is a persona the limits admit."""
    feature, family, active, control, _, _, denominator, _ = problem
    _, min_support, min_per_arm, min_modalities, by_features, units = limits
    if support < min_support or support >= units:
        return
    if min_modalities > 1 and families_of(ids, size, family) < min_modalities:
        return
    if not enough_arms(cover, active, control, min_per_arm):
        return
    ordered = np.empty(MAX, dtype=np.int32)
    ascending(ids, size, ordered)
    offer(best, total / denominator[support], size, ordered, cover, feature, by_features == 1)


@kernel()
def try_cover(
    best: tuple,
    q: float,
    cover: np.ndarray,
    ids: np.ndarray,
    size: int,
    problem: tuple,
    fine: tuple,
    limits: tuple,
) -> float:
    """Offer a cover that passed the screen; return the Q that the next one has to reach."""
    feature, denominator, sums = problem[0], problem[6], problem[7]
    if not distinct_features(ids, size, feature):
        return q
    planes, step, base = fine
    if cover.size > 1 and hopeless(cover, planes, step, base, denominator, q):
        return q
    exact, k = cover_sum(cover, sums)
    if exact / denominator[k] >= q:
        record(best, cover, exact, k, ids, size, problem, limits)
        return threshold(best)
    return q


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
def branch(
    covers: np.ndarray,
    order: np.ndarray,
    roots: np.ndarray,
    span: tuple,
    problem: tuple,
    score_screen: tuple,
    price_screen: tuple,
    limits: tuple,
    best: tuple,
    budget: int,
    counts: np.ndarray,
) -> int:
    """Search below the roots ``span[0]..span[1]``, in their order.

    Parameters
    ----------
    covers
        uint64 (level, word, literal + LANES), a level per literal but the last: the first holds
        the covers of the literals in search order, the others are room to work in.
    order
        Literal number at each position of the search order.
    roots
        Bound of each single literal.
    problem
        feature, family (by literal number), active, control (packed), centred, inverse,
        denominator, sums (see `covers.sum_table`).
    score_screen, price_screen
        Planes and numbers of the two weighted counts (see `screens.screen_rows`); that of scores
        with finer planes (see `covers.hopeless`).
    limits
        max_literals, min_support, min_per_arm, min_modalities, by_features, units.
    best
        List of the K best, changed in place.
    span
        First root, the one after the last, and the step from one to the next.
    budget
        Largest number of nodes; the search stops there.
    counts
        int64 (2,): nodes and conjunctions screened, added to.

    Returns
    -------
    Position of the root at which the budget ended the search; ``span[1]`` where it did not.
    """
    feature, family, active, control, centred, inverse, denominator, _ = problem
    planes, numbers, fine = score_screen
    price_planes, price_step, price = price_screen
    depth, min_support, min_per_arm, min_modalities, by_features, units = limits
    plain = min_modalities <= 1 and by_features == 0
    levels, width, rows = covers.shape[0], covers.shape[1], order.size
    place = np.empty((levels, rows), dtype=np.int32)
    bounds = np.empty((levels, rows))
    held = np.empty((levels, rows), dtype=np.int64)
    size = np.zeros(levels, dtype=np.int64)
    at = np.zeros(levels, dtype=np.int64)
    support = np.empty(rows, dtype=np.int64)
    total = np.empty(rows, dtype=np.int64)
    margin = np.empty(rows + LANES)
    cuts = np.empty(units + 1)
    ids = np.full(MAX, np.int32(-1), dtype=np.int32)
    prefix = np.empty(width, dtype=np.uint64)
    cover = np.empty(width, dtype=np.uint64)

    for t in range(rows):
        place[0, t] = t
        bounds[0, t] = roots[t]
        held[0, t] = count_in(covers[0, :, t], covers[0, :, t])
    size[0] = rows
    at[0] = span[0]
    q = threshold(best)
    price_cuts(q, price, denominator, min_support, cuts)
    level: Any = np.int64(0)  # typed: see `beam`
    while level >= 0:
        t = at[level]
        at[level] += span[2] if level == 0 else 1
        if level == 0 and t >= span[1]:
            return span[1]
        if t >= size[level]:
            level -= 1
            continue
        if bounds[level, t] < q - SLACK * abs(q):
            continue
        if counts[0] >= budget:
            return at[0] - span[2]
        counts[0] += 1
        ids[level] = order[place[level, t]]
        for w in range(width):
            prefix[w] = covers[level, w, t]
        inside = held[level, t]
        last = size[level]
        count = last - t - 1
        counts[1] += count
        if level == depth - 2:
            found = screen_rows(
                prefix, covers, level, t + 1, last, planes, numbers, q, support, total, margin
            )
            if not found:
                continue
            before = q
            j = next_hopeful(margin, 0, count)
            while j < count:
                ids[level + 1] = order[place[level, t + 1 + j]]
                for w in range(width):
                    cover[w] = prefix[w] & covers[level, w, t + 1 + j]
                q = try_cover(best, q, cover, ids, level + 2, problem, fine, limits)
                j = next_hopeful(margin, j + 1, count)
            if q != before:
                price_cuts(q, price, denominator, min_support, cuts)
            continue
        child = level + 1
        if child == depth - 2 and count <= SHORT:
            # Screening all that lies below costs less than bounding each child.
            kept = 0
            screen_rows(
                prefix, covers, level, t + 1, last, planes, numbers, q, support, total, margin
            )
            for j in range(count):
                s = t + 1 + j
                for w in range(width):
                    cover[w] = prefix[w] & covers[level, w, s]
                    covers[child, w, kept] = cover[w]
                k = count_in(cover, cover)
                if k < min_support:
                    continue
                ids[level + 1] = order[place[level, s]]
                if margin[j] >= 0:
                    q = try_cover(best, q, cover, ids, level + 2, problem, fine, limits)
                place[child, kept] = place[level, s]
                bounds[child, kept] = np.inf
                held[child, kept] = k
                kept += 1
            size[child] = kept
            at[child] = 0
            level = child
            continue
        weigh(prefix, covers, level, t + 1, last, price_planes, support, total)
        cut = cuts[inside]
        kept = 0
        for j in range(count):
            if support[j] < min_support or price_step * total[j] < cut:
                continue
            s = t + 1 + j
            # A literal that leaves the cover as it was, or makes an earlier one needless,
            # leads only to covers that fewer literals describe.
            if plain and (support[j] == inside or support[j] == held[level, s]):
                continue
            literal = order[place[level, s]]
            if clashes(ids, level + 1, literal, feature):
                continue
            for w in range(width):
                cover[w] = prefix[w] & covers[level, w, s]
            if not enough_arms(cover, active, control, min_per_arm):
                continue
            limit, exact, k = cover_bound(cover, centred, inverse, min_support)
            if limit < q - SLACK * abs(q):
                continue
            ids[level + 1] = literal
            if exact / denominator[k] >= q:
                record(best, cover, exact, k, ids, level + 2, problem, limits)
                if threshold(best) != q:
                    q = threshold(best)
                    price_cuts(q, price, denominator, min_support, cuts)
                    cut = cuts[inside]
            reach = families_of(ids, level + 2, family) + depth - level - 2
            if reach < min_modalities:
                continue
            for w in range(width):
                covers[child, w, kept] = cover[w]
            place[child, kept] = place[level, s]
            bounds[child, kept] = limit
            held[child, kept] = k
            kept += 1
        size[child] = kept
        at[child] = 0
        level = child
    return rows
