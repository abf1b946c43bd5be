"""Coupling of all pairs of channels from their analytic signals, in one pass over the pairs."""

from __future__ import annotations

import numpy as np

from ketadask.kernels.compiled import kernel

# float32 sums stay exact enough over the most values of a block; the fewest are some five times
# as long as values of a band remember each other.
_MOST_VALUES, _FEWEST_VALUES, _BLOCKS = 512, 16, 64


def coupling(
    analytic: np.ndarray, *, block: int | None = None, independent: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return envelope correlation, phase lag index and imaginary coherency, the latter two squared.

    None depends on the length of the recording: without coupling each is 0 on average, and may be
    negative. ``sum d`` is long by chance alone, but products of the sums of different blocks are
    not: squares are estimated by them, without those of neighbours, which are not independent.

    Parameters
    ----------
    analytic
        complex64 (channel, time), at least as many values per second as the band is wide in Hz.
    block
        Values of a block; a 64th of them if None, from 16 to 512.
    independent
        Whether neighbouring blocks are independent, so that their products count, too.

    Returns
    -------
    Three symmetric float64 (channel, channel) with a zero diagonal.

    - correlation of the envelope of one channel with the envelope of what is orthogonal to it in
      the other, averaged over both directions with its sign (Hipp et al. 2012, Nat Neurosci
      15:884);
    - weighted phase lag index, squared and debiased: ``sum d_i d_j / sum |d|_i |d|_j`` of the
      imaginary cross products d over pairs of blocks (Vinck et al. 2011, NeuroImage 55:1548);
      NaN where there are fewer than three blocks;
    - imaginary coherency (Nolte et al. 2004, Clin Neurophysiol 115:2292), squared and debiased in
      the same way: ``mean d_i d_j / (mean |x|^2 mean |y|^2)``.

    Examples
    --------
    >>> turn = np.exp(2j * np.pi * np.arange(600) / 20) * (1 + np.cos(np.arange(600) / 50))
    >>> envelope, lag, imaginary = coupling(np.array([turn, 1j * turn]))
    >>> np.round([envelope[0, 1], lag[0, 1], imaginary[0, 1]], 2)
    array([1.  , 1.  , 0.93])
    """
    n = analytic.shape[1]
    if block is None:
        block = min(max(_FEWEST_VALUES, -(-n // _BLOCKS)), _MOST_VALUES)
    size = np.array([np.linalg.norm(row) for row in analytic]) / np.sqrt(analytic.shape[1])
    scale = 1.0 / np.where(size > 0, size, 1.0)[:, None]
    # Written in place: with all sensors of a helmet every copy is some ten megabytes.
    real = np.multiply(analytic.real, scale, dtype=np.float32, casting="same_kind")
    imaginary = np.multiply(analytic.imag, scale, dtype=np.float32, casting="same_kind")
    couplings = np.zeros((3, len(analytic), len(analytic)))
    amplitude = np.hypot(real, imaginary)
    inverse = np.maximum(amplitude, np.float32(1e-12))
    np.divide(np.float32(1.0), inverse, out=inverse)
    _pairs(real, imaginary, amplitude, inverse, block, independent, couplings)
    return couplings[0], couplings[1], couplings[2]


@kernel()
def _pairs(
    real: np.ndarray,
    imaginary: np.ndarray,
    amplitude: np.ndarray,
    inverse: np.ndarray,
    block: int,
    independent: bool,
    couplings: np.ndarray,
) -> None:
    channels, n = real.shape
    sums = np.empty(8)
    # Sums of d, |d| and 1 over a block, the one before, all; products of a block and its neighbour.
    own, last, total, near = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    mean = np.zeros(channels)
    spread = np.zeros(channels)
    for c in range(channels):
        amplitudes, squares = 0.0, 0.0
        for k in range(n):
            amplitudes += amplitude[c, k]
            squares += amplitude[c, k] * amplitude[c, k]
        mean[c] = amplitudes / n
        spread[c] = np.sqrt(max(squares / n - mean[c] ** 2, 0.0))
    for i in range(channels):
        for j in range(i + 1, channels):
            sums[:] = 0.0
            last[:] = 0.0
            total[:] = 0.0
            near[:] = 0.0
            for start in range(0, n, block):
                stop = min(start + block, n)
                own[0], own[1], own[2] = -sums[0], -sums[1], stop - start
                _add_pair(
                    real[i, start:stop], imaginary[i, start:stop],
                    real[j, start:stop], imaginary[j, start:stop],
                    amplitude[i, start:stop], amplitude[j, start:stop],
                    inverse[i, start:stop], inverse[j, start:stop], sums,
                )  # fmt: skip
                own[0] += sums[0]
                own[1] += sums[1]
                for k in range(3):
                    total[k] += own[k]
                    near[k] += own[k] * own[k]
                    if not independent:
                        near[k] += 2.0 * own[k] * last[k]
                    last[k] = own[k]
            sums /= n
            correlation = 0.0
            for side in range(2):
                c = i if side == 0 else j
                first, square, product = sums[2 + 3 * side], sums[3 + 3 * side], sums[4 + 3 * side]
                orthogonal = np.sqrt(max(square - first * first, 0.0))
                if orthogonal > 0 and spread[c] > 0:
                    correlation += 0.5 * (product - first * mean[c]) / (orthogonal * spread[c])
            couplings[0, i, j] = couplings[0, j, i] = correlation
            for k in range(2):
                products = total[1 + k] ** 2 - near[1 + k]
                square = (total[0] ** 2 - near[0]) / products if products > 0 else np.nan
                couplings[1 + k, i, j] = couplings[1 + k, j, i] = square


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
