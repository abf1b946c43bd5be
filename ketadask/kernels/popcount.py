"""Bit counting that the compiler turns into the machine's own instruction, and packing of bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

WORD = 64


@intrinsic
def _popcount(typing_context: Any, word: Any) -> Any:
    """Count the bits set in a 64-bit word, as int64 (so that sums vectorise as integers)."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), emit


@intrinsic
def _lowest_bit(typing_context: Any, word: Any) -> Any:
    """Return the position of the lowest bit set; 64 for an empty word."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), emit


popcount: Any = _popcount
lowest_bit: Any = _lowest_bit


def words_for(units: int) -> int:
    """Return how many 64-bit words hold one bit per unit, at least one."""
    return max(1, -(-units // WORD))


def pack(holds: np.ndarray) -> np.ndarray:
    """Pack truth values into words: bit ``u % 64`` of word ``u // 64`` is unit ``u``.

    Parameters
    ----------
    holds
        bool (row, unit).

    Returns
    -------
    uint64 (word, row): rows are contiguous, so that one instruction serves eight rows.

    Examples
    --------
    >>> pack(np.array([[True, False, True], [False, True, True]]))
    array([[5, 6]], dtype=uint64)
    """
    rows, units = holds.shape
    padded = np.zeros((rows, words_for(units) * WORD), dtype=bool)
    padded[:, :units] = holds
    packed = np.packbits(padded, axis=1, bitorder="little").view("<u8")
    return np.ascontiguousarray(packed.T.astype(np.uint64))


def pack_in_order(holds: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Pack ``holds[:, units]`` without making it.

    Examples
    --------
    >>> pack_in_order(np.array([[True, False, True], [False, True, True]]), np.array([2, 0, 1]))
    array([[3, 5]], dtype=uint64)
    """
    words = np.empty((words_for(units.size), len(holds)), dtype=np.uint64)
    _pack_in_order(np.ascontiguousarray(holds), units.astype(np.uint64), words)
    return words


@njit(nogil=True, cache=True)
def _pack_in_order(holds: np.ndarray, units: np.ndarray, words: np.ndarray) -> None:
    count = np.uint64(units.size)
    for row in range(np.uint64(holds.shape[0])):
        for w in range(np.uint64(words.shape[0])):
            word, first = np.uint64(0), np.uint64(WORD) * w
            for bit in range(min(np.uint64(WORD), count - first)):
                word |= np.uint64(holds[row, units[first + bit]]) << bit
            words[w, row] = word


def unpack(words: np.ndarray, units: int) -> np.ndarray:
    """Undo `pack`: bool (row, unit)."""
    rows = np.ascontiguousarray(words.T.astype("<u8")).view(np.uint8)
    return np.unpackbits(rows, axis=1, bitorder="little")[:, :units].astype(bool)


def bit_planes(weights: np.ndarray, count: int = 8) -> np.ndarray:
    """Split whole weights below ``2 ** count`` into packed planes: uint64 (count, word)."""
    planes = (weights[None, :].astype(np.int64) >> np.arange(count)[:, None]) & 1
    return np.ascontiguousarray(pack(planes.astype(bool)).T)
