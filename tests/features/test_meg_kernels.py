"""Measures of spectra, time courses and pairs against scipy, brute force and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from ketadask.features.meg.quality import Quality
from ketadask.features.meg.time_courses import band_gain, bridge_bad_segments, compute_courses
from ketadask.kernels.complexity import hjorth, lempel_ziv, mean_lempel_ziv
from ketadask.kernels.coupling import coupling
from ketadask.kernels.spectra import aperiodic, peak_frequency, spectral_entropy, welch

RATE = 300.0


def noise(channels, seconds, seed=0):
    """Return white noise float32 (channel, time)."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((channels, round(seconds * RATE))).astype(np.float32)


def pink(exponent, channels, seconds, seed=0):
    """Return noise whose power falls as f ** -exponent."""
    spectrum = np.fft.rfft(noise(channels, seconds, seed), axis=1)
    frequency = np.fft.rfftfreq(round(seconds * RATE), 1 / RATE)
    spectrum[:, 1:] *= frequency[1:] ** (-exponent / 2)
    spectrum[:, 0] = 0
    return np.fft.irfft(spectrum, axis=1).astype(np.float32)


def all_clean(length, segment=600):
    """Return the quality of a recording without flaws."""
    return Quality(("",) * 2, np.ones(length // segment, dtype=bool), segment)


def test_welch_is_that_of_scipy():
    field = pink(1.0, 4, 20)
    starts = np.arange(0, field.shape[1] - 1199, 600)
    frequency, expected = signal.welch(field.astype(float), RATE, nperseg=1200, noverlap=600)
    values = welch(field, starts, 1200, RATE)
    np.testing.assert_allclose(values[:, 1:], expected[:, 1:], rtol=2e-4)
    assert frequency.size == values.shape[1]


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.7])
def test_the_planted_slope_is_found_under_a_peak(exponent):
    field = pink(exponent, 6, 120)
    carrier = 0.25 * np.cos(2 * np.pi * 10 * np.arange(field.shape[1]) / RATE)
    starts = np.arange(0, field.shape[1] - 1199, 600)
    density = welch(field + carrier.astype(np.float32), starts, 1200, RATE)
    frequency = np.fft.rfftfreq(1200, 1 / RATE)
    inside = (frequency >= 2) & (frequency <= 40)
    slope, offset, flat = aperiodic(frequency[inside], density[:, inside])
    np.testing.assert_allclose(slope, exponent, atol=0.08)
    np.testing.assert_allclose(offset, np.log10(2 / RATE), atol=0.08)
    assert peak_frequency(frequency[inside], flat.mean(axis=0), 7, 14) == pytest.approx(10, abs=0.1)


def count_peaks(seconds, channels, n):
    """Return in how many of ``n`` recordings of 1/f noise an alpha peak is found."""
    frequency = np.fft.rfftfreq(1200, 1 / RATE)
    inside = (frequency >= 2) & (frequency <= 40)
    n_peaks = 0
    for seed in range(n):
        field = pink(1.0, channels, seconds, seed=seed)
        starts = np.arange(0, field.shape[1] - 1199, 600)
        density = welch(field, starts, 1200, RATE)[:, inside]
        flat = aperiodic(frequency[inside], density)[2].mean(axis=0)
        n_peaks += bool(np.isfinite(peak_frequency(frequency[inside], flat, 7, 14)))
    return n_peaks


@pytest.mark.parametrize(("seconds", "channels", "n"), [(6, 1, 200), (20, 4, 100), (60, 1, 100)])
def test_noise_rarely_has_a_peak_at_any_length(seconds, channels, n):
    assert count_peaks(seconds, channels, n) < 0.05 * n


@pytest.mark.parametrize("middle", [5.5, 6.8, 14.3, 16.0])
def test_a_peak_outside_the_band_is_none(middle):
    frequency = np.arange(2.0, 40.01, 0.25)
    flat = 0.02 * np.random.default_rng(0).standard_normal(frequency.size)
    flat += np.exp(-((frequency - middle) ** 2) / 2)
    assert np.isnan(peak_frequency(frequency, flat, 7, 14))
    assert np.isnan(peak_frequency(frequency[:8], flat[:8], 7, 14)), "too short for an error"


def test_a_line_alone_is_fitted_exactly():
    frequency = np.arange(2, 40, 0.5)
    exponent, offset, flat = aperiodic(frequency, (300 * frequency**-1.3)[None])
    np.testing.assert_allclose([exponent[0], offset[0]], [1.3, np.log10(300)], atol=1e-9)
    assert np.abs(flat).max() < 1e-9


def test_entropy_is_that_of_the_formula():
    density = np.random.default_rng(0).gamma(1.0, size=(3, 50))
    fraction = density / density.sum(axis=1, keepdims=True)
    expected = -(fraction * np.log2(fraction)).sum(axis=1) / np.log2(50)
    np.testing.assert_allclose(spectral_entropy(density), expected)


