"""Sum, bound and arms of a packed cover; features and modalities of its literals."""

from __future__ import annotations

import numpy as np

from ketadask.kernels.compiled import kernel
from ketadask.kernels.popcount import lowest_bit, popcount
from ketadask.kernels.screens import SLACK
from ketadask.kernels.state import LANES, FineScreen

ONE = np.uint64(1)
LOW = np.uint64(15)
# Number of units that are bounded one by one; after them a whole word changes the bound little.
FEW = 512


@kernel()
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


@kernel()
def single_bounds(
    words: np.ndarray,
    count: int,
    centred: np.ndarray,
    inverse: np.ndarray,
    min_support: int,
    sums: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return bounds of the first ``count`` literals, and whether their support suffices.

    A bound is never below that of `cover_bound`. With few units inside it is the same; with many
    it is looser by what one word of units can change, and not negative.
    """
    bounds = np.empty(count)
    useful = np.zeros(count, dtype=np.bool_)
    covers = np.empty((LANES, words.shape[0]), dtype=np.uint64)
    for first in range(0, count, LANES):
        some = min(LANES, count - first)
        for w in range(words.shape[0]):
            for t in range(some):
                covers[t, w] = words[w, first + t]
        for t in range(some):
            bound, support = _bound_by_words(covers[t], centred, inverse, min_support, sums)
            bounds[first + t], useful[first + t] = bound, support >= min_support
    return bounds, useful


@kernel()
def _bound_by_words(
    cover: np.ndarray, centred: np.ndarray, inverse: np.ndarray, min_support: int, sums: np.ndarray
) -> tuple[float, int]:
    """Return (bound on Q over all subsets, support) of a cover, a word at a time past `FEW` units.

    Within a word the sum of the k best rises as long as scores are above zero, and then falls; and
    ``inverse`` is largest at an end of any span of k below the number of units.
    """
    best, total, support = -np.inf, 0.0, 0
    for w in range(cover.size):
        word = cover[w]
        n_inside = popcount(word)
        if n_inside == 0:
            continue
        if support < FEW and support + n_inside >= min_support:
            while word != 0:
                total += centred[64 * w + lowest_bit(word)]
                word &= word - ONE
                support += 1
                best = max(best, total * inverse[support] if support >= min_support else -np.inf)
            continue
        total_after, support_after = total + word_sum(word, w, sums), support + n_inside
        if support_after >= min_support:
            high, low = centred[64 * w], centred[min(64 * w + 63, centred.size - 1)]
            top = max(total, total_after)
            if high > 0.0 and low < 0.0:
                top += n_inside * (high - low)
            largest = max(inverse[support + 1], inverse[support_after], inverse[support_after - 1])
            best = max(best, max(top, 0.0) * largest)
        total, support = total_after, support_after
    return best, support


def sum_table(centred: np.ndarray, words: int) -> np.ndarray:
    """Sums of all subsets of every four neighbouring units: float64 (16 * words, 16).

    Centred scores lie on a grid on which every sum is exact, so a cover may be summed in any order.

    Examples
    --------
    >>> sum_table(np.array([5.0, 3.0, 1.0]), 1)[0, :8]
    array([0., 5., 3., 8., 1., 6., 4., 9.])
    """
    padded = np.zeros(64 * words)
    padded[: centred.size] = centred
    subsets = (np.arange(16)[None, :] >> np.arange(4)[:, None]) & 1
    return padded.reshape(-1, 4) @ subsets.astype(np.float64)


@kernel(inline="always")
def word_sum(word: int, w: int, sums: np.ndarray) -> float:
    """Return the sum of the scores inside word ``w`` of a cover; ``sums`` as of `sum_table`."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    row = np.uint64(16 * w)
    for j in range(np.uint64(0), np.uint64(16), np.uint64(4)):
        four = word >> (np.uint64(4) * j)
        a += sums[row + j, four & LOW]
        b += sums[row + j + ONE, (four >> np.uint64(4)) & LOW]
        c += sums[row + j + np.uint64(2), (four >> np.uint64(8)) & LOW]
        d += sums[row + j + np.uint64(3), (four >> np.uint64(12)) & LOW]
    return (a + b) + (c + d)


@kernel()
def cover_sum(cover: np.ndarray, sums: np.ndarray) -> tuple[float, int]:
    """Return (sum, support) of a cover; ``sums`` as of `sum_table`."""
    total, support = 0.0, 0
    for w in range(cover.size):
        support += popcount(cover[w])
        total += word_sum(cover[w], w, sums)
    return total, support


@kernel()
def hopeless(cover: np.ndarray, fine: FineScreen, denominator: np.ndarray, q: float) -> bool:
    """Return whether a cover surely does not reach ``q``, by scores rounded to 16 planes.

    With many units the rounding of eight planes lets too many covers pass, and their exact sums
    cost more than this second screen.
    """
    planes = fine.planes
    support, high, low = 0, 0, 0
    for w in range(np.uint64(cover.size)):
        v = cover[w]
        support += popcount(v)
        low += (
            popcount(v & planes[0, w])
            + (popcount(v & planes[1, w]) << 1)
            + (popcount(v & planes[2, w]) << 2)
            + (popcount(v & planes[3, w]) << 3)
            + (popcount(v & planes[4, w]) << 4)
            + (popcount(v & planes[5, w]) << 5)
            + (popcount(v & planes[6, w]) << 6)
            + (popcount(v & planes[7, w]) << 7)
        )
        high += (
            popcount(v & planes[8, w])
            + (popcount(v & planes[9, w]) << 1)
            + (popcount(v & planes[10, w]) << 2)
            + (popcount(v & planes[11, w]) << 3)
            + (popcount(v & planes[12, w]) << 4)
            + (popcount(v & planes[13, w]) << 5)
            + (popcount(v & planes[14, w]) << 6)
            + (popcount(v & planes[15, w]) << 7)
        )
    need = q * denominator[support]
    largest = fine.step * (256 * high + low) + fine.base * support
    return bool(largest < need - SLACK * abs(need))


@kernel()
def reachable_q(
    cover: np.ndarray,
    ids: np.ndarray,
    size: int,
    q: float,
    feature: np.ndarray,
    denominator: np.ndarray,
    sums: np.ndarray,
    fine: FineScreen,
) -> float:
    """Return Q of a cover that passed the screen; NaN if it is no persona or below ``q``."""
    if not distinct_features(ids, size, feature):
        return np.nan
    if cover.size > 1 and hopeless(cover, fine, denominator, q):
        return np.nan
    total, support = cover_sum(cover, sums)
    return float(total / denominator[support])


@kernel()
def count_in(cover: np.ndarray, mask: np.ndarray) -> int:
    """Return the number of units of a cover that are in ``mask``."""
    count = 0
    for w in range(cover.size):
        count += popcount(cover[w] & mask[w])
    return count


@kernel()
def enough_arms(
    cover: np.ndarray, active: np.ndarray, control: np.ndarray, min_per_arm: int
) -> bool:
    """Return whether a cover contains at least ``min_per_arm`` units of each arm."""
    if min_per_arm <= 0:
        return True
    return count_in(cover, active) >= min_per_arm and count_in(cover, control) >= min_per_arm


@kernel()
def count_modalities(ids: np.ndarray, size: int, modality: np.ndarray) -> int:
    """Return the number of different modalities of the literals."""
    different = 0
    for i in range(size):
        new = 1
        for j in range(i):
            if modality[ids[j]] == modality[ids[i]]:
                new = 0
        different += new
    return different


@kernel()
def clashes(ids: np.ndarray, size: int, literal: int, feature: np.ndarray) -> bool:
    """Return whether a literal constrains the feature of one of the first ``size`` literals."""
    for i in range(size):
        if feature[ids[i]] == feature[literal]:
            return True
    return False


@kernel()
def distinct_features(ids: np.ndarray, size: int, feature: np.ndarray) -> bool:
    """Return whether all literals constrain different features."""
    for i in range(1, size):
        if clashes(ids, i, ids[i], feature):
            return False
    return True
