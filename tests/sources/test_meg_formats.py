"""Files of other systems: KIT, BTi/4D and EEG have the values and features that mne computes."""

from __future__ import annotations

import json
import shutil
import struct

import mne
import numpy as np
import pytest
import xarray as xr
from scipy import io, signal

import ketadask as kd
from ketadask.config.analysis import FeatureSettings
from ketadask.features.meg.extraction import extract_features
from ketadask.features.meg.settings import MegSettings
from ketadask.schema.errors import InputError
from ketadask.sources.meg.channels import electrode_region
from ketadask.sources.meg.collection import RecordingFile, find_recordings
from ketadask.sources.meg.recording import Recording

ENGINE = "ketadask-meg"
NAMES = ("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8", "P7", "P3", "Pz",
         "P4", "P8", "O1", "Oz", "O2", "FC1", "FC2", "CP1", "CP2")  # fmt: skip
RATE, SECONDS, STEP = 500, 40, 0.05
MICROVOLTS = {"stored unit": STEP, "flat": "Cz", "noisy": "T8"}


def potential(seed=0):
    """Return the potential of a head in uV (electrode, time): alpha behind, against the vertex."""
    rng = np.random.default_rng(seed)
    length = RATE * SECONDS
    alpha = signal.sosfilt(
        signal.butter(2, (9, 11), "bandpass", fs=RATE, output="sos"), rng.normal(size=length)
    )
    gain = np.array([20.0 if name[0] in "PO" else 5.0 for name in NAMES])
    values = gain[:, None] * alpha / alpha.std()
    pink = np.cumsum(rng.normal(size=values.shape), axis=1)
    values += 2 * signal.sosfilt(signal.butter(1, 1, "highpass", fs=RATE, output="sos"), pink)
    values += rng.normal(size=values.shape)
    values[NAMES.index(MICROVOLTS["noisy"])] += 80 * rng.normal(size=length)
    return values - values[NAMES.index(MICROVOLTS["flat"])]


def write_edf(path, values):
    """Write records of one second as the European Data Format has them."""
    n = len(NAMES)
    stored = np.round(values / STEP).astype("<i2").reshape(n, SECONDS, RATE)
    head = f"{'0':8}{'X X X X':80}{'Startdate X X X X':80}01.01.2601.00.00{256 * (n + 1):<8}"
    head += f"{'':44}{SECONDS:<8}{1:<8}{n:<4}"
    fields = [(16, [f"EEG {name}" for name in NAMES]), (80, [""] * n), (8, ["uV"] * n),
              (8, [f"{-32768 * STEP:.1f}"] * n), (8, [f"{32767 * STEP:.2f}"[:8]] * n),
              (8, [-32768] * n), (8, [32767] * n), (80, [""] * n), (8, [RATE] * n),
              (32, [""] * n)]  # fmt: skip
    head += "".join(f"{cell!s:<{width}}" for width, cells in fields for cell in cells)
    path.write_bytes(head.encode() + stored.transpose(1, 0, 2).tobytes())


def write_brainvision(path, values):
    """Write header and values as BrainVision has them."""
    lines = ["Brain Vision Data Exchange Header File Version 1.0", "[Common Infos]",
             f"DataFile={path.stem}.eeg", "DataFormat=BINARY", "DataOrientation=MULTIPLEXED",
             f"NumberOfChannels={len(NAMES)}", f"SamplingInterval={1e6 / RATE:g}",
             "[Binary Infos]", "BinaryFormat=INT_16", "[Channel Infos]"]  # fmt: skip
    lines += [f"Ch{k}={name},,{STEP},uV" for k, name in enumerate(NAMES, 1)]
    path.write_text("\n".join(lines) + "\n")
    stored = np.round(values / STEP).astype("<i2")
    path.with_suffix(".eeg").write_bytes(stored.T.tobytes())


def write_eeglab(path, values):
    """Write the structure EEG of MATLAB as EEGLAB saves it, without positions."""
    places = np.zeros(len(NAMES), dtype=[(key, object) for key in ("labels", "X", "Y", "Z")])
    for row, name in enumerate(NAMES):
        places[row] = (name, [], [], [])
    eeg = {"setname": path.stem, "nbchan": len(NAMES), "trials": 1, "pnts": values.shape[1],
           "srate": RATE, "xmin": 0.0, "xmax": (values.shape[1] - 1) / RATE, "data": values,
           "chanlocs": places, "chaninfo": {"plotrad": 0.5}, "event": [], "epoch": [],
           "ref": "common"}  # fmt: skip
    io.savemat(path, {"EEG": eeg}, appendmat=False)


