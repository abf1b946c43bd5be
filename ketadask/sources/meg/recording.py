"""One recording: a path that travels, a header read once per process, windows on demand."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ketadask import names as nm
from ketadask.schema.errors import InputError
from ketadask.sources.delimited import read_error
from ketadask.sources.meg.channels import FIELD_UNIT, UNITS
from ketadask.sources.meg.compensation import Compensator, build_compensator
from ketadask.sources.meg.headers import (
    READERS,
    FieldSource,
    RecordingHeader,
    bti_file,
    read_header,
)


@dataclass(frozen=True)
class Recording:
    """A recording by its path; a process that gets it reads only the windows it needs.

    ``stamp`` holds the size of all its files and the time of the newest. ``ch_type`` is ``meg`` or
    ``eeg``; where it is empty, sensors are those of MEG, or electrodes where it has none.

    Examples
    --------
    >>> Recording("sub-01_task-rest_meg.ds", (0, 0)).name
    'sub-01_task-rest_meg'
    """

    path: str
    stamp: tuple[int, int]
    ch_type: str = ""

    @classmethod
    def at(cls, path: Path | str, ch_type: str = "") -> Recording:
        """Return the recording at a path."""
        path = Path(path)
        if ch_type not in ("", nm.MEG, nm.EEG):
            raise InputError(
                "unknown type of channels", where="ch_type", value=ch_type,
                remedy=f"choose {nm.MEG} or {nm.EEG}",
            )  # fmt: skip
        if not is_recording(path):
            raise InputError(
                "not a recording of MEG or EEG",
                file=path,
                remedy=f"name a folder of BTi/4D or one that ends with {', '.join(READERS)}",
            )
        if not path.exists():
            if path.is_symlink():
                raise read_error(path, FileNotFoundError())
            raise InputError("no such recording", file=path, remedy="check the path")
        stats = [file.stat() for file in _files(path)]
        newest = max((stat.st_mtime_ns for stat in stats), default=0)
        return cls(str(path), (sum(stat.st_size for stat in stats), newest), ch_type)

    @property
    def name(self) -> str:
        """Name of the recording without its ending."""
        return Path(self.path).name.partition(".")[0]

    @property
    def header(self) -> RecordingHeader:
        """The properties of the recording, read once per process."""
        return _open(self)[0]

    def read(
        self,
        start: int,
        stop: int,
        *,
        rows: np.ndarray | None = None,
        grade: int | None = None,
        offset: np.ndarray | None = None,
    ) -> np.ndarray:
        """Read a window: float32 (channel, time) in fT (planar: fT/cm, EEG: uV).

        Parameters
        ----------
        start, stop
            First time point, and the one after the last.
        rows
            Positions among the header's channels; all if None.
        grade
            Gradient compensation; as recorded if None.
        offset
            (channel,) fT subtracted before rounding to float32, for large constant fields.
        """
        header, source = _open(self)
        targets = np.arange(len(header.channels.names)) if rows is None else np.asarray(rows)
        if grade is None or grade == header.grade:
            field = source.read(start, stop, targets)
        else:
            change = _compensator(self, grade)
            rows = np.union1d(targets, change.columns)
            field = source.read(start, stop, rows)
            own = field[np.searchsorted(rows, targets)]
            references = field[np.searchsorted(rows, change.columns)]
            field = own + change.weights[targets] @ references
        field *= [[UNITS.get(kind, FIELD_UNIT)[1]] for kind in header.channels.kind[targets]]
        if offset is not None:
            field -= offset[:, None]
        return field.astype(np.float32)

    def read_auxiliary(self, kind: str, start: int, stop: int) -> np.ndarray:
        """Read a window of the channels of a kind: float64 (channel, time), volts or event codes.

        Parameters
        ----------
        kind
            A key of the header's ``auxiliary``.
        start, stop
            First time point, and the one after the last.
        """
        header, source = _open(self)
        first = len(header.channels.names)
        for other, names in header.auxiliary.items():
            if other == kind:
                return source.read(start, stop, np.arange(first, first + len(names)))
            first += len(names)
        raise InputError(
            "the recording has no such channels",
            file=self.path,
            value=kind,
            remedy=f"choose one of {list(header.auxiliary)}",
        )


def is_recording(path: Path) -> bool:
    """Return whether a path is that of a recording of MEG or EEG.

    Examples
    --------
    >>> is_recording(Path("a.ds")), is_recording(Path("a_eeg.edf")), is_recording(Path("a.tsv"))
    (True, True, False)
    """
    return path.name.endswith(tuple(READERS)) or bti_file(path) is not None


def _files(path: Path) -> list[Path]:
    """Return all files of a recording: further splits, and the bad channels of a CTF folder."""
    if path.is_dir():
        return [file for file in path.iterdir() if file.is_file() and file.name[0] != "."]
    if ".fif" not in path.name:
        return sorted(path.parent.glob(f"{glob.escape(path.stem)}.*"))
    stem, ending, rest = glob.escape(path.name).rpartition(".fif")
    patterns = re.sub(r"_split-\d+", "_split-*", stem), f"{stem}-[0-9]*"
    return sorted({file for p in patterns for file in path.parent.glob(p + ending + rest)})


# A header holds matrices of some hundred kB: a worker keeps those of its current recordings.
@lru_cache(maxsize=8)
def _open(recording: Recording) -> tuple[RecordingHeader, FieldSource]:
    return read_header(Path(recording.path), recording.ch_type)


@lru_cache(maxsize=16)
def _compensator(recording: Recording, grade: int) -> Compensator:
    header = recording.header
    return build_compensator(header.comps, header.grade, grade, len(header.channels.names))
