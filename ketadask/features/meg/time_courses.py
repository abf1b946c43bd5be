"""Filtered time courses of the good sensors: one Fourier transform each serves all bands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import fft

from ketadask.features.meg.quality import Quality
from ketadask.kernels.complexity import hjorth, mean_lempel_ziv

COURSE_MEASURES = ("activity", "mobility", "complexity", "lz")
_EDGE = 0.5  # seconds at both ends in which filters ring
_CHANNELS_AT_ONCE = 8
_LZ_SEGMENTS = 5
_VALUES_PER_HERTZ = 3
# Differences from value to value, and of how many values a sequence is, depend on the rate: the
# broad band is resampled to this one, so that laboratories can be compared.
COURSE_RATE = 300.0


@dataclass(frozen=True, eq=False)
class TimeCourses:
    """Spectra of complete recordings up to the highest band, and measures of the broad band.

    Attributes
    ----------
    spectra
        complex64 (sensor, frequency) from 0 Hz on.
    points, rate
        Time points of the transform, values per second.
    measures
        Per name of `COURSE_MEASURES` (sensor,).
    """

    spectra: np.ndarray
    points: int
    rate: float
    measures: Mapping[str, np.ndarray]

    def analytic(self, band: tuple[float, float], quality: Quality) -> np.ndarray:
        """Return the analytic signal of a band at a low rate: complex64 (sensor, time).

        The band is shifted to 0 Hz and has three values per second and Hz of its width: enough for
        sums over products of two sensors and their absolute values. A common rotation of all
        sensors changes neither envelopes nor products of one sensor with another. Values in bad
        segments and at the ends are dropped.
        """
        step = self.rate / self.points
        gain, first = band_gain(self.spectra.shape[1], step, band)
        size = fft.next_fast_len(max(2, _VALUES_PER_HERTZ * gain.size))
        gain = gain * np.float32(2.0 * size / self.points)
        seconds = np.arange(size) * (self.points / self.rate / size)
        clean = clean_moments(seconds, self.rate, quality)
        signal = np.empty((len(self.spectra), int(clean.sum())), dtype=np.complex64)
        for start in range(0, len(signal), _CHANNELS_AT_ONCE):
            block = slice(start, start + _CHANNELS_AT_ONCE)
            narrow = self.spectra[block, first : first + gain.size] * gain
            signal[block] = fft.ifft(narrow, size, axis=1)[:, clean]
        return signal


def compute_courses(
    field: np.ndarray,
    rate: float,
    quality: Quality,
    *,
    broad: tuple[float, float],
    highest: float,
    measures: Iterable[str],
) -> TimeCourses:
    """Transform every good sensor once, with bad segments replaced by straight lines.

    Parameters
    ----------
    field, rate
        float32 (sensor, time), values per second.
    quality
        Good sensors and segments.
    broad
        Band of the measures of time courses.
    highest
        Hz up to which spectra are needed.
    measures
        Names of `COURSE_MEASURES` to compute, at `COURSE_RATE`.
    """
    rows = np.flatnonzero(quality.good)
    points = fft.next_fast_len(field.shape[1], real=True)
    step = rate / points
    n_frequencies = min(int(np.ceil(highest / step)) + 1, points // 2 + 1)
    gain, first = band_gain(points // 2 + 1, step, broad)
    names = set(measures)
    spectra = np.empty((len(rows), n_frequencies), dtype=np.complex64)
    values = {name: np.full(len(rows), np.nan) for name in names}
    segments = min(_LZ_SEGMENTS, quality.longest(_LZ_SEGMENTS))
    windows = quality.disjoint_starts(segments) if segments else np.empty(0, dtype=np.int64)
    ratio = COURSE_RATE / rate
    course_points, course_length = round(points * ratio), round(field.shape[1] * ratio)

    def at_course_rate(starts: np.ndarray) -> np.ndarray:
        return np.floor(starts * ratio).astype(np.int64)

    for start in range(0, len(rows), _CHANNELS_AT_ONCE):
        block = slice(start, start + _CHANNELS_AT_ONCE)
        spectrum = fft.rfft(bridge_bad_segments(field[rows[block]], quality), points, axis=1)
        spectra[block] = spectrum[:, :n_frequencies]
        if not names:
            continue
        narrow = np.zeros_like(spectrum)
        narrow[:, first : first + gain.size] = spectrum[:, first : first + gain.size] * gain
        if ratio != 1:
            narrow *= np.float32(course_points / points)
        course = fft.irfft(narrow, course_points, axis=1, overwrite_x=True)[:, :course_length]
        course = np.ascontiguousarray(course)
        if "lz" in names:
            length = int(segments * quality.length * ratio)
            values["lz"][block] = mean_lempel_ziv(course, at_course_rate(windows), length)
        if names - {"lz"}:
            starts = at_course_rate(quality.disjoint_starts(1))
            shape = hjorth(course, starts, int(quality.length * ratio))
            for column, name in enumerate(COURSE_MEASURES[:3]):
                if name in names:
                    values[name][block] = shape[:, column]
    return TimeCourses(spectra, points, rate, values)


def bridge_bad_segments(field: np.ndarray, quality: Quality) -> np.ndarray:
    """Return a copy with mean zero, in which bad segments are straight lines."""
    bridge: np.ndarray = field - field.mean(axis=1, keepdims=True)
    bad = quality.points(~quality.clean, bridge.shape[1])
    if not quality.windows:  # values after the last complete segment belong to it
        bad[quality.clean.size * quality.length :] = not quality.clean[-1:].all()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], bad, [False]]).astype(int)))
    for low, high in zip(edges[::2], edges[1::2], strict=True):
        left = bridge[:, low - 1] if low else None
        right = bridge[:, high] if high < bridge.shape[1] else left
        left = right if left is None else left
        if left is None or right is None:
            bridge[:] = 0.0
        else:
            weight = np.linspace(0, 1, high - low, dtype=np.float32)
            bridge[:, low:high] = left[:, None] + (right - left)[:, None] * weight
    return bridge


def band_gain(size: int, step: float, band: tuple[float, float]) -> tuple[np.ndarray, int]:
    """Return the gain of a band-pass and its first index: 1 inside, half a cosine beyond each end.

    The slopes are 1 Hz wide, or half the lower edge where that is less.

    Examples
    --------
    >>> gain, first = band_gain(100, 0.5, (4.0, 6.0))
    >>> gain, first
    (array([0.5, 1. , 1. , 1. , 1. , 1. , 0.5], dtype=float32), 7)
    """
    low, high = band
    width = min(1.0, low / 2)
    frequency = np.arange(size) * step
    distance = np.maximum(np.maximum(low - frequency, frequency - high), 0.0) / width
    gain = np.where(distance < 1, 0.5 + 0.5 * np.cos(np.pi * np.minimum(distance, 1)), 0.0)
    inside = np.flatnonzero(gain > 0)
    return gain[inside[0] : inside[-1] + 1].astype(np.float32), int(inside[0])


def coupling_seconds(n_times: int, rate: float, quality: Quality) -> float:
    """Return the seconds of a recording that coupling is computed from."""
    return float(clean_moments(np.arange(n_times) / rate, rate, quality).sum() / rate)


def clean_moments(seconds: np.ndarray, rate: float, quality: Quality) -> np.ndarray:
    """Return which moments are in clean segments and not at the ends of the recording."""
    point = np.floor(seconds * rate + 1e-6).astype(int)
    ends = np.array(quality.ends or (0, quality.clean.size * quality.length)) / rate
    size = max(int(point.max(initial=0)) + 1, int(quality.onsets.max(initial=0)) + quality.length)
    clean = quality.points(quality.clean, size)[point]
    edge = min(_EDGE, float(np.diff(ends).min()) / 8)
    for moment in ends.tolist():
        clean &= (seconds < moment - edge) | (seconds >= moment + edge)
    return np.asarray(clean)