def components(symbols):
    """Count the components of the exhaustive history by searching, as the definition says."""
    text, count, start, end = "".join(map(str, symbols)), 0, 0, 1
    while start < len(text):
        while end <= len(text) and text[start:end] in text[: end - 1]:
            end += 1
        count, start, end = count + 1, end, end + 1
    return count


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.integers(0, 1), min_size=1, max_size=120))
def test_lempel_ziv_counts_what_the_definition_counts(symbols):
    workspace = np.empty((2 * len(symbols) + 2, 4), dtype=np.int32)
    assert lempel_ziv(np.array(symbols, dtype=np.uint8), workspace) == components(symbols)


@pytest.mark.parametrize(
    ("text", "count"), [("0", 1), ("00000000", 2), ("0001101001000101", 6), ("01010101", 3)]
)
def test_lempel_ziv_of_the_paper(text, count):
    symbols = np.array([int(c) for c in text], dtype=np.uint8)
    assert lempel_ziv(symbols, np.empty((99, 4), dtype=np.int32)) == count


def test_mean_complexity_is_the_mean_over_windows():
    field = pink(1.0, 2, 10)
    starts = np.array([0, 1000, 1500])
    workspace = np.empty((3000, 4), dtype=np.int32)
    for row, complexity in zip(field, mean_lempel_ziv(field, starts, 1000), strict=True):
        counts = [
            lempel_ziv((row[s : s + 1000] > row[s : s + 1000].mean()).astype(np.uint8), workspace)
            for s in starts
        ]
        assert complexity == pytest.approx(np.mean(counts) * np.log2(1000) / 1000, rel=1e-6)


def test_hjorth_is_that_of_the_formula():
    field = pink(1.0, 2, 10)
    starts = np.array([0, 900, 1800])
    windows = [field[:, s : s + 600].astype(float) for s in starts]
    power = [
        np.mean([np.diff(w, order, axis=1).var(axis=1) for w in windows], axis=0)
        for order in range(3)
    ]
    mobility = np.sqrt(power[1] / power[0])
    expected = np.column_stack([power[0], mobility, np.sqrt(power[2] / power[1]) / mobility])
    np.testing.assert_allclose(hjorth(field, starts, 600), expected, rtol=1e-5)


def test_hjorth_of_a_sine_is_known():
    time = np.arange(6000) / RATE
    sine = np.sin(2 * np.pi * 5 * time)[None].astype(np.float32)
    activity, mobility, complexity = hjorth(sine, np.array([0]), 6000)[0]
    assert activity == pytest.approx(0.5, rel=1e-3)
    assert mobility == pytest.approx(2 * np.sin(np.pi * 5 / RATE), rel=1e-3)
    assert complexity == pytest.approx(1.0, rel=1e-2)


