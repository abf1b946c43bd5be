"""The list of the K best personas: sorted, distinct, ties broken by canonical order.

A place is ranked by Q (descending), then by number of literals, then by literal numbers.
Distinctness is by cover or by feature set. The list is plain arrays, changed in place.
"""

from __future__ import annotations

import numpy as np
from numba import njit

MAX = 4
EMPTY = np.int32(-1)


def new_list(keep: int, words: int) -> tuple[np.ndarray, ...]:
    """Return an empty list: q, sizes, ids, covers, filled (an array of one count)."""
    return (
        np.full(keep, -np.inf),
        np.zeros(keep, dtype=np.int64),
        np.full((keep, MAX), EMPTY, dtype=np.int32),
        np.zeros((keep, words), dtype=np.uint64),
        np.zeros(1, dtype=np.int64),
    )


@njit(nogil=True, cache=True)
def threshold(best: tuple) -> float:
    """Return the Q a newcomer has to reach: that of the last place, -inf while places are free."""
    q, _, _, _, filled = best
    return q[-1] if filled[0] == q.size else -np.inf


@njit(nogil=True, cache=True)
def _before(
    q_a: float, size_a: int, ids_a: np.ndarray, q_b: float, size_b: int, ids_b: np.ndarray
) -> bool:
    if q_a != q_b:
        return q_a > q_b
    if size_a != size_b:
        return size_a < size_b
    for k in range(MAX):
        if ids_a[k] != ids_b[k]:
            return ids_a[k] < ids_b[k]
    return False


@njit(nogil=True, cache=True)
def _same_features(ids_a: np.ndarray, ids_b: np.ndarray, size: int, feature: np.ndarray) -> bool:
    for i in range(size):
        found = False
        for j in range(size):
            if feature[ids_a[i]] == feature[ids_b[j]]:
                found = True
        if not found:
            return False
    return True


@njit(nogil=True, cache=True)
def _twin(
    best: tuple,
    q_new: float,
    size: int,
    ids: np.ndarray,
    cover: np.ndarray,
    feature: np.ndarray,
    by_features: bool,
) -> int:
    """Return the place held by the same cover (or feature set), -1 where there is none."""
    q, sizes, all_ids, covers, filled = best
    for place in range(filled[0]):
        if by_features:
            if sizes[place] == size and _same_features(ids, all_ids[place], size, feature):
                return place
        elif q[place] == q_new:
            same = True
            for w in range(cover.size):
                if covers[place, w] != cover[w]:
                    same = False
                    break
            if same:
                return place
    return -1


@njit(nogil=True, cache=True)
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
    q, sizes, all_ids, covers, filled = best
    keep = q.size
    last = filled[0] - 1
    if filled[0] == keep and not _before(q_new, size, ids, q[last], sizes[last], all_ids[last]):
        return
    place = _twin(best, q_new, size, ids, cover, feature, by_features)
    if place >= 0:
        if not _before(q_new, size, ids, q[place], sizes[place], all_ids[place]):
            return
    elif filled[0] < keep:
        place = filled[0]
        filled[0] += 1
    else:
        place = keep - 1
    while place > 0 and _before(
        q_new, size, ids, q[place - 1], sizes[place - 1], all_ids[place - 1]
    ):
        q[place] = q[place - 1]
        sizes[place] = sizes[place - 1]
        all_ids[place] = all_ids[place - 1]
        covers[place] = covers[place - 1]
        place -= 1
    q[place] = q_new
    sizes[place] = size
    for k in range(MAX):
        all_ids[place, k] = ids[k]
    for w in range(cover.size):
        covers[place, w] = cover[w]
