"""From a recording with planted truth to its features, its quality and its flags."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from scipy import signal

from ketadask.features.meg import registry
from ketadask.features.meg.extraction import extract_features
from ketadask.features.meg.quality import assess_quality
from ketadask.features.meg.registry import AREAS, FEATURE_GROUPS, Feature, feature_set
from ketadask.features.meg.settings import MegSettings
from ketadask.features.meg.stream import decimate_recording
from ketadask.schema.errors import InputError
from ketadask.simulate.meg.fif import write_recording
from ketadask.simulate.meg.helmet import helmet
from ketadask.simulate.meg.signals import MegTruth
from ketadask.sources.meg.channels import sensor_region
from ketadask.sources.meg.collection import RecordingFile
from ketadask.sources.meg.recording import Recording

HEAD = helmet(60, references=6)
RATE = 600.0


def simulate_file(folder, truth=None, *, seconds=40.0, head=HEAD, seed=0, **file):
    """Write a recording and return its entry in the study."""
    path = folder / "sub-01_task-rest_meg.fif"
    write_recording(path, head, truth, seconds=seconds, rate=RATE, seed=seed)
    return RecordingFile(str(path), "sub-01", "ses-p1d0", "sub-01_ses-p1d0_task-rest", **file)


def values_of(results):
    """Return the features by name."""
    return results.features.set_index("feature")["value"]


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """Return a clean recording of 60 s with a steep slope and a fast alpha, and its features."""
    truth = MegTruth(exponent=1.4, alpha=11.0, level=80.0, white=2.0)
    file = simulate_file(tmp_path_factory.mktemp("calm"), truth, seconds=60.0, seed=5)
    return file, truth, extract_features(file, MegSettings(features="full"))


def test_planted_peak_slope_and_level_are_recovered(calm):
    _, truth, results = calm
    values = values_of(results)
    assert values["meg_peak_all"] == pytest.approx(truth.alpha, abs=0.7)
    for side in ("left", "right"):
        for region in ("frontal", "temporal", "parietal"):
            slope = values[f"meg_exponent_{region}_{side}"]
            assert slope == pytest.approx(truth.exponent, abs=0.15), (region, side)
        offset = values[f"meg_offset_temporal_{side}"]
        assert offset == pytest.approx(2 * np.log10(truth.level), abs=0.15)
    regions = {r: values[f"meg_power_alpha_{r}_left"] for r in ("occipital", "frontal")}
    assert regions["occipital"] > regions["frontal"] + 0.3


def area_coupling(folder, family, **pairs):
    """Return the alpha coupling of all areas in a recording with planted pairs of sources."""
    truth = MegTruth(alpha_power=(8.0,) * 5, **pairs)
    results = extract_features(
        simulate_file(folder, truth, seconds=90.0), MegSettings(features="full")
    )
    values = values_of(results)
    return {area: values[f"meg_{family}_alpha_{area}"] for area in AREAS if area != "all"}


def test_planted_envelopes_are_recovered_by_envelope_correlation(tmp_path):
    coupling = area_coupling(tmp_path, "aec", shared_envelope=((8, 9),), lagged_pairs=())
    order = sorted(coupling, key=coupling.get)
    assert set(order[-2:]) == {"temporal_left", "temporal_right"}, coupling
    assert coupling[order[-2]] > 1.3 * coupling[order[-3]], coupling


@pytest.mark.parametrize("family", ["wpli", "imcoh"])
def test_planted_lags_are_recovered_by_phase(tmp_path, family):
    coupling = area_coupling(tmp_path, family, shared_envelope=(), lagged_pairs=((6, 2),))
    order = sorted(coupling, key=coupling.get)
    assert set(order[-2:]) == {"frontal_left", "parietal_left"}, coupling
    assert coupling[order[-2]] > 1.3 * coupling[order[-3]], coupling


def test_every_feature_of_the_full_set_has_a_value(calm):
    values = values_of(calm[2])
    assert values.index.tolist() == [feature.name for feature in feature_set("full")]
    assert not values.drop([n for n in values.index if "peak" in n]).isna().any()


def test_band_power_is_that_of_scipy_on_the_same_values(calm):
    file, _, results = calm
    data = decimate_recording(Recording.at(file.path))
    frequency, density = signal.welch(data.field.astype(float), 300.0, nperseg=1200)
    values = values_of(results)
    regions_of_sensors = np.array([sensor_region(name, (0, 0, 0)) for name in HEAD.names])
    rows = (regions_of_sensors[:, 0] == "occipital") & (regions_of_sensors[:, 1] == "left")
    for band, (low, high) in registry.BANDS.items():
        inside_band = (frequency >= low) & (frequency <= high)
        for line in (60, 120):
            inside_band &= np.abs(frequency - line) > 2
        power = np.log10(density[:, inside_band].mean(axis=1))
        assert values[f"meg_power_{band}_all"] == pytest.approx(power.mean(), abs=1e-4)
        area = values[f"meg_power_{band}_occipital_left"]
        assert area == pytest.approx(power[rows].mean(), abs=1e-4)
    broad = (frequency >= 1) & (frequency <= 45)
    for band, (low, high) in registry.ENIGMA_BANDS.items():
        inside_band = (frequency >= low) & (frequency <= high)
        fraction = np.log10(density[:, inside_band].sum(axis=1) / density[:, broad].sum(axis=1))
        assert values[f"meg_relative_{band}_all"] == pytest.approx(fraction.mean(), abs=1e-4)


def test_a_clean_recording_has_no_flag(calm):
    row = calm[2].quality.iloc[0]
    assert (row["bad_sensors"], row["bad_segments"], row["flags"]) == (0, 0, "")
    assert (row["seconds"], row["clean_seconds"], row["grade"]) == (60.0, 60.0, 3)
    assert row["line_ratio"] < 3


@pytest.mark.parametrize("sensors", [60, 273])
def test_planted_flaws_are_found_and_nothing_else(tmp_path, sensors):
    head = helmet(sensors, references=6)
    truth = MegTruth(
        noisy=(head.names[3],), flat=(head.names[-5],), bursts=((10.2, 1.5), (31.0, 0.8))
    )
    file = simulate_file(tmp_path, truth, head=head, seed=2)
    results = extract_features(file)
    bad = results.channels.set_index("channel")["bad"]
    assert bad[bad != ""].to_dict() == {head.names[3]: "noisy", head.names[-5]: "flat"}
    row = results.quality.iloc[0]
    assert row["bad"] == f"{head.names[3]} (noisy), {head.names[-5]} (flat)"
    # Bursts lie in the segments from 10 s and from 30 s.
    assert (row["bad_segments"], row["clean_seconds"]) == (2, 36.0)


@pytest.mark.parametrize("factor", [0.0, 0.01, 100.0])
def test_seconds_without_signal_are_as_bad_as_those_with_too_much(factor):
    field = np.random.default_rng(0).normal(size=(6, 18000)).astype(np.float32)
    field[:, 3000:4200] *= factor
    about = {"groups": ["frontal"] * 6, "bads": np.zeros(6, dtype=bool), "mains": 60.0}
    quality = assess_quality(field, 300.0, np.full(6, 100.0), settings=MegSettings(), **about)
    assert np.flatnonzero(~quality.clean).tolist() == [5, 6]


def test_flaws_hardly_move_the_features(tmp_path):
    clean = values_of(extract_features(simulate_file(tmp_path, seed=3)))
    truth = MegTruth(noisy=HEAD.names[3:4], flat=HEAD.names[9:10], bursts=((10.2, 1.5),))
    file = simulate_file(tmp_path, truth, seed=3)
    dirty = values_of(extract_features(file))
    power = [name for name in clean.index if "power" in name or "relative" in name]
    np.testing.assert_allclose(dirty[power], clean[power], atol=0.12)


def test_noise_without_a_peak_has_none(tmp_path):
    truth = MegTruth(alpha_power=(0.0,) * 5, shared_envelope=(), lagged_pairs=())
    values = values_of(extract_features(simulate_file(tmp_path, truth, seconds=20.0)))
    peaks = values[[name for name in values.index if "peak" in name]]
    assert peaks.isna().sum() >= len(peaks) - 1, peaks


@pytest.mark.parametrize("references", [0, 6])
def test_a_grade_out_of_reach_is_flagged(tmp_path, references):
    file = simulate_file(tmp_path, head=helmet(60, references=references), seconds=34.0)
    row = extract_features(file).quality.iloc[0]
    flag = "" if references else "grade not reached"
    assert (row["grade"], row["flags"]) == ((3, "") if references else (0, flag))


def test_mains_that_stay_are_flagged_and_kept_out_of_gamma(tmp_path):
    clean = values_of(extract_features(simulate_file(tmp_path, seed=3)))
    file = simulate_file(tmp_path, MegTruth(mains_left=60.0), seed=3)
    results = extract_features(file)
    row = results.quality.iloc[0]
    assert row["flags"] == "mains"
    assert row["line_ratio"] > 50
    for band in ("gamma1", "gamma2"):
        name = f"meg_power_{band}_all"
        assert values_of(results)[name] == pytest.approx(clean[name], abs=0.01)


def test_bad_channels_of_the_sidecar_are_not_measured(tmp_path):
    file = simulate_file(tmp_path, bads=(HEAD.names[0], "MLC99"))
    bad = extract_features(file).channels.set_index("channel")["bad"]
    assert bad[bad != ""].to_dict() == {HEAD.names[0]: "marked bad"}


@pytest.mark.parametrize("seconds", [2.0, 3.5, 480.0])
def test_any_length_is_measured(tmp_path, seconds):
    head = helmet(12, references=4)
    file = simulate_file(tmp_path, head=head, seconds=seconds)
    results = extract_features(file)
    assert results.quality["seconds"].item() == seconds
    values = values_of(results)
    missing = values.index[values.isna()]
    # A few seconds are fewer than three blocks of alpha.
    expected = {"meg_wpli_alpha_all"} if seconds < 4 else set()
    assert {name for name in missing if "peak" not in name} == expected
    row = results.quality.iloc[0]
    assert set(row["missing"].split(", ")) - {""} == expected
    assert ("little data for coupling" in row["flags"]) == (seconds < 31)
    complete = seconds // 2 * 2
    assert row["coupling_seconds"] == pytest.approx(complete - 2 * min(0.5, complete / 8), abs=0.6)


def test_the_real_recording_is_measured(real_data):
    path = real_data / "meg" / "testdata_ctf_short_discontinuous.ds"
    file = RecordingFile(str(path), "sub-01", "", "sub-01_task-rest", mains=50.0)
    results = extract_features(file, MegSettings(features="full"))
    row = results.quality.iloc[0]
    assert (row["sensors"], row["grade"]) == (273, 3)
    assert row["seconds"] == pytest.approx(2.0)
    values = values_of(results)
    # Two seconds hold too few independent values for the coupling of slow bands.
    missing = {name for name in values.index[values.isna()] if "peak" not in name}
    assert all(name.startswith(("meg_aec", "meg_wpli", "meg_imcoh")) for name in missing)
    assert 0 < values["meg_power_alpha_all"] < 5


def test_a_jump_costs_its_segment_and_changes_no_power(tmp_path):
    one, two = (simulate_file(tmp_path / word, seconds=20.0) for word in ("calm", "jumps"))
    raw = mne.io.read_raw_fif(two.path, preload=True, verbose="error")
    raw.apply_function(
        lambda field: np.r_[field[: 11 * 600], field[11 * 600 :] + 1e-9], picks="mag"
    )
    raw.set_annotations(mne.Annotations([11.0], [0.0], ["EDGE boundary"]))
    raw.save(two.path, overwrite=True, verbose="error")
    calm, jumps = (extract_features(file, MegSettings(features="full")) for file in (one, two))
    assert (calm.quality["bad_segments"].item(), jumps.quality["bad_segments"].item()) == (0, 1)
    difference = values_of(jumps) - values_of(calm)
    names = [name for name in difference.index if name.startswith(("meg_power", "meg_activity"))]
    assert difference[names].abs().max() < 0.15


@pytest.mark.parametrize("word", ["BAD_blink", "bad", "blink"])
def test_annotations_of_what_is_bad_are_believed(tmp_path, word):
    file = simulate_file(tmp_path, seconds=20.0)
    raw = mne.io.read_raw_fif(file.path, verbose="error").crop(2.0).load_data()
    raw.set_annotations(mne.Annotations([3.0, 9.0], [2.0, 0.0], word))
    raw.save(file.path, overwrite=True, verbose="error")
    expected = {(3.0, 5.0), (9.0, 9.0)} if word.lower().startswith("bad") else set()
    spans = Recording.at(file.path).header.bad_spans
    assert {(round(a, 3), round(b, 3)) for a, b in spans} == expected
    assert extract_features(file).quality["bad_segments"].item() == (3 if expected else 0)


def test_bad_segments_of_ctf_are_believed(tmp_path, real_data):
    source = real_data / "meg" / "testdata_ctf_short_discontinuous.ds"
    path = tmp_path / source.name
    path.mkdir()
    for file in source.iterdir():
        (path / file.name).write_bytes(file.read_bytes())
    file = RecordingFile(str(path), "sub-01", "", "sub-01_task-rest", mains=50.0)
    before = extract_features(file).quality.iloc[0]
    (path / "bad.segments").write_text("1\t2.1\t2.2\n")
    after = extract_features(file).quality.iloc[0]
    assert after["bad_segments"] == before["bad_segments"] + 1
    (path / "bad.segments").write_text("2 2.5 2.75\n")
    # A trial of this recording begins two seconds after its trigger, and has 1201 time points.
    ((first, last),) = Recording.at(path).header.bad_spans
    assert (first, last) == pytest.approx((1201 / 1200 + 0.5, 1201 / 1200 + 0.75))
    (path / "bad.segments").write_text("2 0.5\n")
    with pytest.raises(InputError, match=r"bad.segments: line 1: .*found '2 0.5'.*number of the"):
        extract_features(file)


@pytest.mark.parametrize(
    ("truth", "file", "message"),
    [
        ({"flat": HEAD.names}, {}, "all sensors are flat; find another recording"),
        ({"flat": HEAD.names[:30]}, {}, "30 of 60 sensors are bad, 30 of them flat; look"),
        ({}, {"rate": 1200.0}, "has 600 time points per second, its sidecar says 1200; correct"),
        ({}, {"problem": "channels.tsv cannot be read"}, "channels.tsv cannot be read"),
    ],
)
def test_a_recording_that_cannot_be_used_says_why(tmp_path, truth, file, message):
    with pytest.raises(InputError, match=message):
        extract_features(simulate_file(tmp_path, MegTruth(**truth), seconds=6.0, **file))


def test_few_clean_seconds_are_refused(tmp_path):
    settings = MegSettings(bad_segment=-100.0)
    with pytest.raises(InputError, match="only 0 of 6 seconds are clean; look at the recording"):
        extract_features(simulate_file(tmp_path, seconds=6.0), settings)


def test_an_unknown_set_names_the_nearest():
    with pytest.raises(InputError, match=r"found 'cor'; did you mean 'core'\?"):
        feature_set("cor")


def test_the_core_is_small_and_part_of_the_full_set():
    core, full = feature_set("core"), feature_set("full")
    assert 30 <= len(core) <= 40
    assert set(core) <= set(full)
    assert len({feature.name for feature in full}) == len(full)
    assert {feature.group for feature in full} == set(FEATURE_GROUPS)
    assert Feature("aec", "beta", "all").label == "MEG beta envelope correlation, all sensors"
