"""Windows of events and files of epochs: their features are those that mne computes."""

from __future__ import annotations

import re
from dataclasses import replace

import mne
import numpy as np
import pandas as pd
import pytest

from ketadask.features.meg import registry
from ketadask.features.meg.extraction import extract_features
from ketadask.features.meg.settings import MegSettings
from ketadask.kernels.spectra import in_band
from ketadask.schema.errors import InputError
from ketadask.simulate.meg.bids import write_recordings
from ketadask.sources.meg.collection import (
    RecordingFile,
    find_recordings,
    unusable_recordings,
)
from ketadask.sources.meg.events import EventChoice
from ketadask.sources.meg.recording import Recording
from tests.benchmarks.mne_in_memory import _coupling

RATE, SECONDS = 300.0, 64.0
ONSETS = {"left": [3.1, 20.37, 41.9], "right": [11.5, 30.02, 52.25]}
WINDOW = (0.5, 6.5)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Return a study of two recordings with a sidecar of events, at the rate of the features."""
    folder = tmp_path_factory.mktemp("task")
    for path in write_recordings(folder, ["sub-01"], seconds=SECONDS, sensors=20, rate=RATE):
        rows = [(onset, 0.0, name) for name, own in ONSETS.items() for onset in own]
        rows += [(24.0, 1.0, "BAD_blink"), (0.0, 2.0, "rest"), (60.0, 30.0, "rest")]
        table = pd.DataFrame(rows, columns=["onset", "duration", "trial_type"])
        name = path.name.replace("_meg.fif", "_events.tsv")
        table.to_csv(path.with_name(name), sep="\t", index=False)
    return folder


def values_of(file, **settings):
    """Return the features of a recording and the row of its quality."""
    results = extract_features(file, MegSettings(**settings))
    return results.features.set_index("feature")["value"], results.quality.iloc[0]


def epochs_of(file, onsets, window=WINDOW):
    """Return windows of a recording of mne, all clean, in fT."""
    raw = mne.io.read_raw_fif(file.path, preload=True, verbose="error")
    raw.apply_gradient_compensation(3, verbose="error").pick("mag")
    events = [[round(onset * RATE), 0, 1] for onset in sorted(onsets)]
    return mne.Epochs(
        raw, np.array(events), tmin=window[0], tmax=window[1] - 1 / RATE, baseline=None,
        preload=True, verbose="error",
    )  # fmt: skip


def log_power(epochs, band):
    """Return the mean over sensors of log10 power by Welch's method as mne computes it."""
    psd = epochs.compute_psd(
        "welch", fmin=0, fmax=150, n_fft=1200, n_overlap=600, window="hann", verbose="error"
    )
    inside = in_band(psd.freqs, *registry.BANDS[band], without=[60.0, 120.0])
    density = psd.get_data().mean(axis=0)[:, inside].mean(axis=1) * 1e30
    return float(np.log10(density).mean())


def coupling_of(file, onsets, band):
    """Return the mean envelope correlation of windows by mne's filter and Hilbert transform."""
    raw = mne.io.read_raw_fif(file.path, preload=True, verbose="error")
    raw.apply_gradient_compensation(3, verbose="error").pick("mag")
    narrow = raw.filter(*registry.COUPLING_BANDS[band], verbose="error").apply_hilbert()
    courses = narrow.get_data() * 1e15
    starts = [round((onset + WINDOW[0]) * RATE) for onset in sorted(onsets)]
    size = round((WINDOW[1] - WINDOW[0]) * RATE)
    windows = np.concatenate([courses[:, start : start + size] for start in starts], axis=1)
    matrix = _coupling(windows[:, ::8])["aec"]
    return float(matrix.sum() / (len(matrix) * (len(matrix) - 1)))


ALL_CLEAN = {"bad_sensor": 1e9, "bad_segment": 1e9}


@pytest.mark.parametrize("names", [("right",), ("left", "right")])
def test_windows_of_events_have_the_features_that_mne_computes(study, names):
    file = replace(find_recordings(study, events=names, window=WINDOW)[0], bad_spans=())
    onsets = [onset for name in names for onset in ONSETS[name]]
    values, row = values_of(file, **ALL_CLEAN)
    assert row["seconds"] == row["clean_seconds"] == 6.0 * len(onsets)
    epochs = epochs_of(file, onsets)
    for band in registry.BANDS:
        expected = log_power(epochs, band)
        assert values[f"meg_power_{band}_all"] == pytest.approx(expected, abs=1e-4), band
    expected = coupling_of(file, onsets, "alpha")
    assert values["meg_aec_alpha_all"] == pytest.approx(expected, abs=0.01)
    whole, _ = values_of(replace(file, choice=EventChoice()), **ALL_CLEAN)
    assert abs(values["meg_power_alpha_all"] - whole["meg_power_alpha_all"]) > 0.01


