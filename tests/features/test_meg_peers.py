"""Measures compared with specparam, mne-connectivity and mne on complete recordings."""

from __future__ import annotations

import json

import numpy as np
import pytest
from mne_connectivity import envelope_correlation, spectral_connectivity_epochs
from scipy import signal
from specparam import SpectralGroupModel

from ketadask.features.meg.registry import FEATURE_GROUPS
from ketadask.kernels.coupling import coupling
from ketadask.kernels.spectra import aperiodic, welch
from tests.benchmarks.mne_in_memory import MNE, STREAMED, main
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
    values = aperiodic(frequency[inside], density[:, inside])
    np.testing.assert_allclose(values[0], slope, atol=0.05)
    np.testing.assert_allclose(values[1], offset, atol=0.06)


def coupled_courses(length, seed=0):
    """Return six courses of which some follow others."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((6, length))
    values[1] += np.roll(values[0], 3)
    values[3] += np.roll(values[2], 7) * (1 + np.sin(np.arange(length) / 90))
    return values


def test_envelope_correlation_is_that_of_mne_connectivity():
    narrow = signal.sosfiltfilt(
        signal.butter(4, (8, 13), "bandpass", fs=200, output="sos"), coupled_courses(6000), axis=1
    )
    analytic = signal.hilbert(narrow, axis=1)
    theirs = envelope_correlation(analytic[None], orthogonalize="pairwise", absolute=False)
    expected = theirs.get_data(output="dense")[0, :, :, 0]
    np.testing.assert_allclose(coupling(analytic)[0][UPPER], expected[UPPER], atol=1e-5)


def test_phase_measures_are_those_of_mne_connectivity():
    """On the same Fourier coefficients: epochs stand where ours has time."""
    epochs = coupled_courses(80 * 200).reshape(6, 80, 200)
    estimates = spectral_connectivity_epochs(
        epochs.transpose(1, 0, 2), method=["wpli2_debiased", "imcoh"], mode="fourier", sfreq=200.0,
        fmin=9.5, fmax=10.5, verbose="error",
    )  # fmt: skip
    lag, imaginary = (estimate.get_data(output="dense")[:, :, 0].T for estimate in estimates)
    windows = (epochs - epochs.mean(axis=2, keepdims=True)) * np.hanning(200)
    coefficients = np.fft.rfft(windows, axis=2)[:, :, 10]
    values = coupling(coefficients, block=1, independent=True)
    np.testing.assert_allclose(values[1][UPPER], lag[UPPER], atol=1e-5)
    # The biased square is of all products, the debiased one without those of an epoch with itself.
    power = (np.abs(coefficients) ** 2).mean(axis=1)
    own = [
        (np.imag(coefficients[j] * coefficients[i].conj()) ** 2).sum() / (power[i] * power[j])
        for i, j in zip(*UPPER, strict=True)
    ]
    n = coefficients.shape[1]
    expected = ((n * imaginary[UPPER]) ** 2 - own) / (n * (n - 1))
    np.testing.assert_allclose(values[2][UPPER], expected, atol=1e-5)


# What different filters of the same bands leave: mne's are 11 Hz wide at 45 Hz, ours 1 Hz, so
# measures of the slopes differ most. Alpha peaks of noise may differ; everything else may not.
MOST = {
    "power": 0.02,
    "relative": 0.02,
    "exponent": 0.03,
    "offset": 0.04,
    "peak": 2.0,
    "entropy": 0.005,
    "activity": 0.1,
    "mobility": 0.03,
    "complexity": 0.25,
    "lz": 0.04,
    "aec": 0.04,
    "wpli": 0.05,
    "imcoh": 0.03,
}


@pytest.mark.slow
def test_streamed_features_are_those_of_mne_in_memory(capsys):
    assert main(["--seconds", "20", "--sensors", "60", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    away = result["largest_difference"]
    assert set(away) == set(MOST) == set(FEATURE_GROUPS)
    assert {family: value for family, value in away.items() if value > MOST[family]} == {}
    assert result[STREAMED]["cpu_s"] < result[MNE]["cpu_s"] / 2
