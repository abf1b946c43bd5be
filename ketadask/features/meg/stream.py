"""A recording at the lower rate, window by window: the full rate is never in memory at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ketadask.features.meg.settings import AUTO, MIN_RATE, NONE, MegSettings
from ketadask.kernels.decimation import decimate, low_pass
from ketadask.schema.errors import InputError
from ketadask.sources.meg.channels import GRADIOMETER, MAGNETOMETER, PLANAR, Channels
from ketadask.sources.meg.compensation import Compensator, build_compensator
from ketadask.sources.meg.recording import Recording

WINDOW = 5.0
# Time points on either side of a trial's start to compare with, and how much larger a jump is.
_NEIGHBOURS, _JUMP = 100, 1.5


@dataclass(frozen=True, eq=False)
class DecimatedField:
    """The sensors of a recording at a lower rate.

    Attributes
    ----------
    field
        float32 (sensor, time) in fT, minus the mean of the first window of each piece.
    rate
        Values per second.
    rows
        Positions of the sensors among the recording's channels.
    extent
        (sensor,) largest minus smallest value as recorded, at the full rate.
    grade
        Gradient compensation of the field.
    breaks
        Time points at which a new piece begins, because the recording was stopped before.
    ecg
        (time,) electrocardiogram at the same rate, None where there is none.
    """

    field: np.ndarray
    rate: float
    rows: np.ndarray
    extent: np.ndarray
    grade: int
    breaks: tuple[int, ...] = ()
    ecg: np.ndarray | None = None


def decimate_recording(
    recording: Recording,
    settings: MegSettings | None = None,
    *,
    window: float = WINDOW,
    ecg: str | None = None,
) -> DecimatedField:
    """Read a recording in windows, compensate it, filter it and keep every k-th value.

    The windows overlap by the filter, so that their length changes nothing. A recording that was
    stopped and continued is filtered piece by piece, each minus its own mean. Beyond its ends a
    piece is padded by its first and last value. ``ecg`` is the channel of the electrocardiogram,
    if the recording does not say it itself.
    """
    settings = settings or MegSettings()
    header = recording.header
    factor = decimation_factor(header.rate, settings.rate)
    if not factor:
        raise InputError(
            f"{header.rate:g} time points per second are too few for frequencies up to 100 Hz",
            file=recording.path,
            remedy=f"use the original recording, of at least {MIN_RATE:g}",
        )
    rows = sensor_rows(header.channels, settings.sensors)
    if not rows.size:
        kinds = header.channels.kind[header.channels.sensors]
        raise InputError(
            "the recording has no sensors of this kind",
            file=recording.path,
            where="features.recordings.sensors",
            value=settings.sensors,
            remedy="choose " + " or ".join(np.unique(kinds).tolist()),
        )
    grade, change = _compensation(recording, settings.grade)
    inputs = np.union1d(rows, change.columns)
    outputs = np.searchsorted(inputs, rows)
    compensator = Compensator(
        np.searchsorted(inputs, change.columns), change.weights[inputs].astype(np.float32)
    )
    taps = low_pass(header.rate, factor)
    half, length = taps.size // 2, header.length // factor
    step = max(1, round(window * settings.rate))
    field = np.empty((len(rows), length), dtype=np.float32)
    low = np.full(len(rows), np.inf, dtype=np.float32)
    high = -low
    pieces = [0, *find_jumps(recording, rows), header.length]
    starts = [min(-(-start // factor), length) for start in pieces[:-1]] + [length]
    for first, last, begin, end in _windows(starts, pieces, step):
        if first in starts:
            beginning = recording.read(
                begin, min(end, begin + round(WINDOW * header.rate)), rows=inputs
            )
            offset = beginning.mean(axis=1, dtype=np.float64)
        start, stop = first * factor - half, (last - 1) * factor + half + 1
        inside = max(start, begin), min(stop, end)
        raw = recording.read(*inside, rows=inputs, offset=offset)
        np.minimum(low, raw[outputs].min(axis=1), out=low)
        np.maximum(high, raw[outputs].max(axis=1), out=high)
        block = compensator.apply(raw, outputs)
        if inside != (start, stop):
            block = np.pad(block, ((0, 0), (inside[0] - start, stop - inside[1])), mode="edge")
        decimate(block, taps, factor, field[:, first:last])
    breaks = tuple(start for start in starts[1:-1] if start < length)
    data = DecimatedField(field, header.rate / factor, rows, high - low, grade, breaks)
    if settings.cardiac_artefact == NONE:
        return data
    return replace(data, ecg=_ecg(recording, ecg, taps, factor, length))


def _ecg(
    recording: Recording, name: str | None, taps: np.ndarray, factor: int, length: int
) -> np.ndarray | None:
    """Return the electrocardiogram at the lower rate: the named channel, else the first.

    None where there is none, or where it is flat: the electrodes were not connected.
    """
    auxiliary = recording.header.auxiliary
    for kind, names in auxiliary.items():
        if name in names or (name is None and kind == "ecg"):
            row = names.index(name) if name else 0
            course = recording.read_auxiliary(kind, 0, recording.header.length)[row]
            course -= course.mean()
            if not course.any():
                return None
            course /= np.abs(course).max()
            course = np.pad(course.astype(np.float32), taps.size // 2, mode="edge")
            low_rate = np.empty((1, length), dtype=np.float32)
            decimate(course[None], taps, factor, low_rate)
            return np.asarray(low_rate[0])
    return None


def find_jumps(recording: Recording, rows: np.ndarray) -> list[int]:
    """Return the first time points of the trials at which the field jumps.

    Trials may follow each other without a gap. At a gap the step from the last time point to the
    next is, over all sensors, larger than any step beside it.
    """
    header = recording.header
    jumps = []
    for edge in header.edges:
        first, last = max(edge - _NEIGHBOURS, 0), min(edge + _NEIGHBOURS, header.length)
        if not 0 < edge < header.length - 1:
            continue
        field = recording.read(first, last, rows=rows).astype(np.float64)
        size = np.sqrt((np.diff(field, axis=1) ** 2).mean(axis=0))
        at = edge - 1 - first
        if size[at] > _JUMP * np.delete(size, at).max():
            jumps.append(edge)
    return jumps


def _windows(
    starts: list[int], pieces: list[int], step: int
) -> Iterator[tuple[int, int, int, int]]:
    """Yield windows of decimated values, and the first and last time point of their piece."""
    for (start, stop), (begin, end) in zip(pairwise(starts), pairwise(pieces), strict=True):
        for first in range(start, stop, step):
            yield first, min(first + step, stop), begin, end


def sensor_rows(channels: Channels, sensors: str = AUTO) -> np.ndarray:
    """Return the sensors to use: of one kind, since their units differ.

    By default axial gradiometers before magnetometers before planar gradiometers.
    """
    for kind in (GRADIOMETER, MAGNETOMETER, PLANAR):
        rows = np.flatnonzero(channels.kind == kind)
        if rows.size and sensors in (AUTO, kind):
            return rows
    return np.empty(0, dtype=np.int64)


def decimation_factor(rate: float, target: float) -> int:
    """Return of how many values one is kept: the rate comes near the target, not below `MIN_RATE`.

    0 where the recording itself has fewer values per second than that.

    Examples
    --------
    >>> [decimation_factor(rate, 300.0) for rate in (1200, 1000, 1017.25, 480, 450, 250, 200)]
    [4, 3, 3, 2, 1, 1, 0]
    """
    return min(max(1, round(rate / target)), int(rate / MIN_RATE))


def _compensation(recording: Recording, target: int) -> tuple[int, Compensator]:
    """Return the grade of the field and how to reach it: as recorded where it lacks the target."""
    header = recording.header
    grade = target if target == 0 or target in header.comps else header.grade
    n_channels = len(header.channels.names)
    return grade, build_compensator(header.comps, header.grade, grade, n_channels)
