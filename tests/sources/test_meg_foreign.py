"""Recordings of other laboratories and systems, written by mne, have the values of mne."""

from __future__ import annotations

import shutil
import struct

import mne
import numpy as np
import pytest
import xarray as xr

import ketadask as kd
from ketadask.features.meg.extraction import extract_features
from ketadask.features.meg.stream import decimate_recording
from ketadask.schema.errors import InputError
from ketadask.simulate.meg.bids import write_recordings
from ketadask.simulate.meg.fif import write_recording
from ketadask.simulate.meg.helmet import helmet
from ketadask.sources.meg.channels import REGION_LETTERS, position_regions, sensor_region
from ketadask.sources.meg.collection import find_recordings
from ketadask.sources.meg.recording import Recording

ENGINE = "ketadask-meg"
_BLOCK_START, _INTEGER, _RAW_DATA, _SHIELDED_DATA = 104, 3, 102, 119


@pytest.fixture(scope="module")
def long_names(real_data, tmp_path_factory):
    """Return the real CTF recording as FIF with mne's default names, MLC11-4304."""
    source = real_data / "meg" / "testdata_ctf_short_discontinuous.ds"
    raw = mne.io.read_raw_ctf(source, preload=True, verbose="error")
    path = tmp_path_factory.mktemp("long") / "sub-01_task-rest_meg.fif"
    raw.save(path, verbose="error")
    return path, source


@pytest.mark.parametrize("grade", [0, 1, 2, 3])
def test_ctf_saved_by_mne_reaches_every_grade(long_names, grade):
    path, source = long_names
    dataset = xr.open_dataset(path, engine=ENGINE, grade=grade)
    raw = mne.io.read_raw_fif(path, preload=True, verbose="error")
    raw.apply_gradient_compensation(grade, verbose="error")
    picks = mne.pick_types(raw.info, meg=True, ref_meg=True)
    assert raw.ch_names[picks[-1]].startswith(str(dataset["channel"].values[-1]) + "-")
    expected = raw.get_data(picks) * 1e15
    scale = np.abs(expected).max(axis=1)
    difference = np.abs(dataset["field"].values - expected).max(axis=1)
    assert (difference / scale).max() < 1e-6
    native = xr.open_dataset(source, engine=ENGINE, grade=grade)
    np.testing.assert_allclose(
        dataset["field"].values, native["field"].values, rtol=1e-5, atol=1e-2
    )


@pytest.mark.parametrize("kind", ["eeg", "stim"])
def test_channels_besides_the_field_are_variables_of_their_own(long_names, kind):
    for path in long_names:
        dataset = xr.open_dataset(path, engine=ENGINE, chunks={})
        raw = (
            mne.io.read_raw_ctf(path, verbose="error")
            if path.suffix == ".ds"
            else mne.io.read_raw_fif(path, verbose="error")
        )
        values = raw.get_data(kind)[:, 1100:1300]
        window = dataset[kind].isel(time=slice(1100, 1300))
        np.testing.assert_allclose(window.values, values, rtol=1e-6)
        assert dataset[f"{kind}_channel"].size == len(values)
    assert not {"ecg", "eog"} & set(dataset)


def test_a_recording_compensated_and_without_its_references_keeps_its_grade(long_names, tmp_path):
    raw = mne.io.read_raw_fif(long_names[0], preload=True, verbose="error")
    raw.apply_gradient_compensation(3, verbose="error")
    expected = raw.get_data("mag") * 1e15
    raw.pick(mne.pick_types(raw.info, meg=True, ref_meg=False))
    path = tmp_path / "sub-01_meg.fif"
    raw.save(path, verbose="error")
    dataset = xr.open_dataset(path, engine=ENGINE)
    assert dataset.attrs["grade"] == 3
    np.testing.assert_allclose(dataset["field"].values, expected, rtol=1e-5, atol=1e-2)
    assert decimate_recording(Recording.at(path)).grade == 3


def test_raw_maxshield_is_refused_as_by_mne(tmp_path):
    path = write_recording(tmp_path / "sub-01_meg.fif", helmet(10, references=0), seconds=2)
    block = struct.pack(">iiii", _BLOCK_START, _INTEGER, 4, 0)
    content = path.read_bytes()
    old, new = (block + struct.pack(">i", kind) for kind in (_RAW_DATA, _SHIELDED_DATA))
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    with pytest.raises(ValueError, match="Internal Active Shielding"):
        mne.io.read_raw_fif(path, verbose="error")
    with pytest.raises(InputError, match=r"a raw MaxShield recording.*; process it by MaxFilter"):
        xr.open_dataset(path, engine=ENGINE)


