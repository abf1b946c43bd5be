"""What a packed cover holds: its sum, its bound, its arms; and what its literals constrain."""

from __future__ import annotations

import numpy as np
from numba import njit

from ketadask.kernels.popcount import lowest_bit, popcount

ONE = np.uint64(1)


@njit(nogil=True, cache=True)
def cover_bound(
    cover: np.ndarray, centred: np.ndarray, inverse: np.ndarray, min_support: int
) -> tuple[float, float, int]:
    """Return (bound on Q over all subsets, sum, support) of a cover; scores descend by bit."""
    best, total, support = -np.inf, 0.0, 0
    for w in range(cover.size):
        word = cover[w]
        while word != 0:
            total += centred[64 * w + lowest_bit(word)]
            word &= word - ONE
            support += 1
            best = max(best, total * inverse[support] if support >= min_support else -np.inf)
    return best, total, support


@njit(nogil=True, cache=True)
def single_bounds(
    words: np.ndarray, centred: np.ndarray, inverse: np.ndarray, min_support: int
) -> tuple[np.ndarray, np.ndarray]:
    """Bound of every literal, and whether it holds enough units to be of use."""
    bounds = np.empty(words.shape[1])
    useful = np.zeros(words.shape[1], dtype=np.bool_)
    cover = np.empty(words.shape[0], dtype=np.uint64)
    for t in range(words.shape[1]):
        cover[:] = words[:, t]
        bounds[t], _, support = cover_bound(cover, centred, inverse, min_support)
        useful[t] = support >= min_support
    return bounds, useful


@njit(nogil=True, cache=True)
def cover_sum(cover: np.ndarray, centred: np.ndarray) -> tuple[float, int]:
    """Return (sum, support) of a cover."""
    total, support = 0.0, 0
    for w in range(cover.size):
        word = cover[w]
        while word != 0:
            total += centred[64 * w + lowest_bit(word)]
            word &= word - ONE
            support += 1
    return total, support


@njit(nogil=True, cache=True)
def count_in(cover: np.ndarray, mask: np.ndarray) -> int:
    """Return how many units of ``mask`` a cover holds."""
    held = 0
    for w in range(cover.size):
        held += popcount(cover[w] & mask[w])
    return held


@njit(nogil=True, cache=True)
def enough_arms(cover: np.ndarray, active: np.ndarray, control: np.ndarray, min_arm: int) -> bool:
    """Say whether a cover holds at least ``min_arm`` units of each arm."""
    if min_arm <= 0:
        return True
    return count_in(cover, active) >= min_arm and count_in(cover, control) >= min_arm


@njit(nogil=True, cache=True)
def families_of(ids: np.ndarray, size: int, family: np.ndarray) -> int:
    """Return how many different families the literals belong to."""
    different = 0
    for i in range(size):
        new = 1
        for j in range(i):
            if family[ids[j]] == family[ids[i]]:
                new = 0
        different += new
    return different


@njit(nogil=True, cache=True)
def clashes(ids: np.ndarray, size: int, literal: int, feature: np.ndarray) -> bool:
    """Say whether a literal constrains a feature that is constrained already."""
    for i in range(size):
        if feature[ids[i]] == feature[literal]:
            return True
    return False


@njit(nogil=True, cache=True)
def distinct_features(ids: np.ndarray, size: int, feature: np.ndarray) -> bool:
    """Say whether every literal constrains another feature."""
    for i in range(1, size):
        if clashes(ids, i, ids[i], feature):
            return False
    return True
