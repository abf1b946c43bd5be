"""Values of a CTF recording through a memory map of its ``.meg4`` files.

A ``.meg4`` file is eight bytes and then big-endian 32-bit integers (trial, channel, time). mne
reads whole trials, and a resting recording may be one single trial of half a gigabyte; through the
map a window costs what it holds.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ketadask.schema.errors import InputError

_HEADER, _WORD = 8, 4
_TRIAL_LENGTH_AT = 1288  # bytes into .res4: int32 time points per trial, int16 channels
_BEFORE_TRIGGER_AT = 1316  # int32 time points of a trial before its trigger


@dataclass(frozen=True, eq=False)
class CtfFiles:
    """The ``.meg4`` files of a recording.

    Attributes
    ----------
    paths, trials
        Files and how many trials each holds.
    length, width
        Time points of a trial, channels in the file.
    picks, scale
        Row of each kept channel in the file, tesla per stored unit.
    edges
        First time point of every trial.
    """

    paths: tuple[Path, ...]
    trials: tuple[int, ...]
    length: int
    width: int
    picks: np.ndarray
    scale: np.ndarray
    edges: tuple[int, ...]

    def read(self, start: int, stop: int, rows: np.ndarray) -> np.ndarray:
        """Return a window in tesla, float64 (channel, time), as recorded."""
        made = np.empty((len(rows), max(0, stop - start)))
        picks, scale = self.picks[rows], self.scale[rows, None]
        before = 0
        for path, trials in zip(self.paths, self.trials, strict=True):
            after = before + trials * self.length
            if start < after and stop > before:
                stored = np.memmap(
                    path, ">i4", "r", _HEADER, shape=(trials, self.width, self.length)
                )
                first = (max(start, before) - before) // self.length
                last = (min(stop, after) - before - 1) // self.length
                for trial in range(first, last + 1):
                    at = before + trial * self.length
                    low, high = max(start, at), min(stop, at + self.length)
                    window = stored[trial, picks, low - at : high - at]
                    np.multiply(window, scale, out=made[:, low - start : high - start])
            before = after
        return made


def ctf_files(
    folder: Path, paths: list[Path], n_times: int, picks: np.ndarray, scale: np.ndarray
) -> CtfFiles:
    """Return the ``.meg4`` files of a folder, after comparing their sizes with the header."""
    length, width = _shape(folder)
    trials = []
    for path in paths:
        size = path.stat().st_size - _HEADER
        if size <= 0 or size % (_WORD * length * width):
            raise InputError(
                "the recording is cut off: it does not hold whole trials",
                file=path,
                value=f"{size + _HEADER} bytes",
                remedy="copy it again from where it was recorded",
            )
        trials.append(size // (_WORD * length * width))
    # The system clock may end before the file does, then mne leaves the rest out.
    edges = tuple(range(0, min(n_times, sum(trials) * length), length))
    return CtfFiles(tuple(paths), tuple(trials), length, width, picks, scale, edges)


def bad_segments(folder: Path) -> list[tuple[int, float, float]]:
    """Return what ``bad.segments`` of a folder calls bad: trial, from 1, and two times in it.

    Times are seconds from the trigger of the trial.
    """
    path = folder / "bad.segments"
    found = []
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    for number, line in enumerate(lines, 1):
        try:
            trial, first, last = map(float, line.split())
            whole = trial >= 1 and trial.is_integer() and first <= last
        except ValueError:
            whole = False
        if not whole:
            raise InputError(
                "not a bad segment",
                file=path,
                where=f"line {number}",
                value=line.strip(),
                remedy="write the number of the trial, the first second and the last",
            )
        found.append((int(trial), first, last))
    return found


def from_beginning(
    folder: Path, segments: Sequence[tuple[int, float, float]], rate: float
) -> tuple[tuple[float, float], ...]:
    """Return first and last second of segments, counted from the beginning of the recording."""
    length, _ = _shape(folder)
    (before,) = _stored(folder, _BEFORE_TRIGGER_AT, ">i")
    starts = [((trial - 1) * length + before) / rate for trial, _, _ in segments]
    return tuple(
        (start + first, start + last)
        for start, (_, first, last) in zip(starts, segments, strict=True)
    )


def _shape(folder: Path) -> tuple[int, int]:
    """Return time points per trial and channels, as the header says."""
    length, width = _stored(folder, _TRIAL_LENGTH_AT, ">ih")
    return length, width


def _stored(folder: Path, place: int, form: str) -> tuple[int, ...]:
    path = next(iter(sorted(folder.glob("*.res4"))))
    with path.open("rb") as file:
        file.seek(place)
        return struct.unpack(form, file.read(struct.calcsize(form)))
