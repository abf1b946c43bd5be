"""Recordings of a BIDS study: sidecars honoured, empty room matched, broken ones listed."""

from __future__ import annotations

import json
import shutil
import sys

import dask
import numpy as np
import pytest

import ketadask as kd
from ketadask.schema.errors import InputError
from ketadask.simulate.meg.bids import write_recordings, write_sidecars
from ketadask.simulate.meg.helmet import helmet
from ketadask.sources.cells import read_json_object
from ketadask.sources.meg.collection import find_recordings
from ketadask.sources.meg.sidecars import bad_channels, mains_frequency, read_channels


@pytest.fixture
def study(tmp_path):
    """Return a BIDS folder with two participants of two recordings each."""
    write_recordings(tmp_path, ["sub-01", "sub-02"], seconds=3, sensors=10, rate=300)
    return tmp_path


def failures_of(tree):
    return tree.attrs["failures"]


def test_recordings_become_a_tree_and_nothing_is_read(study):
    def refuse(graph, keys, **options):
        raise AssertionError("something was computed")

    with dask.config.set(scheduler=refuse):
        tree = kd.open_recordings(study, task="rest")
    assert [node.path for node in tree.leaves] == [
        f"/{who}/{when}/{who}_{when}_task-rest"
        for who in ("sub-01", "sub-02")
        for when in ("ses-p1d0", "ses-p2d0")
    ]
    one = tree["sub-01/ses-p2d0/sub-01_ses-p2d0_task-rest"].dataset
    assert (one.attrs["participant"], one.attrs["session"]) == ("sub-01", "ses-p2d0")
    assert (one.attrs["mains"], one.attrs["empty_room"]) == (60.0, "")
    assert one["field"].shape == (16, 900)
    assert tree.attrs["failures"] == {}


def test_bad_channels_of_the_sidecar_are_marked(study):
    head = helmet(10, references=6)
    folder = study / "sub-01" / "ses-p1d0" / "meg"
    stem = "sub-01_ses-p1d0_task-rest"
    write_sidecars(folder, stem, head, seconds=3, rate=300, mains=50, bad=head.names[2:4])
    dataset = kd.open_recordings(study)[f"sub-01/ses-p1d0/{stem}"].dataset
    assert tuple(dataset["channel"].values[dataset["bad"].values]) == head.names[2:4]
    assert dataset.attrs["mains"] == 50.0


def test_broken_recordings_are_listed_and_the_others_open(study):
    folder = study / "sub-01" / "ses-p1d0" / "meg"
    recording = folder / "sub-01_ses-p1d0_task-rest_meg.fif"
    recording.write_bytes(recording.read_bytes()[:20_000])
    sidecar = study / "sub-02" / "ses-p1d0" / "meg" / "sub-02_ses-p1d0_task-rest_meg.json"
    sidecar.write_text(sidecar.read_text().replace("300.0", "1200.0").replace("300,", "1200,"))
    (study / "sub-02" / "ses-p2d0" / "meg" / "sub-02_ses-p2d0_task-rest_meg.fif").unlink()
    tree = kd.open_recordings(study)
    assert [node.name for node in tree.leaves] == ["sub-01_ses-p2d0_task-rest"]
    failures = failures_of(tree)
    assert "copy it again" in failures["sub-01_ses-p1d0_task-rest"]
    assert "its sidecar says 1200; correct" in failures["sub-02_ses-p1d0_task-rest"]
    assert "no recording beside it" in failures["sub-02_ses-p2d0_task-rest"]


def test_a_sidecar_that_cannot_be_read_fails_its_recording_only(study):
    sidecar = study / "sub-02" / "ses-p1d0" / "meg" / "sub-02_ses-p1d0_task-rest_meg.json"
    sidecar.write_text("{")
    tree = kd.open_recordings(study)
    reason = failures_of(tree)["sub-02_ses-p1d0_task-rest"]
    assert "_meg.json: row 1: not valid JSON; correct or remove it" in reason
    assert len(tree.leaves) == 3


