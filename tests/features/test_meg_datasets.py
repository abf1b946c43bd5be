"""What a user does to a recording changes its features as the same edits by mne do."""

from __future__ import annotations

import dask
import mne
import numpy as np
import pytest
import scipy.signal
import xarray as xr

import ketadask as kd
from ketadask.features.meg.extraction import extract_features
from ketadask.features.meg.registry import BANDS
from ketadask.features.meg.settings import MegSettings
from ketadask.schema.errors import InputError
from ketadask.simulate.meg.fif import write_recording
from ketadask.simulate.meg.helmet import helmet
from ketadask.sources.meg.collection import RecordingFile, open_recording
from ketadask.sources.meg.engine import holds_its_file, recording_blocks
from tests.features.test_meg_stream import split_in_two

RATE, SECONDS = 1200.0, 24
SETTINGS = MegSettings(features="full")
NAMES = [name for name in helmet(40).names if not name.startswith("MRT")][:20]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Return a recording with references, with a grade that is not the recorded one."""
    folder = tmp_path_factory.mktemp("edits")
    head = helmet(40, references=6)
    return write_recording(folder / "sub-01_task-rest_meg.fif", head, seconds=SECONDS, rate=RATE)


def entry(path):
    return RecordingFile(str(path), "sub-01", "ses-p1d0", "sub-01_task-rest")


def open_at(path, seconds):
    """Return a recording in Dask blocks, or as xarray's own lazy array."""
    dataset = open_recording(entry(path))
    return dataset if seconds is None else recording_blocks(dataset, seconds)


def load_raw(path):
    return mne.io.read_raw_fif(path, preload=True, verbose="error")


def edited_features(raw, folder):
    """Return the features of what mne has edited, written by mne and read from that file."""
    path = folder / "edited_meg.fif"
    raw.save(path, fmt="double", overwrite=True, verbose="error")
    return extract_features(entry(path), SETTINGS).features.set_index("feature")["value"]


def resample(field, up, down, axis=-1):
    return scipy.signal.resample_poly(field, up, down, axis=axis)


