"""The study folder appears whole or not at all, and never at the cost of somebody's data."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ketadask.schema.errors import InputError
from ketadask.simulate.folder import whole_folder
from ketadask.simulate.study import simulate_study


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"study: the folder is not empty; .*overwrite"):
        simulate_study(tmp_path / "study", participants=2)
    assert names(tmp_path) == ["study"]


def test_overwriting_replaces_simulated_studies_only(tmp_path):
    out = simulate_study(tmp_path / "study", participants=2, layout="both")
    simulate_study(out, participants=3, overwrite=True)
    assert not (out / "nda").exists()
    assert len((out / "participants.tsv").read_text().splitlines()) == 4
    (out / "truth.json").unlink()
    with pytest.raises(InputError, match=r"no truth.json.*not overwritten; .*remove"):
        simulate_study(out, participants=2, overwrite=True)
    assert len((out / "participants.tsv").read_text().splitlines()) == 4
    assert names(tmp_path) == ["study"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "study").mkdir()
    assert (simulate_study(tmp_path / "study", participants=2) / "truth.json").exists()


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "study").write_text("")
    with pytest.raises(InputError, match="study: not a folder"):
        simulate_study(tmp_path / "study", participants=2)
    with pytest.raises(InputError, match="cannot be written"):
        simulate_study(tmp_path / "study" / "below", participants=2)


def test_of_a_failed_study_nothing_remains_and_the_old_one_stays(tmp_path, monkeypatch):
    out = simulate_study(tmp_path / "study", participants=2)
    before = (out / "participants.tsv").read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ketadask.simulate.tables.StudyTables.write", fail)
    with pytest.raises(InputError, match=r"No space left on device.*free space"):
        simulate_study(out, participants=3, overwrite=True)
    assert names(tmp_path) == ["study"]
    assert (out / "participants.tsv").read_bytes() == before


def test_when_the_last_step_fails_the_old_folder_comes_back(tmp_path, monkeypatch):
    out = simulate_study(tmp_path / "study", participants=2)
    replace = os.replace

    def fail_once(source: Path, target: Path) -> None:
        if ".partial-" in str(source):
            raise OSError(5, "Input/output error")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_once)
    with pytest.raises(InputError, match="Input/output error"):
        simulate_study(out, participants=3, overwrite=True)
    assert names(tmp_path) == ["study"]
    assert len((out / "participants.tsv").read_text().splitlines()) == 3


def test_what_killed_processes_left_is_swept(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    host = socket.gethostname()
    left = tmp_path / f".study.partial-{host}-{gone.pid}"
    busy = tmp_path / f".study.partial-{host}-{os.getppid()}"
    elsewhere = tmp_path / ".study.partial-otherhost-1"
    for folder in (left, busy, elsewhere):
        folder.mkdir()
    with whole_folder(tmp_path / "study", overwrite=False, mark="truth.json") as new:
        (new / "truth.json").write_text("{}")
    assert names(tmp_path) == sorted([busy.name, elsewhere.name, "study"])


def test_a_folder_that_was_being_replaced_when_a_process_was_killed_is_put_back(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    out = tmp_path / "study"
    left = tmp_path / f".study.replaced-{socket.gethostname()}-{gone.pid}"
    left.mkdir()
    (left / "truth.json").write_text("{}")
    with (
        pytest.raises(InputError, match="not empty"),
        whole_folder(out, overwrite=False, mark="truth.json"),
    ):
        pass
    assert (out / "truth.json").is_file()
    left.mkdir()
    with whole_folder(out, overwrite=True, mark="truth.json") as new:
        (new / "truth.json").write_text("new")
    assert (out / "truth.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["study"]
