"""The list of the K best personas: sorted, distinct, ties broken by canonical order.

Personas are ranked by Q (descending), then by number of literals, then by literal indices. They are
distinct by cover or by feature set. The list consists of plain arrays, changed in place. Only Q and
a slot index move when ranks shift; the persona itself stays in its slot.
"""

from __future__ import annotations

import numpy as np

from ketadask.kernels.compiled import kernel
from ketadask.kernels.state import MAX, BestList

EMPTY = np.int32(-1)


def new_list(keep: int, words: int) -> BestList:
    """Return an empty list of ``keep`` ranks."""
    return BestList(
        q=np.full(keep, -np.inf),
        slots=np.arange(keep),
        sizes=np.zeros(keep, dtype=np.int64),
        ids=np.full((keep, MAX), EMPTY, dtype=np.int32),
        covers=np.zeros((keep, words), dtype=np.uint64),
        n_filled=np.zeros(1, dtype=np.int64),
    )


def empty_list(best: BestList) -> None:
    """Remove all personas from a list."""
    best.q[:] = -np.inf
    best.n_filled[0] = 0


def in_order(best: BestList) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return q, sizes, ids and covers of the personas, best first."""
    count = best.n_filled[0]
    slots = best.slots[:count]
    return best.q[:count].copy(), best.sizes[slots], best.ids[slots], best.covers[slots]


@kernel()
def threshold(best: BestList) -> float:
    """Return the Q that a new persona must reach: that of the last rank; -inf in a short list."""
    q, n_filled = best.q, best.n_filled
    return float(q[-1]) if n_filled[0] == q.size else -np.inf


@kernel()
def ascending(ids: np.ndarray, size: int, out: np.ndarray) -> None:
    """Fill ``out`` with the first ``size`` literal indices in ascending order, then -1."""
    for i in range(MAX):
        out[i] = EMPTY
    for i in range(size):
        j = i
        while j > 0 and out[j - 1] > ids[i]:
            out[j] = out[j - 1]
            j -= 1
        out[j] = ids[i]


@kernel()
def _before(size_a: int, ids_a: np.ndarray, size_b: int, ids_b: np.ndarray) -> bool:
    """Return whether the first of two personas of equal Q ranks above the second."""
    if size_a != size_b:
        return size_a < size_b
    for k in range(MAX):
        if ids_a[k] != ids_b[k]:
            return bool(ids_a[k] < ids_b[k])
    return False


@kernel()
def _same_features(ids_a: np.ndarray, ids_b: np.ndarray, size: int, feature: np.ndarray) -> bool:
    for i in range(size):
        is_shared = False
        for j in range(size):
            if feature[ids_a[i]] == feature[ids_b[j]]:
                is_shared = True
        if not is_shared:
            return False
    return True


@kernel()
def _same_cover(cover_a: np.ndarray, cover_b: np.ndarray) -> bool:
    for w in range(cover_a.size):
        if cover_a[w] != cover_b[w]:
            return False
    return True


@kernel()
def _first_rank(q: np.ndarray, count: int, q_new: float) -> int:
    """Return the first rank whose Q is not above ``q_new``."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if q[middle] > q_new:
            low = middle + 1
        else:
            high = middle
    return low


@kernel()
def _twin(
    best: BestList,
    first: int,
    q_new: float,
    size: int,
    ids: np.ndarray,
    cover: np.ndarray,
    feature: np.ndarray,
    by_features: bool,
) -> int:
    """Return the rank of the same cover (or feature set), -1 if it is not in the list.

    Equal covers have equal Q, so only ties are compared, from ``first`` on.
    """
    count = best.n_filled[0]
    if by_features:
        for rank in range(count):
            slot = best.slots[rank]
            if best.sizes[slot] == size and _same_features(ids, best.ids[slot], size, feature):
                return rank
        return -1
    rank = first
    while rank < count and best.q[rank] == q_new:
        if _same_cover(best.covers[best.slots[rank]], cover):
            return rank
        rank += 1
    return -1


@kernel()
def offer(
    best: BestList,
    q_new: float,
    size: int,
    ids: np.ndarray,
    cover: np.ndarray,
    feature: np.ndarray,
    by_features: bool,
) -> None:
    """Insert a persona at its rank, if it is among the K best.

    ``ids`` are its literals in ascending order, padded with -1; ``cover`` its packed units.
    """
    q, slots = best.q, best.slots
    keep, count = q.size, best.n_filled[0]
    if q_new < threshold(best):
        return
    to = _first_rank(q, count, q_new)
    ties = to
    while (
        to < count
        and q[to] == q_new
        and not _before(size, ids, best.sizes[slots[to]], best.ids[slots[to]])
    ):
        to += 1
    if to == keep:
        return
    rank = _twin(best, ties, q_new, size, ids, cover, feature, by_features)
    if rank >= 0:
        if rank < to:
            return
    elif count < keep:
        rank = count
        best.n_filled[0] += 1
    else:
        rank = keep - 1
    slot = slots[rank]
    for later in range(rank, to, -1):
        q[later] = q[later - 1]
        slots[later] = slots[later - 1]
    q[to] = q_new
    slots[to] = slot
    best.sizes[slot] = size
    for k in range(MAX):
        best.ids[slot, k] = ids[k]
    for w in range(cover.size):
        best.covers[slot, w] = cover[w]
