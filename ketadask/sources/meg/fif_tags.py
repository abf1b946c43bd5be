"""The tags of a FIF file: mne follows a circle of them without end, until memory is used up."""

from __future__ import annotations

import gzip
import struct
import zlib
from contextlib import suppress
from io import BufferedIOBase
from pathlib import Path

from ketadask.schema.errors import InputError

_HEADER = struct.Struct(">8xii")  # kind and type; size; position of the next tag, 0: behind it


def check_tags(path: Path) -> None:
    """Raise where the tags of a FIF file form a circle; mne says what else is wrong with it."""
    with suppress(OSError, EOFError, zlib.error):
        is_compressed = path.name.endswith(".gz")
        with gzip.open(path, "rb") if is_compressed else path.open("rb") as file:
            _follow_tags(file, path)


def _follow_tags(file: BufferedIOBase, path: Path) -> None:
    position, jumps = 0, set[int]()
    while position >= 0:
        file.seek(position)
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            return
        size, jump = _HEADER.unpack(header)
        following = jump or position + _HEADER.size + size
        if 0 <= following <= position:
            if following in jumps:
                raise InputError(
                    "not a complete recording (its tags form a circle)",
                    file=path,
                    where=f"byte {position:,}",
                    remedy="copy it again from the original",
                )
            jumps.add(following)
        position = following
