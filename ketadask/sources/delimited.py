"""Delimited text, one line at a time: a file of any length needs the memory of one line.

Whatever cannot be read is named with file and row, because that is what a person needs to mend it.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ketadask.schema.errors import InputError

DELIMITERS = {"\t": "tab", ",": "comma", ";": "semicolon", " ": "space"}
_MARK = b"\xef\xbb\xbf"


def read_text(path: Path) -> str:
    """Return the text of a file with ``\\n`` at the end of lines, or say why it cannot be read."""
    text = "\n".join(line for _, line in text_lines(path))
    if not text.strip():
        raise InputError("the file is empty", file=path, remedy="export it again")
    return text


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line, whichever way lines end."""
    number = 0
    try:
        with path.open("rb") as file:
            for raw in file:
                if not number:
                    refuse_other_kinds(path, raw)
                content = raw.removeprefix(_MARK) if not number else raw
                text = _decoded(path, number + 1, content).removesuffix("\n").removesuffix("\r")
                for line in text.split("\r"):
                    number += 1
                    yield number, line
    except FileNotFoundError as error:
        if path.is_symlink():
            raise unreadable(path, error) from None
        raise InputError("no such file", file=path, remedy=_instead(path)) from None
    except IsADirectoryError:
        raise InputError("is a folder, not a file", file=path, remedy="name a file") from None
    except OSError as error:
        raise unreadable(path, error) from None


def _instead(path: Path) -> str:
    """Return what to do about a file that is not there; it may lie there in another format."""
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}; check the path"
    named = sorted(p.name for p in path.parent.glob(f"{path.stem}.*") if p.stem == path.stem)
    others = [name for name in named if not name.endswith(".json")]
    if not others:
        return "check the path"
    return (
        f"{others[0]} lies there: name it in the study (data.participants, or data.tables for "
        f"scores), or save it as tab-separated text named {path.name}"
    )


def _decoded(path: Path, number: int, content: bytes) -> str:
    if b"\0" in content:
        row = number + content[: content.index(b"\0")].count(b"\r")
        raise InputError(
            "holds NUL bytes", file=path, where=f"row {row}", remedy="save it as UTF-8 text"
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        row = number + content[: error.start].count(b"\r")
        raise InputError(
            "not UTF-8",
            file=path,
            where=f"row {row}",
            value=content[error.start : error.start + 1],
            remedy="save it as UTF-8 (it may be latin-1)",
        ) from None


def unreadable(path: Path, error: OSError) -> InputError:
    """Return what to say about a file or folder that the system does not let us read."""
    if isinstance(error, FileNotFoundError):
        link = path.is_symlink()
        return InputError(
            "a link to a file that is not here" if link else "no such file",
            file=path,
            remedy="fetch it (datalad get), or correct the link" if link else "check the path",
        )
    return InputError(
        f"cannot be read ({error.strerror})", file=path, remedy="check its permissions"
    )


def text_rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells: the header first, then every row that is not empty.

    Names of columns are there and unique, and all rows are as long as the header.
    """
    width = 0
    for number, line in text_lines(path):
        if not line.strip():
            continue
        cells = _split(path, number, line, delimiter)
        if not width:
            _check_delimiter(path, cells, delimiter)
            check_header(path, number, cells)
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
    if not width:
        raise InputError("the file is empty", file=path, remedy="export it again")


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


def _check_delimiter(path: Path, header: list[str], delimiter: str) -> None:
    others = [other for other in DELIMITERS if other != delimiter and other in header[0]]
    if len(header) == 1 and others:
        raise InputError(
            f"only one column found; the cells seem separated by {DELIMITERS[others[0]]}",
            file=path,
            where="header",
            remedy=f"save it with {DELIMITERS.get(delimiter, delimiter)} between the cells, or "
            "name its delimiter where it is listed in data.tables",
        )


def check_header(path: Path, line: int, header: list[str]) -> None:
    """Refuse columns without a name, and names that come twice."""
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


_KINDS = {
    b"\xff\xfe": "is UTF-16 text",
    b"\xfe\xff": "is UTF-16 text",
    b"\x1f\x8b": "is compressed by gzip",
    b"PK\x03\x04": "is a workbook or a zip archive by another name",
    b"\xd0\xcf\x11\xe0": "is an old .xls workbook, or one with a password",
}


def file_kind(start: bytes) -> str | None:
    """Return what the first bytes of a file say it is, None where they say nothing.

    Examples
    --------
    >>> kind_of(b"PK\\x03\\x04"), kind_of(b"participant_id")
    ('is a workbook or a zip archive by another name', None)
    """
    return next((kind for sign, kind in _KINDS.items() if start.startswith(sign)), None)


def refuse_other_kinds(path: Path, start: bytes) -> None:
    """Say so where what is read as text is something else."""
    kind = file_kind(start)
    if kind:
        raise InputError(f"{kind}, not plain text", file=path, remedy="save it as UTF-8 text")
