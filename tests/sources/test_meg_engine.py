"""Recordings through xarray: the values of mne, whichever way a window is reached."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import dask
import mne
import numpy as np
import pytest
import xarray as xr

from ketadask.schema.errors import InputError
from ketadask.simulate.meg.fif import write_recording
from ketadask.simulate.meg.helmet import helmet
from ketadask.simulate.meg.signals import MegTruth
from ketadask.sources.meg.recording import Recording

ENGINE = "ketadask-meg"
FEMTO = 1e15


@pytest.fixture(scope="module")
def ctf(real_data):
    """Return the path of the real CTF recording and mne's view of it."""
    path = real_data / "meg" / "testdata_ctf_short_discontinuous.ds"
    return path, mne.io.read_raw_ctf(path, clean_names=True, verbose="error")


@pytest.fixture(scope="module")
def fif(tmp_path_factory):
    """Return the path of a simulated recording and mne's view of it."""
    path = tmp_path_factory.mktemp("fif") / "sub-01_task-rest_meg.fif"
    write_recording(path, helmet(20, references=4), seconds=6, seed=1)
    return path, mne.io.read_raw_fif(path, verbose="error")


@pytest.mark.parametrize("grade", [None, 0, 1, 2, 3])
def test_real_ctf_has_the_values_of_mne_at_every_grade(ctf, grade):
    path, raw = ctf
    dataset = xr.open_dataset(path, engine=ENGINE, grade=grade)
    expected = raw.copy()
    if grade:
        expected.apply_gradient_compensation(grade, verbose="error")
    values = expected.get_data(dataset["channel"].values.tolist()) * FEMTO
    assert dataset["field"].dtype == np.float32
    # One unit in the last place of float32: sums of the compensation may be taken in another order.
    np.testing.assert_array_max_ulp(dataset["field"].values, values.astype(np.float32), maxulp=1)
    assert dataset.attrs["grade"] == (grade or 0)


def test_real_ctf_channels_are_what_the_site_says(ctf):
    path, raw = ctf
    dataset = xr.open_dataset(path, engine=ENGINE)
    kinds = dataset["kind"].to_series().value_counts().to_dict()
    assert kinds == {"gradiometer": 273, "reference": 28}
    assert (dataset.sizes["time"], dataset.attrs["trials"]) == (2402, 2)
    sensors = dataset.where(dataset["kind"] == "gradiometer", drop=True)
    regions = sensors["region"].to_series().value_counts().to_dict()
    counts = {"temporal": 68, "frontal": 68, "central": 52, "parietal": 45, "occipital": 40}
    assert regions == counts
    assert set(sensors.sel(channel=["MLC11", "MZO02"])["hemisphere"].values) == {"left", "midline"}
    position = raw.info["chs"][raw.ch_names.index("MRT21")]["loc"][:3]
    at = dataset.sel(channel="MRT21")
    np.testing.assert_array_equal([at["x"], at["y"], at["z"]], position)
    assert not dataset["bad"].values.any()


def test_the_second_trial_begins_where_the_first_ends(ctf):
    path, raw = ctf
    window = Recording.at(path).read(1190, 1215, rows=np.array([100]))
    name = xr.open_dataset(path, engine=ENGINE)["channel"].values[100]
    expected = raw.get_data([name], 1190, 1215) * FEMTO
    np.testing.assert_array_equal(window, expected.astype(np.float32))


