"""Tables as people export them: CSV, TSV, Excel workbooks, Parquet; all become cells of text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ketadask.schema.errors import InputError, nearest
from ketadask.sources.cells import Cells, read_cells
from ketadask.sources.delimited import check_header, file_kind, unreadable

_TEXT = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+")
_WITH_THOUSANDS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d+")
ENDINGS = (*_TEXT, ".xlsx", ".parquet")


def read_table(
    path: Path, *, sheet: str | None = None, delimiter: str | None = None, decimal: str = "."
) -> Cells:
    """Read a table of any of the known kinds; its ending says which one it is.

    Parameters
    ----------
    path
        A file that ends in one of ``ENDINGS``; its first row names the columns. The rows of a
        Parquet file count as if their header were row 1.
    sheet
        Sheet of a workbook; the first if None.
    delimiter
        What separates the cells of a text; comma for ``.csv`` and tab for the others if None.
    decimal
        ``,`` where numbers are written with a comma; points may then part thousands, ``1.234,5``.
    """
    ending = path.suffix.lower()
    if ending in _TEXT:
        cells = read_cells(path, delimiter=delimiter or _TEXT[ending])
    elif ending == ".xlsx":
        cells = _cells(path, list(_sheet_rows(path, sheet)))
    elif ending == ".parquet":
        cells = _parquet(path)
    else:
        raise InputError(
            "not a kind of table known here",
            file=path,
            value=path.suffix,
            remedy="save it as one of " + ", ".join(ENDINGS),
        )
    return cells if decimal == "." else _with_points(cells)


def _with_points(cells: Cells) -> Cells:
    columns = {name: _column_with_points(cells, name) for name in cells.columns}
    return Cells(cells.file, columns, cells.lines, cells.second_header)


def _column_with_points(cells: Cells, name: str) -> list[str]:
    made = []
    for cell in cells.columns[name]:
        plain = cell.replace(".", "") if _WITH_THOUSANDS.fullmatch(cell) else cell
        made.append(re.sub(r"^([+-]?\d*),(\d+)$", r"\1.\2", plain))
    if made == cells.columns[name]:
        return made
    for row, cell in enumerate(cells.columns[name]):
        # Between decimal commas, 1.234 is a thousand and more, or a number from elsewhere.
        if _THOUSANDS.fullmatch(cell):
            raise InputError(
                "a point among numbers written with a comma may part thousands or be a decimal",
                file=cells.file,
                where=cells.where(row, name),
                value=cell,
                remedy=f"write {cell.replace('.', '')} or {cell.replace('.', ',')}",
            )
    return made


def _sheet_rows(path: Path, sheet: str | None) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that hold something, with their numbers in the sheet."""
    try:
        import openpyxl
    except ImportError:
        raise InputError(
            "reading Excel needs openpyxl", file=path, remedy="pip install 'ketadask[excel]'"
        ) from None
    books: list[Any] = []
    try:
        _openable(path)
        # Once for the values, once for the formulas: a formula never computed has no value.
        for values in (True, False):
            books.append(openpyxl.load_workbook(path, read_only=True, data_only=values))
        pages = [_page(path, book, sheet) for book in books]
        for page in pages:
            page.reset_dimensions()
        both = zip_longest(*(page.iter_rows(values_only=True) for page in pages), fillvalue=())
        for number, (row, formulas) in enumerate(both, start=1):
            texts = [_text(cell) for cell in row]
            for text, formula in zip(texts, formulas, strict=False):
                if not text and isinstance(formula, str) and formula.startswith("="):
                    raise InputError(
                        "a formula without its value",
                        file=path,
                        where=f"row {number}",
                        value=formula,
                        remedy="open the file in the spreadsheet program and save it again",
                    )
            while texts and not texts[-1]:
                texts.pop()
            if texts:
                yield number, texts
    except InputError:
        raise
    except Exception as error:  # a damaged workbook fails in many ways, all of them this one
        with path.open("rb") as file:
            start = file.read(8)
        kind = file_kind(start) or "its first bytes are those of no workbook"
        if start.startswith(b"PK"):
            kind = f"damaged: {type(error).__name__}"
        raise InputError(
            f"cannot be read as a workbook ({kind})",
            file=path,
            remedy="open it in the spreadsheet program and save it again as .xlsx",
        ) from None
    finally:
        for book in books:
            book.close()


def _page(path: Path, book: Any, sheet: str | None) -> Any:
    if sheet is not None and sheet not in book.sheetnames:
        remedy = nearest(sheet, book.sheetnames)
        raise InputError("no such sheet", file=path, where="sheet", value=sheet, remedy=remedy)
    return book[sheet if sheet is not None else book.sheetnames[0]]


def _openable(path: Path) -> None:
    """Say in the words of all tables that a file is not there, or may not be read."""
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise unreadable(path, error) from None
    if empty:
        raise InputError("the file is empty", file=path, remedy="export it again")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, date) else str(value).strip()


def _cells(path: Path, rows: list[tuple[int, list[str]]]) -> Cells:
    if not rows:
        raise InputError("the file is empty", file=path, remedy="export it again")
    line, header = rows[0]
    try:
        check_header(path, line, header)
    except InputError as error:
        if "" not in header:
            raise
        raise InputError(
            error.problem,
            file=path,
            where=error.where,
            remedy="name it; of merged cells only the first has a value, so split them",
        ) from None
    for number, row in rows[1:]:
        if len(row) > len(header):
            raise InputError(
                f"has {len(row)} cells where the header has {len(header)}",
                file=path,
                where=f"row {number}",
                remedy="name every column, or remove what stands beside the table",
            )
    if not rows[1:]:
        raise InputError("has a header but no rows", file=path, remedy="export it again")
    columns = {
        name: [row[k] if k < len(row) else "" for _, row in rows[1:]]
        for k, name in enumerate(header)
    }
    return Cells(path, columns, [number for number, _ in rows[1:]])


def _parquet(path: Path) -> Cells:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    _openable(path)
    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
        check_header(path, 1, table.column_names)
        columns = {
            name: [cell or "" for cell in pc.cast(column, pa.string()).to_pylist()]
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
    except InputError:
        raise
    except Exception as error:  # a damaged file fails in many ways, all of them this one
        raise InputError(
            f"cannot be read as a Parquet table of plain cells ({type(error).__name__})",
            file=path,
            remedy="write it again",
        ) from None
    if not table.num_rows:
        raise InputError("has a header but no rows", file=path, remedy="export it again")
    return Cells(path, columns, range(2, table.num_rows + 2))
