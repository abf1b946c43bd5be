"""A recording at the lower rate, reached window by window: the full rate is never held whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ketadask.features.meg.settings import MegSettings
from ketadask.kernels.decimation import decimate, low_pass
from ketadask.schema.errors import InputError
from ketadask.sources.meg.channels import GRADIOMETER, MAGNETOMETER, PLANAR, Channels
from ketadask.sources.meg.compensation import Compensator, build_compensator
from ketadask.sources.meg.recording import Recording

WINDOW = 5.0
# Time points looked at on either side of a trial's beginning, and how much larger a jump is.
_BESIDE, _JUMP = 100, 1.5
_RATE_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Decimated:
    """The sensors of a recording at a lower rate.

    Attributes
    ----------
    field
        float32 (sensor, time) in fT, every piece freed of the mean of its first window.
    rate
        Values per second.
    rows
        Which of the recording's channels the sensors are.
    extent
        (sensor,) largest minus smallest value as recorded, at the full rate.
    grade
        Gradient compensation of the field.
    breaks
        Time points at which something else begins: the recording was stopped before.
    """

    field: np.ndarray
    rate: float
    rows: np.ndarray
    extent: np.ndarray
    grade: int
    breaks: tuple[int, ...] = ()


def decimated(
    recording: Recording, settings: MegSettings | None = None, *, window: float = WINDOW
) -> Decimated:
    """Read a recording in windows, compensate it and keep every k-th value of the low-passed field.

    The windows overlap by the filter, so that their length changes nothing. Where the recording was
    stopped and begun again it is filtered piece by piece, each freed of its own mean. Beyond its
    ends a piece is continued by its first and last value.
    """
    settings = settings or MegSettings()
    header = recording.header
    factor = _factor(recording, header.rate, settings.rate)
    rows = sensor_rows(header.channels)
    grade, change = _grade(recording, settings.grade)
    needed = np.union1d(rows, change.columns)
    own = np.searchsorted(needed, rows)
    seen = Compensator(
        np.searchsorted(needed, change.columns), change.weights[needed].astype(np.float32)
    )
    taps = low_pass(header.rate, factor)
    half, kept = taps.size // 2, header.length // factor
    step = max(1, round(window * settings.rate))
    field = np.empty((len(rows), kept), dtype=np.float32)
    low = np.full(len(rows), np.inf, dtype=np.float32)
    high = -low
    pieces = [0, *jumps(recording, rows), header.length]
    kept_from = [min(-(-place // factor), kept) for place in pieces[:-1]] + [kept]
    for first, last, begins, ends in _windows(kept_from, pieces, step):
        if first in kept_from:
            beginning = recording.read(
                begins, min(ends, begins + round(WINDOW * header.rate)), rows=needed
            )
            offset = beginning.mean(axis=1, dtype=np.float64)
        start, stop = first * factor - half, (last - 1) * factor + half + 1
        inside = max(start, begins), min(stop, ends)
        raw = recording.read(*inside, rows=needed, offset=offset)
        np.minimum(low, raw[own].min(axis=1), out=low)
        np.maximum(high, raw[own].max(axis=1), out=high)
        made = seen.apply(raw, own)
        if inside != (start, stop):
            made = np.pad(made, ((0, 0), (inside[0] - start, stop - inside[1])), mode="edge")
        decimate(made, taps, factor, field[:, first:last])
    breaks = tuple(place for place in kept_from[1:-1] if place < kept)
    return Decimated(field, header.rate / factor, rows, high - low, grade, breaks)


def jumps(recording: Recording, rows: np.ndarray) -> list[int]:
    """Return the trials' first time points at which the field jumps.

    Trials may follow each other without a gap. Where there is one, the step from the last time
    point to the next is, over all sensors, larger than any step beside it.
    """
    header = recording.header
    found = []
    for edge in header.edges:
        first, last = max(edge - _BESIDE, 0), min(edge + _BESIDE, header.length)
        if not 0 < edge < header.length - 1:
            continue
        near = recording.read(first, last, rows=rows).astype(np.float64)
        size = np.sqrt((np.diff(near, axis=1) ** 2).mean(axis=0))
        at = edge - 1 - first
        if size[at] > _JUMP * np.delete(size, at).max():
            found.append(edge)
    return found


def _windows(
    kept_from: list[int], pieces: list[int], step: int
) -> Iterator[tuple[int, int, int, int]]:
    """Yield windows of kept values, and the time points at which their piece begins and ends."""
    for piece, (start, stop) in enumerate(pairwise(kept_from)):
        for first in range(start, stop, step):
            yield first, min(first + step, stop), pieces[piece], pieces[piece + 1]


def sensor_rows(channels: Channels) -> np.ndarray:
    """Return the channels that are measured: of one kind, since their units differ.

    Gradiometers of CTF before magnetometers before planar gradiometers.
    """
    for kind in (GRADIOMETER, MAGNETOMETER, PLANAR):
        rows = np.flatnonzero(channels.kind == kind)
        if rows.size:
            return rows
    return np.flatnonzero(channels.sensors)


def _factor(recording: Recording, rate: float, wanted: float) -> int:
    factor = round(rate / wanted)
    if factor < 1 or abs(rate / wanted - factor) > _RATE_TOLERANCE * factor:
        raise InputError(
            f"{rate:g} time points per second are no whole multiple of {wanted:g}",
            file=recording.path,
            remedy="find the recording as it was made, or choose another rate for the features",
        )
    return factor


def _grade(recording: Recording, wanted: int) -> tuple[int, Compensator]:
    header = recording.header
    grade = wanted if wanted == 0 or wanted in header.comps else header.grade
    n = len(header.channels.names)
    return grade, build_compensator(header.comps, header.grade, grade, n)
