"""Coupling of all pairs of channels from their analytic signals, in one pass over the pairs."""

from __future__ import annotations

import numpy as np

from ketadask.kernels.compiled import kernel

_SUM_LENGTH = 512  # float32 sums stay exact enough over this many values


def coupling(analytic: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return envelope correlation, weighted phase lag index and imaginary coherency.

    Parameters
    ----------
    analytic
        complex64 (channel, time), at least as many values per second as the band is wide in Hz.

    Returns
    -------
    Three symmetric float64 (channel, channel) with a zero diagonal.

    - correlation, without its sign, of the envelope of one channel with the envelope of what is
      orthogonal to it in the other, averaged over both directions (Hipp et al.
      2012, Nat Neurosci 15:884);
    - ``|sum d| / sum |d|`` of the imaginary cross products d over time (Vinck et al. 2011,
      NeuroImage 55:1548);
    - ``|sum d| / sqrt(sum |x|^2 sum |y|^2)`` (Nolte et al. 2004, Clin Neurophysiol 115:2292).

    Examples
    --------
    >>> turn = np.exp(2j * np.pi * np.arange(600) / 20) * (1 + np.cos(np.arange(600) / 50))
    >>> envelope, lag, imaginary = coupling(np.array([turn, 1j * turn]))
    >>> np.round([envelope[0, 1], lag[0, 1], imaginary[0, 1]], 3)
    array([1., 1., 1.])
    """
    size = np.array([np.linalg.norm(row) for row in analytic]) / np.sqrt(analytic.shape[1])
    scale = 1.0 / np.where(size > 0, size, 1.0)[:, None]
    # Written in place: with all sensors of a helmet every copy is some ten megabytes.
    real = np.multiply(analytic.real, scale, dtype=np.float32, casting="same_kind")
    imaginary = np.multiply(analytic.imag, scale, dtype=np.float32, casting="same_kind")
    couplings = np.zeros((3, len(analytic), len(analytic)))
    amplitude = np.hypot(real, imaginary)
    inverse = np.maximum(amplitude, np.float32(1e-12))
    np.divide(np.float32(1.0), inverse, out=inverse)
    _pairs(real, imaginary, amplitude, inverse, couplings)
    return couplings[0], couplings[1], couplings[2]


@kernel()
def _pairs(
    real: np.ndarray,
    imaginary: np.ndarray,
    amplitude: np.ndarray,
    inverse: np.ndarray,
    couplings: np.ndarray,
) -> None:
    channels, n = real.shape
    sums = np.empty(8)
    mean = np.zeros(channels)
    spread = np.zeros(channels)
    for c in range(channels):
        total, squares = 0.0, 0.0
        for k in range(n):
            total += amplitude[c, k]
            squares += amplitude[c, k] * amplitude[c, k]
        mean[c] = total / n
        spread[c] = np.sqrt(max(squares / n - mean[c] ** 2, 0.0))
    for i in range(channels):
        for j in range(i + 1, channels):
            sums[:] = 0.0
            for start in range(0, n, _SUM_LENGTH):
                stop = min(start + _SUM_LENGTH, n)
                _add_pair(
                    real[i, start:stop], imaginary[i, start:stop],
                    real[j, start:stop], imaginary[j, start:stop],
                    amplitude[i, start:stop], amplitude[j, start:stop],
                    inverse[i, start:stop], inverse[j, start:stop], sums,
                )  # fmt: skip
            sums /= n
            correlation = 0.0
            for side in range(2):
                c = i if side == 0 else j
                first, square, product = sums[2 + 3 * side], sums[3 + 3 * side], sums[4 + 3 * side]
                own = np.sqrt(max(square - first * first, 0.0))
                if own > 0 and spread[c] > 0:
                    correlation += 0.5 * abs(product - first * mean[c]) / (own * spread[c])
            couplings[0, i, j] = couplings[0, j, i] = correlation
            if sums[1] > 0:
                couplings[1, i, j] = couplings[1, j, i] = abs(sums[0]) / sums[1]
            couplings[2, i, j] = couplings[2, j, i] = abs(sums[0])


@kernel(fastmath=True, inline="always")
def _add_pair(
    xr: np.ndarray,
    xi: np.ndarray,
    yr: np.ndarray,
    yi: np.ndarray,
    ax: np.ndarray,
    ay: np.ndarray,
    bx: np.ndarray,
    by: np.ndarray,
    sums: np.ndarray,
) -> None:
    d_sum = np.float32(0)
    d_abs = np.float32(0)
    e = np.float32(0)
    ee = np.float32(0)
    ea = np.float32(0)
    f = np.float32(0)
    ff = np.float32(0)
    fa = np.float32(0)
    for k in range(xr.size):
        d = yi[k] * xr[k] - yr[k] * xi[k]
        size = abs(d)
        d_sum += d
        d_abs += size
        orthogonal = size * bx[k]
        e += orthogonal
        ee += orthogonal * orthogonal
        ea += orthogonal * ax[k]
        orthogonal = size * by[k]
        f += orthogonal
        ff += orthogonal * orthogonal
        fa += orthogonal * ay[k]
    sums[0] += d_sum
    sums[1] += d_abs
    sums[2] += e
    sums[3] += ee
    sums[4] += ea
    sums[5] += f
    sums[6] += ff
    sums[7] += fa
