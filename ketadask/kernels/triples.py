"""All conjunctions of three literals among many units: sums by the bins of a first feature.

With hundreds of units, bounds prune few triples, and a search has to look at nearly all. The
literals of a feature are runs of its bins. For each first feature, the units are sorted by its
bins; for two literals of other features, the scores of their common units are summed bin after
bin, and differences of these running sums are the sums of all triples with that first feature.
Where a literal's complement is a literal too, one sum serves both.

The denominator D(k) of Q is concave, so between the least and the largest support it is above its
chord, alpha + beta k: a cover that reaches q has ``sum (score - q beta) >= q alpha``. Weights are
whole numbers (see `bin_sums`), what rounding can add up to is taken off, and covers that pass are
summed exactly. No persona that could tie with the K-th best is left out, so the result is that of
brute force.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ketadask.kernels.best_list import threshold
from ketadask.kernels.bin_sums import COLUMNS, add_groups, byte_order, largest_weight
from ketadask.kernels.branch import record
from ketadask.kernels.byte_sums import SUBSETS, has_byte_lookup, units_per_group
from ketadask.kernels.compiled import kernel
from ketadask.kernels.covers import reachable_q
from ketadask.kernels.feature_bins import FeatureBins
from ketadask.kernels.popcount import WORD, words_for
from ketadask.kernels.state import MAX, NODES, SCREENED, SearchLimits, SearchState

_TILE = 4 * COLUMNS
_RANGE = 32_000
_MOST_UNITS = 30_000
_ROUNDING = 1e-9
_NEW_WEIGHTS = 1.01
# Measured on one core with AVX-512. Seconds of `branch`, for a leaf and each of its words, and the
# fraction of all triples that become leaves: the first number times survivors to the second.
_LEAF, _LEAF_WORD, _LEAVES = 1.2e-9, 0.53e-9, (0.3, 1.3)
# Seconds of `search_triples`: three columns, a unit of two, and a feature.
_CELL, _UNIT, _FEATURE = 4.7e-10, 6.5e-12, 3e-4


class WholeWeights(NamedTuple):
    """Whole weights of the units, the sum that a cover needs to reach q, and that q."""

    weights: np.ndarray
    need: int
    q: float


def round_weights(
    q: float, centred: np.ndarray, denominator: np.ndarray, support: tuple[int, int]
) -> WholeWeights:
    """Round what scores add to a sum by which covers of admissible ``support`` are compared."""
    a, b = support
    beta = (denominator[b] - denominator[a]) / max(1, b - a)
    gains = centred - q * beta
    largest_sum = _RANGE - centred.size / 2
    step = max(gains.max() / largest_weight(), np.abs(gains).sum() / largest_sum)
    weights = np.rint(gains / step).clip(min=-largest_weight())
    excess = (gains / step - weights).clip(min=0.0).sum()
    need = q * (denominator[a] - beta * a)
    steps = np.floor((need - _ROUNDING * abs(need)) / step - excess - 1e-6)
    return WholeWeights(weights.astype(np.int64), int(max(steps, 1)), q)


def fits_bins(limits: SearchLimits, literals: int, memory: float) -> bool:
    """Return whether `search_triples` can search such personas on this processor."""
    return (
        limits.max_literals == MAX - 1
        and WORD < limits.units <= _MOST_UNITS
        and limits.min_support < limits.units - 1
        and 1.5 * literals * limits.units <= memory
        and has_byte_lookup()
    )


def branch_seconds(literals: int, units: int, prune_rate: float) -> float:
    """Return about how long `branch` takes for triples if its bounds prune so many pairs."""
    n_leaves = literals**3 / 6 * _LEAVES[0] * (1.0 - prune_rate) ** _LEAVES[1]
    return float((_LEAF + _LEAF_WORD * words_for(units)) * n_leaves)


def bin_seconds(columns: int, features: int, units: int) -> float:
    """Return about how long `search_triples` takes."""
    sums = columns**2 / 2 * features / 3 * units
    return _CELL * columns**3 / 6 + _UNIT * sums + _FEATURE * features


def search_triples(
    runs: FeatureBins, support: tuple[int, int], state: SearchState, part: tuple[int, int]
) -> None:
    """Search all pairs and triples of literals.

    ``support`` are the least and largest support of a persona; with ``part`` (i, m) only the first
    features i, i + m, ... are searched. The list of the best is full, its last Q above 0.
    """
    bits, arrays = _column_bits(runs), state.arrays
    steps = round_weights(threshold(state.best), arrays.centred, arrays.denominator, support)
    for feature in range(part[0], runs.n_bins.size, part[1]):
        q = threshold(state.best)
        if q > _NEW_WEIGHTS * steps.q:
            steps = round_weights(q, arrays.centred, arrays.denominator, support)
        _search_feature(feature, runs, bits, steps.weights, steps.need, state)


@kernel()
def _column_bits(runs: FeatureBins) -> np.ndarray:
    """Return which units are inside each column: uint8 (block, unit + 1, column), no unit last."""
    n_columns, units = runs.literal.size, runs.bins.shape[1]
    order = byte_order()
    n_blocks = -(-n_columns // _TILE) * (_TILE // COLUMNS)
    bits = np.zeros((n_blocks, units + 1, COLUMNS), dtype=np.uint8)
    for column in range(n_columns):
        cover = runs.covers[runs.literal[column]]
        block, lane = column // COLUMNS, order[column % COLUMNS]
        for u in range(units):
            bits[block, u, lane] = (cover[u // 64] >> np.uint64(u % 64)) & np.uint64(1)
    return bits


@kernel()
def _sort_units(bins: np.ndarray, n_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Return units in groups, and the first group of each bin; gaps are the unit after the last."""
    per, units = units_per_group(), bins.size
    count = np.zeros(n_bins, dtype=np.int64)
    for u in range(units):
        if bins[u] >= 0:
            count[bins[u]] += 1
    cut = np.zeros(n_bins + 1, dtype=np.int64)
    for b in range(n_bins):
        cut[b + 1] = cut[b] + (count[b] + per - 1) // per
    groups = np.full((cut[n_bins], per), units, dtype=np.int64)
    count[:] = 0
    for u in range(units):
        b = bins[u]
        if b >= 0:
            groups[cut[b] + count[b] // per, count[b] % per] = u
            count[b] += 1
    return groups, cut


@kernel()
def _weigh_groups(groups: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the sums of the weights of all subsets of each group, plus 128: uint8."""
    table = np.zeros((groups.shape[0], SUBSETS), dtype=np.uint8)
    sums = np.zeros(SUBSETS, dtype=np.int64)
    for g in range(groups.shape[0]):
        size = 1
        for j in range(groups.shape[1]):
            u = groups[g, j]
            weight = weights[u] if u < weights.size else 0
            for i in range(size):
                sums[size + i] = sums[i] + weight
            size += size
        for i in range(size):
            table[g, i] = sums[i] + 128
    return table


@kernel()
def _gather_parts(bits: np.ndarray, groups: np.ndarray, out: np.ndarray, first: int) -> None:
    """Fill ``out`` (block, group, column), from block ``first`` on, with the bits of each group."""
    for block in range(first, bits.shape[0]):
        for g in range(groups.shape[0]):
            row = out[block, g]
            row[:] = bits[block, groups[g, 0]]
            for j in range(1, groups.shape[1]):
                source, shift = bits[block, groups[g, j]], np.uint8(j)
                for c in range(np.uint64(COLUMNS)):
                    row[c] |= source[c] << shift


@kernel()
def _running_sums(
    parts: np.ndarray, block: int, row: np.ndarray, table: np.ndarray, cut: np.ndarray,
    scratch: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    """Fill ``out`` (bin + 1, column) with the sums of the common parts of a row and a block."""
    scratch[:] = 0
    at, own, weights = parts[block].ctypes.data, row.ctypes.data, table.ctypes.data
    for b in range(cut.size - 1):
        add_groups(
            at, own, weights, cut[b], cut[b + 1], scratch.ctypes.data, out[b + 1].ctypes.data,
            128 * cut[b + 1],
        )  # fmt: skip


@kernel()
def _largest_sum(
    sums: tuple[np.ndarray, ...], mask: np.ndarray, totals: np.ndarray, first: int, last: int,
    sides: int,
) -> int:  # fmt: skip
    """Return the largest sum of the triples of two columns with those from ``first`` on.

    ``sides`` says which of the two have complements: 1 the first, 2 the second, 3 both.
    """
    i16 = np.int16
    low, high, every, own, all_own = sums
    w0, w1, w2, w3 = i16(totals[0]), i16(totals[1]), i16(totals[2]), i16(totals[3])
    best = i16(-32768)
    if sides == 3:
        for c in range(np.uint64(first), np.uint64(last)):
            p, x, o = mask[c], high[c], own[c]
            best = max(best, x)
            best = max(best, i16(i16(w0 - x) & p))
            y = i16(every[c] - x)
            best = max(best, y)
            best = max(best, i16(i16(w1 - y) & p))
            z = i16(o - x)
            best = max(best, z)
            best = max(best, i16(i16(w2 - z) & p))
            v = i16(i16(all_own[c] - o) - y)
            best = max(best, v)
            best = max(best, i16(i16(w3 - v) & p))
        return int(best)
    for c in range(np.uint64(first), np.uint64(last)):
        p = mask[c]
        x = i16(high[c] - low[c])
        best = max(best, x)
        best = max(best, i16(i16(w0 - x) & p))
    if sides == 1:
        for c in range(np.uint64(first), np.uint64(last)):
            p, y = mask[c], i16(every[c] - high[c])
            best = max(best, y)
            best = max(best, i16(i16(w1 - y) & p))
    if sides == 2:
        for c in range(np.uint64(first), np.uint64(last)):
            p = mask[c]
            z = i16(own[c] - i16(high[c] - low[c]))
            best = max(best, z)
            best = max(best, i16(i16(w2 - z) & p))
    return int(best)


@kernel()
def _offer(ids: np.ndarray, size: int, covers: np.ndarray, cover: np.ndarray, q: float,
           state: SearchState) -> None:  # fmt: skip
    """Offer a conjunction whose rounded sum suffices."""
    for k in range(size):
        if ids[k] < 0:
            return
    for w in range(cover.size):
        cover[w] = covers[ids[0], w]
        for k in range(1, size):
            cover[w] &= covers[ids[k], w]
    arrays = state.arrays
    if (
        reachable_q(
            cover, ids, size, q, arrays.feature, arrays.denominator, arrays.sums, state.screen.fine
        )
        >= q
    ):
        record(state, cover, ids, size)


@kernel()
def _offer_hits(
    sums: tuple[np.ndarray, ...], totals: np.ndarray, columns: tuple[int, int, int, int, int],
    sides: int, need: int, runs: FeatureBins, cover: np.ndarray, ids: np.ndarray,
    state: SearchState,
) -> None:  # fmt: skip
    """Offer the triples of two columns with those of a tile whose rounded sums suffice.

    ``columns`` are the first column, the second (-1 for none), the first and last of the tile,
    and where the tile begins.
    """
    low, high, every, own, all_own = sums
    i16 = np.int16
    a, r, first, last, begin = columns
    size = 3 if r >= 0 else 2
    for c in range(first, last):
        x = i16(high[c] - low[c])
        y = i16(every[c] - x)
        z = i16(own[c] - x)
        v = i16(i16(all_own[c] - own[c]) - y)
        for side in range(4):
            if side & ~sides:
                continue
            value = x if side == 0 else (y if side == 1 else (z if side == 2 else v))
            ids[0] = runs.complement[a] if side & 1 else runs.literal[a]
            if r >= 0:
                ids[1] = runs.complement[r] if side & 2 else runs.literal[r]
            if value >= need:
                ids[size - 1] = runs.literal[begin + c]
                _offer(ids, size, runs.covers, cover, threshold(state.best), state)
            if runs.complement[begin + c] >= 0 and i16(i16(totals[side]) - value) >= need:
                ids[size - 1] = runs.complement[begin + c]
                _offer(ids, size, runs.covers, cover, threshold(state.best), state)


@kernel()
def _search_feature(
    feature: int, runs: FeatureBins, bits: np.ndarray, weights: np.ndarray, need: int,
    state: SearchState,
) -> None:  # fmt: skip
    """Search all pairs and triples whose first feature is this one."""
    first, n_columns = runs.first, runs.literal.size
    begin = first[feature + 1]
    if begin == n_columns or first[feature] == begin:
        return
    n_bins = runs.n_bins[feature]
    groups, cut = _sort_units(runs.bins[feature], n_bins)
    table = _weigh_groups(groups, weights)
    n_groups, n_blocks = groups.shape[0], bits.shape[0]
    parts = np.empty((n_blocks, n_groups, COLUMNS), dtype=np.uint8)
    _gather_parts(bits, groups, parts, begin // COLUMNS)
    order = byte_order()
    row = np.full(n_groups, (1 << units_per_group()) - 1, dtype=np.uint8)
    scratch = np.zeros(2 * COLUMNS, dtype=np.int16)
    cover = np.zeros(runs.covers.shape[1], dtype=np.uint64)
    ids = np.full(MAX, np.int32(-1), dtype=np.int32)
    total = np.zeros(n_bins + 1, dtype=np.int64)
    for b in range(n_bins):
        total[b + 1] = total[b]
        for g in range(cut[b], cut[b + 1]):
            total[b + 1] += np.int64(table[g, row[g]]) - 128
    second = feature + 1
    mask = np.zeros(n_blocks * COLUMNS, dtype=np.int16)
    n_literals = np.zeros(n_columns + 1, dtype=np.int64)  # of the columns before each
    for c in range(n_columns):
        mask[c] = -1 if runs.complement[c] >= 0 else 0
        n_literals[c + 1] = n_literals[c] + 1 - mask[c]
    n_first = n_literals[begin] - n_literals[first[feature]]
    state.counts[SCREENED] += n_first * (n_literals[n_columns] - n_literals[begin])
    # Pairs: the sums of all columns.
    width = n_blocks * COLUMNS
    own = np.zeros((n_bins + 1, width), dtype=np.int16)
    for block in range(begin // COLUMNS, n_blocks):
        _running_sums(parts, block, row, table, cut, scratch, own[:, block * COLUMNS :])
    of_first = np.zeros((begin - first[feature], width), dtype=np.int16)
    totals, every = np.zeros(4, dtype=np.int64), own[n_bins]
    for a in range(first[feature], begin):
        low, high, sides = runs.low[a], runs.high[a], int(runs.complement[a] >= 0)
        own_a = of_first[a - first[feature]]
        for c in range(np.uint64(width)):
            own_a[c] = np.int16(own[high, c] - own[low, c])
        totals[0] = total[high] - total[low]
        totals[1] = total[n_bins] - totals[0]
        sums = (own[low], own[high], every, own_a, every)
        if _largest_sum(sums, mask, totals, begin, n_columns, sides) >= need:
            columns = (a, -1, begin, n_columns, 0)
            _offer_hits(sums, totals, columns, sides, need, runs, cover, ids, state)
    tile = np.zeros((n_bins + 1, _TILE), dtype=np.int16)
    for r in range(begin, n_columns):
        while first[second + 1] <= r:
            second += 1
        start = first[second + 1]
        block, lane = r // COLUMNS, order[r % COLUMNS]
        for g in range(n_groups):
            row[g] = parts[block, g, lane]
        state.counts[NODES] += 1
        state.counts[SCREENED] += (
            n_first
            * (n_literals[r + 1] - n_literals[r])
            * (n_literals[n_columns] - n_literals[start])
        )
        for left in range(start // _TILE * _TILE, n_columns, _TILE):
            right = min(n_columns, left + _TILE)
            for block in range(max(left, start) // COLUMNS, -(-right // COLUMNS)):
                out = tile[:, block * COLUMNS - left :]
                _running_sums(parts, block, row, table, cut, scratch, out)
            begins, ends = max(start - left, 0), right - left
            for a in range(first[feature], begin):
                low, high = runs.low[a], runs.high[a]
                totals[0] = np.int64(of_first[a - first[feature], r])
                totals[1] = np.int64(every[r]) - totals[0]
                totals[2] = total[high] - total[low] - totals[0]
                totals[3] = total[n_bins] - total[high] + total[low] - totals[1]
                sides = (runs.complement[a] >= 0) + 2 * (runs.complement[r] >= 0)
                own_a = of_first[a - first[feature], left:]
                sums = (tile[low], tile[high], tile[n_bins], own_a, every[left:])
                if _largest_sum(sums, mask[left:], totals, begins, ends, sides) >= need:
                    columns = (a, r, begins, ends, left)
                    _offer_hits(sums, totals, columns, sides, need, runs, cover, ids, state)
