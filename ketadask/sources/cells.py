"""Delimited text read as text first, and turned into numbers cell by cell.

Every complaint names the file, the row (line number, the header is row 1), the column and the
value, because that is what a person needs to open the file and mend it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ketadask.schema.errors import InputError, nearest
from ketadask.sources.codes import MISSING_CODES, as_number, is_blank, is_missing
from ketadask.sources.data_issues import DataIssues
from ketadask.sources.delimited import read_text, text_rows

_NO_NUMBER = "not a number"


@dataclass(frozen=True, eq=False)
class Cells:
    """A table of text: columns by name, and the line of the file each row stands on.

    ``headers`` says how a column that has been renamed is called in the file, ``missing`` which
    numbers stand for a missing value.
    """

    file: Path
    columns: Mapping[str, list[str]]
    lines: Sequence[int]
    second_header: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    missing: frozenset[float] = MISSING_CODES

    def __len__(self) -> int:
        return len(self.lines)

    def where(self, row: int, column: str) -> str:
        """Return ``row 3, column age`` for the row with this position."""
        return f"row {self.lines[row]}, column {self.headers.get(column, column)}"

    def renamed(self, names: Mapping[str, str]) -> Cells:
        """Return the table with some columns under other names; complaints use the old ones.

        Parameters
        ----------
        names
            New name by the name in the file.
        """
        for header in names:
            if header not in self.columns:
                raise InputError(
                    "no such column",
                    file=self.file,
                    where="header",
                    value=header,
                    remedy=nearest(header, self.columns),
                )
        columns: dict[str, list[str]] = {}
        for header, cells in self.columns.items():
            name = names.get(header, header)
            if name in columns:
                raise InputError(
                    f"two columns are called {name}",
                    file=self.file,
                    where="header",
                    value=header,
                    remedy="name another column, or rename it in the file",
                )
            columns[name] = cells
        headers = {name: self.headers.get(old, old) for old, name in names.items()}
        return replace(self, columns=columns, headers=dict(self.headers) | headers)

    def only(self, columns: Sequence[str]) -> Cells:
        """Return the table with these columns only."""
        return replace(self, columns={name: self.columns[name] for name in columns})

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
        findings: DataIssues,
        *,
        low: float = -math.inf,
        high: float = math.inf,
        or_else: str = "",
    ) -> np.ndarray:
        """Return a column as float64 (row,), NaN where missing; wrong cells go to ``findings``.

        ``or_else`` is what else may be done about a cell that holds no number.
        """
        known: dict[str, float] = {}
        values = np.empty(len(self), dtype=np.float64)
        for row, cell in enumerate(self.columns[column]):
            value = known.get(cell)
            if value is None:
                value, problem = _number(cell, low, high, self.missing)
                if problem:
                    if problem[0] == _NO_NUMBER:
                        problem = problem[0], problem[1] + or_else
                    self._complain(findings, row, column, cell, problem)
                else:
                    known[cell] = value
            values[row] = value
        return values

    def _complain(
        self, findings: DataIssues, row: int, column: str, cell: str, problem: tuple[str, str]
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
        return math.nan, (_NO_NUMBER, remedy)
    if math.isnan(value) or value in missing:
        return math.nan, None
    if not low <= value <= high:
        return math.nan, (
            f"outside the range {low:g} to {high:g}",
            "correct the value, or write n/a where it is missing",
        )
    return value, None


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


def read_sidecar(path: Path) -> dict[str, Any]:
    """Return the JSON description beside a table, empty where there is none."""
    if not path.exists():
        return {}
    return {k: v for k, v in read_object(path).items() if isinstance(v, dict)}


def read_object(path: Path) -> dict[str, Any]:
    """Return the one JSON object of a file."""
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
    return described
