"""Tables written block by block into a folder that appears complete or not at all."""

from __future__ import annotations

import glob
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from ketadask.schema.errors import InputError
from ketadask.store.disk import is_alive


class Table:
    """A tab separated file, open for more rows.

    Parameters
    ----------
    path
        File to write; its folder is created.
    columns
        Names of the columns, the first header line.
    descriptions
        Descriptions, the second header line of NDA files; those files quote every cell.
    missing
        Text for a negative integer and for NaN.
    """

    def __init__(
        self,
        path: Path,
        columns: Sequence[str],
        *,
        descriptions: Sequence[str] = (),
        missing: str = "n/a",
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.missing = missing
        self._file = path.open("wb")
        quote = '"' if descriptions else ""
        for line in (columns, descriptions):
            if line:
                cells = "\t".join(f"{quote}{cell}{quote}" for cell in line)
                self._file.write(f"{cells}\n".encode())
        style = "all_valid" if descriptions else "none"
        self._options = csv.WriteOptions(include_header=False, delimiter="\t", quoting_style=style)
        self._schema = pa.schema([(f"{i}", pa.string()) for i in range(len(columns))])
        self._writer = csv.CSVWriter(self._file, self._schema, write_options=self._options)

    def write(self, *columns: np.ndarray) -> None:
        """Append rows; every argument is a column (row,) or a block of columns (row, column)."""
        flat = [part for block in columns for part in (block.T if block.ndim == 2 else [block])]
        cells = [_cells(column, self.missing) for column in flat]
        self._writer.write(pa.RecordBatch.from_arrays(cells, schema=self._schema))

    def __enter__(self) -> Table:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()
        self._file.close()


def _cells(column: np.ndarray, missing: str) -> pa.Array:
    if column.dtype.kind in "iu":
        numbers = pa.array(np.ascontiguousarray(column), mask=column < 0)
        return pc.fill_null(pc.cast(numbers, pa.string()), missing)
    if column.dtype.kind == "f":
        numbers = pa.array(np.ascontiguousarray(column), from_pandas=True)  # NaN is null
        return pc.fill_null(pc.cast(numbers, pa.string()), missing)
    return pa.array(column.astype(object), pa.string())


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write one readable JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@contextmanager
def whole_folder(out: Path, *, overwrite: bool, mark: str) -> Iterator[Path]:
    """Yield a temporary folder beside ``out`` that becomes ``out`` when the body succeeds.

    An ``out`` that is not empty is refused. With ``overwrite`` it is replaced at the end, provided
    it has ``mark``, so that no other data are removed. A body that fails leaves nothing.
    """
    out = out.absolute()
    _put_back(out)
    if out.exists() and not out.is_dir():
        raise InputError("not a folder", file=out, remedy="name a new folder")
    if out.is_dir() and any(out.iterdir()):
        if not overwrite:
            raise InputError(
                "the folder is not empty",
                file=out,
                remedy="name a new folder, or ask to overwrite this one",
            )
        if not (out / mark).exists():
            raise InputError(
                f"the folder has no {mark}, so it is not a simulated study and is not overwritten",
                file=out,
                remedy="name a new folder, or remove this one yourself",
            )
    new, old = (_sibling(out, what) for what in ("partial", "replaced"))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _sweep(out)
        new.mkdir()
        yield new
        _put(new, out, old)
    except OSError as error:
        raise InputError(
            f"the study folder cannot be written ({error.strerror})",
            file=error.filename or out,
            remedy="free space or name a folder you may write to",
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _put(new: Path, out: Path, old: Path) -> None:
    """Let ``new`` take the place of ``out``; if it cannot, ``out`` stays."""
    if not out.exists():
        os.replace(new, out)
        return
    os.replace(out, old)
    try:
        os.replace(new, out)
    except OSError:
        os.replace(old, out)
        raise


def _sibling(out: Path, what: str, pid: int | str | None = None) -> Path:
    return out.parent / f".{out.name}.{what}-{socket.gethostname()}-{pid or os.getpid()}"


def _put_back(out: Path) -> None:
    """Restore ``out`` where a process was killed while it replaced it."""
    for left in _left(out, "replaced"):
        if not out.exists():
            os.replace(left, out)


def _sweep(out: Path) -> None:
    """Remove the temporary folders of killed processes of this machine."""
    for left in (*_left(out, "partial"), *_left(out, "replaced")):
        shutil.rmtree(left, ignore_errors=True)


def _left(out: Path, what: str) -> list[Path]:
    """Return the temporary folders of this kind whose process on this machine is not running."""
    pattern = glob.escape(_sibling(out, what, "*").name).replace("[*]", "*")
    paths = sorted(out.parent.glob(pattern))
    return [path for path in paths if not _alive_elsewhere(path.name.rpartition("-")[2])]


def _alive_elsewhere(pid: str) -> bool:
    # The id of this process may be that of a killed one: containers count from 1 again.
    if not pid.isdigit() or int(pid) == os.getpid():
        return False
    return is_alive(socket.gethostname(), int(pid))
