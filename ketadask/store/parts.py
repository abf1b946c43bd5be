"""Parts: the finished pieces of a stage, each some tables and a receipt.

A part ``000000-000049`` with a table ``hits`` is the two files ``000000-000049.hits.parquet`` and
``000000-000049.json``. The receipt is written last and carries the checksums of the tables and
its own, so a part is finished exactly when its receipt is there and everything matches it. What
does not match is moved into ``damaged/`` and counts as missing; missing parts are what is left
to do.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.schema.errors import InputError
from ketadask.store.disk import (
    is_being_written,
    is_named_for,
    is_temporary,
    set_aside,
    write_together,
)
from ketadask.store.fingerprints import file_hash
from ketadask.store.json_values import render_json, to_json_value
from ketadask.store.ranges import Range, disjoint_ranges, gaps, parse_range, range_name
from ketadask.store.tables import table_bytes, table_from_bytes

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")
_TABLE = re.compile(r"^[A-Za-z0-9_-]+$")


@dataclass(frozen=True)
class Receipt:
    """What a finished part holds; ``rows``, ``bytes`` and ``checksums`` go by table name."""

    name: str
    key: str
    rows: Mapping[str, int]
    bytes: Mapping[str, int]
    checksums: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Parts:
    """The parts in one folder that were made under one key.

    Parts made under another key are left alone and do not count. A finished part is never
    modified: to write it again returns the receipt that is there.
    """

    folder: Path
    key: str

    def write(
        self, name: str, tables: Mapping[str, pd.DataFrame], facts: Mapping[str, Any] | None = None
    ) -> Receipt:
        """Write tables and receipt whole; ``facts`` is anything JSON can hold."""
        self._check_names(name, tables)
        if self._receipt_file(name).exists():
            found = self._inspect(name)
            if isinstance(found, Receipt) and found.key == self.key:
                return found
            self._clear(name, found)
        contents = {table: table_bytes(frame) for table, frame in tables.items()}
        receipt = Receipt(
            name=name,
            key=self.key,
            rows={table: len(frame) for table, frame in tables.items()},
            bytes={table: len(content) for table, content in contents.items()},
            checksums={table: _hash(content) for table, content in contents.items()},
            facts=to_json_value(dict(facts or {})),
        )
        files = {self._table_file(name, table): content for table, content in contents.items()}
        write_together({**files, self._receipt_file(name): _render(receipt)})
        return receipt

    def read(self, name: str, table: str) -> pd.DataFrame:
        """Read one table of a finished part, after comparing its bytes with the receipt."""
        receipt = _parse(name, self._bytes(self._receipt_file(name)))
        if not isinstance(receipt, Receipt) or receipt.key != self.key:
            raise self._unusable(name, "has no usable receipt")
        if table not in receipt.checksums:
            raise KeyError(f"part {name} has no table {table!r}, only {[*receipt.checksums]}")
        content = self._bytes(self._table_file(name, table))
        if content is None or _hash(content) != receipt.checksums[table]:
            raise self._unusable(name, f"has a damaged table {table!r}")
        return table_from_bytes(content)

    def read_all(self, table: str, n: int | None = None) -> pd.DataFrame:
        """Read one table of all covered ranges, in their order; the last may pass ``n``."""
        import pandas as pd

        names = [range_name(*each) for each in self.covered(n)]
        frames = [self.read(name, table) for name in names]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def receipts(self) -> dict[str, Receipt]:
        """Return the receipts of this key as they stand; verifies no table and moves nothing."""
        found = {
            name: _parse(name, self._bytes(self._receipt_file(name))) for name in self._names()
        }
        return {
            name: receipt
            for name, receipt in found.items()
            if isinstance(receipt, Receipt) and receipt.key == self.key
        }

    def finished(self) -> dict[str, Receipt]:
        """Verify all parts; return the finished ones and set aside what is damaged or half-written.

        What others are writing here at the same time, as tasks of an array may, is left alone.
        """
        found = {name: self._inspect(name) for name in self._names()}
        for name, result in found.items():
            if isinstance(result, str):
                self._clear(name, result)
        whole = {name: result for name, result in found.items() if isinstance(result, Receipt)}
        self._clear_leftovers(whole)
        return {name: receipt for name, receipt in whole.items() if receipt.key == self.key}

    def covered(self, n: int | None = None) -> list[Range]:
        """Return ranges of finished parts, in order; no number is in two of them.

        Where parts overlap, those are chosen that cover most numbers (below ``n``).
        """
        ranges = (parse_range(name) for name in self.finished())
        return disjoint_ranges([each for each in ranges if each is not None], n)

    def missing(self, n: int) -> list[Range]:
        """Return the ranges of 0 to ``n - 1`` that still have to be made."""
        return gaps(self.covered(n), n)

    @property
    def damaged(self) -> list[str]:
        """Names of the files that were set aside as damaged or half-written."""
        return [file.name for file in _listing(self.folder / "damaged")]

    def _names(self) -> list[str]:
        return [file.stem for file in _listing(self.folder) if file.suffix == ".json"]

    def _receipt_file(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _table_file(self, name: str, table: str) -> Path:
        return self.folder / f"{name}.{table}.parquet"

    def _bytes(self, file: Path) -> bytes | None:
        try:
            return file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(
                f"cannot read a part ({error.strerror})",
                file=file,
                remedy="check the disk and the permissions of the run folder",
            ) from error

    def _inspect(self, name: str) -> Receipt | str:
        """Return the receipt of a whole part (of any key), or what is wrong with it."""
        receipt = _parse(name, self._bytes(self._receipt_file(name)))
        if isinstance(receipt, str) or receipt.key != self.key:
            return receipt
        for table, checksum in receipt.checksums.items():
            file = self._table_file(name, table)
            if not file.exists():
                return f"table {table!r} is gone"
            if file.stat().st_size != receipt.bytes[table]:
                return f"table {table!r} has another size than its receipt says"
            if file_hash(file) != checksum:
                return f"table {table!r} differs from its checksum"
        return receipt

    def _clear(self, name: str, found: Receipt | str) -> None:
        """Move all files of a part away, the receipt first: without it nothing is claimed."""
        place = "damaged" if isinstance(found, str) else "other-key"
        reason = found if isinstance(found, str) else f"made under the key {found.key}"
        _log.warning("%s: part %s set aside in %s: %s", self.folder, name, place, reason)
        tables = [file for file in _listing(self.folder) if _part_of(file) == name]
        for file in (self._receipt_file(name), *tables):
            set_aside(file, self.folder / place)

    def _clear_leftovers(self, whole: Mapping[str, Receipt]) -> None:
        """Move away what a killed process left.

        A part has a receipt, or one under a temporary name, from before its first table has its
        name: whatever is finished while this goes on is seen by one of them.
        """
        files = _listing(self.folder)
        written = [file for file in files if is_temporary(file) and is_being_written(file)]
        for file in files:
            name = _part_of(file)
            if name is None:
                left = is_temporary(file) and file not in written and file.exists()
            elif name in whole:
                left = file not in [self._table_file(name, t) for t in whole[name].checksums]
            else:
                receipt = self._receipt_file(name)
                started = any(is_named_for(receipt, each) for each in written)
                left = not started and not receipt.exists() and file.exists()
            if left:
                _log.warning("%s set aside in damaged: half-written", file)
                set_aside(file, self.folder / "damaged")

    def _check_names(self, name: str, tables: Mapping[str, Any]) -> None:
        if not _NAME.match(name):
            raise ValueError(f"a part's name holds letters, digits and _.+-, found {name!r}")
        for table in tables:
            if not _TABLE.match(table):
                raise ValueError(f"a table's name holds letters, digits and _-, found {table!r}")

    def _unusable(self, name: str, problem: str) -> InputError:
        return InputError(
            f"part {name} {problem}",
            file=self.folder,
            remedy="run again: it is set aside and made anew",
        )


def _render(receipt: Receipt) -> bytes:
    """Return the receipt as JSON that carries its own checksum."""
    content = to_json_value(receipt)
    return render_json({**content, "checksum": _hash(render_json(content))})


def _parse(name: str, content: bytes | None) -> Receipt | str:
    """Read a receipt; any changed byte, and a receipt of another name, is an error text."""
    try:
        found = json.loads(content or b"")
        del found["checksum"]
        receipt = Receipt(**found)
        whole = _render(receipt) == content and receipt.name == name
    except (ValueError, TypeError, KeyError, AttributeError):
        whole = False
    return receipt if whole else "the receipt is damaged"


def _part_of(file: Path) -> str | None:
    """Return the part a table file belongs to, or None where the file is no table."""
    if file.suffix != ".parquet" or file.name.startswith("."):
        return None
    return file.stem.rpartition(".")[0] or None


def _listing(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if file.is_file())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(
            f"cannot read the folder ({error.strerror})",
            file=folder,
            remedy="check that it is a folder and that you may read it",
        ) from error


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
