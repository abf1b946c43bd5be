"""Bad sensors and bad segments of a recording."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import fft

from ketadask.features.meg.settings import MegSettings
from ketadask.kernels.spectra import in_band

FLAT, NOISY, WEAK, BAD = "flat", "noisy", "weak", "marked bad"
# fT or fT/cm, and uV: a sensor that moves by less is flat.
FLAT_EXTENT, FLAT_POTENTIAL = 10.0, 0.5
_BROAD, _MUSCLE = (1.0, 45.0), (110.0, 140.0)
# Good sensors and segments differ by more than a tenth even where a calm recording suggests less.
_LEAST_SPREAD = 0.1
_NEIGHBOURS = 8
# A burst that ends in a segment is short in it: muscle activity is also judged in quarters.
_QUARTERS, _QUARTER_GAP = 4, 4.0
_CHANNELS_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class Quality:
    """Bad sensors and clean segments of a recording.

    Attributes
    ----------
    reasons
        (sensor,) text: flat, noisy, weak, marked bad, or empty where it is good.
    clean
        (segment,) bool.
    length
        Time points of a segment.
    windows
        First time point and number of segments of each window of time that is measured; one from
        the first time point on if empty.
    ends
        Time points at which the field begins, jumps or ends; those of all segments if empty.
    """

    reasons: tuple[str, ...]
    clean: np.ndarray
    length: int
    windows: tuple[tuple[int, int], ...] = ()
    ends: tuple[int, ...] = ()

    @property
    def good(self) -> np.ndarray:
        """(sensor,) bool."""
        return np.array([not reason for reason in self.reasons], dtype=bool)

    @property
    def onsets(self) -> np.ndarray:
        """(segment,) first time points."""
        return segment_onsets(self.windows or ((0, self.clean.size),), self.length)

    def points(self, is_member: np.ndarray, size: int) -> np.ndarray:
        """Return which of ``size`` time points are in some of the segments, (segment,) bool."""
        inside = np.zeros(size, dtype=bool)
        for start in self.onsets[is_member].tolist():
            inside[start : start + self.length] = True
        return inside

    def starts(self, segments: int) -> np.ndarray:
        """Return the first time points of this many clean segments in a row, in one window."""
        if self.clean.size < segments:
            return np.empty(0, dtype=np.int64)
        runs = np.convolve(self.clean, np.ones(segments), "valid") >= segments - 0.5
        counts = [count for _, count in self.windows] or [self.clean.size]
        window = np.repeat(np.arange(len(counts)), counts)
        runs &= window[: runs.size] == window[segments - 1 :]
        return np.asarray(self.onsets[: runs.size][runs])

    def disjoint_starts(self, segments: int) -> np.ndarray:
        """Return the first time points of clean windows that do not overlap, from the left."""
        starts: list[int] = []
        for start in self.starts(segments).tolist():
            if not starts or start >= starts[-1] + segments * self.length:
                starts.append(start)
        return np.array(starts, dtype=np.int64)

    def longest(self, limit: int) -> int:
        """Return the largest number of clean segments in a row, at most ``limit``."""
        return next((k for k in range(limit, 0, -1) if self.starts(k).size), 0)


def segment_onsets(windows: Sequence[tuple[int, int]], length: int) -> np.ndarray:
    """Return the first time points of the segments of windows, given by first point and number.

    Examples
    --------
    >>> segment_onsets([(10, 2), (70, 1)], 20)
    array([10, 30, 70])
    """
    own = [start + length * np.arange(count) for start, count in windows]
    return np.concatenate([np.empty(0, dtype=np.int64), *own])


def assess_quality(
    field: np.ndarray,
    rate: float,
    extent: np.ndarray,
    *,
    groups: Sequence[str],
    bads: np.ndarray,
    mains: float,
    settings: MegSettings,
    position: np.ndarray | None = None,
    breaks: Sequence[int] = (),
    bad_spans: Sequence[tuple[float, float]] = (),
    windows: Sequence[tuple[float, float]] = (),
    flat_extent: float = FLAT_EXTENT,
) -> Quality:
    """Find bad sensors and bad segments.

    A sensor is flat if it moves by less than ``flat_extent``, noisy or weak if its log power, less
    that of its neighbours, is an outlier from 1 to 45 Hz or from 110 to 140 Hz. A segment is bad
    if, in any group of sensors, the log power in one of these bands is an outlier among the
    segments, high or low: where a recording was stopped, zeros may follow. It is bad, too, if a
    quarter of it belongs to a burst from 110 to 140 Hz (`burst_mask`). Segments with a break or a
    marked span are bad.
    Segments are at most half as long as the pieces of a recording that was stopped often.

    Parameters
    ----------
    field, rate, extent
        As in `DecimatedField`.
    groups
        (sensor,) region group.
    bads
        (sensor,) bool, marked as bad in the recording or its sidecar.
    mains
        Hz; it and its multiples are ignored.
    position
        (sensor, 3) metres; without it, all sensors are neighbours.
    breaks
        Time points at which a new piece begins.
    bad_spans
        First and last second of the segments marked as bad.
    windows
        First and last second of the windows to measure; the rest of the recording is not used.
        Whole segments fill the shortest window.
    """
    # Rounded down: a recording has as many segments at every rate.
    length = min(int(settings.segment * rate + 1e-6), field.shape[1])
    parts: tuple[tuple[int, int], ...] = ()
    ends: tuple[int, ...] = ()
    if windows:
        # Onsets in files are rounded; a window begins at its break or after it.
        extents = [(math.ceil(a * rate - 0.01), int((b - a) * rate + 0.01)) for a, b in windows]
        shortest = min(size for _, size in extents)
        length = shortest // max(1, shortest // length)
        parts = tuple((start, size // length) for start, size in extents)
        ends, onsets = (0, *breaks, field.shape[1]), segment_onsets(parts, length)
        field = field[:, (onsets[:, None] + np.arange(length)).ravel()]
    elif breaks:
        pieces = np.diff([0, *breaks, field.shape[1]])
        length = max(1, min(length, int(np.median(pieces)) // 2))
    lines = mains * np.arange(1, 6)
    power = segment_power(field, rate, length, (_BROAD, _MUSCLE), lines)
    flat = extent < flat_extent
    usable = ~(flat | bads)
    # The median over segments: a burst does not make a sensor bad.
    level = np.median(np.log(np.maximum(power, 1e-12)), axis=2) / 2
    score = sensor_scores(level, position, usable, settings.bad_sensor)
    reasons = tuple(
        FLAT if is_flat else BAD if is_bad else _outlier(z, settings.bad_sensor)
        for is_flat, is_bad, z in zip(flat, bads, score, strict=True)
    )
    good = np.array([not reason for reason in reasons], dtype=bool)
    (muscle,) = segment_power(
        field, rate, length, (_MUSCLE,), lines, parts=_QUARTERS, gap=_QUARTER_GAP
    )
    worst = np.zeros(power.shape[2])
    for group in sorted(set(groups)):
        members = good & (np.array(groups) == group)
        if members.any():
            for band in power:
                worst = np.maximum(worst, np.abs(robust_z(_mean_level(band[members]))))
            bursts = burst_mask(robust_z(_mean_level(muscle[members])), settings.bad_segment)
            worst[bursts.reshape(worst.size, -1).any(axis=1)] = np.inf
    clean = worst <= settings.bad_segment
    quality = Quality(reasons, clean, length, parts, ends)
    return replace(quality, clean=clean & ~_bad_mask(quality, rate, breaks, bad_spans))


def _bad_mask(
    quality: Quality,
    rate: float,
    breaks: Sequence[int],
    bad_spans: Sequence[tuple[float, float]],
) -> np.ndarray:
    """Return which segments hold a break or touch a span marked as bad."""
    first, last = quality.onsets, quality.onsets + quality.length
    bad = np.zeros(first.size, dtype=bool)
    for point in breaks:
        # A window that begins at a break is whole.
        bad |= (first < point) & (point < last) if quality.windows else _holds(point, first, last)
    for start, stop in bad_spans:
        # A span of no length is a moment.
        bad |= (first < stop * rate) & (start * rate < last) | _holds(start * rate, first, last)
    return bad


def _holds(point: float, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    return np.asarray((first <= point) & (point < last))


def segment_power(
    field: np.ndarray,
    rate: float,
    length: int,
    bands: Sequence[tuple[float, float]],
    lines: np.ndarray,
    *,
    parts: int = 1,
    gap: float = 2.0,
) -> np.ndarray:
    """Return the power in bands (band, sensor, segment) of adjacent segments, fT^2.

    ``parts`` divides each segment, ``gap`` is the distance in Hz to the lines.
    """
    segments, extent = field.shape[1] // length, length - length % parts
    n_windows, size = segments * parts, length
    length = extent // parts
    window = np.hanning(length + 1)[:-1].astype(np.float32)
    frequency = fft.rfftfreq(length, 1 / rate)
    masks = [in_band(frequency, *band, without=lines.tolist(), gap=gap) for band in bands]
    scale = 2.0 / (length * float((window**2).sum()))
    power = np.zeros((len(bands), field.shape[0], n_windows))
    for first in range(0, field.shape[0], _CHANNELS_AT_ONCE):
        rows = slice(first, first + _CHANNELS_AT_ONCE)
        pieces = field[rows, : segments * size].reshape(-1, segments, size)[:, :, :extent]
        pieces = pieces.reshape(-1, n_windows, length)
        spectrum = fft.rfft((pieces - pieces.mean(axis=2, keepdims=True)) * window, axis=2)
        density = spectrum.real**2 + spectrum.imag**2
        for k, mask in enumerate(masks):
            power[k, rows] = density[:, :, mask].sum(axis=2, dtype=np.float64) * scale
    return power


def sensor_scores(
    level: np.ndarray, position: np.ndarray | None, usable: np.ndarray, limit: float
) -> np.ndarray:
    """Return how far each sensor's level is from its neighbours', in the band where it is farthest.

    Parameters
    ----------
    level
        (band, sensor) log amplitude.
    position
        (sensor, 3) metres, or None.
    usable
        (sensor,) bool: sensors to compare with. Those beyond the limit are not compared with in a
        second pass.
    limit
        Robust z score.

    Examples
    --------
    >>> level = np.array([[0.0, 0.1, 0.0, 3.0], [0.0, 0.0, 0.1, -0.1]])
    >>> sensor_scores(level, None, np.ones(4, dtype=bool), 5.0).round(1).tolist()
    [0.0, 1.0, 1.0, 30.0]
    """
    scores = np.zeros(level.shape[1])
    for _ in range(2):
        nearest = neighbours(position, usable)
        excess = level - np.median(level[:, nearest], axis=2)
        by_band = np.array([robust_z(band, usable) for band in excess])
        scores = by_band[np.abs(by_band).argmax(axis=0), np.arange(level.shape[1])]
        if (usable & (np.abs(scores) <= limit)).sum() <= 1:
            break
        usable = usable & (np.abs(scores) <= limit)
    return scores


def neighbours(position: np.ndarray | None, usable: np.ndarray) -> np.ndarray:
    """Return the nearest usable sensors of each, the nearest first: (sensor, neighbour).

    All usable sensors where positions are not known.

    Examples
    --------
    >>> neighbours(np.array([[0.0], [1.0], [3.0]]), np.array([True, False, True]))
    array([[2],
           [0],
           [0]])
    """
    candidates = np.flatnonzero(usable) if usable.any() else np.arange(usable.size)
    has_positions = position is not None and bool(np.isfinite(position).all() and position.any())
    if position is None or not has_positions or candidates.size < 2:
        return np.tile(candidates, (usable.size, 1))
    distance = np.linalg.norm(position[:, None] - position[candidates], axis=2)
    distance[candidates, np.arange(candidates.size)] = np.inf
    count = min(_NEIGHBOURS, candidates.size - 1)
    return np.asarray(candidates[np.argsort(distance, axis=1, kind="stable")[:, :count]])


def burst_mask(scores: np.ndarray, limit: float) -> np.ndarray:
    """Return which windows belong to a burst: above half the limit, in a run with one above it.

    Examples
    --------
    >>> burst_mask(np.array([0, 3, 9, 4, 1, 3, 3]), 5.0).astype(int).tolist()
    [0, 1, 1, 1, 0, 0, 0]
    """
    high = scores > limit / 2
    run = np.cumsum(np.diff(high, prepend=False) & high)  # runs count from 1
    return np.asarray(high & np.isin(run, run[scores > limit]))


def _mean_level(power: np.ndarray) -> np.ndarray:
    """Return the mean log amplitude of sensors per window, from power (sensor, window)."""
    return np.asarray(np.log(np.maximum(power, 1e-12)).mean(axis=0) / 2)


def robust_z(values: np.ndarray, usable: np.ndarray | None = None) -> np.ndarray:
    """Return distances from the median in units of 1.4826 times the median distance.

    Examples
    --------
    >>> np.round(robust_z(np.array([1.0, 2.0, 3.0, 4.0, 40.0])), 2).tolist()
    [-1.35, -0.67, 0.0, 0.67, 24.96]
    """
    reference = values if usable is None or not usable.any() else values[usable]
    middle = np.median(reference)
    spread = 1.4826 * np.median(np.abs(reference - middle))
    return np.asarray((values - middle) / max(float(spread), _LEAST_SPREAD))


def _outlier(z: float, limit: float) -> str:
    if abs(z) <= limit:
        return ""
    return NOISY if z > 0 else WEAK
