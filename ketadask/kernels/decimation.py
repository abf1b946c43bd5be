"""A low-pass filter that computes only the values that are kept."""

from __future__ import annotations

import numpy as np

from ketadask.kernels.compiled import kernel


def low_pass(rate: float, factor: int, *, attenuation: float = 80.0) -> np.ndarray:
    """Return the taps (odd, symmetric) that keep decimation by ``factor`` free of aliases.

    A Kaiser window (Oppenheim & Schafer 1999, Discrete-Time Signal Processing, 7.5.3): what would
    fold below 5/12 of the new rate is lowered by ``attenuation`` dB.

    Examples
    --------
    >>> taps = low_pass(1200.0, 4)
    >>> taps.size % 2, round(float(taps.sum()), 6)
    (1, 1.0)
    """
    if factor == 1:
        return np.ones(1, dtype=np.float32)
    new = rate / factor
    passed, stopped = new * 5 / 12, new * 7 / 12
    width = 2 * np.pi * (stopped - passed) / rate
    half = int(np.ceil((attenuation - 7.95) / (2.285 * width) / 2))
    beta = 0.1102 * (attenuation - 8.7)
    place = np.arange(-half, half + 1)
    taps = np.sinc(place / factor) * np.kaiser(2 * half + 1, beta)
    return (taps / taps.sum()).astype(np.float32)


# No fastmath: sums in another order on another processor would be other numbers.
@kernel()
def decimate(field: np.ndarray, taps: np.ndarray, factor: int, made: np.ndarray) -> None:
    """Filter and decimate: ``made[c, k] = sum_i taps[i] * field[c, k * factor + i]``.

    Parameters
    ----------
    field
        float32 (channel, time), at least ``(made.shape[1] - 1) * factor + taps.size`` long.
    taps
        float32, symmetric.
    factor
        Values per value that is kept.
    made
        float32 (channel, kept), overwritten.
    """
    size = taps.size
    for c in range(field.shape[0]):
        row = field[c]
        for k in range(made.shape[1]):
            start = k * factor
            total = np.float32(0.0)
            for i in range(size):
                total += taps[i] * row[start + i]
            made[c, k] = total
