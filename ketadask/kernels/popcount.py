"""Bit counting that the compiler turns into the machine's own instruction, and packing of bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ketadask.kernels.compiled import kernel

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


@kernel()
def _gather(bits: np.ndarray, units: np.ndarray, out: np.ndarray, column: np.uint64) -> None:
    """Move the bits of many rows at a time, which lie side by side for that; four units at once."""
    count, rows = np.uint64(units.size), bits.shape[0]
    six, low, word = np.uint64(6), np.uint64(63), np.uint64(WORD)
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    side = np.empty((bits.shape[1], WORD), dtype=np.uint64)
    column_words = np.empty(WORD, dtype=np.uint64)
    for first in range(0, rows, WORD):
        some = min(WORD, rows - first)
        for row in range(some):
            for q in range(bits.shape[1]):
                side[q, row] = bits[first + row, q]
        for w in range(np.uint64(out.shape[0])):
            start, bit = word * w, np.uint64(0)
            inside = min(word, count - start)
            column_words[:] = 0
            while bit + three < inside:
                a, b = units[start + bit], units[start + bit + one]
                c, d = units[start + bit + two], units[start + bit + three]
                qa, qb, qc, qd = a >> six, b >> six, c >> six, d >> six
                a, b, c, d = a & low, b & low, c & low, d & low
                for row in range(word):
                    column_words[row] |= (
                        (((side[qa, row] >> a) & one) | (((side[qb, row] >> b) & one) << one))
                        | (((side[qc, row] >> c) & one) << two)
                        | (((side[qd, row] >> d) & one) << three)
                    ) << bit
                bit += np.uint64(4)
            while bit < inside:
                a, qa = units[start + bit] & low, units[start + bit] >> six
                for row in range(word):
                    column_words[row] |= ((side[qa, row] >> a) & one) << bit
                bit += one
            for row in range(some):
                out[w, column + np.uint64(first + row)] = column_words[row]


def unpack(words: np.ndarray, units: int) -> np.ndarray:
    """Undo `pack`: bool (row, unit)."""
    rows = np.ascontiguousarray(words.T.astype("<u8")).view(np.uint8)
    return np.unpackbits(rows, axis=1, bitorder="little")[:, :units].astype(bool)


def bit_planes(weights: np.ndarray, count: int = 8) -> np.ndarray:
    """Split whole weights below ``2 ** count`` into packed planes: uint64 (count, word)."""
    planes = (weights[None, :].astype(np.int64) >> np.arange(count)[:, None]) & 1
    return np.ascontiguousarray(pack(planes.astype(bool)).T)
