"""Checksums of the files of a run folder, kept in one file with a checksum of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ketadask.store.datasets import is_intact
from ketadask.store.json_values import render_json
from ketadask.store.parts import defects

CHECKSUMS = "checksums.json"
_LOCK = "lock"
_ASIDE = ("damaged", "other-key")


@dataclass(frozen=True)
class Checksums:
    """SHA-256 by file name.

    ``results`` are recorded with every write; ``logs``, to which processes append, at the end of
    a run.
    """

    results: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Checksums | None:
        """Read the checksums of a folder; None where a byte of them was changed.

        A folder without the file has no checksums.
        """
        try:
            content = (folder / CHECKSUMS).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return cls()
        try:
            fields = json.loads(content)
            checksums = cls(results=fields["results"], logs=fields["logs"])
        except (ValueError, TypeError, KeyError):
            return None
        return checksums if checksums.render() == content else None

    def render(self) -> bytes:
        """Return the content of the file."""
        fields = {"results": self.results, "logs": self.logs}
        return render_json({**fields, "checksum": content_hash(render_json(fields))})

    def record(self, results: dict[str, bytes]) -> Checksums:
        """Return these checksums with those of new contents, and without logs."""
        hashes = {name: content_hash(content) for name, content in results.items()}
        return Checksums(self.results | hashes)

    def without(self, names: Iterable[str]) -> Checksums:
        """Return these checksums without those of some files, and without logs."""
        dropped = set(names)
        rest = {name: value for name, value in self.results.items() if name not in dropped}
        return Checksums(rest)

    def mismatches(self, folder: Path) -> dict[str, str]:
        """Return the problem of each result that is missing or differs from its checksum."""
        return _mismatches(folder, self.results)


def content_hash(content: bytes) -> str:
    """Return the SHA-256 of some bytes as hex digits."""
    return hashlib.sha256(content).hexdigest()


def log_hashes(folder: Path, checksums: Checksums) -> dict[str, str]:
    """Return the hashes of all files that have no other checksum."""
    names = _single_files(folder) - checksums.results.keys()
    return {name: content_hash((folder / name).read_bytes()) for name in sorted(names)}


def verify_folder(folder: Path) -> tuple[int, dict[str, str]]:
    """Compare every file of a run folder with its checksum; change nothing.

    Returns
    -------
    The number of files, and by name the problem of each file that is damaged, missing, or has no
    checksum.
    """
    checksums = Checksums.read(folder)
    if checksums is None:
        return 1, {CHECKSUMS: "damaged: it does not match its own checksum"}
    problems = _mismatches(folder, checksums.results | checksums.logs)
    names = _single_files(folder)
    for name in names - checksums.results.keys() - checksums.logs.keys():
        problems[name] = "without a checksum: a run is writing, or ended without finishing"
    n_files = len(names) + 1
    for dataset in sorted(folder.glob("*.zarr")):
        n_files += sum(path.is_file() for path in dataset.rglob("*"))
        if not is_intact(dataset):
            problems[dataset.name] = "damaged: it does not match its checksum"
    for parts in _part_folders(folder):
        files, bad = defects(parts)
        n_files += files
        problems |= {f"{parts.relative_to(folder)}/{name}": text for name, text in bad.items()}
    return n_files, problems


def _mismatches(folder: Path, hashes: dict[str, str]) -> dict[str, str]:
    problems = {}
    for name, value in hashes.items():
        path = folder / name
        if not path.is_file():
            problems[name] = "missing"
        elif content_hash(path.read_bytes()) != value:
            problems[name] = "damaged: it does not match its checksum"
    return problems


def _part_folders(folder: Path) -> list[Path]:
    """Return the folders that hold parts, nested ones too: all but logs, datasets, files aside."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_dir()
        and not any(
            name in ("logs", *_ASIDE) or name.endswith(".zarr")
            for name in path.relative_to(folder).parts
        )
    ]


def _single_files(folder: Path) -> set[str]:
    """Return the names of the files that are no parts, no datasets, no lock and not hidden."""
    logs = [path for path in folder.glob("logs/**/*") if path.is_file()]
    top = [path for path in folder.iterdir() if path.is_file()]
    names = {path.relative_to(folder).as_posix() for path in (*top, *logs)}
    return {name for name in names if Path(name).name[0] != "."} - {CHECKSUMS, _LOCK}
