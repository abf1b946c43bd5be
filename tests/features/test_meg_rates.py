"""One head recorded at the rates of different systems has the same features."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from scipy import signal

from ketadask.features.meg.extraction import extract_features
from ketadask.features.meg.settings import MegSettings
from ketadask.features.meg.stream import decimate_recording
from ketadask.schema.errors import InputError
from ketadask.simulate.meg.helmet import helmet
from ketadask.simulate.meg.signals import MegTruth, simulated_field
from ketadask.sources.meg.collection import RecordingFile
from ketadask.sources.meg.recording import Recording

SECONDS, RATE = 40, 1200.0
HEAD = helmet(60, references=0)


@pytest.fixture(scope="module")
def field():
    """Return the field of a head at 1200 Hz without lines, in fT."""
    truth = MegTruth(mains_reference=0.0, drift=0.0, alpha=10.4)
    simulation = simulated_field(HEAD, truth, seconds=SECONDS, rate=RATE, seed=11)
    low_pass = signal.firwin(201, 300.0, fs=RATE)
    return signal.fftconvolve(
        simulation.window(0, simulation.length), low_pass[None], "same", axes=1
    )


def features_at(folder, field, rate, *, names, coil):
    """Write the field at another rate, with sensors where mne expects them; return its features."""
    length = round(SECONDS * rate)
    assert length == SECONDS * rate
    info = mne.create_info(list(names), rate, "mag", verbose="error")
    to_nose, to_left, up = HEAD.position.T
    for channel, place in zip(info["chs"], np.column_stack([-to_left, to_nose, up]), strict=True):
        channel["loc"][:3], channel["coil_type"] = place, coil
    values = field if rate == RATE else signal.resample(field, length, axis=1)
    path = folder / f"sub-{length}_task-rest_meg.fif"
    mne.io.RawArray(values * 1e-15, info, verbose="error").save(path, verbose="error")
    return extract_features(RecordingFile(str(path), "sub-1", "", path.stem))


def noise_of_megin(rate, length, alpha=0.0):
    """Return noise of 306 sensors of MEGIN, with an alpha of this size in all."""
    known = mne.channels.read_meg_canonical_info("neuromag")
    types = ["mag" if name.endswith("1") else "grad" for name in known.ch_names]
    info = mne.create_info(known.ch_names, rate, types, verbose="error")
    for channel, other in zip(info["chs"], known["chs"], strict=True):
        channel["loc"][:], channel["coil_type"] = other["loc"], other["coil_type"]
    values = np.random.default_rng(1).normal(size=(306, length))
    values += alpha * np.sin(2 * np.pi * 10 * np.arange(length) / rate)
    values *= [[1e-13 if kind == "mag" else 3e-12] for kind in types]
    return mne.io.RawArray(values, info, verbose="error")


@pytest.fixture(scope="module")
def vectorview(tmp_path_factory):
    """Return the path of a recording of MEGIN without a sensor of CTF."""
    path = tmp_path_factory.mktemp("megin") / "sub-1_task-rest_meg.fif"
    noise_of_megin(500.0, 10_000, alpha=1.0).save(path, verbose="error")
    return path


@pytest.mark.parametrize(
    ("sensors", "kind", "n", "unit"),
    [("auto", "magnetometer", 102, "fT"), ("planar", "planar", 204, "fT/cm")],
)
def test_either_kind_of_sensors_of_megin_can_be_used(vectorview, sensors, kind, n, unit):
    file = RecordingFile(str(vectorview), "sub-1", "", "sub-1_task-rest")
    results = extract_features(file, MegSettings(sensors=sensors))
    values = results.features.set_index("feature")["value"]
    row = results.quality.iloc[0]
    assert (row["sensor_kind"], row["sensors"], row["measurement_unit"]) == (kind, n, unit)
    assert (row["rate"], row["missing"], row["rank"]) == (250.0, "", n)
    assert values[[name for name in values.index if "peak" not in name]].notna().all()
    # What mne and scipy compute: the sum over both gradients of a location, else one sensor.
    raw = mne.io.read_raw_fif(vectorview, preload=True, verbose="error")
    field = raw.get_data("grad" if sensors == "planar" else "mag")
    field = field * (1e13 if sensors == "planar" else 1e15)
    frequency, density = signal.welch(field, 500.0, nperseg=2000)
    inside = (frequency >= 8) & (frequency <= 13)
    power = density[:, inside].mean(axis=1)
    if sensors == "planar":
        power = power.reshape(-1, 2).sum(axis=1)
    assert values["meg_power_alpha_all"] == pytest.approx(np.log10(power).mean(), abs=5e-3)


def test_sensors_that_a_recording_lacks_are_named(vectorview):
    with pytest.raises(
        InputError, match=r"sensors: .* found 'gradiometer'; choose magnetometer or"
    ):
        decimate_recording(Recording.at(vectorview), MegSettings(sensors="gradiometer"))


@pytest.mark.parametrize("rate", [1000.0, 1017.25])
def test_core_features_are_the_same_at_every_rate(tmp_path, field, rate):
    names = [f"MEG {row:03d}1" for row in range(60)]
    reference = features_at(tmp_path, field, RATE, names=HEAD.names, coil=3024)
    other = features_at(tmp_path, field, rate, names=names, coil=3024)
    one, two = (results.features.set_index("feature")["value"] for results in (reference, other))
    assert one.notna().all()
    assert two.notna().all(), "regions come from positions"
    core = [name for name in one.index if name.endswith("_all")]
    coupling = [name for name in core if "aec" in name or "wpli" in name]
    for name in set(core) - set(coupling):
        assert two[name] == pytest.approx(one[name], rel=0.01), name
    np.testing.assert_allclose(two[coupling], one[coupling], rtol=0.01, atol=1e-3)
    row = other.quality.iloc[0]
    assert (row["recorded_rate"], row["rate"]) == (rate, rate / 3)
    assert row["flags"] == "rate"