def foreign(folder, names, types, coils, rate=500.0):
    """Write noise of single channels as FIF, and return its path and values."""
    info = mne.create_info(list(names), rate, list(types), verbose="error")
    for channel, coil in zip(info["chs"], coils, strict=True):
        channel["loc"][:3] = np.random.default_rng(len(names)).normal(size=3) / 10
        if coil:
            channel["coil_type"] = coil
    values = np.random.default_rng(0).normal(size=(len(names), round(4 * rate)))
    scale = {"mag": 1e-13, "grad": 1e-11, "eeg": 1e-5, "ecg": 1e-3, "eog": 1e-4, "stim": 1.0}
    values *= [[scale[kind]] for kind in types]
    path = folder / "sub-01_task-rest_meg.fif"
    mne.io.RawArray(values, info, verbose="error").save(path, verbose="error")
    return path, mne.io.read_raw_fif(path, verbose="error").get_data()


@pytest.mark.parametrize(
    ("coil", "kind"),
    [(3024, "magnetometer"), (4001, "magnetometer"), (4002, "gradiometer"), (6001, "gradiometer"),
     (7001, "gradiometer"), (7002, "magnetometer"), (8001, "magnetometer")],
)  # fmt: skip
def test_the_coil_tells_the_kind(tmp_path, coil, kind):
    path, values = foreign(tmp_path, ["A1", "A2"], ["mag"] * 2, [coil] * 2)
    dataset = xr.open_dataset(path, engine=ENGINE)
    assert dataset["kind"].values.tolist() == [kind] * 2
    np.testing.assert_allclose(dataset["field"].values, values * 1e15, rtol=1e-6)


def test_planar_gradiometers_are_in_their_own_unit(tmp_path):
    names, types = ["MEG 0111", "MEG 0112", "MEG 0113"], ["mag", "grad", "grad"]
    path, values = foreign(tmp_path, names, types, [3024, 3012, 3012])
    dataset = xr.open_dataset(path, engine=ENGINE)
    assert dataset["measurement_unit"].values.tolist() == ["fT", "fT/cm", "fT/cm"]
    assert dataset["field"].attrs["units"] == "fT or fT/cm"
    np.testing.assert_allclose(
        dataset["field"].values, values * [[1e15], [1e13], [1e13]], rtol=1e-6
    )


def test_heart_eyes_and_events_are_variables(tmp_path):
    types = ["mag", "ecg", "stim", "eog", "mag"]
    path, values = foreign(
        tmp_path, ["A1", "ECG1", "STI1", "EOG1", "A2"], types, [3024, 0, 0, 0, 3024]
    )
    dataset = xr.open_dataset(path, engine=ENGINE)
    np.testing.assert_allclose(dataset["field"].values, values[[0, 4]] * 1e15, rtol=1e-6)
    for row, kind in ((1, "ecg"), (2, "stim"), (3, "eog")):
        np.testing.assert_array_equal(dataset[kind].values, values[[row]])
    assert dataset["ecg_channel"].values.tolist() == ["ECG1"]
    with pytest.raises(
        InputError, match=r"has no such channels, found 'eeg'; choose one of \['ecg'"
    ):
        Recording.at(path).read_auxiliary("eeg", 0, 5)


@pytest.mark.parametrize(("system", "agreement"), [("ctf275", 0.96), ("ctf151", 0.9)])
def test_regions_by_position_are_those_of_the_letters_of_ctf(system, agreement):
    info = mne.channels.read_meg_canonical_info(system)
    names = [name.partition("-")[0] for name in info.ch_names]
    by_name = [sensor_region(name, (0, 0, 0))[0] for name in names]
    assert set(by_name) == set(REGION_LETTERS.values())
    position = np.array([channel["loc"][:3] for channel in info["chs"]])
    for moved in (position, position + np.array([0.01, 0.02, -0.05])):
        by_position = position_regions(moved)
        assert np.mean([a == b for a, b in zip(by_name, by_position, strict=True)]) >= agreement