def resample_dataset(dataset):
    """Return a recording at three quarters of its rate, by scipy within xarray."""
    field = xr.apply_ufunc(
        resample, dataset["field"].chunk(time=-1), 3, 4, input_core_dims=[["time"], [], []],
        output_core_dims=[["time"]], exclude_dims={"time"}, dask="parallelized",
        output_dtypes=[np.float64],
        dask_gufunc_kwargs={"output_sizes": {"time": dataset.sizes["time"] * 3 // 4}},
        keep_attrs=True,
    )  # fmt: skip
    time = np.arange(field.sizes["time"]) / (RATE * 3 / 4)
    return dataset.drop_dims("time").assign(field=field.assign_coords(time=time))


def resample_raw(raw):
    values = resample(raw.get_data(), 3, 4)
    with raw.info._unlock():
        raw.info["sfreq"] = RATE * 3 / 4
    return mne.io.RawArray(values, raw.info, first_samp=0, verbose="error")


EDITS = {
    "crop": (
        lambda data: data.sel(time=slice(3, 19.5)),
        lambda raw: raw.crop(3, 19.5),
    ),
    "scale": (
        lambda data: data.assign(field=data["field"] * 10),
        lambda raw: raw.apply_function(lambda v: 10 * v, picks=["mag", "ref_meg"]),
    ),
    "pick": (
        lambda data: data.sel(channel=NAMES),
        lambda raw: raw.pick(NAMES),
    ),
    "pick with references": (
        lambda data: data.isel(
            channel=(data["kind"] == "reference") | (data["region"] == "frontal")
        ),
        lambda raw: raw.pick([n for n in raw.ch_names if n[:1] in "BGPQR" or n[2:3] == "F"]),
    ),
    "resample": (resample_dataset, resample_raw),
    "all": (
        lambda data: resample_dataset(data).sel(channel=NAMES, time=slice(2, 20)) * 3,
        lambda raw: resample_raw(raw).pick(NAMES).crop(2, 20).apply_function(lambda v: 3 * v),
    ),
}  # fmt: skip


@pytest.mark.parametrize("seconds", [None, 7.3])
@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_changes_features_as_the_same_edit_by_mne(path, tmp_path, edit, seconds):
    by_xarray, by_mne = EDITS[edit]
    expected = edited_features(by_mne(load_raw(path)), tmp_path)
    with xr.set_options(keep_attrs=True):
        dataset = by_xarray(open_at(path, seconds))
    assert not holds_its_file(dataset)
    value = kd.meg_features(dataset, settings=SETTINGS)["value"].compute().to_series()
    values = value.droplevel("recording")
    np.testing.assert_allclose(values, expected[values.index], rtol=1e-6, atol=1e-6)
    assert np.isfinite(values).mean() > 0.2


def test_band_power_of_an_edit_is_that_of_mne_without_any_file(path):
    """At 300 Hz nothing is filtered: the power is that of mne's own Welch spectrum."""
    raw = load_raw(path).apply_gradient_compensation(3, verbose="error").pick(NAMES)
    raw.resample(300.0, verbose="error").crop(1, 20).apply_function(lambda values: 4 * values)
    field = raw.get_data() * 1e15
    density, frequency = mne.time_frequency.psd_array_welch(
        field, 300.0, n_fft=1200, n_per_seg=1200, n_overlap=600, window="hann", verbose="error"
    )
    dataset = open_at(path, None).sel(channel=NAMES)
    edit = xr.Dataset(
        {"field": (("channel", "time"), field)},
        {**dataset["field"].drop_vars("time").coords, "time": 1 + np.arange(field.shape[1]) / 300},
    )
    values = kd.band_power(edit, settings=MegSettings(features="power", bad_segment=99.0))["value"]
    values = values.compute().to_series().droplevel("recording")
    for band, (low, high) in BANDS.items():
        inside = (frequency >= low) & (frequency <= high)
        for line in (60, 120):
            inside &= np.abs(frequency - line) > 2
        power = np.log10(density[:, inside].mean(axis=1)).mean()
        assert values[f"meg_power_{band}_all"] == pytest.approx(power, abs=1e-6), band


@pytest.mark.parametrize("seconds", [None, 10.0])
def test_an_untouched_recording_is_read_from_its_file(path, seconds):
    dataset = open_at(path, seconds)
    assert holds_its_file(dataset)
    task = kd.meg_features(dataset, settings=SETTINGS)["value"]
    expected = extract_features(entry(path), SETTINGS).features["value"]
    np.testing.assert_array_equal(task.values[0], expected)
    assert len(task.data.dask) <= 6, "one task reads it, two shape the row"


@pytest.mark.parametrize("seconds", [None, 10.0])
def test_the_blocks_of_an_untouched_field_give_the_same_numbers(path, seconds):
    """Multiplied by 1 nothing is proven about the field any more: it is measured as data."""
    dataset = open_at(path, seconds)
    edit = dataset.assign(field=dataset["field"] * np.float32(1))
    assert not holds_its_file(edit)
    values = kd.meg_features(edit, settings=SETTINGS)["value"].values[0]
    expected = extract_features(entry(path), SETTINGS).features["value"]
    np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-6)


DOUBTS = {
    "time": lambda data: data.assign_coords(time=data["time"].values + 1.0),
    "order": lambda data: data.isel(channel=slice(None, None, -1)),
    "region": lambda data: data.assign_coords(region=("channel", data["region"].values[::-1])),
    "mark removed": lambda data: data.assign_coords(bad=data["bad"] & False),
    "values in memory": lambda data: data.load(),
    "another file": lambda data: data.assign_attrs(source=data.attrs["source"] + "x"),
}  # fmt: skip


@pytest.mark.parametrize("seconds", [None, 10.0])
@pytest.mark.parametrize("doubt", DOUBTS)
def test_any_doubt_means_the_data(tmp_path, doubt, seconds):
    head = helmet(12)
    path = write_recording(tmp_path / "a_meg.fif", head, seconds=4, rate=300)
    raw = load_raw(path)
    raw.info["bads"] = [raw.ch_names[0]]
    raw.save(path, overwrite=True, verbose="error")
    dataset = open_at(path, seconds)
    assert holds_its_file(dataset)
    assert not holds_its_file(DOUBTS[doubt](dataset))


def test_marks_of_the_user_count(path):
    dataset = open_at(path, 10.0)
    bad = dataset["bad"].copy(data=dataset["channel"].values == NAMES[0])
    marked = dataset.assign_coords(bad=bad)
    assert holds_its_file(marked)
    expected = extract_features(
        RecordingFile(str(path), "", "", "", bads=(NAMES[0],)), SETTINGS
    ).features["value"]
    values = [
        kd.meg_features(data, settings=SETTINGS)["value"].values[0]
        for data in (marked, marked.assign(field=marked["field"] * np.float32(1)))
    ]
    np.testing.assert_array_equal(values[0], expected)
    np.testing.assert_allclose(values[1], expected, rtol=1e-6, atol=1e-6)


def test_a_recording_that_was_stopped_is_filtered_piece_by_piece(tmp_path):
    head = helmet(20, references=0)
    _, both = split_in_two(tmp_path, head, None, jump=1e6, seconds=(6.1, 17.0), rate=1200.0)
    dataset = open_at(both, 10.0)
    edit = dataset.assign(field=dataset["field"].astype(np.float64))
    values = kd.meg_features(edit, settings=SETTINGS)["value"].values[0]
    expected = extract_features(entry(both), SETTINGS).features["value"]
    # float32 values around 1e6 fT are steps of 0.06 fT; the stream subtracts before it rounds.
    np.testing.assert_allclose(values, expected, atol=1e-2)


def test_a_tree_is_edited_as_a_whole_and_stays_lazy(tmp_path):
    folder = kd.simulate_study(tmp_path / "study", participants=2, meg_seconds=8)

    def refuse(graph, keys, **options):
        raise AssertionError("something was computed")

    with dask.config.set(scheduler=refuse):
        tree = kd.open_recordings(folder)
        assert all(node["field"].chunks for node in tree.leaves)
        louder = kd.band_power(tree.map_over_datasets(lambda node: node * 10))
        plain = kd.band_power(tree)
        kd.meg_features(tree.sel(time=slice(1, 7)))
        with pytest.raises(AssertionError, match="something was computed"):
            louder.compute()
    assert louder["participant"].values.tolist() == plain["participant"].values.tolist()
    assert louder["session"].values.tolist() == plain["session"].values.tolist()
    difference = (louder["value"] - plain["value"]).values
    np.testing.assert_allclose(difference[np.isfinite(difference)], 2.0, atol=1e-6)
    assert np.isfinite(difference).any()


def test_what_cannot_be_measured_says_why(path):
    dataset = open_at(path, 10.0)
    with pytest.raises(InputError, match="time points are not equally spaced; select one span"):
        kd.meg_features(dataset.isel(time=[0, 1, 5, 6]))
    with pytest.raises(InputError, match="reference channels without their compensation; keep"):
        kd.meg_features(dataset.assign_attrs(source=""))
    with pytest.raises(InputError, match="too few for frequencies up to 100 Hz"):
        kd.meg_features(dataset.isel(time=slice(None, None, 10)))
    with pytest.raises(InputError, match="lack the coordinate kind"):
        kd.meg_features(dataset.sel(channel=NAMES).drop_vars("kind").assign_attrs(source=""))
    missing = dataset.assign(field=dataset["field"].where(dataset["time"] > 3))
    assert np.isnan(kd.meg_features(missing)["value"].values).all()