def test_the_empty_room_of_the_sidecar_is_matched(study):
    room_folder = study / "sub-emptyroom" / "ses-20200101" / "meg"
    room_folder.mkdir(parents=True)
    source = study / "sub-01" / "ses-p1d0" / "meg"
    name = "sub-emptyroom_ses-20200101_task-noise_meg.fif"
    shutil.copy(source / "sub-01_ses-p1d0_task-rest_meg.fif", room_folder / name)
    sidecar = source / "sub-01_ses-p1d0_task-rest_meg.json"
    properties = json.loads(sidecar.read_text())
    properties["AssociatedEmptyRoom"] = f"sub-emptyroom/ses-20200101/meg/{name}"
    sidecar.write_text(json.dumps(properties))
    tree = kd.open_recordings(study)
    rooms = [node.dataset.attrs["empty_room"] for node in tree.leaves]
    assert rooms[0] == str(room_folder / name)
    assert len(tree.leaves) == 4, "the empty room is not a recording of rest"


def test_real_sidecars_are_read(real_data):
    folder = real_data / "meg" / "ds004215_skeleton"
    meg = folder / "sub-ON02747" / "ses-01" / "meg"
    table = read_channels(next(meg.glob("*_channels.tsv")))
    assert table["name"].tolist()[:3] == ["SCLK01", "BG1", "BG2"]
    assert (table["type"] == "MEGGRADAXIAL").sum() == 272
    assert bad_channels(table) == []
    sidecar = read_json_object(next(meg.glob("*_meg.json")))
    assert (mains_frequency(sidecar), sidecar["SamplingFrequency"]) == (60.0, 1200.0)
    (file,) = find_recordings(folder)
    assert (file.participant, file.session) == ("sub-ON02747", "ses-01")
    assert file.problem == "the sidecar has no recording beside it"


def test_real_ctf_beside_real_sidecars_opens_in_bids(tmp_path, real_data):
    """The real recording, placed where the real sidecars are, is found with both."""
    source = real_data / "meg" / "ds004215_skeleton" / "sub-ON02747" / "ses-01" / "meg"
    folder = tmp_path / "sub-ON02747" / "ses-01" / "meg"
    shutil.copytree(source, folder)
    for file in (folder, *folder.iterdir()):
        file.chmod(0o755)
    recording = real_data / "meg" / "testdata_ctf_short_discontinuous.ds"
    copy = folder / "sub-ON02747_ses-01_task-rest_run-01_meg.ds"
    copy.mkdir()
    for file in recording.iterdir():
        (copy / file.name.replace(recording.stem, copy.stem)).symlink_to(file)
    table = next(folder.glob("*_channels.tsv"))
    lines = table.read_text(encoding="utf-8-sig").splitlines()
    table.write_text(
        "\n".join(line.replace("good", "bad") if "MLT21" in line else line for line in lines)
    )
    dataset = kd.open_recordings(tmp_path).leaves[0].dataset
    assert dataset["channel"].values[dataset["bad"].values].tolist() == ["MLT21"]
    assert dataset.attrs["mains"] == 60.0
    assert np.isfinite(dataset["field"].isel(time=slice(0, 50)).values).all()


def test_a_folder_without_recordings_says_how_they_are_named(tmp_path):
    with pytest.raises(InputError, match=r"task: the study has no such recording, found 'rest'"):
        find_recordings(tmp_path)
    with pytest.raises(InputError, match="no such folder; name the root of a BIDS study"):
        find_recordings(tmp_path / "x")


def test_a_missing_package_names_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mne_bids", None)
    with pytest.raises(InputError, match=r'needs the package mne_bids; .* "ketadask\[meg\]"'):
        find_recordings(tmp_path)
    monkeypatch.setitem(sys.modules, "mne", None)
    monkeypatch.delitem(sys.modules, "ketadask.simulate.meg.fif", raising=False)
    with pytest.raises(InputError, match=r'written by the package mne; .* "ketadask\[meg\]"'):
        write_recordings(tmp_path, ["sub-01"], seconds=2)
