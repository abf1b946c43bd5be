"""Delimited text, one line at a time: a file of any length needs the memory of one line.

Every error names the file and the row, so that the reader finds what to correct.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ketadask.schema.errors import InputError

DELIMITERS = {"\t": "tab", ",": "comma", ";": "semicolon", " ": "space"}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SIGNATURES = {
    b"\xff\xfe": "is UTF-16 text",
    b"\xfe\xff": "is UTF-16 text",
    b"\x1f\x8b": "is compressed by gzip",
    b"PK\x03\x04": "is a workbook or a zip archive by another name",
    b"\xd0\xcf\x11\xe0": "is an old .xls workbook, or one with a password",
}


def read_text(path: Path) -> str:
    """Return the text of a file with ``\\n`` at the end of lines."""
    text = "\n".join(line for _, line in text_lines(path))
    if not text.strip():
        raise empty_file(path)
    return text


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield row (from 1) and text of each line; lines may end in any of the usual ways."""
    row = 0
    try:
        with path.open("rb") as file:
            for raw in file:
                content = raw if row else _without_mark(path, raw)
                text = _decode(path, row + 1, content).removesuffix("\n").removesuffix("\r")
                for line in text.split("\r"):
                    row += 1
                    yield row, line
    except IsADirectoryError:
        raise InputError("is a folder, not a file", file=path, remedy="name a file") from None
    except OSError as error:
        raise read_error(path, error) from None


def _without_mark(path: Path, start: bytes) -> bytes:
    kind = file_kind(start)
    if kind:
        raise InputError(f"{kind}, not plain text", file=path, remedy="save it as UTF-8 text")
    return start.removeprefix(_BYTE_ORDER_MARK)


def _decode(path: Path, row: int, content: bytes) -> str:
    if b"\0" in content:
        row += content[: content.index(b"\0")].count(b"\r")
        raise row_error(path, row, "holds NUL bytes", "save it as UTF-8 text")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        row += content[: error.start].count(b"\r")
        value = content[error.start : error.start + 1]
        remedy = "save it as UTF-8 (it may be latin-1)"
        raise row_error(path, row, "not UTF-8", remedy, value) from None


def text_rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield row and cells: the header first, then every row that is not empty.

    Column names are unique and not empty, and all rows are as long as the header.
    """
    width = 0
    for row, line in text_lines(path):
        if not line.strip():
            continue
        cells = _split(path, row, line, delimiter)
        if not width:
            if len(cells) > 1 and not cells[0] and "row" not in cells:
                cells[0] = "row"  # R writes the numbers of rows in a column without a name
            _check_delimiter(path, cells, delimiter)
            check_header(path, row, cells)
            width = len(cells)
        elif len(cells) != width:
            problem = f"has {len(cells)} cells where the header has {width}"
            raise row_error(path, row, problem, "write every cell, n/a where it is missing")
        if any(cells):
            yield row, cells
    if not width:
        raise empty_file(path)


def _split(path: Path, row: int, line: str, delimiter: str) -> list[str]:
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    try:
        # One line at a time: a stray quote must not swallow the lines below it.
        cells = next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        problem = "quotation marks do not pair up"
        raise row_error(path, row, problem, "close or remove them") from None
    return [cell.strip() for cell in cells]


def _check_delimiter(path: Path, header: list[str], delimiter: str) -> None:
    others = [other for other in DELIMITERS if other != delimiter and other in header[0]]
    if len(header) == 1 and others:
        raise InputError(
            f"has only one column; the cells seem separated by {DELIMITERS[others[0]]}",
            file=path,
            where="header",
            remedy=f"save it with {DELIMITERS.get(delimiter, delimiter)} between the cells, or "
            "name its delimiter where it is listed in data.tables",
        )


def check_header(path: Path, row: int, header: list[str]) -> None:
    """Raise an InputError where a column has no name, or two have the same."""
    if "" in header:
        problem = f"column {header.index('') + 1} has no name"
        raise row_error(path, row, problem, "name it")
    duplicates = [name for name, count in Counter(header).items() if count > 1]
    if duplicates:
        raise InputError(
            "column name appears twice",
            file=path,
            where="header",
            value=duplicates[0],
            remedy="rename or remove one of them",
        )


def file_kind(start: bytes) -> str | None:
    """Return what the first bytes of a file say it is, None where they say nothing.

    Examples
    --------
    >>> file_kind(b"PK\\x03\\x04"), file_kind(b"participant_id")
    ('is a workbook or a zip archive by another name', None)
    """
    return next((kind for sign, kind in _SIGNATURES.items() if start.startswith(sign)), None)


def row_error(path: Path, row: int, problem: str, remedy: str, value: object = None) -> InputError:
    """Return the error of a row of a file."""
    return InputError(problem, file=path, where=f"row {row}", value=value, remedy=remedy)


def empty_file(path: Path) -> InputError:
    """Return the error of a file without content."""
    return InputError("the file is empty", file=path, remedy="export it again")


def read_error(path: Path, error: OSError) -> InputError:
    """Return the error of a file or folder that the operating system cannot read."""
    if not isinstance(error, FileNotFoundError):
        problem = f"cannot be read ({error.strerror})"
        return InputError(problem, file=path, remedy="check its permissions")
    if path.is_symlink():
        return InputError(
            "a link to a missing file",
            file=path,
            remedy="fetch it (datalad get), or correct the link",
        )
    return InputError("no such file", file=path, remedy=_remedy_of_missing(path))


def _remedy_of_missing(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}; check the path"
    names = sorted(p.name for p in path.parent.glob(f"{path.stem}.*") if p.stem == path.stem)
    others = [name for name in names if not name.endswith(".json")]
    if not others:
        return "check the path"
    return (
        f"there is {others[0]}: name it in the study (data.participants, or data.tables for "
        f"scores), or save it as tab-separated text named {path.name}"
    )
