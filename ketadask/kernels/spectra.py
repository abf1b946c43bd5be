"""Spectra: density, bands, aperiodic part, peak frequency, entropy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import fft

_CHANNELS_AT_ONCE = 16
_ON_LIMIT = 2.1e-3


def welch(field: np.ndarray, starts: np.ndarray, length: int, rate: float) -> np.ndarray:
    """Return the power spectral density over selected windows: float64 (channel, frequency).

    Windows minus their mean, tapered by Hann, as `scipy.signal.welch` (Welch 1967, IEEE Trans Audio
    15:70).

    Parameters
    ----------
    field
        float32 (channel, time).
    starts, length
        First time points of the windows, and time points of each.
    rate
        Time points per second.
    """
    window = np.hanning(length + 1)[:-1].astype(np.float32)
    density = np.zeros((field.shape[0], length // 2 + 1))
    index = starts[:, None] + np.arange(length)
    for first in range(0, field.shape[0], _CHANNELS_AT_ONCE):
        for row in range(first, min(first + _CHANNELS_AT_ONCE, field.shape[0])):
            windows = field[row, index]
            windows -= windows.mean(axis=1, keepdims=True)
            windows *= window
            spectrum = fft.rfft(windows, axis=1)
            density[row] = (spectrum.real**2 + spectrum.imag**2).mean(axis=0, dtype=np.float64)
    density *= 2.0 / (rate * float((window.astype(np.float64) ** 2).sum()))
    density[:, 0] /= 2
    if length % 2 == 0:
        density[:, -1] /= 2
    return density


def in_band(
    frequency: np.ndarray, low: float, high: float, *, without: Sequence[float] = (), gap: float = 2
) -> np.ndarray:
    """Return which frequencies are in ``[low, high]`` and not within ``gap`` of a line.

    Windows of a whole number of values differ from the seconds they stand for, by up to two
    thousandths: a frequency so close to a limit is on it, at every sampling rate.

    Examples
    --------
    >>> in_band(np.array([50.0, 57.0, 60.0, 63.0]), 55, 65, without=[60.0]).tolist()
    [False, True, False, True]
    """
    inside = (frequency >= low * (1 - _ON_LIMIT)) & (frequency <= high * (1 + _ON_LIMIT))
    for line in without:
        inside &= np.abs(frequency - line) > gap + _ON_LIMIT * line
    return inside


def spectral_entropy(density: np.ndarray) -> np.ndarray:
    """Return Shannon's entropy of a spectrum over its largest possible value: (channel,) in [0, 1].

    Examples
    --------
    >>> spectral_entropy(np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 0.0, 0.0]]))
    array([1., 0.])
    """
    fraction = density / density.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(fraction > 0, fraction * np.log2(fraction), 0.0)
    return np.asarray(np.abs(-terms.sum(axis=1) / np.log2(density.shape[1])))


def aperiodic(
    frequency: np.ndarray, density: np.ndarray, *, turns: int = 30, above: float = 2.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit ``log10 power = offset - exponent * log10 f`` under the peaks of each spectrum.

    Least squares, repeated without what lies above the line by more than ``above`` times the
    spread of what lies below: peaks only ever add power. The model is the fixed mode of
    Donoghue et al. 2020 (Nat Neurosci 23:1655) without its Gaussians.

    Parameters
    ----------
    frequency
        (frequency,) above 0.
    density
        (channel, frequency) power.

    Returns
    -------
    Exponent and offset (channel,), and the log10 spectra without them (channel, frequency).

    Examples
    --------
    >>> f = np.arange(2.0, 40.0, 0.25)
    >>> power = 100 / f**1.5 + 50 * np.exp(-((f - 10) ** 2) / 2)
    >>> exponent, offset, flat = aperiodic(f, power[None])
    >>> np.round([exponent[0], offset[0]], 2), float(f[flat[0].argmax()])
    (array([1.5, 2. ]), 10.25)
    """
    x = np.log10(frequency)
    y = np.log10(density)
    inliers = np.ones(y.shape, dtype=bool)
    for _ in range(turns):
        weight = inliers.sum(axis=1)
        middle_x = (inliers * x).sum(axis=1) / weight
        middle_y = np.where(inliers, y, 0.0).sum(axis=1) / weight
        centred = (x - middle_x[:, None]) * inliers
        slope = (centred * (y - middle_y[:, None])).sum(axis=1) / (centred**2).sum(axis=1)
        offset = middle_y - slope * middle_x
        flat = y - offset[:, None] - slope[:, None] * x
        below = flat < 0
        spread = np.sqrt(
            (np.where(below, flat, 0.0) ** 2).sum(axis=1) / np.maximum(below.sum(axis=1), 1)
        )
        new_inliers = flat <= above * np.maximum(spread, 1e-9)[:, None]
        new_inliers |= new_inliers.sum(axis=1, keepdims=True) < 3
        if (new_inliers == inliers).all():
            break
        inliers = new_inliers
    return -slope, offset, flat


def peak_frequency(
    frequency: np.ndarray,
    flat: np.ndarray,
    low: float,
    high: float,
    *,
    least: float = 0.05,
    errors: float = 3.5,
) -> float:
    """Return the frequency of the highest peak between two frequencies, NaN where there is none.

    The spectrum is smoothed over 1 Hz (Hann). A peak is higher than its neighbours, than ``least``
    (log10 power above the aperiodic part) and than ``errors`` times the spectrum's own error: the
    robust spread of differences between values 2 Hz apart, over the square root of 2. Of spectra
    without a peak, fewer than 5 % have one, however short the recording. A parabola through three
    values places it between them.

    Parameters
    ----------
    frequency, flat
        (frequency,) in Hz, evenly spaced, and log10 power above the aperiodic part; they reach far
        beyond ``low`` and ``high``, for the error.

    Examples
    --------
    >>> f = np.arange(2.0, 40.0, 0.25)
    >>> noise = 0.05 * np.random.default_rng(0).standard_normal(f.size)
    >>> round(peak_frequency(f, noise + np.exp(-((f - 10.1) ** 2) / 2), 7, 13), 1)
    10.1
    >>> peak_frequency(f, noise, 7, 13)
    nan
    """
    nothing = float("nan")
    step = frequency[1] - frequency[0] if len(frequency) > 1 else np.inf
    half = max(1, round(1.0 / step))
    lag = 2 * half
    if len(flat) < 2 * half + 2 * lag:
        return nothing
    window = np.hanning(2 * half + 1)
    smooth = np.convolve(flat, window / window.sum(), "same")
    differences = smooth[half + lag : -half] - smooth[half : -half - lag]
    error = 1.4826 * np.median(np.abs(differences)) / np.sqrt(2)
    inside = np.flatnonzero((frequency >= low) & (frequency <= high))
    inside = inside[(inside > 0) & (inside < len(frequency) - 1)]
    before, here, after = smooth[inside - 1], smooth[inside], smooth[inside + 1]
    is_high = here > max(least, errors * error)
    peaks = np.flatnonzero((here >= before) & (here > after) & is_high)
    if not peaks.size:
        return nothing
    best = peaks[here[peaks].argmax()]
    a, b, c = before[best], here[best], after[best]
    peak = float(frequency[inside[best]] + 0.5 * (a - c) / (a - 2 * b + c) * step)
    return peak if low <= peak <= high else nothing
