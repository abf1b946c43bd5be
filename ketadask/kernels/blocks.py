"""Covers of literals in the order a search needs them, all at once or a block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from ketadask.kernels.popcount import gather, pack_rows, words_for
from ketadask.kernels.state import LANES, CoverBlock

LEAST = 64
_AT_ONCE = 1 << 22


class LiteralRows(Protocol):
    """Packed truth values, a row of words per literal, wherever they are kept."""

    units: int

    def __len__(self) -> int:
        """Return the number of rows."""
        ...

    def take(self, ids: np.ndarray) -> np.ndarray:
        """Return some rows: uint64 (row, word)."""
        ...


class PackedRows:
    """Packed truth values in memory.

    Examples
    --------
    >>> rows = PackedRows.of(np.array([[True, False, True], [False, True, True]]))
    >>> rows.take(np.array([1]))
    array([[6]], dtype=uint64)
    """

    def __init__(self, bits: np.ndarray, units: int) -> None:
        self.bits, self.units = bits, units

    @classmethod
    def of(cls, holds: np.ndarray) -> PackedRows:
        """Pack bool (literal, unit)."""
        return cls(pack_rows(holds), holds.shape[1])

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.bits)

    def take(self, ids: np.ndarray) -> np.ndarray:
        """Return some rows: uint64 (row, word)."""
        return np.asarray(self.bits[ids])


class OrderedCovers:
    """Covers of literals, packed in the order of descending score.

    Parameters
    ----------
    rows
        Who is inside each literal.
    units
        int (unit,): which unit of ``rows`` stands at each bit.
    levels
        Levels of room a search in one piece needs (see `branch.branch`).
    memory
        Most bytes the covers may take; above that they come in blocks.
    """

    def __init__(self, rows: LiteralRows, units: np.ndarray, levels: int, memory: float) -> None:
        self._rows, self._units, self._levels = rows, units, levels
        self.memory = memory
        self.words = words_for(units.size)
        row_bytes = 8 * self.words
        self.whole = levels * (len(rows) + LANES) * row_bytes <= memory
        # A search of pairs needs two blocks.
        self.size = len(rows) if self.whole else int(memory / 2 / row_bytes) - LANES
        if not self.whole and self.size < LEAST:
            need = 2 * (LEAST + LANES) * row_bytes
            raise MemoryError(
                f"{memory / 1e6:.3g} MB are too little for blocks of {LEAST} literals of "
                f"{units.size} units; give the covers {need / 1e6:.3g} MB or more"
            )
        self.order = np.zeros(0, dtype=np.int32)
        levels = levels if self.whole else 1
        self._covers = np.empty((levels, self.words, self.size + LANES), dtype=np.uint64)
        self._second: np.ndarray | None = None

    def load(self, ids: np.ndarray, out: np.ndarray) -> None:
        """Fill the first columns of ``out`` (word, literal) with the covers of some literals."""
        at_once = max(1, _AT_ONCE // (8 * words_for(self._rows.units)))
        for first in range(0, len(ids), at_once):
            gather(self._rows.take(ids[first : first + at_once]), self._units, out, first)

    def unordered(self) -> Iterator[tuple[np.ndarray, int]]:
        """Yield covers (word, literal) and how many they are: all literals by number."""
        ids = np.arange(len(self._rows))
        for first in range(0, len(ids), max(1, self.size)):
            some = ids[first : first + self.size]
            self.load(some, self._covers[0])
            yield self._covers[0], len(some)

    def arrange(self, order: np.ndarray) -> None:
        """Set the search order; call it after `unordered` has been gone through."""
        self.order = order
        if self.whole:
            for word in self._covers[0]:
                word[: order.size] = word[order]
            self._covers[0, :, order.size :] = 0

    def one(self) -> np.ndarray:
        """Return the covers of all literals in search order, with all levels of room."""
        if not self.whole:
            raise ValueError("the covers do not fit into the memory given")
        return self._covers

    def __call__(self) -> Iterator[CoverBlock]:
        """Yield all literals in search order, each block in the same memory."""
        return self._blocks(self._covers, 0)

    def partners(self, first: int) -> Iterator[CoverBlock]:
        """Yield blocks from position ``first`` on, in another memory than those of `__call__`."""
        if self._second is None and not self.whole:
            self._second = np.empty_like(self._covers)
        return self._blocks(self._covers if self._second is None else self._second, first)

    def _blocks(self, covers: np.ndarray, first: int) -> Iterator[CoverBlock]:
        if self.whole:
            yield CoverBlock(covers[:1], self.order, 0)
            return
        for start in range(first, self.order.size, self.size):
            ids = self.order[start : start + self.size]
            self.load(ids, covers[0])
            covers[0, :, len(ids) :] = 0
            yield CoverBlock(covers, ids, start)
