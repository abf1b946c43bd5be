"""From a recording with planted truth to its features, its quality and its flags."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from scipy import signal

from ketadask.features.meg import registry
from ketadask.features.meg.extraction import extract
from ketadask.features.meg.quality import assess_quality
from ketadask.features.meg.registry import AREAS, FAMILIES, Feature, features
from ketadask.features.meg.settings import MegSettings
from ketadask.features.meg.stream import decimated
from ketadask.schema.errors import InputError
from ketadask.simulate.meg.fif import write_recording
from ketadask.simulate.meg.helmet import helmet
from ketadask.simulate.meg.signals import MegTruth
from ketadask.sources.meg.channels import sensor_region
from ketadask.sources.meg.collection import RecordingFile
from ketadask.sources.meg.recording import Recording

HEAD = helmet(60, references=6)
RATE = 600.0


def recorded(folder, planted=None, *, seconds=40.0, head=HEAD, seed=0, **found):
    """Write a recording and return what the study knows of it."""
    path = folder / "sub-01_task-rest_meg.fif"
    write_recording(path, head, planted, seconds=seconds, rate=RATE, seed=seed)
    return RecordingFile(str(path), "sub-01", "ses-p1d0", "sub-01_ses-p1d0_task-rest", **found)


def values_of(extracted):
    """Return the features by name."""
    return extracted.features.set_index("feature")["value"]


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """Return a clean recording of 60 s with a steep slope and a fast alpha, and its features."""
    planted = MegTruth(exponent=1.4, alpha=11.0, level=80.0, white=2.0)
    found = recorded(tmp_path_factory.mktemp("calm"), planted, seconds=60.0, seed=5)
    return found, planted, extract(found, MegSettings(features="full"))


def test_planted_peak_slope_and_level_are_recovered(calm):
    _, planted, extracted = calm
    values = values_of(extracted)
    assert values["meg_peak_all"] == pytest.approx(planted.alpha, abs=0.7)
    for side in ("left", "right"):
        for region in ("frontal", "temporal", "parietal"):
            slope = values[f"meg_exponent_{region}_{side}"]
            assert slope == pytest.approx(planted.exponent, abs=0.15), (region, side)
        offset = values[f"meg_offset_temporal_{side}"]
        assert offset == pytest.approx(2 * np.log10(planted.level), abs=0.15)
    regions = {r: values[f"meg_power_alpha_{r}_left"] for r in ("occipital", "frontal")}
    assert regions["occipital"] > regions["frontal"] + 0.3


def coupled(folder, family, **pairs):
    """Return the alpha coupling of all areas in a recording with planted pairs of sources."""
    planted = MegTruth(alpha_power=(8.0,) * 5, **pairs)
    extracted = extract(recorded(folder, planted, seconds=90.0), MegSettings(features="full"))
    values = values_of(extracted)
    return {area: values[f"meg_{family}_alpha_{area}"] for area in AREAS if area != "all"}


def test_planted_envelopes_are_recovered_by_envelope_correlation(tmp_path):
    found = coupled(tmp_path, "aec", shared_envelope=((8, 9),), lagged=())
    order = sorted(found, key=found.get)
    assert set(order[-2:]) == {"temporal_left", "temporal_right"}, found
    assert found[order[-2]] > 1.3 * found[order[-3]], found


@pytest.mark.parametrize("family", ["wpli", "imcoh"])
def test_planted_lags_are_recovered_by_phase(tmp_path, family):
    found = coupled(tmp_path, family, shared_envelope=(), lagged=((6, 2),))
    order = sorted(found, key=found.get)
    assert set(order[-2:]) == {"frontal_left", "parietal_left"}, found
    assert found[order[-2]] > 1.3 * found[order[-3]], found


def test_every_feature_of_the_full_set_has_a_value(calm):
    values = values_of(calm[2])
    assert values.index.tolist() == [each.name for each in features("full")]
    assert not values.drop([n for n in values.index if "peak" in n]).isna().any()


def test_band_power_is_that_of_scipy_on_the_same_values(calm):
    found, _, extracted = calm
    made = decimated(Recording.at(found.path))
    frequency, density = signal.welch(made.field.astype(float), 300.0, nperseg=1200)
    values = values_of(extracted)
    inside = np.array([sensor_region(name, (0, 0, 0)) for name in HEAD.names])
    rows = (inside[:, 0] == "occipital") & (inside[:, 1] == "left")
    for band, (low, high) in registry.BANDS.items():
        chosen = (frequency >= low) & (frequency <= high)
        for line in (60, 120):
            chosen &= np.abs(frequency - line) > 2
        power = np.log10(density[:, chosen].mean(axis=1))
        assert values[f"meg_power_{band}_all"] == pytest.approx(power.mean(), abs=1e-4)
        area = values[f"meg_power_{band}_occipital_left"]
        assert area == pytest.approx(power[rows].mean(), abs=1e-4)
    broad = (frequency >= 1) & (frequency <= 45)
    for band, (low, high) in registry.ENIGMA_BANDS.items():
        chosen = (frequency >= low) & (frequency <= high)
        share = np.log10(density[:, chosen].sum(axis=1) / density[:, broad].sum(axis=1))
        assert values[f"meg_relative_{band}_all"] == pytest.approx(share.mean(), abs=1e-4)


def test_a_clean_recording_has_no_flag(calm):
    row = calm[2].quality.iloc[0]
    assert (row["bad_sensors"], row["bad_segments"], row["flags"]) == (0, 0, "")
    assert (row["seconds"], row["clean_seconds"], row["grade"]) == (60.0, 60.0, 3)
    assert row["line_ratio"] < 3


@pytest.mark.parametrize("sensors", [60, 273])
def test_planted_flaws_are_found_and_nothing_else(tmp_path, sensors):
    head = helmet(sensors, references=6)
    planted = MegTruth(
        noisy=(head.names[3],), flat=(head.names[-5],), bursts=((10.2, 1.5), (31.0, 0.8))
    )
    found = recorded(tmp_path, planted, head=head, seed=2)
    extracted = extract(found)
    bad = extracted.channels.set_index("channel")["bad"]
    assert bad[bad != ""].to_dict() == {head.names[3]: "noisy", head.names[-5]: "flat"}
    row = extracted.quality.iloc[0]
    assert row["bad"] == f"{head.names[3]} (noisy), {head.names[-5]} (flat)"
    # Bursts lie in the segments from 10 s and from 30 s.
    assert (row["bad_segments"], row["clean_seconds"]) == (2, 36.0)


@pytest.mark.parametrize("factor", [0.0, 0.01, 100.0])
def test_seconds_without_signal_are_as_bad_as_those_with_too_much(factor):
    field = np.random.default_rng(0).normal(size=(6, 18000)).astype(np.float32)
    field[:, 3000:4200] *= factor
    about = {"groups": ["frontal"] * 6, "named": np.zeros(6, dtype=bool), "mains": 60.0}
    quality = assess_quality(field, 300.0, np.full(6, 100.0), settings=MegSettings(), **about)
    assert np.flatnonzero(~quality.clean).tolist() == [5, 6]


def test_flaws_hardly_move_the_features(tmp_path):
    clean = values_of(extract(recorded(tmp_path, seed=3)))
    planted = MegTruth(noisy=HEAD.names[3:4], flat=HEAD.names[9:10], bursts=((10.2, 1.5),))
    found = recorded(tmp_path, planted, seed=3)
    dirty = values_of(extract(found))
    power = [name for name in clean.index if "power" in name or "relative" in name]
    np.testing.assert_allclose(dirty[power], clean[power], atol=0.12)


def test_mains_that_stay_are_flagged_and_kept_out_of_gamma(tmp_path):
    clean = values_of(extract(recorded(tmp_path, seed=3)))
    found = recorded(tmp_path, MegTruth(mains_left=60.0), seed=3)
    extracted = extract(found)
    row = extracted.quality.iloc[0]
    assert row["flags"] == "mains"
    assert row["line_ratio"] > 50
    for band in ("gamma1", "gamma2"):
        name = f"meg_power_{band}_all"
        assert values_of(extracted)[name] == pytest.approx(clean[name], abs=0.01)


def test_bad_channels_of_the_sidecar_are_not_measured(tmp_path):
    found = recorded(tmp_path, bads=(HEAD.names[0], "MLC99"))
    bad = extract(found).channels.set_index("channel")["bad"]
    assert bad[bad != ""].to_dict() == {HEAD.names[0]: "named bad"}


@pytest.mark.parametrize("seconds", [2.0, 3.5, 480.0])
def test_any_length_is_measured(tmp_path, seconds):
    head = helmet(12, references=4)
    found = recorded(tmp_path, head=head, seconds=seconds)
    extracted = extract(found)
    assert extracted.quality["seconds"].item() == seconds
    values = values_of(extracted)
    missing = values.index[values.isna()]
    assert all("peak" in name for name in missing), list(missing)


def test_the_real_recording_is_measured(real_data):
    path = real_data / "meg" / "testdata_ctf_short_discontinuous.ds"
    found = RecordingFile(str(path), "sub-01", "", "sub-01_task-rest", mains=50.0)
    extracted = extract(found, MegSettings(features="full"))
    row = extracted.quality.iloc[0]
    assert (row["sensors"], row["grade"]) == (273, 3)
    assert row["seconds"] == pytest.approx(2.0)
    values = values_of(extracted)
    assert values[[n for n in values.index if "peak" not in n]].notna().all()
    assert 0 < values["meg_power_alpha_all"] < 5


def test_a_jump_costs_its_segment_and_changes_no_power(tmp_path):
    one, two = (recorded(tmp_path / word, seconds=20.0) for word in ("calm", "jumps"))
    raw = mne.io.read_raw_fif(two.path, preload=True, verbose="error")
    raw.apply_function(
        lambda field: np.r_[field[: 11 * 600], field[11 * 600 :] + 1e-9], picks="mag"
    )
    raw.set_annotations(mne.Annotations([11.0], [0.0], ["EDGE boundary"]))
    raw.save(two.path, overwrite=True, verbose="error")
    calm, jumps = (extract(found, MegSettings(features="full")) for found in (one, two))
    assert (calm.quality["bad_segments"].item(), jumps.quality["bad_segments"].item()) == (0, 1)
    difference = values_of(jumps) - values_of(calm)
    chosen = [name for name in difference.index if name.startswith(("meg_power", "meg_activity"))]
    assert difference[chosen].abs().max() < 0.15


@pytest.mark.parametrize("word", ["BAD_blink", "bad", "blink"])
def test_annotations_of_what_is_bad_are_believed(tmp_path, word):
    found = recorded(tmp_path, seconds=20.0)
    raw = mne.io.read_raw_fif(found.path, verbose="error").crop(2.0).load_data()
    raw.set_annotations(mne.Annotations([3.0, 9.0], [2.0, 0.0], word))
    raw.save(found.path, overwrite=True, verbose="error")
    expected = {(3.0, 5.0), (9.0, 9.0)} if word.lower().startswith("bad") else set()
    spans = Recording.at(found.path).header.bad_spans
    assert {(round(a, 3), round(b, 3)) for a, b in spans} == expected
    assert extract(found).quality["bad_segments"].item() == (3 if expected else 0)


def test_bad_segments_of_ctf_are_believed(tmp_path, real_data):
    place = real_data / "meg" / "testdata_ctf_short_discontinuous.ds"
    path = tmp_path / place.name
    path.mkdir()
    for file in place.iterdir():
        (path / file.name).write_bytes(file.read_bytes())
    found = RecordingFile(str(path), "sub-01", "", "sub-01_task-rest", mains=50.0)
    before = extract(found).quality.iloc[0]
    (path / "bad.segments").write_text("1\t2.1\t2.2\n")
    after = extract(found).quality.iloc[0]
    assert after["bad_segments"] == before["bad_segments"] + 1
    (path / "bad.segments").write_text("2 2.5 2.75\n")
    # A trial of this recording begins two seconds after its trigger, and has 1201 time points.
    ((first, last),) = Recording.at(path).header.bad_spans
    assert (first, last) == pytest.approx((1201 / 1200 + 0.5, 1201 / 1200 + 0.75))
    (path / "bad.segments").write_text("2 0.5\n")
    with pytest.raises(InputError, match=r"bad.segments: line 1: .*found '2 0.5'.*number of the"):
        extract(found)


@pytest.mark.parametrize(
    ("planted", "found", "message"),
    [
        ({"flat": HEAD.names}, {}, "all sensors are flat; find another recording"),
        ({"flat": HEAD.names[:30]}, {}, "30 of 60 sensors are bad, 30 of them flat; look"),
        ({}, {"rate": 1200.0}, "has 600 time points per second, its sidecar says 1200; correct"),
        ({}, {"problem": "channels.tsv cannot be read"}, "channels.tsv cannot be read"),
    ],
)
def test_a_recording_that_cannot_be_used_says_why(tmp_path, planted, found, message):
    with pytest.raises(InputError, match=message):
        extract(recorded(tmp_path, MegTruth(**planted), seconds=6.0, **found))


def test_few_clean_seconds_are_refused(tmp_path):
    settings = MegSettings(bad_segment=-100.0)
    with pytest.raises(InputError, match="only 0 of 6 seconds are clean; look at the recording"):
        extract(recorded(tmp_path, seconds=6.0), settings)


def test_an_unknown_set_names_the_nearest():
    with pytest.raises(InputError, match=r"found 'cor'; did you mean 'core'\?"):
        features("cor")


def test_the_core_is_small_and_part_of_the_full_set():
    core, full = features("core"), features("full")
    assert 30 <= len(core) <= 40
    assert set(core) <= set(full)
    assert len({each.name for each in full}) == len(full)
    assert {each.family for each in full} == set(FAMILIES)
    assert Feature("aec", "beta", "all").label == "MEG beta envelope correlation, all sensors"
