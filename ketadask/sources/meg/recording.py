"""One recording: a path that travels, a header that is read once per process, windows on demand."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ketadask.schema.errors import InputError
from ketadask.sources.delimited import unreadable
from ketadask.sources.meg.compensation import compensator
from ketadask.sources.meg.headers import Header, read_header

FEMTO = 1e15
ENDINGS = (".ds", ".fif", ".fif.gz")


@dataclass(frozen=True)
class Recording:
    """A recording by its path; whoever gets it reads only the windows that are asked for.

    Examples
    --------
    >>> Recording("sub-01_task-rest_meg.ds", (0, 0)).name
    'sub-01_task-rest_meg'
    """

    path: str
    stamp: tuple[int, int]

    @classmethod
    def at(cls, path: Path | str) -> Recording:
        """Return the recording at a path, with the size and the time of all its files."""
        path = Path(path)
        if not is_recording(path):
            raise InputError(
                "not a MEG recording", file=path, remedy="name a folder .ds or a file .fif"
            )
        if not path.exists():
            if path.is_symlink():
                raise unreadable(path, FileNotFoundError())
            raise InputError("no such recording", file=path, remedy="check the path")
        found = [file.stat() for file in _files(path)]
        newest = max((each.st_mtime_ns for each in found), default=0)
        return cls(str(path), (sum(each.st_size for each in found), newest))

    @property
    def name(self) -> str:
        """Name of the recording without its ending."""
        return Path(self.path).name.removesuffix(".gz").rpartition(".")[0]

    @property
    def header(self) -> Header:
        """What is known before any value is read."""
        return _header(self)

    def read(
        self,
        start: int,
        stop: int,
        *,
        rows: np.ndarray | None = None,
        grade: int | None = None,
        offset: np.ndarray | None = None,
    ) -> np.ndarray:
        """Read a window: float32 (channel, time) in fT (planar gradiometers: fT/m).

        Parameters
        ----------
        start, stop
            First time point, and the one after the last.
        rows
            Which of the header's channels; all if None.
        grade
            Gradient compensation; as recorded if None.
        offset
            (channel,) fT taken off before digits are lost, for channels with large constant fields.
        """
        header = self.header
        n = len(header.channels.names)
        wanted = np.arange(n) if rows is None else np.asarray(rows)
        if grade is None or grade == header.grade:
            field = header.source.read(start, stop, wanted)
        else:
            change = _compensator(self, grade)
            needed = np.union1d(wanted, change.columns)
            field = header.source.read(start, stop, needed)
            own = field[np.searchsorted(needed, wanted)]
            seen = field[np.searchsorted(needed, change.columns)]
            field = own + change.weights[wanted] @ seen
        field *= FEMTO
        if offset is not None:
            field -= offset[:, None]
        return field.astype(np.float32)


def is_recording(path: Path) -> bool:
    """Whether a name says that it is a MEG recording.

    Examples
    --------
    >>> is_recording(Path("a.ds")), is_recording(Path("a_meg.fif.gz")), is_recording(Path("a.tsv"))
    (True, True, False)
    """
    return path.name.endswith(ENDINGS)


def _files(path: Path) -> list[Path]:
    """Return what a recording is read from: bad channels are a file too, and further splits."""
    if path.is_dir():
        return [file for file in path.iterdir() if file.is_file() and file.name[0] != "."]
    stem, ending, rest = glob.escape(path.name).rpartition(".fif")
    patterns = re.sub(r"_split-\d+", "_split-*", stem), f"{stem}-[0-9]*"
    return sorted({file for each in patterns for file in path.parent.glob(each + ending + rest)})


# A header holds matrices of some hundred kB: a worker keeps those it is working on.
@lru_cache(maxsize=8)
def _header(recording: Recording) -> Header:
    return read_header(Path(recording.path))


@lru_cache(maxsize=16)
def _compensator(recording: Recording, grade: int) -> Any:
    header = recording.header
    return compensator(header.comps, header.grade, grade, len(header.channels.names))
