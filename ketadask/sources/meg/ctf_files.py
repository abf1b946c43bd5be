"""Values of a CTF recording through a memory map of its ``.meg4`` files.

A ``.meg4`` file is eight bytes and then big-endian 32-bit integers (trial, channel, time). mne
reads whole trials, and a resting recording may be a single trial of half a gigabyte; through the
map a window costs only its own bytes.
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
        Files and the number of trials in each.
    length, width
        Time points of a trial, channels in the file.
    picks, scale
        Row of each channel in the file, tesla per stored unit.
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
        field = np.empty((len(rows), max(0, stop - start)))
        picks, scale = self.picks[rows], self.scale[rows, None]
        before = 0
        for path, trials in zip(self.paths, self.trials, strict=True):
            after = before + trials * self.length
            if start < after and stop > before:
                shape = (trials, self.width, self.length)
                values = np.memmap(path, ">i4", "r", _HEADER, shape=shape)
                first = (max(start, before) - before) // self.length
                last = (min(stop, after) - before - 1) // self.length
                for trial in range(first, last + 1):
                    at = before + trial * self.length
                    low, high = max(start, at), min(stop, at + self.length)
                    window = values[trial, picks, low - at : high - at]
                    np.multiply(window, scale, out=field[:, low - start : high - start])
            before = after
        return field


def open_ctf_files(
    folder: Path, paths: list[Path], n_times: int, picks: np.ndarray, scale: np.ndarray
) -> CtfFiles:
    """Return the ``.meg4`` files of a folder, after comparing their sizes with the header."""
    length, width = _header_integers(folder, _TRIAL_LENGTH_AT, ">ih")
    trial_bytes = _WORD * length * width
    trials = []
    for path in paths:
        size = path.stat().st_size - _HEADER
        if size <= 0 or size % trial_bytes:
            raise InputError(
                "the recording is cut off: its last trial is incomplete",
                file=path,
                value=f"{size + _HEADER} bytes",
                remedy="copy it again from the original",
            )
        trials.append(size // trial_bytes)
    # mne ignores what lies after the end of the system clock channel.
    edges = tuple(range(0, min(n_times, sum(trials) * length), length))
    return CtfFiles(tuple(paths), tuple(trials), length, width, picks, scale, edges)


def read_ctf_bad_segments(folder: Path) -> list[tuple[int, float, float]]:
    """Return trial (from 1), first and last second of the lines of ``bad.segments``.

    Seconds count from the trigger of the trial.
    """
    path = folder / "bad.segments"
    segments = []
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    for index, line in enumerate(lines, start=1):
        try:
            trial, first, last = map(float, line.split())
            valid = trial >= 1 and trial.is_integer() and first <= last
        except ValueError:
            valid = False
        if not valid:
            raise InputError(
                "not a bad segment",
                file=path,
                where=f"line {index}",
                value=line.strip(),
                remedy="write the number of the trial, the first and the last second",
            )
        segments.append((int(trial), first, last))
    return segments


def recording_spans(
    folder: Path, segments: Sequence[tuple[int, float, float]], rate: float
) -> tuple[tuple[float, float], ...]:
    """Return first and last second of segments, counted from the start of the recording."""
    length, _ = _header_integers(folder, _TRIAL_LENGTH_AT, ">ih")
    (before,) = _header_integers(folder, _BEFORE_TRIGGER_AT, ">i")
    triggers = [((trial - 1) * length + before) / rate for trial, _, _ in segments]
    return tuple(
        (trigger + first, trigger + last)
        for trigger, (_, first, last) in zip(triggers, segments, strict=True)
    )


def _header_integers(folder: Path, offset: int, form: str) -> tuple[int, ...]:
    path = min(folder.glob("*.res4"))
    with path.open("rb") as file:
        file.seek(offset)
        return struct.unpack(form, file.read(struct.calcsize(form)))
