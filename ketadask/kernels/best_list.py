"""The list of the K best personas: sorted, distinct, ties broken by canonical order.

A place is ranked by Q (descending), then by number of literals, then by literal numbers.
Distinctness is by cover or by feature set. The list is plain arrays, changed in place. Only Q and
a slot number move when places shift; what a persona is made of stays in its slot.
"""

from __future__ import annotations

import numpy as np

from ketadask.kernels.compiled import kernel

MAX = 4
EMPTY = np.int32(-1)


def new_list(keep: int, words: int) -> tuple[np.ndarray, ...]:
    """Return an empty list.

    Returns
    -------
    By place: q, slots; by slot: sizes, ids, covers; and filled, an array of one count.
    """
    return (
        np.full(keep, -np.inf),
        np.arange(keep),
        np.zeros(keep, dtype=np.int64),
        np.full((keep, MAX), EMPTY, dtype=np.int32),
        np.zeros((keep, words), dtype=np.uint64),
        np.zeros(1, dtype=np.int64),
    )


@kernel()
def empty_list(best: tuple) -> None:
    """Take everything out of a list."""
    q, _, _, _, _, filled = best
    q[:] = -np.inf
    filled[0] = 0


def in_order(best: tuple) -> tuple[np.ndarray, ...]:
    """Return q, sizes, ids and covers of the places filled, best first."""
    q, slots, sizes, ids, covers, filled = best
    used = slots[: filled[0]]
    return q[: filled[0]].copy(), sizes[used], ids[used], covers[used]


@kernel()
def threshold(best: tuple) -> float:
    """Return the Q a newcomer has to reach: that of the last place, -inf while places are free."""
    q, filled = best[0], best[5]
    return q[-1] if filled[0] == q.size else -np.inf


@kernel()
def ascending(ids: np.ndarray, size: int, out: np.ndarray) -> None:
    """Fill ``out`` with the first ``size`` literal numbers in ascending order, then -1."""
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
    """Say which of two personas of equal Q comes first."""
    if size_a != size_b:
        return size_a < size_b
    for k in range(MAX):
        if ids_a[k] != ids_b[k]:
            return ids_a[k] < ids_b[k]
    return False


@kernel()
def _same_features(ids_a: np.ndarray, ids_b: np.ndarray, size: int, feature: np.ndarray) -> bool:
    for i in range(size):
        found = False
        for j in range(size):
            if feature[ids_a[i]] == feature[ids_b[j]]:
                found = True
        if not found:
            return False
    return True


@kernel()
def _same_cover(cover_a: np.ndarray, cover_b: np.ndarray) -> bool:
    for w in range(cover_a.size):
        if cover_a[w] != cover_b[w]:
            return False
    return True


@kernel()
def _place_of(q: np.ndarray, filled: int, q_new: float) -> int:
    """Return the first place whose Q is not above ``q_new``."""
    low, high = 0, filled
    while low < high:
        middle = (low + high) // 2
        if q[middle] > q_new:
            low = middle + 1
        else:
            high = middle
    return low


@kernel()
def _twin(
    best: tuple,
    first: int,
    q_new: float,
    size: int,
    ids: np.ndarray,
    cover: np.ndarray,
    feature: np.ndarray,
    by_features: bool,
) -> int:
    """Return the place held by the same cover (or feature set), -1 where there is none.

    Equal covers have equal Q, so they are looked for among the ties, from ``first`` on.
    """
    q, slots, sizes, all_ids, covers, filled = best
    if by_features:
        for place in range(filled[0]):
            slot = slots[place]
            if sizes[slot] == size and _same_features(ids, all_ids[slot], size, feature):
                return place
        return -1
    place = first
    while place < filled[0] and q[place] == q_new:
        if _same_cover(covers[slots[place]], cover):
            return place
        place += 1
    return -1


@kernel()
def offer(
    best: tuple,
    q_new: float,
    size: int,
    ids: np.ndarray,
    cover: np.ndarray,
    feature: np.ndarray,
    by_features: bool,
) -> None:
    """Put a persona in its place, if it has one.

    ``ids`` are its literals in ascending order, padded with -1; ``cover`` its packed units.
    """
    q, slots, sizes, all_ids, covers, filled = best
    keep, count = q.size, filled[0]
    if q_new < threshold(best):
        return
    to = _place_of(q, count, q_new)
    ties = to
    while (
        to < count
        and q[to] == q_new
        and not _before(size, ids, sizes[slots[to]], all_ids[slots[to]])
    ):
        to += 1
    if to == keep:
        return
    place = _twin(best, ties, q_new, size, ids, cover, feature, by_features)
    if place >= 0:
        if place < to:
            return
    elif count < keep:
        place = count
        filled[0] += 1
    else:
        place = keep - 1
    slot = slots[place]
    for later in range(place, to, -1):
        q[later] = q[later - 1]
        slots[later] = slots[later - 1]
    q[to] = q_new
    slots[to] = slot
    sizes[slot] = size
    for k in range(MAX):
        all_ids[slot, k] = ids[k]
    for w in range(cover.size):
        covers[slot, w] = cover[w]
