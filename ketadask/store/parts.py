"""Parts: the results of a stage on disk, each a few tables and a receipt.

A part ``000000-000049`` with a table ``hits`` is the two files ``000000-000049.hits.parquet`` and
``000000-000049.json``. The receipt is written last and contains the checksums of the tables and
its own: a part is complete when its receipt exists and all checksums match. Files that do not
match are moved into ``damaged/`` and count as missing; missing parts are the work that remains.
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
    has_live_writer,
    is_named_for,
    is_temporary,
    set_aside,
    write_files,
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
    """The content of a complete part; ``rows``, ``bytes`` and ``checksums`` by table name."""

    name: str
    key: str
    rows: Mapping[str, int]
    bytes: Mapping[str, int]
    checksums: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Parts:
    """The parts of one folder with one key; parts with another key do not count.

    A complete part is never modified: writing it again returns its receipt.
    """

    folder: Path
    key: str

    def write(
        self, name: str, tables: Mapping[str, pd.DataFrame], facts: Mapping[str, Any] | None = None
    ) -> Receipt:
        """Write tables and receipt; ``facts`` are values of JSON."""
        self._check_names(name, tables)
        if self._receipt_file(name).exists():
            existing = self._inspect(name)
            if isinstance(existing, Receipt) and existing.key == self.key:
                return existing
            self._set_aside(name, existing)
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
        write_files({**files, self._receipt_file(name): _render(receipt)})
        return receipt

    def read(self, name: str, table: str) -> pd.DataFrame:
        """Read one table of a complete part, after a comparison of its bytes with the receipt."""
        receipt = self._receipt(name)
        if not isinstance(receipt, Receipt) or receipt.key != self.key:
            raise self._unusable(name, "has no valid receipt")
        if table not in receipt.checksums:
            raise KeyError(f"part {name} has no table {table!r}, only {[*receipt.checksums]}")
        content = self._bytes(self._table_file(name, table))
        if content is None or _hash(content) != receipt.checksums[table]:
            raise self._unusable(name, f"has a damaged table {table!r}")
        return table_from_bytes(content)

    def has(self, name: str) -> bool:
        """Whether a part of this key has a receipt; its tables are compared when they are read."""
        receipt = self._receipt(name)
        return isinstance(receipt, Receipt) and receipt.key == self.key

    def read_all(self, table: str, n: int | None = None) -> pd.DataFrame:
        """Read one table of all `ranges`, in their order; the last may extend beyond ``n``."""
        import pandas as pd

        frames = [self.read(range_name(*block), table) for block in self.ranges(n)]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def read_below(self, table: str, n: int, index: str, *order: str) -> pd.DataFrame:
        """Read the rows of a table whose ``index`` is below ``n``, sorted by it and ``order``."""
        rows = self.read_all(table, n)
        if rows.empty:
            return rows
        return rows[rows[index] < n].sort_values([index, *order], kind="stable", ignore_index=True)

    def receipts(self) -> dict[str, Receipt]:
        """Return the receipts of this key, without checking tables or moving files."""
        receipts = (self._receipt(name) for name in self._names())
        return {r.name: r for r in receipts if isinstance(r, Receipt) and r.key == self.key}

    def verify(self) -> dict[str, Receipt]:
        """Verify all parts, set aside damaged and incomplete ones, return those of this key.

        Files that other processes are writing at the same time, such as the tasks of an array, stay
        in place.
        """
        receipts = {}
        for name in self._names():
            result = self._inspect(name)
            if isinstance(result, Receipt):
                receipts[name] = result
            else:
                self._set_aside(name, result)
        self._set_leftovers_aside(receipts)
        return {name: receipt for name, receipt in receipts.items() if receipt.key == self.key}

    def ranges(self, n: int | None = None, *, check: bool = True) -> list[Range]:
        """Return the ranges of complete parts, in order, without overlap.

        Of overlapping parts, those that contain most indices (below ``n``) count. Without ``check``
        receipts are trusted and nothing is set aside.
        """
        ranges = (parse_range(name) for name in (self.verify() if check else self.receipts()))
        return disjoint_ranges([block for block in ranges if block is not None], n)

    def missing(self, n: int, *, check: bool = True) -> list[Range]:
        """Return the ranges of 0 to ``n - 1`` that have no complete part."""
        return gaps(self.ranges(n, check=check), n)

    @property
    def damaged_files(self) -> list[str]:
        """Names of the files that were set aside as damaged or incomplete."""
        return [file.name for file in _listing(self.folder / "damaged")]

    def _names(self) -> list[str]:
        return [file.stem for file in _listing(self.folder) if file.suffix == ".json"]

    def _receipt(self, name: str) -> Receipt | str:
        return _parse(name, self._bytes(self._receipt_file(name)))

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
        """Return the receipt of a complete part (of any key), or its defect."""
        receipt = self._receipt(name)
        if isinstance(receipt, str) or receipt.key != self.key:
            return receipt
        for table, checksum in receipt.checksums.items():
            file = self._table_file(name, table)
            if not file.exists():
                return f"table {table!r} is missing"
            if file.stat().st_size != receipt.bytes[table]:
                return f"the size of table {table!r} differs from its receipt"
            if file_hash(file) != checksum:
                return f"the checksum of table {table!r} does not match"
        return receipt

    def _set_aside(self, name: str, result: Receipt | str) -> None:
        """Move all files of a part away, the receipt first: without it the part is absent."""
        subfolder = "damaged" if isinstance(result, str) else "other-key"
        reason = result if isinstance(result, str) else f"its key is {result.key}"
        _log.warning("%s: part %s moved to %s: %s", self.folder, name, subfolder, reason)
        tables = [file for file in _listing(self.folder) if _part_of(file) == name]
        for file in (self._receipt_file(name), *tables):
            set_aside(file, self.folder / subfolder)

    def _set_leftovers_aside(self, receipts: Mapping[str, Receipt]) -> None:
        """Move the files of killed processes away.

        A writer creates the receipt, under a temporary name, before any table gets its name, so a
        part that another process completes meanwhile always has one of the two.
        """
        files = _listing(self.folder)
        active = [file for file in files if is_temporary(file) and has_live_writer(file)]
        for file in files:
            name = _part_of(file)
            if name is None:
                leftover = is_temporary(file) and file not in active and file.exists()
            elif name in receipts:
                tables = [self._table_file(name, table) for table in receipts[name].checksums]
                leftover = file not in tables
            else:
                receipt = self._receipt_file(name)
                in_progress = any(is_named_for(receipt, temporary) for temporary in active)
                leftover = not in_progress and not receipt.exists() and file.exists()
            if leftover:
                _log.warning("%s moved to damaged: incomplete", file)
                set_aside(file, self.folder / "damaged")

    def _check_names(self, name: str, tables: Mapping[str, Any]) -> None:
        if not _NAME.match(name):
            raise ValueError(f"a part's name may contain letters, digits and _.+-, found {name!r}")
        for table in tables:
            if not _TABLE.match(table):
                raise ValueError(f"a table's name may contain letters, digits, _-, found {table!r}")

    def _unusable(self, name: str, problem: str) -> InputError:
        return InputError(
            f"part {name} {problem}",
            file=self.folder,
            remedy="run again to compute it again",
        )


def defects(folder: Path) -> tuple[int, dict[str, str]]:
    """Compare the parts in a folder, of any key, with their receipts; change nothing.

    Returns
    -------
    The number of files, and by file or part the problem of each that is damaged or incomplete.
    """
    problems, tables = {}, set()
    files = [file for file in _listing(folder) if not file.name.startswith(".")]
    for receipt_file in (file for file in files if file.suffix == ".json"):
        name = receipt_file.stem
        receipt = _parse(name, receipt_file.read_bytes())
        if isinstance(receipt, Receipt):
            tables |= {f"{name}.{table}.parquet" for table in receipt.checksums}
            receipt = Parts(folder, receipt.key)._inspect(name)
        if isinstance(receipt, str):
            problems[receipt_file.name] = f"damaged: {receipt}"
    for file in files:
        if file.suffix != ".json" and file.name not in tables:
            problems[file.name] = "without a receipt: a run is writing, or ended without finishing"
    return len(files), problems


def _render(receipt: Receipt) -> bytes:
    """Return the receipt as JSON with a checksum of its own."""
    content = to_json_value(receipt)
    return render_json({**content, "checksum": _hash(render_json(content))})


def _parse(name: str, content: bytes | None) -> Receipt | str:
    """Read a receipt; return a text where a byte was changed or the receipt has another name."""
    try:
        fields = json.loads(content or b"")
        del fields["checksum"]
        receipt = Receipt(**fields)
        if _render(receipt) == content and receipt.name == name:
            return receipt
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    return "the receipt is damaged"


def _part_of(file: Path) -> str | None:
    """Return the part of a table file, or None for other files."""
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
