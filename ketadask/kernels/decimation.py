"""A low-pass filter that computes only the time points of the new rate."""

from __future__ import annotations

import numpy as np

from ketadask.kernels.compiled import kernel


def low_pass(rate: float, factor: int, *, attenuation: float = 80.0) -> np.ndarray:
    """Return the taps (odd, symmetric) that keep decimation by ``factor`` free of aliases.

    A Kaiser window (Oppenheim & Schafer 1999, Discrete-Time Signal Processing, 7.5.3): aliases
    below 5/12 of the new rate are lowered by ``attenuation`` dB.

    Examples
    --------
    >>> taps = low_pass(1200.0, 4)
    >>> taps.size % 2, round(float(taps.sum()), 6)
    (1, 1.0)
    """
    if factor == 1:
        return np.ones(1, dtype=np.float32)
    new = rate / factor
    pass_edge, stop_edge = new * 5 / 12, new * 7 / 12
    width = 2 * np.pi * (stop_edge - pass_edge) / rate
    half = int(np.ceil((attenuation - 7.95) / (2.285 * width) / 2))
    beta = 0.1102 * (attenuation - 8.7)
    offset = np.arange(-half, half + 1)
    taps = np.sinc(offset / factor) * np.kaiser(2 * half + 1, beta)
    return np.asarray(taps / taps.sum(), dtype=np.float32)


# No fastmath: sums in another order on another processor would be other numbers.
@kernel()
def decimate(field: np.ndarray, taps: np.ndarray, factor: int, out: np.ndarray) -> None:
    """Filter and decimate: ``out[c, k] = sum_i taps[i] * field[c, k * factor + i]``.

    Parameters
    ----------
    field
        float32 (channel, time), at least ``(out.shape[1] - 1) * factor + taps.size`` long.
    taps
        float32, symmetric.
    factor
        Time points per new time point.
    out
        float32 (channel, new time), overwritten.
    """
    size = taps.size
    for c in range(field.shape[0]):
        row = field[c]
        for k in range(out.shape[1]):
            start = k * factor
            total = np.float32(0.0)
            for i in range(size):
                total += taps[i] * row[start + i]
            out[c, k] = total
