"""Values of a CTF recording through a memory map of its ``.meg4`` files.

A ``.meg4`` file is eight bytes and then big-endian 32-bit integers (trial, channel, time). mne
reads whole trials, and a resting recording may be one single trial of half a gigabyte; through the
map a window costs what it holds.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ketadask.schema import InputError

_HEADER, _WORD = 8, 4
_TRIAL_LENGTH_AT = 1288  # bytes into .res4: int32 time points per trial, int16 channels


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


def _shape(folder: Path) -> tuple[int, int]:
    """Return time points per trial and channels, as the header says."""
    path = next(iter(sorted(folder.glob("*.res4"))))
    with path.open("rb") as file:
        file.seek(_TRIAL_LENGTH_AT)
        length, width = struct.unpack(">ih", file.read(6))
    return length, width
