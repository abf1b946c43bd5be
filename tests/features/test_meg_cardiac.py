"""Cardiac artefacts are removed, and signals of the brain are kept."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import mne
import numpy as np
import pytest

from ketadask.features.meg.cardiac import (
    multiply_rows,
    regular_pulse,
    removal_matrix,
    remove_cardiac,
)
from ketadask.features.meg.extraction import extract_features
from ketadask.features.meg.quality import Quality
from ketadask.features.meg.settings import MegSettings
from ketadask.features.meg.stream import DecimatedField, decimate_recording
from ketadask.schema.errors import InputError
from ketadask.simulate.meg.fif import write_recording
from ketadask.simulate.meg.helmet import helmet
from ketadask.simulate.meg.signals import MegTruth, heart_pattern, simulated_field
from ketadask.sources.meg.collection import RecordingFile
from ketadask.sources.meg.recording import Recording

HEAD = helmet(40, references=6)
CALM = MegTruth(alpha=10.5, level=60.0)
BEATING = replace(CALM, heart=1500.0, pulse=66.0)
METHODS = ("ssp", "ica")


def simulate_file(folder, truth, name):
    """Write 30 s of a recording and return its entry in the study."""
    path = folder / f"{name}_meg.fif"
    write_recording(path, HEAD, truth, seconds=30.0, rate=300.0, seed=4)
    return RecordingFile(str(path), "sub-01", "ses-p1d0", name)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heart")
    return {n: simulate_file(folder, p, n) for n, p in (("calm", CALM), ("beating", BEATING))}


@pytest.fixture(scope="module")
def results_of(files):
    """Return a function that extracts a recording once per way."""
    return cache(
        lambda name, method: extract_features(files[name], MegSettings(cardiac_artefact=method))
    )


def values_of(results):
    """Return the features by name."""
    return results.features.set_index("feature")["value"]


def beat(file, method):
    """Return the amplitude of the cardiac pattern in the mean beat, relative to the truth."""
    data = decimate_recording(Recording.at(file.path))
    quality = Quality(("",) * 40, np.ones(15, dtype=bool), 600)
    remove_cardiac(data, quality, list(HEAD.names), method)
    period = 60 / BEATING.pulse
    beats = np.arange(2, 31) * period
    at = np.round((beats + 0.02 * np.sin(0.5 * np.pi * beats)) * 300).astype(int)
    mean = data.field[:, at].mean(axis=1) - data.field.mean(axis=1)
    pattern = heart_pattern(HEAD)
    return float(mean @ pattern / (pattern @ pattern)) / BEATING.heart


@pytest.mark.parametrize("method", [METHODS[0], pytest.param(METHODS[1], marks=pytest.mark.slow)])
def test_the_mean_beat_is_removed(files, method):
    assert beat(files["beating"], "none") == pytest.approx(1.0, abs=0.1)
    assert abs(beat(files["beating"], method)) < 0.1


# A projector takes one dimension off, of which a simulated brain of ten sources has a part; a
# component knows the heart from what lies under it.
@pytest.mark.parametrize(
    ("method", "area", "all_sensors", "peak"), [("ssp", 0.2, 0.1, 0.7), ("ica", 0.1, 0.05, 0.2)]
)
def test_the_planted_brain_stays(results_of, method, area, all_sensors, peak):
    calm, dirty = (values_of(results_of(name, "none")) for name in ("calm", "beating"))
    clean = values_of(results_of("beating", method))
    assert clean["meg_peak_all"] == pytest.approx(calm["meg_peak_all"], abs=peak)
    for band in ("alpha", "beta", "gamma1", "gamma2"):
        name = f"meg_power_{band}_all"
        assert clean[name] == pytest.approx(calm[name], abs=all_sensors), name
    for side in ("left", "right"):
        name = f"meg_power_alpha_occipital_{side}"
        assert clean[name] == pytest.approx(calm[name], abs=area), name
    assert dirty["meg_power_beta_all"] > calm["meg_power_beta_all"] + 0.2
    row = results_of("beating", method).quality.iloc[0]
    assert row["heart_removed"] == 1
    assert row["pulse"] == pytest.approx(BEATING.pulse, abs=2)


def dipolar_field(name, *, pulses=None):
    """Return a field without a heart, and with one whose field has both signs; and the beats."""
    field = simulated_field(HEAD, CALM, seconds=40.0, rate=300.0, seed=4).window(0, 12000)
    calm = field[: len(HEAD.names)] - HEAD.weights.astype(np.float32) @ field[len(HEAD.names) :]
    pattern = HEAD.position[:, 1] / np.abs(HEAD.position[:, 1]).max()
    pattern -= pattern.mean()
    beats = np.cumsum(np.full(50, 0.9) if pulses is None else pulses)
    time = np.arange(12000) / 300
    course = sum(np.exp(-0.5 * ((time - beat) / 0.012) ** 2) for beat in beats if beat < 39)
    data = DecimatedField(
        (calm + 1500 * np.outer(pattern, course)).astype(np.float32), 300.0, np.arange(40),
        np.full(40, 1e4), 3, ecg=None if name == "sensors" else course.astype(np.float32),
    )  # fmt: skip
    return calm, data, pattern, np.round(beats[(beats > 1) & (beats < 38)] * 300).astype(int)


def mean_beat(field, pattern, at):
    return float((field[:, at].mean(axis=1) - field.mean(axis=1)) @ pattern / (pattern @ pattern))


@pytest.mark.parametrize("name", ["sensors", "ecg"])
@pytest.mark.parametrize("method", [METHODS[0], pytest.param(METHODS[1], marks=pytest.mark.slow)])
def test_a_heart_of_both_signs_is_removed(name, method):
    """Its mean over the sensors is nothing, as under a helmet of CTF."""
    calm, data, pattern, at = dipolar_field(name)
    quality = Quality(("",) * 40, np.ones(20, dtype=bool), 600)
    assert mean_beat(data.field, pattern, at) == pytest.approx(1500, rel=0.1)
    removal = remove_cardiac(data, quality, list(HEAD.names), method)
    assert abs(mean_beat(data.field, pattern, at)) < 150
    assert removal.n_components >= 1
    assert removal.pulse == pytest.approx(60 / 0.9, abs=2)
    lost = 1 - data.field.var(axis=1).sum() / calm.var(axis=1).sum()
    assert lost < 0.2, "the rest stays"


def test_an_irregular_heart_is_removed_by_its_electrocardiogram_only():
    pulses = np.random.default_rng(3).uniform(0.65, 1.25, 60)
    for name, n_components in (("ecg", 1), ("sensors", 0)):
        _, data, pattern, at = dipolar_field(name, pulses=pulses)
        quality = Quality(("",) * 40, np.ones(20, dtype=bool), 600)
        removal = remove_cardiac(data, quality, list(HEAD.names), "ssp")
        assert removal.n_components == n_components
        assert (abs(mean_beat(data.field, pattern, at)) < 150) == (n_components == 1)


@pytest.mark.parametrize("method", METHODS)
def test_an_electrocardiogram_without_beats_removes_nothing(method):
    _, data, _, _ = dipolar_field("ecg")
    quality = Quality(("",) * 40, np.ones(20, dtype=bool), 600)
    before, ecg = data.field.copy(), np.zeros_like(data.ecg)
    removal = remove_cardiac(replace(data, ecg=ecg), quality, list(HEAD.names), method)
    assert removal.n_components == 0
    np.testing.assert_array_equal(data.field, before)


def test_an_electrocardiogram_that_was_not_connected_counts_as_none(tmp_path):
    info = mne.create_info([*HEAD.names, "ECG063"], 300.0, ["mag"] * 40 + ["ecg"], verbose="error")
    values = np.vstack([dipolar_field("ecg")[1].field * 1e-15, np.full(12000, 1e-4)])
    path = tmp_path / "sub-01_meg.fif"
    mne.io.RawArray(values, info, verbose="error").save(path, verbose="error")
    settings = MegSettings(cardiac_artefact="ssp")
    assert decimate_recording(Recording.at(path), settings).ecg is None


@pytest.mark.parametrize("column", [None, "EEG001"])
def test_the_electrocardiogram_of_a_recording_is_used(tmp_path, column):
    """Of its own type, or of the type that channels.tsv gives it."""
    _, data, _, _ = dipolar_field("ecg")
    kinds = ["mag"] * 40 + ["eeg" if column else "ecg"]
    info = mne.create_info([*HEAD.names, column or "ECG063"], 300.0, kinds, verbose="error")
    values = np.vstack([data.field * 1e-15, 1e-3 * data.ecg])
    path = tmp_path / "sub-01_meg.fif"
    mne.io.RawArray(values, info, verbose="error").save(path, verbose="error")
    settings = MegSettings(cardiac_artefact="ssp")
    own = decimate_recording(Recording.at(path), settings, ecg=column).ecg
    centred = data.ecg - data.ecg.mean()
    np.testing.assert_allclose(own, centred / np.abs(centred).max(), atol=1e-3)
    assert (decimate_recording(Recording.at(path), settings).ecg is None) == bool(column)
    assert decimate_recording(Recording.at(path), MegSettings(), ecg=column).ecg is None
    file = RecordingFile(str(path), "sub-01", "", "sub-01", ecg=column)
    row = extract_features(file, settings).quality.iloc[0]
    assert (row["heart_removed"], row["pulse"]) == (1, pytest.approx(60 / 0.9, abs=1))


@pytest.mark.parametrize("method", [METHODS[0], pytest.param(METHODS[1], marks=pytest.mark.slow)])
def test_without_a_heartbeat_nothing_changes(results_of, method):
    before, results = results_of("calm", "none"), results_of("calm", method)
    assert results.features.equals(before.features), "alpha is no heart"
    assert results.quality["heart_removed"].item() == 0
    assert np.isnan(results.quality["pulse"].item())


def test_by_default_nothing_is_removed(results_of):
    assert MegSettings().cardiac_artefact == "none"
    assert results_of("beating", "none").quality["heart_removed"].item() == 0


def test_removal_of_components_equals_that_of_mne():
    rng = np.random.default_rng(0)
    field = rng.laplace(size=(12, 4000)) * rng.uniform(1, 9, (12, 1))
    field = rng.normal(size=(12, 12)) @ field
    raw = mne.io.RawArray(field, mne.create_info(12, 200.0, "mag"), verbose="error")
    ica = mne.preprocessing.ICA(5, method="infomax", random_state=0, verbose="error")
    ica.fit(raw, verbose="error")
    theirs = ica.apply(raw.copy(), exclude=[1, 3], verbose="error").get_data()
    ours = removal_matrix(ica, np.array([1, 3])) @ field
    # Theirs leaves out the mean before and adds it after.
    away = theirs - ours
    np.testing.assert_allclose(away, np.broadcast_to(away[:, :1], away.shape), atol=1e-9)


def test_windows_change_nothing():
    rng = np.random.default_rng(1)
    field = rng.normal(size=(7, 1000)).astype(np.float32)
    matrix, rows = rng.normal(size=(4, 4)), np.array([0, 2, 3, 6])
    fields = []
    for step in (1000, 64):
        fields.append(field.copy())
        multiply_rows(fields[-1], rows, matrix, step)
    np.testing.assert_allclose(fields[0], fields[1], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(fields[0][[1, 4, 5]], field[[1, 4, 5]])


@pytest.mark.parametrize(
    ("beats", "pulse"),
    [
        (np.arange(0, 30, 1.0), 60.0),
        (np.arange(0, 30, 0.3), np.nan),
        (np.arange(0, 5, 1.0), np.nan),
        (np.sort(np.random.default_rng(0).uniform(0, 60, 60)), np.nan),
    ],
)
def test_only_regular_beats_are_a_heart(beats, pulse):
    np.testing.assert_equal(regular_pulse(beats), pulse)


@pytest.mark.parametrize("method", METHODS)
def test_two_sensors_are_too_few_for_a_removal(method):
    field = np.random.default_rng(2).normal(size=(2, 4500)).astype(np.float32)
    data = DecimatedField(field.copy(), 300.0, np.arange(2), np.ptp(field, axis=1), 0)
    quality = Quality(("", ""), np.ones(7, dtype=bool), 600)
    assert remove_cardiac(data, quality, ["A", "B"], method).n_components == 0
    np.testing.assert_array_equal(data.field, field)


def test_an_unknown_way_is_named(files):
    with pytest.raises(InputError, match=r"cardiac_artefact: .*found 'icaa'; did you mean 'ica'\?"):
        extract_features(files["calm"], MegSettings(cardiac_artefact="icaa"))
