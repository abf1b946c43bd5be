"""Exported tables: text, Excel, Parquet, SPSS, Stata and SAS; all become cells of text."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ketadask.schema.errors import InputError, nearest
from ketadask.sources.cells import Cells, no_rows, read_cells
from ketadask.sources.delimited import check_header, empty_file, file_kind, read_error, row_error
from ketadask.sources.statistical_files import ENDINGS, read_statistical

_TEXT = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
_MAX_BYTES = 100_000_000
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+")
_WITH_THOUSANDS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d+")
TABLE_FORMATS = (*_TEXT, ".xlsx", ".parquet", *ENDINGS)


def read_table(
    path: Path, *, sheet: str | None = None, delimiter: str | None = None, decimal: str = "."
) -> Cells:
    """Read a table in the format of its file extension.

    Parameters
    ----------
    path
        A file that ends in one of ``TABLE_FORMATS``; its first row names the columns. The rows of a
        Parquet file count from 2, after a header in row 1.
    sheet
        Sheet of a workbook; the first if None.
    delimiter
        Character between the cells of a text; comma for ``.csv`` and tab for the others if None.
    decimal
        ``,`` where numbers have decimal commas; points may then separate thousands, ``1.234,5``.
    """
    ending = path.suffix.lower()
    if ending in _TEXT:
        cells = read_cells(path, delimiter=delimiter or _TEXT[ending])
    elif ending == ".xlsx":
        cells = _cells(path, list(_sheet_rows(path, sheet)))
    elif ending == ".parquet":
        cells = _read_parquet(path)
    elif ending in ENDINGS:
        cells = read_statistical(path)
    else:
        raise InputError(
            "not a supported format of tables",
            file=path,
            value=path.suffix,
            remedy="save it as one of " + ", ".join(TABLE_FORMATS),
        )
    return cells if decimal == "." else _with_points(cells)


def _with_points(cells: Cells) -> Cells:
    columns = {name: _column_with_points(cells, name) for name in cells.columns}
    return Cells(cells.file, columns, cells.lines, cells.second_header)


def _column_with_points(cells: Cells, name: str) -> list[str]:
    column = []
    for cell in cells.columns[name]:
        text = cell.replace(".", "") if _WITH_THOUSANDS.fullmatch(cell) else cell
        column.append(re.sub(r"^([+-]?\d*),(\d+)$", r"\1.\2", text))
    if column == cells.columns[name]:
        return column
    for row, cell in enumerate(cells.columns[name]):
        # Between decimal commas, 1.234 may be one thousand or a decimal from elsewhere.
        if _THOUSANDS.fullmatch(cell):
            problem = "a point among decimal commas may separate thousands or be a decimal point"
            remedy = f"write {cell.replace('.', '')} or {cell.replace('.', ',')}"
            raise cells.error(row, name, problem, remedy)
    return column


def _sheet_rows(path: Path, sheet: str | None) -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of the rows of a sheet that are not empty."""
    try:
        import openpyxl
    except ImportError:
        raise InputError(
            "reading Excel needs openpyxl", file=path, remedy="pip install 'ketadask[excel]'"
        ) from None
    _check_content(path)
    books: list[Any] = []
    try:
        _check_size(path)
        # Once for the values, once for the formulas: a formula never computed has no value.
        for data_only in (True, False):
            books.append(openpyxl.load_workbook(path, read_only=True, data_only=data_only))
        pages = [_page(path, book, sheet) for book in books]
        for page in pages:
            page.reset_dimensions()
        rows = zip_longest(*(page.iter_rows(values_only=True) for page in pages), fillvalue=())
        for row, (values, formulas) in enumerate(rows, start=1):
            texts = [_text(value) for value in values]
            for text, formula in zip(texts, formulas, strict=False):
                if not text and isinstance(formula, str) and formula.startswith("="):
                    remedy = "open the file in the spreadsheet program and save it again"
                    raise row_error(path, row, "a formula without its value", remedy, formula)
            while texts and not texts[-1]:
                texts.pop()
            if texts:
                yield row, texts
    except InputError:
        raise
    except Exception as error:  # openpyxl fails in many ways on a damaged workbook
        with path.open("rb") as file:
            start = file.read(8)
        kind = file_kind(start) or "its first bytes are not those of a workbook"
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


def _check_content(path: Path) -> None:
    """Raise the same errors as for text where a file is missing, unreadable or empty."""
    try:
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except OSError as error:
        raise read_error(path, error) from None
    if is_empty:
        raise empty_file(path)


def _check_size(path: Path) -> None:
    """Raise where a workbook, which is compressed, would fill the memory."""
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > _MAX_BYTES:
        raise InputError(
            "the workbook is too large to read",
            file=path,
            value=f"{size / 1e6:,.0f} MB of cells",
            remedy=f"save the sheet as CSV; workbooks may have {_MAX_BYTES / 1e6:.0f} MB",
        )


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
        raise empty_file(path)
    (line, header), *body = rows
    if "" in header:
        problem = f"column {header.index('') + 1} has no name"
        remedy = "name it; of merged cells only the first has a value, so split them"
        raise row_error(path, line, problem, remedy)
    check_header(path, line, header)
    for line, row in body:
        if len(row) > len(header):
            problem = f"has {len(row)} cells where the header has {len(header)}"
            raise row_error(
                path, line, problem, "name every column, or remove the cells beside the table"
            )
    if not body:
        raise no_rows(path)
    columns = {
        name: [row[k] if k < len(row) else "" for _, row in body] for k, name in enumerate(header)
    }
    return Cells(path, columns, [line for line, _ in body])


def _read_parquet(path: Path) -> Cells:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    _check_content(path)
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
    except Exception as error:  # pyarrow fails in many ways on a damaged file
        raise InputError(
            f"cannot be read as a Parquet table of plain cells ({type(error).__name__})",
            file=path,
            remedy="write it again",
        ) from None
    if not table.num_rows:
        raise no_rows(path)
    return Cells(path, columns, range(2, table.num_rows + 2))
