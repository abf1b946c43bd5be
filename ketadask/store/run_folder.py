"""The run folder of a study: a manifest, files written whole, parts per stage, one lock."""

from __future__ import annotations

import json
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.schema.errors import InputError
from ketadask.store import datasets
from ketadask.store.disk import make_folder, write_whole
from ketadask.store.json_values import render_json
from ketadask.store.locks import Owner, locked, read_owner
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
    """A folder that holds everything a study computed under one key.

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
        """Make the folder ``<runs>/<name>-<key>``, or open it where it exists."""
        if not _NAME.match(name):
            raise InputError(
                "a study's name holds letters, digits and _.- only", where="name", value=name
            )
        run = cls(Path(runs).absolute() / f"{name}-{key[:_KEY_DIGITS]}")
        if not (run.path / _MANIFEST).exists():
            make_folder(run.path)
            created = datetime.now(UTC).isoformat(timespec="seconds")
            run.write_json(_MANIFEST, {"name": name, "key": key, "created": created})
        if run.key != key:
            raise InputError(
                "the run folder belongs to another key",
                file=run.path,
                value=run.key,
                remedy="move it away, or choose another place for the runs (--out)",
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
                remedy=f"give a folder that holds {_MANIFEST}",
            )
        return run

    @property
    def key(self) -> str:
        """The key the folder was made for."""
        manifest = self.read_json(_MANIFEST)
        if not isinstance(manifest, dict) or "key" not in manifest:
            raise InputError("the manifest has no key", file=self.path / _MANIFEST)
        return str(manifest["key"])

    def lock(self) -> AbstractContextManager[Owner | None]:
        """Hold the folder for writing; gives the owner that died holding it, or None."""
        return locked(self.path / "lock")

    @property
    def owner(self) -> Owner | None:
        """The process that writes here now, as far as this machine can know."""
        owner = read_owner(self.path / "lock")
        return owner if owner is not None and owner.alive else None

    def parts(self, stage: str, key: str) -> Parts:
        """Return the parts of a stage made under a key."""
        return Parts(self._place(stage), key)

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file whole, in UTF-8."""
        return write_whole(self._place(name), text.encode())

    def write_json(self, name: str, thing: Any) -> Path:
        """Write JSON whole: sorted keys, NaN as null, numpy values as numbers."""
        return write_whole(self._place(name), render_json(thing))

    def read_json(self, name: str) -> Any:
        """Read JSON."""
        try:
            return json.loads(self._read(name))
        except ValueError as error:
            raise InputError(
                f"not valid JSON ({error})", file=self._place(name), remedy="delete it, run again"
            ) from error

    def write_table(self, name: str, table: pd.DataFrame, *, csv: bool = False) -> Path:
        """Write ``<name>.parquet`` whole, and ``<name>.csv`` beside it where asked."""
        place = self._place(f"{name.removesuffix('.parquet')}.parquet")
        if csv:
            text = table.to_csv(index=False, lineterminator="\n")
            write_whole(place.with_suffix(".csv"), text.encode())
        return write_whole(place, table_bytes(table))

    def read_table(self, name: str) -> pd.DataFrame:
        """Read ``<name>.parquet``."""
        name = f"{name.removesuffix('.parquet')}.parquet"
        content = self._read(name)
        try:
            return table_from_bytes(content)
        except (OSError, ValueError) as error:
            raise InputError(
                f"not a parquet table ({error})",
                file=self._place(name),
                remedy="delete it, run again",
            ) from error

    def write_dataset(self, name: str, dataset: xr.Dataset) -> Path:
        """Write a dataset as the zarr folder ``<name>.zarr``, whole."""
        return datasets.write_dataset(self._dataset(name), dataset)

    def read_dataset(self, name: str) -> xr.Dataset:
        """Read a dataset into memory; a damaged one is set aside and an error says so."""
        return datasets.read_dataset(self._dataset(name))

    def has(self, name: str) -> bool:
        """Whether a file is there, or a dataset (``*.zarr``) is there and whole."""
        place = self._place(name)
        return datasets.is_whole(place) if place.suffix == ".zarr" else place.is_file()

    def _dataset(self, name: str) -> Path:
        return self._place(f"{name.removesuffix('.zarr')}.zarr")

    def _read(self, name: str) -> bytes:
        try:
            return self._place(name).read_bytes()
        except OSError as error:
            raise InputError(
                f"cannot read the file ({error.strerror})",
                file=self._place(name),
                remedy="run the stage that makes it",
            ) from error

    def _place(self, name: str) -> Path:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"a file of a run lies inside its folder, found {name!r}")
        return self.path / name
