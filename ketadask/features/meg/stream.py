"""A recording at the lower rate, window by window: the full rate is never in memory at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ketadask.features.meg.settings import AUTO, MIN_RATE, NONE, MegSettings
from ketadask.kernels.decimation import decimate, low_pass
from ketadask.schema.errors import InputError
from ketadask.sources.meg.channels import ELECTRODE, GRADIOMETER, MAGNETOMETER, PLANAR, Channels
from ketadask.sources.meg.compensation import Compensator, build_compensator
from ketadask.sources.meg.headers import RecordingHeader
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


@dataclass(frozen=True, eq=False)
class Decimation:
    """How the sensors of a recording are brought to the lower rate, window by window.

    Attributes
    ----------
    rate, length
        Time points per second, and in all.
    factor, taps
        One of ``factor`` values is kept after the filter ``taps``.
    grade, compensator
        Gradient compensation of the field, and how it is reached.
    rows, inputs, outputs
        Sensors and channels to read, among those of the recording; the sensors among those read.
    """

    rate: float
    length: int
    factor: int
    taps: np.ndarray
    grade: int
    compensator: Compensator
    rows: np.ndarray
    inputs: np.ndarray
    outputs: np.ndarray

    @classmethod
    def of(cls, header: RecordingHeader, settings: MegSettings, path: str) -> Decimation:
        """Plan it; an InputError says why the recording cannot be used."""
        factor = decimation_factor(header.rate, settings.rate)
        if not factor:
            raise InputError(
                f"{header.rate:g} time points per second are too few for frequencies up to 100 Hz",
                file=path,
                remedy=f"use the original recording, of at least {MIN_RATE:g}",
            )
        rows = sensor_rows(header.channels, settings.sensors)
        if not rows.size:
            kinds = header.channels.kind[header.channels.sensors]
            raise InputError(
                "the recording has no sensors of this kind",
                file=path,
                where="features.recordings.sensors",
                value=settings.sensors,
                remedy="choose " + " or ".join(np.unique(kinds).tolist()),
            )
        grade, change = _compensation(header, settings.grade)
        inputs = np.union1d(rows, change.columns)
        compensator = Compensator(
            np.searchsorted(inputs, change.columns), change.weights[inputs].astype(np.float32)
        )
        taps, outputs = low_pass(header.rate, factor), np.searchsorted(inputs, rows)
        return cls(
            header.rate, header.length, factor, taps, grade, compensator, rows, inputs, outputs
        )

    @property
    def n_values(self) -> int:
        """Number of values at the lower rate."""
        return self.length // self.factor

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the time points, of a recording without ends, that values of a window rest on."""
        half = self.taps.size // 2
        return first * self.factor - half, (last - 1) * self.factor + half + 1

    def starts(self, jumps: Sequence[int]) -> list[int]:
        """Return the first value of each piece of a recording that was stopped at ``jumps``."""
        return [min(-(-start // self.factor), self.n_values) for start in (0, *jumps)]

    def windows(self, jumps: Sequence[int], step: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield windows of values, and the first and last time point of their piece."""
        starts, pieces = [*self.starts(jumps), self.n_values], [0, *jumps, self.length]
        for (start, stop), (begin, end) in zip(pairwise(starts), pairwise(pieces), strict=True):
            for first in range(start, stop, step):
                yield first, min(first + step, stop), begin, end

    def filter(self, raw: np.ndarray, inside: tuple[int, int], out: np.ndarray, first: int) -> None:
        """Compensate and filter the time points ``inside``; write the values from ``first`` on."""
        start, stop = self.support(first, first + out.shape[1])
        block = self.compensator.apply(raw, self.outputs)
        if inside != (start, stop):
            block = np.pad(block, ((0, 0), (inside[0] - start, stop - inside[1])), mode="edge")
        decimate(block, self.taps, self.factor, out)


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
    plan = Decimation.of(recording.header, settings, recording.path)
    step = max(1, round(window * settings.rate))
    field = np.empty((len(plan.rows), plan.n_values), dtype=np.float32)
    low = np.full(len(plan.rows), np.inf, dtype=np.float32)
    high = -low
    jumps = find_jumps(recording, plan.rows)
    starts = plan.starts(jumps)
    for first, last, begin, end in plan.windows(jumps, step):
        if first in starts:
            beginning = recording.read(
                begin, min(end, begin + round(WINDOW * plan.rate)), rows=plan.inputs
            )
            offset = beginning.mean(axis=1, dtype=np.float64)
        start, stop = plan.support(first, last)
        inside = max(start, begin), min(stop, end)
        raw = recording.read(*inside, rows=plan.inputs, offset=offset)
        np.minimum(low, raw[plan.outputs].min(axis=1), out=low)
        np.maximum(high, raw[plan.outputs].max(axis=1), out=high)
        plan.filter(raw, inside, field[:, first:last], first)
    breaks = tuple(start for start in starts[1:] if start < plan.n_values)
    rate = plan.rate / plan.factor
    data = DecimatedField(field, rate, plan.rows, high - low, plan.grade, breaks)
    if settings.cardiac_artefact == NONE:
        return data
    return replace(data, ecg=_ecg(recording, ecg, plan))


def _ecg(recording: Recording, name: str | None, plan: Decimation) -> np.ndarray | None:
    """Return the electrocardiogram at the lower rate; None where there is none."""
    channel = ecg_position(recording.header.auxiliary, name)
    if channel is None:
        return None
    kind, row = channel
    return decimate_ecg(recording.read_auxiliary(kind, 0, plan.length)[row], plan)


def ecg_position(
    auxiliary: Mapping[str, Sequence[str]], name: str | None
) -> tuple[str, int] | None:
    """Return kind and position of the electrocardiogram: the named channel, else the first.

    Examples
    --------
    >>> ecg_position({"eog": ("EOG1", "ECG2"), "ecg": ("ECG1",)}, "ECG2")
    ('eog', 1)
    """
    for kind, names in auxiliary.items():
        if name in names or (name is None and kind == "ecg"):
            return kind, names.index(name) if name else 0
    return None


def decimate_ecg(course: np.ndarray, plan: Decimation) -> np.ndarray | None:
    """Return a course (time,) at the lower rate; None if flat: electrodes were not connected."""
    course = course - course.mean()
    if not course.any():
        return None
    course /= np.abs(course).max()
    course = np.pad(course.astype(np.float32), plan.taps.size // 2, mode="edge")
    low_rate = np.empty((1, plan.n_values), dtype=np.float32)
    decimate(course[None], plan.taps, plan.factor, low_rate)
    return np.asarray(low_rate[0])


def find_jumps(recording: Recording, rows: np.ndarray) -> list[int]:
    """Return the first time points of the trials at which the field jumps.

    Trials may follow each other without a gap.
    """
    length = recording.header.length
    return [
        edge
        for edge in recording.header.edges
        if 0 < edge < length - 1
        and is_jump(recording.read(*neighbourhood(edge, length), rows=rows), edge)
    ]


def neighbourhood(edge: int, length: int) -> tuple[int, int]:
    """Return the time points around the start of a trial that show whether the field jumps."""
    return max(edge - _NEIGHBOURS, 0), min(edge + _NEIGHBOURS, length)


def is_jump(field: np.ndarray, edge: int) -> bool:
    """Return whether the `neighbourhood` of a trial's start shows a gap in time.

    At a gap the step from the last time point to the next is, over all sensors, larger than any
    step beside it.
    """
    size = np.sqrt((np.diff(field.astype(np.float64), axis=1) ** 2).mean(axis=0))
    at = edge - 1 - max(edge - _NEIGHBOURS, 0)
    return bool(size[at] > _JUMP * np.delete(size, at).max())


def sensor_rows(channels: Channels, sensors: str = AUTO) -> np.ndarray:
    """Return the sensors to use: of one kind, since their units differ.

    By default axial gradiometers before magnetometers before planar gradiometers.
    """
    for kind in (GRADIOMETER, MAGNETOMETER, PLANAR, ELECTRODE):
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


def _compensation(header: RecordingHeader, target: int) -> tuple[int, Compensator]:
    """Return the grade of the field and how to reach it: as recorded where it lacks the target."""
    grade = target if target == 0 or target in header.comps else header.grade
    n_channels = len(header.channels.names)
    return grade, build_compensator(header.comps, header.grade, grade, n_channels)
