"""The run folder of a study: a manifest, complete files, parts per stage, one lock."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.schema.errors import InputError
from ketadask.store import datasets
from ketadask.store.checksums import CHECKSUMS, Checksums, content_hash, log_hashes
from ketadask.store.disk import (
    disk_errors,
    limit_access,
    make_folder,
    readable_by_group,
    set_aside,
    write_file,
    write_files,
)
from ketadask.store.json_values import render_json
from ketadask.store.locks import Owner, hold_lock, read_owner
from ketadask.store.parts import Parts
from ketadask.store.tables import csv_text, table_bytes, table_from_bytes

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
_MANIFEST, DAMAGED = "manifest.json", "damaged"
HISTORY = ("provenance.json", "stopped.json")
SUBMISSION = ("study.json", "profile.json", "head.json", "head.sbatch")
_KEY_DIGITS = 12
ACCESS = {None: 0o700, "group": 0o750}


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
    def make(cls, runs: str | Path, name: str, key: str, *, shared: str | None = None) -> RunFolder:
        """Create the folder ``<runs>/<name>-<key>``, or open it where it exists.

        Its owner may read it, and if ``shared`` is "group" the members of its group.
        """
        if not _NAME.match(name):
            raise InputError(
                "the name of a study may contain letters, digits and _.- only",
                where="name",
                value=name,
            )
        run = cls(Path(runs).absolute() / f"{name}-{key[:_KEY_DIGITS]}")
        manifest, content = run.path / _MANIFEST, {"name": name, "key": key}
        damaged = run.damaged_files()
        if manifest.exists() and (
            _MANIFEST in damaged
            or (CHECKSUMS in damaged and manifest.read_bytes() != render_json(content))
        ):
            set_aside(manifest, run.path / DAMAGED)
        if not manifest.exists():
            # Tasks of an array start together: all write the same bytes.
            limit_access(make_folder(run.path, ACCESS[shared]), ACCESS[shared])
            with readable_by_group(shared == "group"):
                if CHECKSUMS in damaged:  # `repair` replaces them, and all results
                    write_file(manifest, render_json(content))
                else:
                    run.write_json(_MANIFEST, content)
        if run.key != key:
            raise InputError(
                "the run folder belongs to another key",
                file=run.path,
                value=run.key,
                remedy="move it away, or choose another folder for the runs (--out)",
            )
        limit_access(run.path, ACCESS[shared])
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
        try:  # without its checksum: those of the folder may be lost, and are written again
            return str(json.loads(self._content(_MANIFEST))["key"])
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                "damaged: the manifest has no key",
                file=self.path / _MANIFEST,
                remedy="run the study again",
            ) from error

    @contextmanager
    def lock(self) -> Iterator[Owner | None]:
        """Lock the folder for writing; yield the owner that died without releasing it, or None.

        The checksums of logs, which a run appends to, are recorded at the end.
        """
        is_shared = bool(self.path.stat().st_mode & 0o040)
        with readable_by_group(is_shared), hold_lock(self.path / "lock") as dead_owner:
            checksums = Checksums.read(self.path)
            if checksums is not None and checksums.logs:
                write_file(self.path / CHECKSUMS, checksums.without(()).render())
            try:
                yield dead_owner
            finally:
                with suppress(InputError):  # a full disk; the run says so itself
                    self._seal()

    @property
    def owner(self) -> Owner | None:
        """The process that writes here now, if it is alive as far as this machine knows."""
        owner = read_owner(self.path / "lock")
        return owner if owner is not None and owner.alive else None

    def parts(self, stage: str, key: str) -> Parts:
        """Return the parts of a stage under a key."""
        return Parts(self._path(stage), key)

    def damaged_files(self) -> dict[str, str]:
        """Return the problem of each result that is missing or differs from its checksum."""
        checksums = Checksums.read(self.path)
        if checksums is None:
            return {CHECKSUMS: "damaged: it does not match its own checksum"}
        return checksums.mismatches(self.path)

    def repair(self) -> dict[str, str]:
        """Set damaged results aside; return the problem of each. Needs the lock.

        Results depend on each other, so where one is damaged the others are removed too: all are
        computed again from the parts, which have checksums of their own. Only the manifest and the
        files in ``HISTORY`` and ``SUBMISSION``, which nothing computes, remain if they are intact.
        """
        checksums, problems = Checksums.read(self.path), self.damaged_files()
        if not problems:
            return {}
        for name in problems:
            if (self.path / name).is_file():
                set_aside(self.path / name, self.path / DAMAGED)
        names = _result_files(self.path) if checksums is None else set(checksums.results)
        remaining = {_MANIFEST, *HISTORY, *SUBMISSION} - problems.keys()
        for name in names - remaining:
            (self.path / name).unlink(missing_ok=True)
        contents = {
            name: (self.path / name).read_bytes()
            for name in sorted(remaining)
            if (self.path / name).is_file()
        }
        write_file(self.path / CHECKSUMS, Checksums().record(contents).render())
        return problems

    def remove(self, *names: str) -> None:
        """Remove results, where they exist, with their checksums."""
        checksums = Checksums.read(self.path)
        if checksums is not None and checksums.results.keys() & set(names):
            write_file(self.path / CHECKSUMS, checksums.without(names).render())
        for name in names:
            self._path(name).unlink(missing_ok=True)

    def _seal(self) -> None:
        """Record the checksums of logs, to which nothing is appended now."""
        checksums = Checksums.read(self.path)
        if checksums is not None and checksums.results:
            complete = Checksums(checksums.results, log_hashes(self.path, checksums))
            write_file(self.path / CHECKSUMS, complete.render())

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file in UTF-8."""
        return self._write({name: text.encode()})

    def write_json(self, name: str, value: Any) -> Path:
        """Write JSON: sorted keys, NaN as null, numpy values as numbers."""
        return self._write({name: render_json(value)})

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
        stem, files = name.removesuffix(".parquet"), {}
        if csv:
            files[f"{stem}.csv"] = csv_text(table).encode()
        return self._write({**files, f"{stem}.parquet": table_bytes(table)})

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
        self._check_present()
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

    def _write(self, contents: dict[str, bytes]) -> Path:
        """Write files together with their checksums; return the path of the last one."""
        self._check_present()
        paths = {self._path(name): content for name, content in contents.items()}
        checksums = (Checksums.read(self.path) or Checksums()).record(contents)
        write_files({**paths, self.path / CHECKSUMS: checksums.render()})
        return [*paths][-1]

    def _check_present(self) -> None:
        """Raise where the folder is gone; a new one would be as public as its parent."""
        with disk_errors(self.path):
            self.path.stat()

    def _read(self, name: str) -> bytes:
        """Read a file; raise where it differs from its checksum.

        Another process may be writing, and replaces the checksums a moment after the file.
        """
        for pause in (0.0, 0.05, 0.2, 1.0):
            time.sleep(pause)
            content = self._content(name)
            checksums = Checksums.read(self.path)
            if checksums and checksums.results.get(name) in (None, content_hash(content)):
                return content
        raise InputError(
            "damaged: the file does not match its checksum",
            file=self._path(name),
            remedy="run the study again to compute it again",
        )

    def _content(self, name: str) -> bytes:
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


def _result_files(folder: Path) -> set[str]:
    """Return the names of results of a folder whose checksums are lost."""
    kinds = (".json", ".parquet", ".csv", ".html", ".svg")
    return {path.name for path in folder.iterdir() if path.is_file() and path.suffix in kinds}
