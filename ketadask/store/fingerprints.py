"""Fingerprints: one hash of what can change a number, and of nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import struct
from collections.abc import Iterator, Mapping
from datetime import date
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ketadask.schema.errors import InputError

_BLOCK_BYTES = 1 << 20

# Floors whose source decides the numbers of parts, and the file that hands them their settings;
# the rest of `study`, and `report`, sum up and show them.
NUMERIC_FLOORS = (
    "names.py",
    "kernels",
    "schema",
    "sources",
    "simulate",
    "features",
    "cohort",
    "search",
    "inference",
    "predict",
    "study/trial.py",
)


def fingerprint(*things: Any) -> str:
    """Hash things by their content into 64 hex digits, the same on every machine.

    Things are JSON-like values, numpy arrays (dtype, shape, content), paths (content of the file,
    or names and contents of the folder; never where it lies), dataclasses and nestings of these.
    The order of dictionary keys and of sets, memory layout and byte order do not matter; lists
    and tuples are the same; ``1``, ``1.0`` and ``True`` are not.

    Examples
    --------
    >>> fingerprint({"seed": 7, "cuts": 6}) == fingerprint({"cuts": 6, "seed": 7})
    True
    >>> fingerprint(np.zeros(4)) == fingerprint(np.zeros((2, 2)))
    False
    """
    return _digest(list(things)).hex()


def file_hash(path: str | Path) -> str:
    """Return the SHA-256 of a file's content as hex digits."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, hashlib.sha256).hexdigest()
    except OSError as error:
        raise InputError(
            f"cannot read the file ({error.strerror})",
            file=path,
            remedy="check that it exists, is complete and that you may read it",
        ) from error


@cache
def code_version(*more: str) -> str:
    """Return a hash of the version and of the sources of the floors that decide numbers.

    ``more`` are further floors that decide what is asked about.

    Examples
    --------
    >>> len(code_version())
    64
    """
    import ketadask

    package = Path(ketadask.__file__).parent
    sources = [file for floor in (*NUMERIC_FLOORS, *more) for file in _sources(package / floor)]
    return fingerprint(
        ketadask.__version__,
        {file.relative_to(package).as_posix(): _source_hash(file) for file in sources},
    )


def _sources(place: Path) -> list[Path]:
    """Return the code and data files of a floor, or the one file that is the floor."""
    if place.is_file():
        return [place]
    return sorted(f for f in place.rglob("*") if f.is_file() and f.parent.name != "__pycache__")


def _source_hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def _digest(thing: Any) -> bytes:
    """Hash one thing; every kind has its own tag, so that kinds never collide."""
    tag, payload = _tagged(thing)
    digest = hashlib.sha256(tag + b":")
    for piece in payload:
        digest.update(piece)
    return digest.digest()


def _tagged(thing: Any) -> tuple[bytes, Iterator[bytes]]:
    if isinstance(thing, np.generic):
        thing = thing.item() if thing.dtype.kind in "biufUS" else np.asarray(thing)
    if isinstance(thing, Enum):
        thing = thing.value
    for kinds, tag, pieces in _KINDS:
        if isinstance(thing, kinds):
            return tag, pieces(thing)
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        return b"dataclass " + type(thing).__qualname__.encode(), _fields(thing)
    raise TypeError(f"cannot fingerprint a {type(thing).__name__}: {thing!r:.80}")


def _float(value: float) -> Iterator[bytes]:
    yield struct.pack("<d", float("nan") if math.isnan(value) else value)


def _items(mapping: Mapping[Any, Any]) -> Iterator[bytes]:
    for key, value in sorted((_digest(k), _digest(v)) for k, v in mapping.items()):
        yield key + value


def _fields(thing: Any) -> Iterator[bytes]:
    return _items({f.name: getattr(thing, f.name) for f in dataclasses.fields(thing)})


def _array(values: np.ndarray) -> Iterator[bytes]:
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError("cannot fingerprint a masked array; fill it first")
    if values.dtype.kind in "OT":  # texts and objects: element by element
        yield f"object{values.shape}".encode()
        yield from (_digest(item) for item in values.astype(object).ravel().tolist())
        return
    values = values.astype(values.dtype.newbyteorder("<"), copy=False)
    yield f"{values.dtype.descr}{values.shape}".encode()
    values = np.ascontiguousarray(values).reshape(-1)
    if values.dtype.kind in "fc":
        values = _one_nan(values)
    raw = values.view(np.uint8)
    for start in range(0, raw.size, _BLOCK_BYTES):
        yield raw[start : start + _BLOCK_BYTES].tobytes()


def _one_nan(values: np.ndarray) -> np.ndarray:
    """Give every NaN the same bits: processors disagree on its sign."""
    missing = np.isnan(values)
    return np.where(missing, values.dtype.type(np.nan), values) if missing.any() else values


def _content(path: Path) -> Iterator[bytes]:
    if not path.is_dir():
        yield bytes.fromhex(file_hash(path))
        return
    for file in sorted(_visible_files(path), key=lambda file: file.relative_to(path).parts):
        yield _digest(file.relative_to(path).as_posix()) + bytes.fromhex(file_hash(file))


def _visible_files(folder: Path) -> Iterator[Path]:
    # os.walk follows links to folders, which data sets under version control are full of.
    for place, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place) / name for name in files if not name.startswith("."))


# Order matters: bool is an int, str is a sequence.
_KINDS: tuple[tuple[Any, bytes, Any], ...] = (
    (type(None), b"none", lambda _: iter(())),
    (bool, b"bool", lambda value: iter([bytes([value])])),
    (int, b"int", lambda value: iter([str(value).encode()])),
    (float, b"float", _float),
    (str, b"text", lambda value: iter([value.encode()])),
    (bytes, b"bytes", lambda value: iter([value])),
    (date, b"date", lambda value: iter([value.isoformat().encode()])),
    (np.ndarray, b"array", _array),
    (Path, b"path", _content),
    (Mapping, b"mapping", _items),
    ((list, tuple), b"sequence", lambda values: (_digest(item) for item in values)),
    ((set, frozenset), b"set", lambda values: iter(sorted(_digest(item) for item in values))),
)