def write_egi(path, values):
    """Write the unsegmented simple binary file of EGI, version 4: single precision in uV."""
    head = struct.pack(">i6hi5h", 4, 2026, 1, 1, 0, 0, 0, 0, RATE, len(NAMES), 1, 0, 0)
    head += struct.pack(">ih", values.shape[1], 0)
    path.write_bytes(head + values.T.astype(">f4").tobytes())


WRITERS = {".edf": write_edf, ".vhdr": write_brainvision, ".set": write_eeglab}


def write_study(folder, ending):
    """Write two recordings of EEG into a study of one participant; return the study."""
    for session, seed in (("ses-p1d0", 0), ("ses-p2d0", 1)):
        home = folder / "sub-01" / session / "eeg"
        home.mkdir(parents=True)
        stem = f"sub-01_{session}_task-rest"
        WRITERS[ending](home / f"{stem}_eeg{ending}", potential(seed))
        sidecar = {"PowerLineFrequency": 50, "SamplingFrequency": RATE, "TaskName": "rest"}
        (home / f"{stem}_eeg.json").write_text(json.dumps(sidecar))
    return folder


@pytest.mark.parametrize("ending", WRITERS)
def test_eeg_is_in_microvolts_with_the_values_of_mne(tmp_path, ending):
    path = tmp_path / f"sub-01_task-rest_eeg{ending}"
    WRITERS[ending](path, potential())
    dataset = xr.open_dataset(path, engine=ENGINE)
    assert set(dataset["kind"].values) == {"electrode"}
    assert dataset["field"].attrs == {"long_name": "scalp potential", "units": "uV"}
    assert tuple(dataset["channel"].values) == NAMES
    values = mne.io.read_raw(path, verbose="error").get_data() * 1e6
    np.testing.assert_allclose(dataset["field"].values, values, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(dataset["field"].values, potential(), atol=0.6 * STEP)
    places = dataset.set_coords(["x", "y", "z"]).sel(channel=["O1", "Fz"])
    assert (places["y"].values[0], places["x"].values[0]) < (-0.05, 0)
    assert dataset["region"].values[:4].tolist() == ["frontal"] * 4
    with pytest.raises(InputError, match="the recording has no MEG sensors"):
        Recording.at(path, "meg").header  # noqa: B018
    with pytest.raises(InputError, match=r"ch_type: .* found 'emg'; choose meg or eeg"):
        xr.open_dataset(path, engine=ENGINE, ch_type="emg")


@pytest.mark.parametrize("ending", WRITERS)
def test_eeg_has_the_same_features_by_the_average_reference(tmp_path, ending):
    study = write_study(tmp_path, ending)
    file, later = find_recordings(study, modality="eeg")
    assert (file.name, file.session) == ("sub-01_ses-p1d0_task-rest", "ses-p1d0")
    assert (file.rate, file.mains, later.problem) == (500.0, 50.0, None)
    results = extract_features(file, MegSettings(modality="eeg"))
    row = results.quality.iloc[0]
    assert row["bad"] == "T8 (noisy), Cz (flat)" or row["bad"] == "Cz (flat), T8 (noisy)"
    assert (row["measurement_unit"], row["sensor_kind"]) == ("uV", "electrode")
    values = results.features.set_index("feature")["value"]
    meg_names = {name.replace("eeg_", "meg_", 1) for name in values.index}
    assert meg_names == {feature.name for feature in kd_features()}
    good = [row for row, name in enumerate(NAMES) if name not in ("Cz", "T8")]
    field = mne.io.read_raw(file.path, verbose="error").get_data()[good] * 1e6
    frequency, density = signal.welch(field - field.mean(axis=0), RATE, nperseg=4 * RATE)
    inside = (frequency >= 8) & (frequency <= 13)
    power = np.log10(density[:, inside].mean(axis=1))
    assert values["eeg_power_alpha_all"] == pytest.approx(power.mean(), abs=5e-3)
    occipital = [good.index(NAMES.index("O1"))]
    assert values["eeg_power_alpha_occipital_left"] == pytest.approx(power[occipital][0], abs=5e-3)
    assert values["eeg_peak_all"] == pytest.approx(10.0, abs=0.5)


def kd_features():
    """Return the core features of MEG."""
    from ketadask.features.meg.registry import feature_set

    return feature_set("core")


def test_simple_binary_of_egi_is_in_microvolts(tmp_path):
    path = tmp_path / "sub-01_task-rest_eeg.raw"
    write_egi(path, potential())
    dataset = xr.open_dataset(path, engine=ENGINE)
    assert dataset["channel"].values[:2].tolist() == ["E1", "E2"]
    np.testing.assert_allclose(dataset["field"].values, potential(), rtol=1e-5, atol=1e-3)
    file = RecordingFile(str(path), "sub-01", "", "sub-01_task-rest")
    row = extract_features(file, MegSettings(modality="eeg")).quality.iloc[0]
    assert (row["sensors"], row["measurement_unit"]) == (len(NAMES), "uV")
    assert "missing features" in row["flags"]  # its file has no places


def test_eeg_of_a_study_is_a_modality_of_its_own(tmp_path):
    study = write_study(tmp_path, ".edf")
    tree = kd.open_recordings(study, modality="eeg")
    assert [leaf.dataset.sizes["channel"] for leaf in tree.leaves] == [len(NAMES)] * 2
    power = kd.band_power(tree, settings=MegSettings(features="power", modality="eeg")).compute()
    assert power["value"].notnull().sum() > 100
    assert set(power["feature"].values[:1]) == {"eeg_power_delta_all"}
    assert power["label"].values[0].startswith("EEG delta")
    with pytest.raises(InputError, match=r"_meg\.ds or \.fif"):
        find_recordings(study)
    assert FeatureSettings(modalities=("eeg",)).recording_modality == "eeg"
    with pytest.raises(ValueError, match="remove meg or eeg"):
        FeatureSettings(modalities=("eeg", "meg"))


def test_either_kind_of_a_simultaneous_recording_can_be_opened(tmp_path):
    types = ["mag", "eeg", "eeg", "mag"]
    info = mne.create_info(["A1", "Fz", "Pz", "A2"], 500.0, types, verbose="error")
    values = np.random.default_rng(0).normal(size=(4, 900)) * [[1e-13], [1e-5], [1e-5], [1e-13]]
    path = tmp_path / "sub-01_task-rest_meg.fif"
    mne.io.RawArray(values, info, verbose="error").save(path, verbose="error")
    field = xr.open_dataset(path, engine=ENGINE)
    assert field["channel"].values.tolist() == ["A1", "A2"]
    assert field["eeg_channel"].values.tolist() == ["Fz", "Pz"]
    eeg = xr.open_dataset(path, engine=ENGINE, ch_type="eeg")
    assert eeg["channel"].values.tolist() == ["Fz", "Pz"]
    np.testing.assert_allclose(eeg["field"].values, values[1:3] * 1e6, rtol=1e-5)


def test_names_of_the_10_05_system_tell_the_region():
    """Whatever the system calls them, most lie where the names say."""
    montage = mne.channels.make_standard_montage("biosemi64").get_positions()["ch_pos"]
    for name, place in montage.items():
        region, side = electrode_region(name)
        assert region, name
        if abs(place[0]) > 0.01:
            assert side == ("right" if place[0] > 0 else "left")
    assert electrode_region("E17") == ("", "")


@pytest.fixture(scope="module")
def mne_files(real_data):
    """Return the folder of the small recordings that the repository of mne-python has."""
    folder = real_data / "mne-python" / "mne" / "io"
    if not folder.is_dir():
        pytest.skip("clone https://github.com/mne-tools/mne-python into KETADASK_REAL_DATA")
    return folder


def test_kit_and_bti_have_the_values_of_mne(mne_files, tmp_path):
    bti = tmp_path / "sub-01_task-rest_meg"
    bti.mkdir()
    for old, new in (("pdf", "c,rfDC"), ("config", "config"), ("hs", "hs_file")):
        shutil.copy(mne_files / "bti" / "tests" / "data" / f"test_{old}_linux", bti / new)
    kit = mne_files / "kit" / "tests" / "data" / "test.sqd"
    raws = {
        bti: mne.io.read_raw_bti(bti / "c,rfDC", bti / "config", bti / "hs_file",
                                 rename_channels=False, verbose="error"),
        kit: mne.io.read_raw_kit(kit, verbose="error"),
    }  # fmt: skip
    for path, raw in raws.items():
        dataset = xr.open_dataset(path, engine=ENGINE)
        sensors = dataset["kind"] != "reference"
        expected = raw.get_data("mag") * 1e15
        np.testing.assert_allclose(
            dataset["field"][sensors.values].values, expected, rtol=1e-5, atol=1e-2
        )
        assert set(dataset["region"].values[sensors.values]) == {
            "central", "frontal", "occipital", "parietal", "temporal"
        }  # fmt: skip
    assert set(xr.open_dataset(bti, engine=ENGINE)["kind"].values) == {"magnetometer", "reference"}
    assert "gradiometer" in xr.open_dataset(kit, engine=ENGINE)["kind"].values