@pytest.mark.parametrize("split", [False, True], ids=["whole", "split"])
def test_fif_has_the_values_of_mne_exactly(tmp_path, split):
    path = tmp_path / ("sub-01_split-01_meg.fif" if split else "sub-01_meg.fif")
    head = helmet(120, references=4)
    size = "2MB" if split else "2GB"
    write_recording(tmp_path / "sub-01_meg.fif", head, seconds=6, seed=1, split_size=size)
    files = sorted(file.name for file in tmp_path.glob("*.fif"))
    assert (len(files) > 1) == split, files
    raw = mne.io.read_raw_fif(path, verbose="error")
    dataset = xr.open_dataset(path, engine=ENGINE)
    np.testing.assert_array_equal(
        dataset["field"].values, (raw.get_data() * FEMTO).astype(np.float32)
    )
    raw.apply_gradient_compensation(3, verbose="error")
    values = xr.open_dataset(path, engine=ENGINE, grade=3)["field"].values
    expected = (raw.get_data() * FEMTO).astype(np.float32)
    np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("sub-01_meg.ds", "sub-01_meg.ds/BadChannels"),
        ("sub-01_split-01_meg.fif", "sub-01_split-02_meg.fif"),
        ("sub-01_meg.fif", "sub-01_meg-1.fif"),
    ],
)
def test_a_recording_is_another_once_any_of_its_files_is(tmp_path, name, beside):
    (tmp_path / name).mkdir() if name.endswith(".ds") else (tmp_path / name).touch()
    (tmp_path / beside).write_bytes(b"MLC11\n")
    (tmp_path / "sub-02_meg.fif").touch()
    first = Recording.at(tmp_path / name)
    (tmp_path / "sub-02_meg.fif").write_bytes(b"of another")
    assert Recording.at(tmp_path / name) == first
    (tmp_path / beside).write_bytes(b"MLC11\nMLC12\n")
    assert Recording.at(tmp_path / name) != first


@pytest.mark.parametrize("source", ["ctf", "fif"])
def test_windows_read_at_once_equal_serial_reads(source, request):
    path, raw = request.getfixturevalue(source)
    recording = Recording.at(path)
    complete = recording.read(0, raw.n_times, grade=3)
    rng = np.random.default_rng(0)
    starts = rng.integers(0, raw.n_times - 300, 600)
    lengths = rng.integers(1, 300, 600)

    def equal(start, length):
        window = recording.read(int(start), int(start + length), grade=3)
        return np.allclose(window, complete[:, start : start + length], rtol=1e-6, atol=1e-3)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(equal, starts, lengths))


def refuse(graph, keys, **options):
    raise AssertionError("something was computed")


def test_chunks_are_lazy_and_travel_as_a_path(fif):
    path, raw = fif
    with dask.config.set(scheduler=refuse):
        dataset = xr.open_dataset(path, engine=ENGINE, chunks={"time": 1000})
        part = dataset["field"].sel(time=slice(1.0, 2.0), channel=["MLC11", "BG1"])
    assert len(pickle.dumps(dataset)) < 60_000 < raw.get_data().nbytes / 20
    copy = pickle.loads(pickle.dumps(part))
    expected = raw.get_data(["MLC11", "BG1"], 1200, 2401) * FEMTO
    np.testing.assert_array_equal(copy.values, expected.astype(np.float32))


@pytest.mark.parametrize(
    "key",
    [
        {"time": 7},
        {"channel": 3},
        {"time": [5, 3, 900], "channel": [4, 0]},
        {"time": slice(None, None, 7)},
        {"time": slice(900, 100, -3)},
        {"time": slice(4, 4)},
        {"channel": slice(2, 20, 5), "time": slice(1300, 1400)},
    ],
)
def test_any_index_gives_what_the_whole_gives(fif, key):
    path, _ = fif
    dataset = xr.open_dataset(path, engine=ENGINE)["field"]
    np.testing.assert_array_equal(dataset.isel(key).values, dataset.load().isel(key).values)


def test_time_is_exact_and_not_stored(fif):
    path, raw = fif
    time = xr.open_dataset(path, engine=ENGINE)["time"]
    np.testing.assert_allclose(time.values, np.arange(raw.n_times) / 1200, rtol=0, atol=1e-12)
    dataset = xr.open_dataset(path, engine=ENGINE)
    assert dataset.sel(time=slice(0.5, 1.0)).sizes["time"] == 601
    assert dataset.sel(time=slice(None, 0.1)).sizes["time"] == 121
    assert dataset.isel(time=slice(600, None)).sel(time=slice(0.5, 0.6)).sizes["time"] == 121
    assert dataset.sel(time=2.0004, method="nearest")["time"].item() == pytest.approx(2.0)


