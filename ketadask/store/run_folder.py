"""The run folder of a study: a manifest, complete files, parts per stage, one lock."""

from __future__ import annotations

import json
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.schema.errors import InputError
from ketadask.store import datasets
from ketadask.store.disk import make_folder, write_file
from ketadask.store.environment import now
from ketadask.store.json_values import render_json
from ketadask.store.locks import Owner, hold_lock, read_owner
from ketadask.store.parts import Parts
from ketadask.store.tables import table_bytes, table_from_bytes

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
_MANIFEST = "manifest.json"
_KEY_DIGITS = 12


@dataclass(frozen=True)
class RunFolder:
    """The folder of all results of a study under one key.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as runs:
    ...     run = RunFolder.make(runs, "demo", "0f3a" * 16)
    ...     with run.lock():
    ...         file = run.write_json("summary.json", {"verdicts": 0})
    ...     run.path.name, run.read_json("summary.json")
    ('demo-0f3a0f3a0f3a', {'verdicts': 0})
    """

    path: Path

    @classmethod
    def make(cls, runs: str | Path, name: str, key: str) -> RunFolder:
        """Create the folder ``<runs>/<name>-<key>``, or open it where it exists."""
        if not _NAME.match(name):
            raise InputError(
                "the name of a study may contain letters, digits and _.- only",
                where="name",
                value=name,
            )
        run = cls(Path(runs).absolute() / f"{name}-{key[:_KEY_DIGITS]}")
        if not (run.path / _MANIFEST).exists():
            make_folder(run.path)
            run.write_json(_MANIFEST, {"name": name, "key": key, "created": now()})
        if run.key != key:
            raise InputError(
                "the run folder belongs to another key",
                file=run.path,
                value=run.key,
                remedy="move it away, or choose another folder for the runs (--out)",
            )
        return run

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Open a run folder that exists."""
        run = cls(Path(path).absolute())
        if not (run.path / _MANIFEST).is_file():
            raise InputError(
                "not a run folder",
                file=path,
                remedy=f"give a folder with a {_MANIFEST}",
            )
        return run

    @property
    def key(self) -> str:
        """The key of the folder."""
        manifest = self.read_json(_MANIFEST)
        if not isinstance(manifest, dict) or "key" not in manifest:
            raise InputError("the manifest has no key", file=self.path / _MANIFEST)
        return str(manifest["key"])

    def lock(self) -> AbstractContextManager[Owner | None]:
        """Lock the folder for writing; yield the owner that died without releasing it, or None."""
        return hold_lock(self.path / "lock")

    @property
    def owner(self) -> Owner | None:
        """The process that writes here now, if it is alive as far as this machine knows."""
        owner = read_owner(self.path / "lock")
        return owner if owner is not None and owner.alive else None

    def parts(self, stage: str, key: str) -> Parts:
        """Return the parts of a stage under a key."""
        return Parts(self._path(stage), key)

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file in UTF-8."""
        return write_file(self._path(name), text.encode())

    def write_json(self, name: str, value: Any) -> Path:
        """Write JSON: sorted keys, NaN as null, numpy values as numbers."""
        return write_file(self._path(name), render_json(value))

    def read_json(self, name: str) -> Any:
        """Read JSON."""
        content = self._read(name)
        try:
            return json.loads(content)
        except ValueError as error:
            raise InputError(
                f"not valid JSON ({error})", file=self._path(name), remedy="delete it, run again"
            ) from error

    def write_table(self, name: str, table: pd.DataFrame, *, csv: bool = False) -> Path:
        """Write ``<name>.parquet`` and, if ``csv``, ``<name>.csv``."""
        path = self._path(f"{name.removesuffix('.parquet')}.parquet")
        if csv:
            text = table.to_csv(index=False, lineterminator="\n")
            write_file(path.with_suffix(".csv"), text.encode())
        return write_file(path, table_bytes(table))

    def read_table(self, name: str) -> pd.DataFrame:
        """Read ``<name>.parquet``."""
        name = f"{name.removesuffix('.parquet')}.parquet"
        content = self._read(name)
        try:
            return table_from_bytes(content)
        except (OSError, ValueError) as error:
            raise InputError(
                f"not a parquet table ({error})",
                file=self._path(name),
                remedy="delete it, run again",
            ) from error

    def write_dataset(self, name: str, dataset: xr.Dataset) -> Path:
        """Write a dataset as the zarr folder ``<name>.zarr``."""
        return datasets.write_dataset(self._dataset(name), dataset)

    def read_dataset(self, name: str) -> xr.Dataset:
        """Read a dataset into memory; an error says where a damaged one was moved."""
        return datasets.read_dataset(self._dataset(name))

    def has(self, name: str) -> bool:
        """Whether a file exists, or a dataset (``*.zarr``) exists and is intact."""
        path = self._path(name)
        return datasets.is_intact(path) if path.suffix == ".zarr" else path.is_file()

    def _dataset(self, name: str) -> Path:
        return self._path(f"{name.removesuffix('.zarr')}.zarr")

    def _read(self, name: str) -> bytes:
        try:
            return self._path(name).read_bytes()
        except OSError as error:
            raise InputError(
                f"cannot read the file ({error.strerror})",
                file=self._path(name),
                remedy="run the stage that computes it",
            ) from error

    def _path(self, name: str) -> Path:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"a file of a run must be inside its folder, found {name!r}")
        return self.path / name
