"""The run folder: created once, opened again, complete after any kill."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from ketadask.schema.errors import InputError
from ketadask.store.fingerprints import fingerprint
from ketadask.store.parts import Parts
from ketadask.store.run_folder import RunFolder

KEY = fingerprint("study")


@pytest.fixture
def run(tmp_path):
    return RunFolder.make(tmp_path / "runs", "demo", KEY)


def test_create_and_open(run, tmp_path):
    manifest = run.read_json("manifest.json")
    assert (manifest["name"], manifest["key"], run.key) == ("demo", KEY, KEY)
    assert RunFolder.make(tmp_path / "runs", "demo", KEY) == run
    assert RunFolder.open(run.path) == run
    assert run.read_json("manifest.json") == manifest
    assert RunFolder.make(tmp_path / "runs", "demo", fingerprint("other")).path != run.path
    assert pickle.loads(pickle.dumps(run)) == run


def test_relative_folders_stay_what_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = RunFolder.make("runs", "demo", KEY)
    monkeypatch.chdir("/")
    assert run.key == KEY


def test_a_folder_of_another_key_is_an_error(run, tmp_path):
    same_digits = KEY[:12] + "f" * 52
    with pytest.raises(InputError, match=r"belongs to another key.*--out"):
        RunFolder.make(tmp_path / "runs", "demo", same_digits)


def test_a_run_killed_before_its_manifest_is_usable(run, tmp_path):
    (run.path / "manifest.json").unlink()
    assert RunFolder.make(tmp_path / "runs", "demo", KEY).key == KEY


@pytest.mark.parametrize("name", ["", "a/b", "../x", ".x", "a b"])
def test_a_study_has_a_plain_name(tmp_path, name):
    with pytest.raises(InputError, match="name: the name of a study may contain"):
        RunFolder.make(tmp_path, name, KEY)


def test_other_folders_are_no_run_folders(tmp_path):
    with pytest.raises(InputError, match=r"not a run folder; give a folder with a manifest"):
        RunFolder.open(tmp_path)


def test_an_error_names_a_damaged_manifest(run):
    for content in ("", "[]", '{"name": 1}'):
        (run.path / "manifest.json").write_text(content)
        with pytest.raises(InputError, match=r"manifest\.json: damaged.*run the study again"):
            _ = run.key
    assert RunFolder.make(run.path.parent, "demo", KEY).key == KEY


def test_parts_of_a_stage(run):
    assert run.parts("search", KEY) == Parts(run.path / "search", KEY)


def test_reading_returns_json_texts_and_tables(run):
    assert run.write_json("summary.json", {"p": np.nan, "n": np.int64(2)}).is_file()
    assert run.read_json("summary.json") == {"p": None, "n": 2}
    assert run.write_text("note.md", "ä\n").read_bytes() == "ä\n".encode()
    table = pd.DataFrame({"text": ["a <= 1", "b, c"], "q": [0.1, np.nan]})
    file = run.write_table("verdicts", table, csv=True)
    assert file.name == "verdicts.parquet"
    pd.testing.assert_frame_equal(run.read_table("verdicts"), table)
    pd.testing.assert_frame_equal(run.read_table("verdicts.parquet"), table)
    assert (run.path / "verdicts.csv").read_text() == 'text,q\na <= 1,0.1\n"b, c",\n'
    assert run.has("verdicts.parquet")
    assert not run.has("gone.json")


def test_writing_again_replaces_and_leaves_nothing_else(run):
    for text in ("one", "two"):
        run.write_text("note.txt", text)
    assert (run.path / "note.txt").read_text() == "two"
    assert sorted(file.name for file in run.path.iterdir()) == [
        "checksums.json",
        "manifest.json",
        "note.txt",
    ]


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/../../x"])
def test_files_stay_in_the_folder(run, name):
    with pytest.raises(ValueError, match="inside its folder"):
        run.write_text(name, "")


def test_errors_name_missing_and_damaged_files(run):
    with pytest.raises(InputError, match=r"gone\.json: cannot read the file.*run the stage"):
        run.read_json("gone.json")
    run.write_text("half.json", '{"a": ')
    with pytest.raises(InputError, match=r"half\.json: not valid JSON"):
        run.read_json("half.json")
    run.write_text("half.parquet", "PAR1")
    with pytest.raises(InputError, match=r"half\.parquet: not a parquet table"):
        run.read_table("half")


def test_a_folder_that_was_moved_is_not_created_again(run):
    run.path.rename(run.path.with_name("moved"))
    with pytest.raises(InputError, match=r"the folder was moved or deleted .*; move it back"):
        run.write_text("note.txt", "")
    assert not run.path.exists()


SCRIPT = """
import os, signal, sys
import pandas as pd
from pathlib import Path
from ketadask.store.run_folder import RunFolder
from ketadask.store import disk
calls, original = [], Path.replace
def replace(self, target):
    if len(calls) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    calls.append(target)
    return original(self, target)
Path.replace = replace
parts = RunFolder.open(sys.argv[1]).parts("search", "k" * 64)
table = pd.DataFrame({"split": range(10)})
parts.write("000000-000009", {"hits": table, "searches": table})
"""


@pytest.mark.parametrize(("renames", "complete"), [(0, False), (1, False), (2, False), (9, True)])
def test_killed_at_any_moment_a_part_is_complete_or_missing(run, renames, complete):
    arguments = [sys.executable, "-c", SCRIPT, str(run.path), str(renames)]
    code = subprocess.run(arguments, check=False).returncode
    assert code == (0 if complete else -signal.SIGKILL)
    parts = run.parts("search", "k" * 64)
    assert parts.missing(10) == ([] if complete else [(0, 9)])
    leftovers = [file for file in os.listdir(parts.folder) if file != "damaged"]
    assert len(leftovers) == (3 if complete else 0)
    assert len(parts.damaged_files) == (0 if complete else 3)
    table = pd.DataFrame({"split": range(10)})
    parts.write("000000-000009", {"hits": table, "searches": table})
    assert parts.missing(10) == []