def test_regions_of_the_real_recording_by_position(real_data):
    path = real_data / "meg" / "testdata_ctf_short_discontinuous.ds"
    channels = Recording.at(path).header.channels
    by_position = np.array(position_regions(channels.position[channels.sensors]))
    assert (by_position == channels.region[channels.sensors]).mean() >= 0.96


def test_regions_of_megin_are_those_of_its_selections():
    """Of mne's selections of the Vectorview, whose limits are others."""
    info = mne.channels.read_meg_canonical_info("neuromag")
    regions = position_regions(np.array([channel["loc"][:3] for channel in info["chs"]]))
    by_name = dict(zip(info.ch_names, regions, strict=True))
    for region in ("frontal", "occipital", "temporal"):
        names = [n for side in ("Left", "Right") for n in mne.read_vectorview_selection(
            f"{side}-{region}", info=info, verbose="error")]  # fmt: skip
        assert np.mean([by_name[name] == region for name in names]) > 0.6, region


@pytest.mark.parametrize("position", [np.zeros((30, 3)), np.eye(3), np.eye(30)[:, :3] * 5])
def test_what_is_no_helmet_has_no_regions(position):
    assert set(position_regions(position)) == {""}


def test_versions_of_one_recording_are_not_averaged(tmp_path):
    write_recordings(tmp_path, ["sub-01", "sub-02"], seconds=2, sensors=10, rate=300)
    folder = tmp_path / "sub-01" / "ses-p1d0" / "meg"
    recording = folder / "sub-01_ses-p1d0_task-rest_meg.fif"
    shutil.copy(recording, folder / "sub-01_ses-p1d0_task-rest_proc-sss_meg.fif")
    one, *others = find_recordings(tmp_path)
    assert (one.name, len(others)) == ("sub-01_ses-p1d0_task-rest", 3)
    assert "has several versions" in one.problem
    assert one.problem.endswith("choose one by data.proc: none or sss")
    assert [file.problem for file in others] == [None] * 3
    (processed,) = find_recordings(tmp_path, proc="sss")
    assert (processed.name, processed.problem) == ("sub-01_ses-p1d0_task-rest_proc-sss", None)
    assert processed.rate == 300.0  # of the sidecar without a label
    plain, *_ = find_recordings(tmp_path, proc="none")
    assert (plain.name, plain.problem) == (one.name, None)
    assert len(kd.open_recordings(tmp_path, proc="none").leaves) == 4


def test_output_of_mne_bids_pipeline_is_read(tmp_path):
    write_recordings(tmp_path, ["sub-01"], seconds=4, sensors=10, rate=600)
    source, later = find_recordings(tmp_path)
    folder = tmp_path / "derivatives" / "mne-bids-pipeline" / "sub-01" / "ses-p1d0" / "meg"
    folder.mkdir(parents=True)
    raw = mne.io.read_raw_fif(source.path, preload=True, verbose="error")
    raw.filter(None, 80.0, verbose="error")
    raw.info["line_freq"], raw.info["bads"] = 50.0, [raw.ch_names[2]]
    stem = "sub-01_ses-p1d0_task-rest"
    raw.save(folder / f"{stem}_proc-clean_raw.fif", verbose="error")
    raw.save(folder / f"{stem}_proc-filt_raw.fif", verbose="error")
    (file,) = find_recordings(tmp_path, derivative="mne-bids-pipeline")
    assert file.problem.endswith("choose one by data.proc: clean or filt")
    (file,) = find_recordings(tmp_path, derivative="mne-bids-pipeline", proc="clean")
    assert (file.name, file.problem, file.session) == (f"{stem}_proc-clean", None, "ses-p1d0")
    header = Recording.at(file.path).header
    assert (header.mains, header.low_pass) == (50.0, 80.0)
    results = extract_features(file)
    row = results.quality.iloc[0]
    assert (row["mains"], row["bad"]) == (50.0, f"{raw.ch_names[2]} (marked bad)")
    assert "low-pass" in row["flags"]
    tree = kd.open_recordings(tmp_path, derivative="mne-bids-pipeline", proc="filt")
    values = tree.leaves[0].dataset["field"].values
    np.testing.assert_allclose(values, raw.get_data() * 1e15, rtol=1e-5, atol=1e-2)
    assert [one.path for one in find_recordings(tmp_path)] == [source.path, later.path]
    with pytest.raises(InputError, match=r"other: no such folder; correct data\.derivative"):
        find_recordings(tmp_path, derivative="other")
