"""Fingerprints: one hash of everything that can change a number, and of nothing else."""

from __future__ import annotations

import ast
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

# The code that decides the numbers in parts; `study` and `report` only summarise them, except for
# the file that turns settings into a cohort and a search.
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
    "study/from_settings.py",
)
_NO_EFFECT = ("ctx", "kind", "type_comment")


def fingerprint(*values: Any) -> str:
    """Hash values by their content into 64 hex digits, the same on every machine.

    Values are JSON-like, numpy arrays (dtype, shape, content), paths (content of the file, or names
    and contents of the folder; not its own name), dataclasses and nestings of these. The order of
    dictionary keys and of sets, memory layout and byte order do not count; lists and tuples are
    the same; ``1``, ``1.0`` and ``True`` are not.

    Examples
    --------
    >>> fingerprint({"seed": 7, "cuts": 6}) == fingerprint({"cuts": 6, "seed": 7})
    True
    >>> fingerprint(np.zeros(4)) == fingerprint(np.zeros((2, 2)))
    False
    """
    return _digest(list(values)).hex()


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
def code_version(*floors: str) -> str:
    """Return a hash of the package's version and of the code that decides numbers.

    Parameters
    ----------
    floors
        Further folders of the package whose code counts.

    Examples
    --------
    >>> len(code_version())
    64
    """
    import ketadask

    package = Path(ketadask.__file__).parent
    sources = [file for floor in (*NUMERIC_FLOORS, *floors) for file in _sources(package / floor)]
    return fingerprint(
        ketadask.__version__,
        {file.relative_to(package).as_posix(): source_hash(file) for file in sources},
    )


def _sources(floor: Path) -> list[Path]:
    """Return the code and data files of a floor, or the one file that is the floor."""
    if floor.suffix:
        return [floor]
    files = (file for file in floor.rglob("*") if "__pycache__" not in file.parts)
    return sorted(file for file in files if file.is_file())


def source_hash(file: Path) -> str:
    """Return a hash of what a file computes.

    A Python file counts by its syntax tree: names, signatures, annotations, decorators and
    constants, the texts of messages too. Docstrings, comments, blank lines, line breaks, quotes
    and brackets do not count. Fields that are empty are left out, because Python versions differ
    in them; where a new version parses an expression into other nodes, the hash differs. All
    other files count by their bytes.
    """
    content = file.read_bytes().replace(b"\r\n", b"\n")
    if file.suffix == ".py":
        words: list[str] = []
        _add_syntax(ast.parse(content), words)
        content = " ".join(words).encode()
    return hashlib.sha256(content).hexdigest()


def _add_syntax(node: Any, words: list[str]) -> None:
    """Add the words of a syntax tree to a list: no positions, no docstrings, no empty fields."""
    if isinstance(node, ast.AST):
        words.append(f"{type(node).__name__}(")
        for name in node._fields:
            value = getattr(node, name, None)
            if name not in _NO_EFFECT and (value not in (None, []) or name == "value"):
                words.append(name)
                _add_syntax(value, words)
        words.append(")")
    elif isinstance(node, list):
        words.append("[")
        for item in node:
            if not _is_bare_text(item):
                _add_syntax(item, words)
        words.append("]")
    else:
        words.append(f"{type(node).__name__} {node!a}")


def _is_bare_text(node: Any) -> bool:
    """Whether a statement is only a text: a docstring, also one below an assignment."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _digest(value: Any) -> bytes:
    """Hash one value; every kind has its own tag, so that kinds never collide."""
    tag, pieces = _tag_and_bytes(value)
    digest = hashlib.sha256(tag + b":")
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def _tag_and_bytes(value: Any) -> tuple[bytes, Iterator[bytes]]:
    if isinstance(value, np.generic):
        value = value.item() if value.dtype.kind in "biufUS" else np.asarray(value)
    if isinstance(value, Enum):
        value = value.value
    for types, tag, to_bytes in _KINDS:
        if isinstance(value, types):
            return tag, to_bytes(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return b"dataclass " + type(value).__qualname__.encode(), _items(fields)
    raise TypeError(f"cannot fingerprint a {type(value).__name__}: {value!r:.80}")


def _float(value: float) -> Iterator[bytes]:
    yield struct.pack("<d", float("nan") if math.isnan(value) else value)


def _items(mapping: Mapping[Any, Any]) -> Iterator[bytes]:
    for key, value in sorted((_digest(k), _digest(v)) for k, v in mapping.items()):
        yield key + value


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
    """Give every NaN the same bits, because processors differ in its sign."""
    missing = np.isnan(values)
    return np.where(missing, values.dtype.type(np.nan), values) if missing.any() else values


def _content(path: Path) -> Iterator[bytes]:
    if not path.is_dir():
        yield bytes.fromhex(file_hash(path))
        return
    for file in sorted(_visible_files(path), key=lambda file: file.relative_to(path).parts):
        yield _digest(file.relative_to(path).as_posix()) + bytes.fromhex(file_hash(file))


def _visible_files(folder: Path) -> Iterator[Path]:
    # os.walk follows links to folders; version-controlled data sets consist of them.
    for parent, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent) / name for name in files if not name.startswith("."))


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
