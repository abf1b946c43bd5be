"""Streaming changes nothing: neither the window nor the way the field is reached."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from scipy import signal

from ketadask.features.meg.settings import MegSettings
from ketadask.features.meg.stream import decimate_recording
from ketadask.kernels.decimation import decimate, low_pass
from ketadask.schema.errors import InputError
from ketadask.simulate.meg.fif import write_recording
from ketadask.simulate.meg.helmet import helmet
from ketadask.simulate.meg.signals import MegTruth
from ketadask.sources.meg.recording import Recording


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Return a short recording with references."""
    path_of_recording = tmp_path_factory.mktemp("stream") / "sub-01_meg.fif"
    return write_recording(
        path_of_recording, helmet(20, references=6), MegTruth(drift=3000.0), seconds=7.3
    )


def test_decimation_is_the_filter_followed_by_taking_every_fourth():
    field = np.random.default_rng(0).standard_normal((3, 5000)).astype(np.float32)
    taps = low_pass(1200.0, 4)
    data = np.empty((3, 1000), dtype=np.float32)
    decimate(field, taps, 4, data)
    complete = signal.fftconvolve(
        field.astype(float), taps[None].astype(float), mode="valid", axes=1
    )
    np.testing.assert_allclose(data, complete[:, : 1000 * 4 : 4], atol=2e-6)


def test_sums_are_taken_in_order_whatever_the_processor():
    field = np.random.default_rng(1).standard_normal((2, 500)).astype(np.float32)
    taps = low_pass(1200.0, 4)
    data = np.empty((2, 90), dtype=np.float32)
    decimate(field, taps, 4, data)
    products = np.stack([taps * field[:, 4 * k : 4 * k + taps.size] for k in range(90)], axis=1)
    np.testing.assert_array_equal(data, np.cumsum(products, axis=2, dtype=np.float32)[:, :, -1])


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_the_filter_passes_the_bands_and_stops_what_would_fold_into_them(factor):
    taps = low_pass(300.0 * factor, factor)
    frequency, gain = signal.freqz(taps, worN=8192, fs=300.0 * factor)
    size = np.abs(gain)
    assert np.abs(size[frequency <= 120] - 1).max() < 1e-3
    assert size[frequency >= 176].max() < 1.2e-4


@pytest.mark.parametrize("window", [0.37, 1.0, 5.0, 60.0])
def test_the_window_changes_nothing(path, window):
    recording = Recording.at(path)
    expected = decimate_recording(recording, window=2.0)
    data = decimate_recording(recording, window=window)
    np.testing.assert_allclose(data.field, expected.field, atol=2e-3)
    np.testing.assert_array_equal(data.extent, expected.extent)


def test_the_stream_equals_the_whole_recording_in_memory(path):
    raw = mne.io.read_raw_fif(path, preload=True, verbose="error")
    raw.apply_gradient_compensation(3, verbose="error")
    field = raw.get_data(picks="mag") * 1e15
    taps = low_pass(1200.0, 4).astype(float)
    with_edges = np.pad(field, ((0, 0), (taps.size // 2,) * 2), mode="edge")
    complete = signal.fftconvolve(with_edges, taps[None], mode="valid", axes=1)[:, ::4]
    data = decimate_recording(Recording.at(path))
    assert (data.rate, data.grade, data.field.dtype) == (300.0, 3, np.float32)
    expected = complete[:, : data.field.shape[1]]
    middle = (expected - data.field).mean(axis=1, keepdims=True)
    # float32 of a field that moves by some thousand fT before compensation.
    np.testing.assert_allclose(data.field + middle, expected, atol=0.02)


@pytest.mark.parametrize(
    ("rate", "target"),
    [(1000.0, 1000 / 3), (300.307, 300.307), (600.615, 300.3075), (678.17, 339.085),
     (1017.25, 1017.25 / 3), (480.0, 240.0), (1250.0, 312.5), (250.0, 250.0), (450.0, 450.0)],
)  # fmt: skip
def test_every_usual_rate_comes_near_300(tmp_path, rate, target):
    path = write_recording(tmp_path / "a_meg.fif", helmet(10), seconds=2, rate=rate)
    data = decimate_recording(Recording.at(path), MegSettings())
    assert data.rate == pytest.approx(target)
    assert data.field.shape == (10, round(2 * rate) // round(rate / target))


def test_a_rate_too_low_for_the_highest_band_is_refused(tmp_path):
    path = write_recording(tmp_path / "a_meg.fif", helmet(10), seconds=2, rate=200)
    with pytest.raises(InputError, match=r"200 time points per second are too few .* at least 240"):
        decimate_recording(Recording.at(path), MegSettings())


def test_without_references_the_grade_stays(tmp_path):
    path = write_recording(tmp_path / "a_meg.fif", helmet(10, references=0), seconds=2, rate=300)
    data = decimate_recording(Recording.at(path))
    assert (data.grade, data.field.shape) == (0, (10, 600))


def split_in_two(folder, head, truth, *, jump, seconds, rate):
    """Write two recordings one after the other, the second ``jump`` fT away; return its path."""
    paths = [
        write_recording(folder / f"{k}_meg.fif", head, truth, seconds=s, rate=rate, seed=k)
        for k, s in enumerate(seconds)
    ]
    raws = [mne.io.read_raw_fif(path, preload=True, verbose="error") for path in paths]
    raws[1].apply_function(lambda values: values + jump * 1e-15, picks="mag")
    both = mne.concatenate_raws(raws, verbose="error")
    both.save(folder / "both_meg.fif", verbose="error")
    return paths, folder / "both_meg.fif"


def test_a_jump_between_trials_does_not_ring(tmp_path):
    head = helmet(20, references=0)
    alone, both = split_in_two(
        tmp_path, head, MegTruth(), jump=1e6, seconds=(6.1, 7.0), rate=1200.0
    )
    complete = decimate_recording(Recording.at(both))
    (edge,) = complete.breaks
    assert edge == 1830
    for path, part in zip(alone, (complete.field[:, :edge], complete.field[:, edge:]), strict=True):
        expected = decimate_recording(Recording.at(path)).field
        level = (part - expected).mean(axis=1, keepdims=True)
        np.testing.assert_allclose(part - level, expected, atol=0.5)


def test_trials_that_follow_each_other_are_one_piece(path):
    recording = Recording.at(path)
    header = recording.header
    object.__setattr__(header, "edges", tuple(range(0, header.length, 1200)))
    try:
        assert decimate_recording(recording).breaks == ()
    finally:
        object.__setattr__(header, "edges", (0,))


def test_the_real_recording_was_stopped_once(real_data):
    path_of_recording = real_data / "meg" / "testdata_ctf_short_discontinuous.ds"
    assert decimate_recording(Recording.at(path_of_recording)).breaks == (301,)
