"""What a file is by its first bytes, whatever it is called."""

from __future__ import annotations

from pathlib import Path

from ketadask.schema import InputError

_KINDS = {
    b"\xff\xfe": "is UTF-16 text",
    b"\xfe\xff": "is UTF-16 text",
    b"\x1f\x8b": "is compressed by gzip",
    b"PK\x03\x04": "is a workbook or a zip archive by another name",
    b"\xd0\xcf\x11\xe0": "is an old .xls workbook, or one with a password",
}


def kind_of(start: bytes) -> str | None:
    """Return what the first bytes of a file say it is, None where they say nothing.

    Examples
    --------
    >>> kind_of(b"PK\\x03\\x04"), kind_of(b"participant_id")
    ('is a workbook or a zip archive by another name', None)
    """
    return next((kind for sign, kind in _KINDS.items() if start.startswith(sign)), None)


def refuse_other_kinds(path: Path, start: bytes) -> None:
    """Say so where what is read as text is something else."""
    kind = kind_of(start)
    if kind:
        raise InputError(f"{kind}, not plain text", file=path, remedy="save it as UTF-8 text")
