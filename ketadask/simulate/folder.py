"""Tables written row slice by row slice into a folder that appears whole or not at all."""

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
        File to make; its folder is made too.
    columns
        Names of the columns, the first header line.
    described
        Descriptions, the second header line of NDA files; those files quote every cell.
    missing
        What stands for a negative whole number.
    """

    def __init__(
        self,
        path: Path,
        columns: Sequence[str],
        *,
        described: Sequence[str] = (),
        missing: str = "n/a",
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.missing = missing
        self._file = path.open("wb")
        quote = '"' if described else ""
        for line in (columns, described):
            if line:
                cells = "\t".join(f"{quote}{cell}{quote}" for cell in line)
                self._file.write(f"{cells}\n".encode())
        style = "all_valid" if described else "none"
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
        given = pa.array(np.ascontiguousarray(column), mask=column < 0)
        return pc.fill_null(pc.cast(given, pa.string()), missing)
    if column.dtype.kind == "f":
        return pc.cast(pa.array(np.ascontiguousarray(column)), pa.string())
    return pa.array(column.astype(object), pa.string())


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write one readable JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@contextmanager
def whole_folder(out: Path, *, overwrite: bool, mark: str) -> Iterator[Path]:
    """Give a temporary folder beside ``out`` that becomes ``out`` when the body has ended well.

    A folder that is there and not empty is refused. With ``overwrite`` it is replaced at the very
    end, provided it holds ``mark``: nobody's own data are ever removed. Of a body that fails
    nothing remains.
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
                f"the folder has no {mark}, so it was not made here and is not overwritten",
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
    """Give ``out`` its name again where a process was killed between taking and giving it."""
    for left in _left(out, "replaced"):
        if not out.exists():
            os.replace(left, out)


def _sweep(out: Path) -> None:
    """Remove what a process of this machine left here when it was killed."""
    for left in (*_left(out, "partial"), *_left(out, "replaced")):
        shutil.rmtree(left, ignore_errors=True)


def _left(out: Path, what: str) -> list[Path]:
    """Return the folders of this kind whose process, of this machine, has ended."""
    pattern = glob.escape(_sibling(out, what, "*").name).replace("[*]", "*")
    found = sorted(out.parent.glob(pattern))
    return [each for each in found if not _alive_elsewhere(each.name.rpartition("-")[2])]


def _alive_elsewhere(pid: str) -> bool:
    # Our own number can be left from a killed process too: containers count from 1 again.
    if not pid.isdigit() or int(pid) == os.getpid():
        return False
    return is_alive(socket.gethostname(), int(pid))
