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


def pack_rows(holds: np.ndarray) -> np.ndarray:
    """Pack truth values row by row: uint64 (row, word), bits as in `pack`.

    Examples
    --------
    >>> pack_rows(np.array([[True, False, True], [False, True, True]]))
    array([[5],
           [6]], dtype=uint64)
    """
    return np.ascontiguousarray(pack(holds).T)


def unpack_rows(bits: np.ndarray, units: int) -> np.ndarray:
    """Undo `pack_rows`: bool (row, unit)."""
    return unpack(bits.T, units)


def gather(bits: np.ndarray, units: np.ndarray, out: np.ndarray, first: int = 0) -> None:
    """Fill columns of ``out`` (word, row), from ``first`` on, with units in another order.

    Parameters
    ----------
    bits
        Packed rows, uint64 (row, word).
    units
        int (unit,): which bit of a row becomes bit 0, 1, ... of its column; some may be left out.

    Examples
    --------
    >>> out = np.empty((1, 2), dtype=np.uint64)
    >>> gather(np.array([[5], [6]], dtype=np.uint64), np.array([2, 0, 1]), out)
    >>> out
    array([[3, 5]], dtype=uint64)
    """
    _gather(bits, units.astype(np.uint64), out, np.uint64(first))


@njit(nogil=True, cache=True)
def _gather(bits: np.ndarray, units: np.ndarray, out: np.ndarray, column: np.uint64) -> None:
    count, six, low, one = np.uint64(units.size), np.uint64(6), np.uint64(63), np.uint64(1)
    for row in range(np.uint64(bits.shape[0])):
        for w in range(np.uint64(out.shape[0])):
            word, start = np.uint64(0), np.uint64(WORD) * w
            for bit in range(min(np.uint64(WORD), count - start)):
                unit = units[start + bit]
                word |= ((bits[row, unit >> six] >> (unit & low)) & one) << bit
            out[w, column + row] = word


def unpack(words: np.ndarray, units: int) -> np.ndarray:
    """Undo `pack`: bool (row, unit)."""
    rows = np.ascontiguousarray(words.T.astype("<u8")).view(np.uint8)
    return np.unpackbits(rows, axis=1, bitorder="little")[:, :units].astype(bool)


def bit_planes(weights: np.ndarray, count: int = 8) -> np.ndarray:
    """Split whole weights below ``2 ** count`` into packed planes: uint64 (count, word)."""
    planes = (weights[None, :].astype(np.int64) >> np.arange(count)[:, None]) & 1
    return np.ascontiguousarray(pack(planes.astype(bool)).T)
