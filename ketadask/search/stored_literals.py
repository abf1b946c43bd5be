"""Packed truth values in a file, for cohorts whose literals do not fit in memory."""

from __future__ import annotations

import filecmp
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ketadask.kernels.blocks import LiteralRows, PackedRows
from ketadask.kernels.popcount import gather, words_for
from ketadask.schema.errors import InputError
from ketadask.store.disk import disk_errors, make_folder, temporary_path

FILE = "literals.bits"


class StoredRows:
    """Packed truth values in a memory-mapped file: only its name is sent to workers.

    The file is mapped anew for every access and let go after it, so that pages read once do not
    add up.
    """

    def __init__(self, file: Path, count: int, units: int) -> None:
        self.file, self.count, self.units = file, count, units

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.count

    def take(self, ids: np.ndarray) -> np.ndarray:
        """Return some rows: uint64 (row, word)."""
        try:
            bits = np.memmap(
                self.file, dtype="<u8", mode="r", shape=(self.count, words_for(self.units))
            )
        except (OSError, ValueError) as error:
            raise InputError(
                "cannot read the literals",
                file=self.file,
                value=str(error),
                remedy="make the run folder visible to every worker, then run again",
            ) from error
        return np.array(bits[ids], dtype=np.uint64)


class Packing:
    """Packed rows under construction: in memory up to a limit, in a file above it.

    Examples
    --------
    >>> packing = Packing(3)
    >>> packing.add(np.array([[5], [3]], dtype=np.uint64))
    >>> len(packing.rows())
    2
    """

    def __init__(
        self, units: int, memory: float = float("inf"), folder: Path | None = None
    ) -> None:
        self._units, self._memory, self._folder = units, memory, folder
        self._pending: list[np.ndarray] = []
        self._pending_bytes = 0
        self._count = 0
        self._file: Path | None = None

    def add(self, rows: np.ndarray) -> None:
        """Append rows: uint64 (row, word)."""
        self._pending.append(rows)
        self._pending_bytes += rows.nbytes
        self._count += len(rows)
        # Rows exist twice while they become one array.
        if self._folder is not None and 2 * self._pending_bytes > self._memory:
            self._flush(self._folder)

    def rows(self) -> LiteralRows:
        """Return all rows."""
        if self._file is not None and self._folder is not None:
            self._flush(self._folder)
            target = self._folder / FILE
            with disk_errors(self._folder):
                # Others may be reading it: on a network disk they would lose the file under them.
                if target.is_file() and filecmp.cmp(self._file, target, shallow=False):
                    self._file.unlink()
                else:
                    self._file.replace(target)
            return StoredRows(target, self._count, self._units)
        none = np.zeros((0, words_for(self._units)), dtype=np.uint64)
        return PackedRows(np.concatenate([none, *self._pending]), self._units)

    def _flush(self, folder: Path) -> None:
        if self._file is None:
            self._file = temporary_path(make_folder(folder) / FILE)
        with disk_errors(folder), self._file.open("ab") as file:
            for rows in self._pending:
                file.write(rows.astype("<u8").tobytes())
        self._pending, self._pending_bytes = [], 0


class ReorderedRows:
    """Rows with permuted units; bits are moved when rows are read."""

    def __init__(self, rows: LiteralRows, order: np.ndarray) -> None:
        self._rows, self._order, self.units = rows, order, order.size

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def take(self, ids: np.ndarray) -> np.ndarray:
        """Return some rows: uint64 (row, word)."""
        bits = np.empty((words_for(self.units), len(ids)), dtype=np.uint64)
        gather(self._rows.take(ids), self._order, bits)
        return np.ascontiguousarray(bits.T)


def in_steps(rows: LiteralRows, size: int = 1024) -> Iterator[np.ndarray]:
    """Yield all rows in order, ``size`` at a time."""
    for first in range(0, len(rows), size):
        yield rows.take(np.arange(first, min(first + size, len(rows))))
