"""Delimited text read as text first, and turned into numbers cell by cell.

Every complaint names the file, the row (line number, the header is row 1), the column and the
value, because that is what a person needs to open the file and mend it.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ketadask.schema import InputError, nearest
from ketadask.sources.codes import MISSING_CODES, as_number, is_blank, is_missing
from ketadask.sources.findings import Findings

_DELIMITERS = {"\t": "tab", ",": "comma", ";": "semicolon", " ": "space"}


@dataclass(frozen=True, eq=False)
class Cells:
    """A table of text: columns by name, and the line of the file each row stands on."""

    file: Path
    columns: Mapping[str, list[str]]
    lines: list[int]
    second_header: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.lines)

    def where(self, row: int, column: str) -> str:
        """Return ``row 3, column age`` for the row with this position."""
        return f"row {self.lines[row]}, column {column}"

    def need(self, *names: str) -> str:
        """Return the first of ``names`` that is a column (case does not matter)."""
        found = self.find(*names)
        if found is None:
            raise InputError(
                f"no column {names[0]!r}",
                file=self.file,
                where="header",
                remedy=nearest(names[0], self.columns),
            )
        return found

    def find(self, *names: str) -> str | None:
        """Return the first of ``names`` that is a column, or None."""
        lowered = {column.lower(): column for column in reversed(list(self.columns))}
        return next((lowered[name.lower()] for name in names if name.lower() in lowered), None)

    def text(self, column: str) -> list[str]:
        """Return the cells of a column, blank ones as the empty string."""
        return ["" if is_blank(cell) else cell for cell in self.columns[column]]

    def words(self, column: str) -> list[str]:
        """Return the cells of a column, blank ones and codes for missing as the empty string."""
        return ["" if is_missing(cell) else cell for cell in self.columns[column]]

    def numbers(
        self,
        column: str,
        findings: Findings,
        *,
        low: float = -math.inf,
        high: float = math.inf,
        missing: frozenset[float] = MISSING_CODES,
    ) -> np.ndarray:
        """Return a column as float64 (row,), NaN where missing; wrong cells go to ``findings``."""
        known: dict[str, float] = {}
        values = np.empty(len(self), dtype=np.float64)
        for row, cell in enumerate(self.columns[column]):
            value = known.get(cell)
            if value is None:
                value, problem = _number(cell, low, high, missing)
                if problem:
                    self._complain(findings, row, column, cell, problem)
                else:
                    known[cell] = value
            values[row] = value
        return values

    def _complain(
        self, findings: Findings, row: int, column: str, cell: str, problem: tuple[str, str]
    ) -> None:
        findings.add(
            InputError(
                problem[0],
                file=self.file,
                where=self.where(row, column),
                value=cell,
                remedy=problem[1],
            )
        )


def _number(
    cell: str, low: float, high: float, missing: frozenset[float]
) -> tuple[float, tuple[str, str] | None]:
    value = as_number(cell)
    if value is None:
        remedy = "write a number, or n/a where it is missing"
        if re.fullmatch(r"\s*[+-]?[0-9]+,[0-9]+\s*", cell):
            remedy = "write decimals with a point"
        return math.nan, ("not a number", remedy)
    if math.isnan(value) or value in missing:
        return math.nan, None
    if not low <= value <= high:
        return math.nan, (
            f"outside the range {low:g} to {high:g}",
            "correct the value, or write n/a where it is missing",
        )
    return value, None


def read_text(path: Path) -> str:
    """Return the text of a file, or say why it cannot be read."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError("no such file", file=path, remedy="check the path") from None
    except IsADirectoryError:
        raise InputError("is a folder, not a file", file=path, remedy="name a file") from None
    except OSError as error:
        raise unreadable(path, error) from None
    if not raw.removeprefix(b"\xef\xbb\xbf").strip():
        raise InputError("the file is empty", file=path, remedy="export it again")
    if b"\0" in raw:
        line = raw[: raw.index(b"\0")].count(b"\n") + 1
        raise InputError(
            "holds NUL bytes", file=path, where=f"row {line}", remedy="save it as UTF-8 text"
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(
            "not UTF-8",
            file=path,
            where=f"row {line}",
            value=raw[error.start : error.start + 1],
            remedy="save it as UTF-8 (it may be latin-1)",
        ) from None


def unreadable(path: Path, error: OSError) -> InputError:
    """Return what to say about a file or folder that the system does not let us read."""
    return InputError(
        f"cannot be read ({error.strerror})", file=path, remedy="check its permissions"
    )


def text_rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells: the header first, then every row that is not empty.

    Names of columns are there and unique, and all rows are as long as the header.
    """
    text = read_text(path).replace("\r\n", "\n").replace("\r", "\n")
    width = 0
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        cells = _split(path, number, line, delimiter)
        if not width:
            _check_header(path, number, cells, delimiter)
            width = len(cells)
        elif len(cells) != width:
            raise InputError(
                f"has {len(cells)} cells where the header has {width}",
                file=path,
                where=f"row {number}",
                remedy="write every cell, n/a where it is missing",
            )
        if any(cells):
            yield number, cells


def read_cells(path: Path, *, delimiter: str = "\t", second_header: bool = False) -> Cells:
    """Read a delimited text file as text; rows without any cell are left out.

    Parameters
    ----------
    path
        The file; its first line names the columns.
    delimiter
        What separates the cells.
    second_header
        Whether a second line describes the columns (NDA).
    """
    table = text_rows(path, delimiter)
    _, header = next(table)
    described = tuple(next(table, (0, []))[1]) if second_header else ()
    memo: dict[str, str] = {}
    columns: list[list[str]] = [[] for _ in header]
    lines = []
    for number, row in table:
        lines.append(number)
        for column, cell in zip(columns, row, strict=True):
            column.append(memo.setdefault(cell, cell))
    if not lines:
        raise InputError("has a header but no rows", file=path, remedy="export it again")
    return Cells(path, dict(zip(header, columns, strict=True)), lines, described)


def _split(path: Path, number: int, line: str, delimiter: str) -> list[str]:
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    try:
        # One line at a time: a stray quote must not swallow the lines below it.
        cells = next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        raise InputError(
            "quotation marks do not pair up",
            file=path,
            where=f"row {number}",
            remedy="close or remove them",
        ) from None
    return [cell.strip() for cell in cells]


def _check_header(path: Path, line: int, header: list[str], delimiter: str) -> None:
    if len(header) == 1:
        others = [other for other in _DELIMITERS if other != delimiter and other in header[0]]
        if others:
            raise InputError(
                f"only one column found; the cells seem separated by {_DELIMITERS[others[0]]}",
                file=path,
                where="header",
                remedy=f"save it with {_DELIMITERS.get(delimiter, delimiter)} between the cells",
            )
    for position, name in enumerate(header, start=1):
        if not name:
            raise InputError(
                f"column {position} has no name", file=path, where=f"row {line}", remedy="name it"
            )
    twice = [name for name, times in Counter(header).items() if times > 1]
    if twice:
        raise InputError(
            "column name appears twice",
            file=path,
            where="header",
            value=twice[0],
            remedy="rename or remove one of them",
        )


def read_sidecar(path: Path) -> dict[str, Any]:
    """Return the JSON description beside a table, empty where there is none."""
    if not path.exists():
        return {}
    text = read_text(path)
    try:
        described = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        where = f"row {error.lineno}" if isinstance(error, json.JSONDecodeError) else "row 1"
        raise InputError(
            "not valid JSON", file=path, where=where, remedy="mend it or remove it"
        ) from None
    if not isinstance(described, dict):
        raise InputError("must hold one JSON object", file=path, remedy="mend it or remove it")
    return {k: v for k, v in described.items() if isinstance(v, dict)}
