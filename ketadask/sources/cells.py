"""Delimited text as a table of text, turned into numbers cell by cell.

Every error names the file, the row (line number, the header is row 1), the column and the value,
so that the reader finds the cell to correct.
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
from ketadask.sources.codes import (
    MISSING_CODES,
    is_blank,
    missing_words,
    parse_number,
    parse_numbers,
)
from ketadask.sources.data_issues import DataIssues
from ketadask.sources.delimited import read_text, row_error, text_rows


@dataclass(frozen=True, eq=False)
class Cells:
    """A table of text: columns by name, and the line of the file of each row.

    ``headers`` holds the name in the file of each renamed column, ``missing`` the numbers that
    stand for a missing value.
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

    def error(
        self, row: int, column: str, problem: str, remedy: str, value: object = ...
    ) -> InputError:
        """Return the error of a cell; ``value`` is its text by default."""
        if value is ...:
            value = self.columns[column][row]
        where = self.where(row, column)
        return InputError(problem, file=self.file, where=where, value=value, remedy=remedy)

    def header_error(self, problem: str, remedy: str, value: object = None) -> InputError:
        """Return the error of a column name."""
        return InputError(problem, file=self.file, where="header", value=value, remedy=remedy)

    def rename(self, names: Mapping[str, str]) -> Cells:
        """Return the table with other column names; errors use those of the file.

        Parameters
        ----------
        names
            New name by the name in the file.
        """
        for header in names:
            if header not in self.columns:
                remedy = nearest(header, self.columns)
                raise self.header_error("no such column", remedy, header)
        columns: dict[str, list[str]] = {}
        for header, cells in self.columns.items():
            name = names.get(header, header)
            if name in columns:
                remedy = "name another column, or rename it in the file"
                raise self.header_error(f"two columns are called {name}", remedy, header)
            columns[name] = cells
        headers = {name: self.headers.get(old, old) for old, name in names.items()}
        return replace(self, columns=columns, headers=dict(self.headers) | headers)

    def only(self, columns: Sequence[str]) -> Cells:
        """Return the table with these columns only."""
        return replace(self, columns={name: self.columns[name] for name in columns})

    def need(self, *names: str) -> str:
        """Return the first of ``names`` that is a column (case does not matter)."""
        column = self.find(*names)
        if column is None:
            raise self.header_error(f"no column {names[0]!r}", nearest(names[0], self.columns))
        return column

    def find(self, *names: str) -> str | None:
        """Return the first of ``names`` that is a column, or None."""
        by_lower = {column.lower(): column for column in reversed(list(self.columns))}
        return next((by_lower[name.lower()] for name in names if name.lower() in by_lower), None)

    def text(self, column: str) -> list[str]:
        """Return the cells of a column, blank ones as the empty string."""
        return ["" if is_blank(cell) else cell for cell in self.columns[column]]

    def words(self, column: str) -> list[str]:
        """Return the cells of a column, blank ones and codes for missing as the empty string."""
        missing = missing_words(self.columns[column])
        return ["" if cell in missing else cell for cell in self.columns[column]]

    def numbers(
        self,
        column: str,
        issues: DataIssues,
        *,
        low: float = -math.inf,
        high: float = math.inf,
        text_remedy: str = "",
    ) -> np.ndarray:
        """Return a column as float64 (row,), NaN where missing; wrong cells go to ``issues``.

        ``text_remedy`` is a further remedy for a cell that is not a number.
        """
        numbers = parse_numbers(self.columns[column])
        if numbers is not None:
            numbers[np.isin(numbers, list(self.missing))] = np.nan
            if not ((numbers < low) | (numbers > high)).any():
                return numbers
        value_of: dict[str, float] = {}
        values = np.empty(len(self), dtype=np.float64)
        for row, cell in enumerate(self.columns[column]):
            value = value_of.get(cell)
            if value is None:
                value, problem, remedy = self._parse(cell, low, high, text_remedy)
                if problem:
                    issues.add(self.error(row, column, problem, remedy))
                else:
                    value_of[cell] = value
            values[row] = value
        return values

    def _parse(
        self, cell: str, low: float, high: float, text_remedy: str
    ) -> tuple[float, str, str]:
        """Return the value of a cell, what is wrong with it (may be empty) and the remedy."""
        value = parse_number(cell)
        if value is None:
            remedy = "write a number, or n/a where it is missing"
            if re.fullmatch(r"\s*[+-]?[0-9]+,[0-9]+\s*", cell):
                remedy = "write decimals with a point"
            return math.nan, "not a number", remedy + text_remedy
        if math.isnan(value) or value in self.missing:
            return math.nan, "", ""
        if low <= value <= high:
            return value, "", ""
        remedy = "correct the value, or write n/a where it is missing"
        return math.nan, f"outside the range {low:g} to {high:g}", remedy


def read_cells(path: Path, *, delimiter: str = "\t", second_header: bool = False) -> Cells:
    """Read a delimited text file as text, without its empty rows.

    Parameters
    ----------
    path
        The file; its first line names the columns.
    delimiter
        Character between the cells.
    second_header
        Whether a second line describes the columns (NDA).
    """
    rows = text_rows(path, delimiter)
    _, header = next(rows)
    descriptions = tuple(next(rows, (0, []))[1]) if second_header else ()
    memo: dict[str, str] = {}
    columns: list[list[str]] = [[] for _ in header]
    lines = []
    for line, row in rows:
        lines.append(line)
        for column, cell in zip(columns, row, strict=True):
            column.append(memo.setdefault(cell, cell))
    if not lines:
        raise no_rows(path)
    return Cells(path, dict(zip(header, columns, strict=True)), lines, descriptions)


def no_rows(path: Path) -> InputError:
    """Return the error of a table without rows."""
    return InputError("has a header but no rows", file=path, remedy="export it again")


def read_sidecar(path: Path) -> dict[str, Any]:
    """Return the JSON description beside a table, empty where there is none."""
    if not path.exists():
        return {}
    return {k: v for k, v in read_json_object(path).items() if isinstance(v, dict)}


def read_json_object(path: Path) -> dict[str, Any]:
    """Return the one JSON object of a file."""
    text, remedy = read_text(path), "correct or remove it"
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        row = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise row_error(path, row, "not valid JSON", remedy) from None
    if not isinstance(content, dict):
        raise InputError("must hold one JSON object", file=path, remedy=remedy)
    return content
