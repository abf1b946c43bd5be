"""Measures beside the packages the field uses: specparam, mne-connectivity."""

from __future__ import annotations

import numpy as np
import pytest
from mne_connectivity import envelope_correlation, spectral_connectivity_epochs
from scipy import signal
from specparam import SpectralGroupModel

from ketadask.kernels.coupling import coupling
from ketadask.kernels.spectra import aperiodic, welch
from tests.features.test_meg_kernels import RATE, pink

UPPER = np.triu_indices(6, 1)


def with_alpha(exponent, channels=8, seconds=120):
    """Return pink noise with a broad alpha peak on top."""
    field = pink(exponent, channels, seconds, seed=round(10 * exponent))
    alpha = np.fft.rfft(pink(0.0, channels, seconds, seed=9), axis=1)
    frequency = np.fft.rfftfreq(field.shape[1], 1 / RATE)
    alpha = np.fft.irfft(alpha * np.exp(-((frequency - 10) ** 2) / 4), axis=1)
    alpha *= 0.7 * field.std(axis=1, keepdims=True) / alpha.std(axis=1, keepdims=True)
    return (field + alpha).astype(np.float32)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.7])
def test_the_aperiodic_part_is_that_of_specparam(exponent):
    """Theirs fits Gaussians to peaks, ours leaves peaks out: 0.05 is a third of their spread."""
    field = with_alpha(exponent)
    starts = np.arange(0, field.shape[1] - 1199, 600)
    density = welch(field, starts, 1200, RATE)
    frequency = np.fft.rfftfreq(1200, 1 / RATE)
    inside = (frequency >= 2) & (frequency <= 40)
    model = SpectralGroupModel(
        aperiodic_mode="fixed", max_n_peaks=6, peak_width_limits=(1, 12), verbose=False
    )
    model.fit(frequency[inside], density[:, inside])
    offset, slope = model.get_params("aperiodic").T
    made = aperiodic(frequency[inside], density[:, inside])
    np.testing.assert_allclose(made[0], slope, atol=0.05)
    np.testing.assert_allclose(made[1], offset, atol=0.06)


def coupled(length, seed=0):
    """Return six courses of which some follow others."""
    rng = np.random.default_rng(seed)
    made = rng.standard_normal((6, length))
    made[1] += np.roll(made[0], 3)
    made[3] += np.roll(made[2], 7) * (1 + np.sin(np.arange(length) / 90))
    return made


def test_envelope_correlation_is_that_of_mne_connectivity():
    narrow = signal.sosfiltfilt(
        signal.butter(4, (8, 13), "bandpass", fs=200, output="sos"), coupled(6000), axis=1
    )
    analytic = signal.hilbert(narrow, axis=1)
    theirs = envelope_correlation(analytic[None], orthogonalize="pairwise", absolute=True)
    expected = theirs.get_data(output="dense")[0, :, :, 0]
    np.testing.assert_allclose(coupling(analytic)[0][UPPER], expected[UPPER], atol=1e-5)


def test_phase_measures_are_those_of_mne_connectivity():
    """On the same Fourier coefficients: epochs stand where ours has time."""
    epochs = coupled(80 * 200).reshape(6, 80, 200)
    found = spectral_connectivity_epochs(
        epochs.transpose(1, 0, 2), method=["wpli", "imcoh"], mode="fourier", sfreq=200.0,
        fmin=9.5, fmax=10.5, verbose="error",
    )  # fmt: skip
    lag, imaginary = (np.abs(each.get_data(output="dense")[:, :, 0]).T for each in found)
    tapered = (epochs - epochs.mean(axis=2, keepdims=True)) * np.hanning(200)
    coefficients = np.fft.rfft(tapered, axis=2)[:, :, 10]
    made = coupling(coefficients)
    np.testing.assert_allclose(made[1][UPPER], lag[UPPER], atol=1e-5)
    np.testing.assert_allclose(made[2][UPPER], imaginary[UPPER], atol=1e-5)