def test_bads_are_marked_and_a_stranger_is_passed_over(fif):
    dataset = xr.open_dataset(fif[0], engine=ENGINE, bads=["MLC11-4304", "nobody"])
    assert dataset["channel"].values[dataset["bad"].values].tolist() == ["MLC11"]


def test_the_engine_guesses_its_files(fif):
    assert "field" in xr.open_dataset(fif[0])


def broken(kind, folder, real):
    """Write a recording broken in one way and return its path."""
    if kind == "cut fif":
        path = write_recording(folder / "a_meg.fif", helmet(10, references=0), seconds=4)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 3])
        return path
    path = folder / "a.ds"
    path.mkdir()
    for file in real.iterdir():
        content = b"" if kind == f"empty {file.suffix}" else file.read_bytes()
        if kind == f"cut {file.suffix}":
            content = content[: len(content) * 2 // 3]
        if kind != f"no {file.suffix}":
            (path / file.name.replace(real.stem, "a")).write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("cut fif", "copy it again"),
        ("no .meg4", r"the folder has no \.meg4; copy the complete folder"),
        ("no .res4", r"the folder has no \.res4; copy the complete folder"),
        ("cut .meg4", "copy it again"),
        ("empty .meg4", "copy it again"),
        ("cut .res4", "copy it again"),
        ("empty .res4", "copy it again"),
    ],
)
def test_a_broken_recording_says_what_is_wrong(tmp_path, ctf, kind, message):
    path = broken(kind, tmp_path, ctf[0])
    with pytest.raises(InputError, match=message) as error:
        xr.open_dataset(path, engine=ENGINE)
    assert str(path) in str(error.value)


def test_a_renamed_folder_says_what_to_rename(tmp_path, ctf):
    path = broken("nothing", tmp_path, ctf[0]).rename(tmp_path / "b.ds")
    with pytest.raises(InputError, match=r"found 'a\.res4'; rename the files in it to b\.\*"):
        assert Recording.at(path).header


def test_a_whole_copy_is_not_broken(tmp_path, ctf):
    path = broken("nothing", tmp_path, ctf[0])
    assert xr.open_dataset(path, engine=ENGINE).sizes["time"] == 2402


def test_wrong_paths_and_grades_are_named(tmp_path, fif):
    with pytest.raises(InputError, match=r"x\.ds: no such recording; check the path"):
        Recording.at(tmp_path / "x.ds")
    with pytest.raises(
        InputError,
        match=r"not a recording of MEG or EEG; name a folder of BTi/4D or .*\.ds",
    ):
        Recording.at(tmp_path)
    with pytest.raises(InputError, match=r"grade: .*compensation, found 2; choose one of \[0, 3\]"):
        xr.open_dataset(fif[0], engine=ENGINE, grade=2)


def test_a_recording_without_references_has_grade_0_only(tmp_path):
    path = write_recording(tmp_path / "a_meg.fif", helmet(10, references=0), seconds=2)
    assert xr.open_dataset(path, engine=ENGINE).sizes["channel"] == 10
    with pytest.raises(InputError, match="no such gradient compensation, found 3"):
        xr.open_dataset(path, engine=ENGINE, grade=3)


def test_compensation_removes_what_the_references_see(tmp_path):
    path = write_recording(tmp_path / "a_meg.fif", helmet(30), MegTruth(drift=5000.0), seconds=4)
    spread = partial(xr.DataArray.std, dim="time")
    raw = spread(xr.open_dataset(path, engine=ENGINE)["field"][:30]).values
    clean = spread(xr.open_dataset(path, engine=ENGINE, grade=3)["field"][:30]).values
    assert np.median(raw) > 5 * np.median(clean)