def test_bad_segments_and_the_end_of_the_recording_limit_windows(study):
    file, _ = find_recordings(study, events=["left"], window=WINDOW)
    _, row = values_of(file, **ALL_CLEAN)
    assert (row["seconds"], row["clean_seconds"]) == (18.0, 14.0)
    # The second event lasts beyond the end.
    file, _ = find_recordings(study, events=["rest"])
    _, row = values_of(file, min_seconds=1.0)
    assert row["seconds"] == 2.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"events": ["leftt"]},
            r"events.* found 'leftt'; it has BAD_blink \(1\), left \(3\)",
        ),
        ({"events": ["left"]}, r"its events have no duration; give first and last second"),
        (
            {"events": ["left"], "window": (0, 0.4)},
            r"are shorter than 0.5 seconds; choose a longer",
        ),
        ({"events": ["left"], "window": (0, 90)}, r"no window of its events lies within its 64 s"),
    ],
)
def test_what_events_cannot_give_is_named(study, options, message):
    files = find_recordings(study, **options)[:1]
    with pytest.raises(InputError, match=message):
        extract_features(files[0])
    assert re.search(message, unusable_recordings(files)[files[0].name])


def test_annotations_and_stimulus_channels_are_events(study, tmp_path):
    file = replace(find_recordings(study, events=["left"], window=WINDOW)[0], bad_spans=())
    expected, _ = values_of(file, **ALL_CLEAN)
    raw = mne.io.read_raw_fif(file.path, preload=True, verbose="error")
    raw.set_annotations(mne.Annotations(ONSETS["left"], 0.0, "left"))
    raw.save(tmp_path / "one_meg.fif", verbose="error")
    names = EventChoice(("left",), WINDOW)
    one = RecordingFile(str(tmp_path / "one_meg.fif"), "sub-01", "", "one", choice=names)
    np.testing.assert_allclose(values_of(one, **ALL_CLEAN)[0], expected, rtol=1e-6)
    codes = np.zeros((1, raw.n_times))
    for onset in ONSETS["left"]:
        codes[0, round(onset * RATE) : round(onset * RATE) + 5] = 4
    raw.set_annotations(None)
    info = mne.create_info(["STI 014"], RATE, "stim")
    raw.add_channels([mne.io.RawArray(codes, info, verbose="error")], force_update_info=True)
    raw.save(tmp_path / "two_meg.fif", verbose="error")
    path = str(tmp_path / "two_meg.fif")
    two = replace(one, path=path, name="two", choice=EventChoice(("4",), WINDOW))
    np.testing.assert_allclose(values_of(two, **ALL_CLEAN)[0], expected, rtol=1e-6)


def test_files_of_epochs_have_the_features_of_their_windows(study):
    """Spectra are those of the recording; at the ends of an epoch filters ring."""
    file = replace(find_recordings(study, events=["left"], window=WINDOW)[0], bad_spans=())
    expected, _ = values_of(file, **ALL_CLEAN)
    folder = study / "derivatives" / "mne-bids-pipeline" / "sub-01" / "ses-p1d0" / "meg"
    folder.mkdir(parents=True)
    path = folder / f"{file.name}_proc-clean_epo.fif"
    onsets = [*ONSETS["left"], *ONSETS["right"]]
    epochs = epochs_of(file, onsets)
    epochs.event_id = {"left": 1, "right": 2}
    epochs.events[:, 2] = [1 if onset in ONSETS["left"] else 2 for onset in sorted(onsets)]
    epochs.save(path, verbose="error")
    (one,) = find_recordings(study, derivative="mne-bids-pipeline", epochs=True, events=["left"])
    assert (one.name, one.problem) == (f"{file.name}_proc-clean", None)
    values, row = values_of(one, **ALL_CLEAN)
    assert row["seconds"] == 18.0
    for name, value in values.items():
        is_course = any(word in name for word in ("mobility", "complexity", "lz", "aec", "wpli"))
        assert value == pytest.approx(expected[name], abs=5e-3 if is_course else 1e-5), name
    series = epochs.get_data()[:2].transpose(1, 0, 2).reshape(20, -1) * 1e15
    np.testing.assert_allclose(Recording.at(path).read(0, 3600), series, rtol=1e-4, atol=1e-2)
    row = values_of(replace(one, choice=EventChoice()), **ALL_CLEAN)[1]
    assert row["seconds"] == row["clean_seconds"] == 36.0
    with pytest.raises(InputError, match=r"epochs are windows already.*; remove it"):
        extract_features(replace(one, choice=EventChoice(("left",), WINDOW)))
