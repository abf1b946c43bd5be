"""A recording at the lower rate, reached window by window: the full rate is never held whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ketadask.features.meg.settings import MegSettings
from ketadask.kernels.decimation import decimate, low_pass
from ketadask.schema import InputError
from ketadask.sources.meg.channels import GRADIOMETER, MAGNETOMETER, PLANAR, Channels
from ketadask.sources.meg.compensation import Compensator, compensator
from ketadask.sources.meg.recording import Recording

WINDOW = 5.0
_RATE_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Decimated:
    """The sensors of a recording at a lower rate.

    Attributes
    ----------
    field
        float32 (sensor, time) in fT, freed of the mean of the first window.
    rate
        Values per second.
    rows
        Which of the recording's channels the sensors are.
    extent
        (sensor,) largest minus smallest value as recorded, at the full rate.
    grade
        Gradient compensation of the field.
    """

    field: np.ndarray
    rate: float
    rows: np.ndarray
    extent: np.ndarray
    grade: int


def decimated(
    recording: Recording, settings: MegSettings | None = None, *, window: float = WINDOW
) -> Decimated:
    """Read a recording in windows, compensate it and keep every k-th value of the low-passed field.

    The windows overlap by the filter, so that their length changes nothing. Beyond its ends the
    recording is continued by its first and last value.
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
    beginning = recording.read(0, min(header.length, round(WINDOW * header.rate)), rows=needed)
    offset = beginning.mean(axis=1, dtype=np.float64)
    field = np.empty((len(rows), kept), dtype=np.float32)
    low = np.full(len(rows), np.inf, dtype=np.float32)
    high = -low
    for first in range(0, kept, step):
        last = min(first + step, kept)
        start, stop = first * factor - half, (last - 1) * factor + half + 1
        inside = max(start, 0), min(stop, header.length)
        raw = recording.read(*inside, rows=needed, offset=offset)
        np.minimum(low, raw[own].min(axis=1), out=low)
        np.maximum(high, raw[own].max(axis=1), out=high)
        made = seen.apply(raw, own)
        if inside != (start, stop):
            made = np.pad(made, ((0, 0), (inside[0] - start, stop - inside[1])), mode="edge")
        decimate(made, taps, factor, field[:, first:last])
    return Decimated(field, header.rate / factor, rows, high - low, grade)


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
    return grade, compensator(header.comps, header.grade, grade, n)
