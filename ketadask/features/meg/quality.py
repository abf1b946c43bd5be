"""Which sensors and which seconds of a recording are bad."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft

from ketadask.features.meg.settings import MegSettings
from ketadask.kernels.spectra import in_band

FLAT, NOISY, WEAK, NAMED = "flat", "noisy", "weak", "named bad"
FLAT_EXTENT = 10.0
_BROAD, _MUSCLE = (1.0, 45.0), (110.0, 140.0)
# Healthy sensors and seconds differ by more than a tenth whatever a calm recording says.
_LEAST_SPREAD = 0.1
_CHANNELS_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class Quality:
    """What is bad in a recording.

    Attributes
    ----------
    reasons
        (sensor,) text: flat, noisy, weak, named bad, or empty where it is good.
    clean
        (segment,) bool.
    length
        Time points of a segment.
    """

    reasons: tuple[str, ...]
    clean: np.ndarray
    length: int

    @property
    def good(self) -> np.ndarray:
        """(sensor,) bool."""
        return np.array([not reason for reason in self.reasons], dtype=bool)

    def starts(self, segments: int) -> np.ndarray:
        """Return first time points of all windows of so many clean segments in a row."""
        if self.clean.size < segments:
            return np.empty(0, dtype=np.int64)
        runs = np.convolve(self.clean, np.ones(segments), "valid") >= segments - 0.5
        return np.flatnonzero(runs) * self.length

    def apart(self, segments: int) -> np.ndarray:
        """Return first time points of clean windows that do not overlap, from the left."""
        chosen: list[int] = []
        for start in self.starts(segments).tolist():
            if not chosen or start >= chosen[-1] + segments * self.length:
                chosen.append(start)
        return np.array(chosen, dtype=np.int64)

    def longest(self, most: int) -> int:
        """Return the largest number of clean segments in a row, at most ``most``."""
        return next((k for k in range(most, 0, -1) if self.starts(k).size), 0)


def assess_quality(
    field: np.ndarray,
    rate: float,
    extent: np.ndarray,
    *,
    groups: Sequence[str],
    named: np.ndarray,
    mains: float,
    settings: MegSettings,
    breaks: Sequence[int] = (),
    bad_spans: Sequence[tuple[float, float]] = (),
) -> Quality:
    """Find bad sensors and bad segments.

    A sensor is flat where it moves by less than 10 fT, noisy or weak where its log power departs
    from that of the others. A segment is bad where, in any group of sensors, the log power from
    1 to 45 Hz or from 110 to 140 Hz stands out from that of the other segments, up or down: where
    a recording was stopped, zeros may follow. Bad is also the segment in which something else
    begins, and any that somebody has called bad. Where a recording was stopped again and again,
    segments are at most half as long as its pieces.

    Parameters
    ----------
    field, rate, extent
        As in `Decimated`.
    groups
        (sensor,) region group.
    named
        (sensor,) bool, bad by what others have said.
    mains
        Hz, not looked at.
    breaks
        Time points at which something else begins.
    bad_spans
        First second and last of what is called bad.
    """
    length = min(round(settings.segment * rate), field.shape[1])
    if breaks:
        pieces = np.diff([0, *breaks, field.shape[1]])
        length = max(1, min(length, int(np.median(pieces)) // 2))
    lines = mains * np.arange(1, 6)
    power = segment_power(field, rate, length, (_BROAD, _MUSCLE), lines)
    flat = extent < FLAT_EXTENT
    usable = ~(flat | named)
    # The median over segments: a burst does not make a sensor bad.
    level = np.median(np.log(np.maximum(power.sum(axis=0), 1e-12)), axis=1) / 2
    score = robust_z(level, usable)
    reasons = tuple(
        FLAT if dead else NAMED if known else _far(z, settings.bad_channel)
        for dead, known, z in zip(flat, named, score, strict=True)
    )
    good = np.array([not reason for reason in reasons], dtype=bool)
    worst = np.zeros(power.shape[2])
    for group in sorted(set(groups)):
        members = good & (np.array(groups) == group)
        if members.any():
            for band in power:
                course = np.log(np.maximum(band[members], 1e-12)).mean(axis=0) / 2
                worst = np.maximum(worst, np.abs(robust_z(course)))
    clean = worst <= settings.bad_segment
    return Quality(
        reasons, clean & ~_called_bad(clean.size, length, rate, breaks, bad_spans), length
    )


def _called_bad(
    segments: int,
    length: int,
    rate: float,
    breaks: Sequence[int],
    bad_spans: Sequence[tuple[float, float]],
) -> np.ndarray:
    """Return which segments hold a break or touch a span that is called bad."""
    made = np.zeros(segments, dtype=bool)
    for place in breaks:
        made[place // length : place // length + 1] = True
    for first, last in bad_spans:
        start = max(0, math.floor(first * rate / length))
        # A span of no length is a moment.
        made[start : max(math.ceil(last * rate / length), start + 1)] = True
    return made


def segment_power(
    field: np.ndarray,
    rate: float,
    length: int,
    bands: Sequence[tuple[float, float]],
    lines: np.ndarray,
) -> np.ndarray:
    """Return the power in bands (band, sensor, segment) of pieces that follow each other, fT^2."""
    segments = field.shape[1] // length
    window = np.hanning(length + 1)[:-1].astype(np.float32)
    frequency = fft.rfftfreq(length, 1 / rate)
    masks = [in_band(frequency, *band, without=lines.tolist()) for band in bands]
    scale = 2.0 / (length * float((window**2).sum()))
    made = np.zeros((len(bands), field.shape[0], segments))
    for first in range(0, field.shape[0], _CHANNELS_AT_ONCE):
        rows = slice(first, first + _CHANNELS_AT_ONCE)
        pieces = field[rows, : segments * length].reshape(-1, segments, length)
        found = fft.rfft((pieces - pieces.mean(axis=2, keepdims=True)) * window, axis=2)
        density = found.real**2 + found.imag**2
        for k, mask in enumerate(masks):
            made[k, rows] = density[:, :, mask].sum(axis=2, dtype=np.float64) * scale
    return made


def robust_z(values: np.ndarray, usable: np.ndarray | None = None) -> np.ndarray:
    """Return distances from the median in spreads of 1.4826 times the median distance.

    Examples
    --------
    >>> np.round(robust_z(np.array([1.0, 2.0, 3.0, 4.0, 40.0])), 2).tolist()
    [-1.35, -0.67, 0.0, 0.67, 24.96]
    """
    known = values if usable is None or not usable.any() else values[usable]
    middle = np.median(known)
    spread = 1.4826 * np.median(np.abs(known - middle))
    return (values - middle) / max(float(spread), _LEAST_SPREAD)


def _far(z: float, most: float) -> str:
    if abs(z) <= most:
        return ""
    return NOISY if z > 0 else WEAK
