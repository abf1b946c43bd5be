"""Covariance of all channels in frequency bands, window by window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import fft


def band_covariance(
    field: np.ndarray,
    starts: np.ndarray,
    length: int,
    rate: float,
    masks: Sequence[np.ndarray],
) -> np.ndarray:
    """Return the real part of the cross-spectral density, averaged over windows and frequencies.

    Windows minus their mean, tapered by Hann. One window of all channels is in memory at a time,
    and the sums over the windows of several segments of a recording are those of all. The diagonal
    is the mean of `welch` over the same frequencies.

    Parameters
    ----------
    field
        float32 (channel, time).
    starts, length, rate
        First time points of the windows, time points of each, time points per second.
    masks
        For each band, (frequency,) bool over the ``length // 2 + 1`` frequencies; neither the
        first nor the last of them.

    Returns
    -------
    float64 (band, channel, channel), power per Hz.

    Examples
    --------
    >>> field = np.random.default_rng(0).normal(size=(2, 4000)).astype(np.float32)
    >>> frequency = np.fft.rfftfreq(400, 1 / 100)
    >>> starts = np.arange(0, 3601, 200)
    >>> mask = (frequency > 5) & (frequency < 45)
    >>> np.abs(np.round(band_covariance(field, starts, 400, 100.0, [mask])[0], 2)).tolist()
    [[0.02, 0.0], [0.0, 0.02]]
    """
    window = np.hanning(length + 1)[:-1].astype(np.float32)
    covariance = np.zeros((len(masks), len(field), len(field)))
    for start in starts.tolist():
        segment = field[:, start : start + length]
        segment = (segment - segment.mean(axis=1, keepdims=True)) * window
        spectrum = fft.rfft(segment, axis=1)
        for band, mask in enumerate(masks):
            inside = spectrum[:, mask]
            both = np.concatenate([inside.real, inside.imag], axis=1)
            covariance[band] += both @ both.T
    covariance *= 2.0 / (rate * float((window.astype(np.float64) ** 2).sum()) * max(len(starts), 1))
    covariance /= np.array([max(int(mask.sum()), 1) for mask in masks])[:, None, None]
    return covariance