def pairs_by_hand(x, block=1, independent=False):
    """Return the three measures of all pairs, straight from their formulas."""
    channels = len(x)
    n_blocks = -(-x.shape[1] // block)
    apart = np.abs(np.subtract.outer(np.arange(n_blocks), np.arange(n_blocks)))
    apart = apart >= (1 if independent else 2)

    def products(values):
        sums = np.add.reduceat(values, np.arange(0, len(values), block))
        return np.outer(sums, sums)[apart].sum()

    envelope, lag, imaginary = (np.zeros((channels, channels)) for _ in range(3))
    for i in range(channels):
        for j in range(channels):
            if i == j:
                continue
            product = (x[j] * x[i].conj()).imag
            orthogonal = np.abs(product) / np.abs(x[i])
            envelope[i, j] = np.corrcoef(orthogonal, np.abs(x[i]))[0, 1]
            lag[i, j] = products(product) / products(np.abs(product))
            power = (np.abs(x[i]) ** 2).mean() * (np.abs(x[j]) ** 2).mean()
            imaginary[i, j] = products(product) / products(np.ones(len(product))) / power
    return (envelope + envelope.T) / 2, lag, imaginary


@pytest.mark.parametrize("independent", [False, True])
@pytest.mark.parametrize(
    ("length", "block"), [(3, 1), (511, 16), (512, 16), (2000, None), (2000, 7)]
)
def test_coupling_is_that_of_the_formulas(length, block, independent):
    rng = np.random.default_rng(length)
    x = rng.standard_normal((5, length)) + 1j * rng.standard_normal((5, length))
    x[1] += 0.6j * x[0]
    x *= 1 + np.abs(np.cumsum(rng.standard_normal(length))) / 10
    values = coupling(x, block=block, independent=independent)
    expected = pairs_by_hand(x, block or 32, independent)
    for ours, theirs in zip(values, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_too_few_blocks_have_no_squares():
    x = np.random.default_rng(0).standard_normal((2, 20)) + 1j
    envelope, lag, imaginary = coupling(x)
    assert np.isfinite(envelope[0, 1])
    assert np.isnan([lag[0, 1], imaginary[0, 1]]).all()
    assert lag[0, 0] == imaginary[0, 0] == 0


@pytest.mark.parametrize("seconds", [15, 60])
@pytest.mark.parametrize("band", [(4.0, 8.0), (30.0, 45.0)])
def test_noise_has_no_coupling_on_average_at_any_length(seconds, band):
    """Even of sources mixed into all sensors, which no delay and no envelope connects."""
    values = []
    for seed in range(6):
        field = noise(10, seconds, seed=seed) + 0.5 * noise(1, seconds, seed=100 + seed)
        quality = all_clean(field.shape[1])
        quality = Quality(("",) * 10, quality.clean, quality.length)
        courses = compute_courses(field, RATE, quality, broad=(1, 45), highest=46, measures=())
        upper = np.triu_indices(10, 1)
        values.append([pairs[upper].mean() for pairs in coupling(courses.analytic(band, quality))])
    mean, error = np.mean(values, axis=0), np.std(values, axis=0, ddof=1) / np.sqrt(6)
    assert (np.abs(mean) < 4 * error).all(), (mean, error)
    assert np.abs(mean).max() < 0.012


def test_mixing_alone_gives_no_envelope_correlation_beyond_chance():
    """What two sensors share without delay is taken out: that is what orthogonalising is for."""
    rng = np.random.default_rng(1)
    source = rng.standard_normal((3, 20_000)) + 1j * rng.standard_normal((3, 20_000))
    mixture = np.array([source[0] + 0.1 * source[1], source[0] + 0.1 * source[2]])
    assert abs(np.corrcoef(np.abs(mixture))[0, 1]) > 0.9
    assert coupling(mixture)[0][0, 1] < 0.05


def test_the_analytic_signal_is_that_of_hilbert():
    field = pink(1.0, 2, 60)
    quality = all_clean(field.shape[1])
    courses = compute_courses(field, RATE, quality, broad=(1, 45), highest=31, measures=())
    values = courses.analytic((8.0, 13.0), quality)
    spectrum = np.fft.rfft(field.astype(float), axis=1)
    gain, first = band_gain(spectrum.shape[1], RATE / field.shape[1], (8.0, 13.0))
    spectrum[:, :first] = 0
    spectrum[:, first : first + gain.size] *= gain
    spectrum[:, first + gain.size :] = 0
    analytic_signal = signal.hilbert(np.fft.irfft(spectrum, axis=1), axis=1)[:, 150:-150]
    np.testing.assert_allclose(
        np.abs(values).mean(axis=1), np.abs(analytic_signal).mean(axis=1), rtol=2e-3
    )


@pytest.mark.parametrize("with_coupling", [False, True])
def test_coupling_at_the_low_rate_is_that_of_the_full_rate(with_coupling):
    """Three values per second and Hz lose next to nothing, even of pure noise."""
    field = pink(1.0, 24, 120, seed=3)
    if with_coupling:
        sources = pink(1.0, 4, 120, seed=4)
        for row in range(24):
            field[row] += np.roll(sources[row // 6], 5 * (row % 6))
    quality = Quality(("",) * 24, np.ones(60, dtype=bool), 600)
    courses = compute_courses(field, RATE, quality, broad=(1, 45), highest=31, measures=())
    spectrum = np.fft.rfft(field.astype(float), axis=1)
    gain, first = band_gain(spectrum.shape[1], RATE / field.shape[1], (8.0, 13.0))
    narrow = np.zeros_like(spectrum)
    narrow[:, first : first + gain.size] = spectrum[:, first : first + gain.size] * gain
    analytic_signal = signal.hilbert(np.fft.irfft(narrow, axis=1), axis=1)[:, 150:-150]
    upper = np.triu_indices(24, 1)
    low_rate = courses.analytic((8.0, 13.0), quality)
    values = coupling(low_rate)
    block = max(16, -(-low_rate.shape[1] // 64)) * analytic_signal.shape[1] // low_rate.shape[1]
    for low, full in zip(values, pairs_by_hand(analytic_signal, block), strict=True):
        assert np.corrcoef(low[upper], full[upper])[0, 1] > (0.99 if with_coupling else 0.97)
        np.testing.assert_allclose(low, full, atol=0.02)


def test_bad_segments_are_bridged_and_left_out():
    field = noise(2, 20)
    clean = np.array([False, True, True, False, True, False, False, True, True, False])
    quality = Quality(("", ""), clean, 600)
    dirty = field.copy()
    for segment in np.flatnonzero(~clean):
        dirty[:, segment * 600 : (segment + 1) * 600] = 1e6
    values = bridge_bad_segments(dirty, quality)
    assert np.abs(values[:, :600] - values[:, 600:601]).max() == 0
    inner = values[:, 1799:2401]
    np.testing.assert_allclose(np.diff(inner, 2, axis=1), 0, atol=0.1)
    assert quality.starts(2).tolist() == [600, 4200]
    assert quality.disjoint_starts(1).tolist() == [600, 1200, 2400, 4200, 4800]
    assert (quality.longest(5), quality.longest(1)) == (2, 1)


def test_nothing_clean_gives_nan_and_no_error():
    quality = Quality(("", ""), np.zeros(10, dtype=bool), 600)
    courses = compute_courses(
        noise(2, 20), RATE, quality, broad=(1, 45), highest=31, measures=("lz", "mobility")
    )
    assert np.isnan(courses.measures["lz"]).all()
    assert np.isnan(courses.measures["mobility"]).all()
    assert quality.longest(2) == 0
