"""A changed byte of any file of a run folder is noticed, and results are computed again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ketadask.schema.errors import InputError
from ketadask.store.checksums import CHECKSUMS, Checksums, verify_folder
from ketadask.store.run_folder import RunFolder

KEY = "0f3a" * 16


@pytest.fixture
def run(tmp_path):
    """Return a run folder with a result of each kind, parts, a dataset and a log."""
    folder = RunFolder.make(tmp_path / "runs", "demo", KEY)
    with folder.lock():
        folder.write_json("provenance.json", {"runs": []})
        folder.write_json("summary.json", {"p": 0.1475})
        folder.write_table("verdicts", pd.DataFrame({"p": [0.1475, 1.0]}), csv=True)
        folder.write_dataset("cohort", xr.Dataset({"value": ("case", np.arange(3.0))}))
        folder.parts("hits", KEY).write("000000-000009", {"hits": pd.DataFrame({"q": [1.0]})})
        nested = folder.parts("predict/svc-linear", KEY)
        nested.write("000000-000001", {"weights": pd.DataFrame({"w": [0.5]})})
        (folder.path / "study.log").write_text("started\n")
    return folder


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1 << (position % 8)
    path.write_bytes(bytes(content))


def test_a_finished_run_has_no_problem(run):
    n_files, problems = verify_folder(run.path)
    files = [path for path in run.path.rglob("*") if path.is_file() and path.name != "lock"]
    assert (n_files, problems) == (len(files), {})


def test_every_changed_byte_is_noticed(run):
    rng = np.random.default_rng(7)
    files = [path for path in run.path.rglob("*") if path.is_file() and path.name != "lock"]
    for path in files:
        content = path.read_bytes()
        for position in rng.integers(0, len(content), 20):
            flip(path, int(position))
            assert verify_folder(run.path)[1], f"{path.name}, byte {position}"
            path.write_bytes(content)
    assert not verify_folder(run.path)[1]


def test_a_damaged_result_is_not_read(run):
    flip(run.path / "summary.json", 9)
    with pytest.raises(InputError, match=r"summary\.json: damaged: .*; run the study again"):
        run.read_json("summary.json")


def test_repair_sets_damaged_results_aside_and_removes_what_belongs_to_them(run):
    flip(run.path / "verdicts.parquet", 40)
    with run.lock():
        problems = run.repair()
    assert list(problems) == ["verdicts.parquet"]
    assert (run.path / "damaged" / "verdicts.parquet").is_file()
    assert not run.has("verdicts.csv")
    assert not run.has("summary.json")
    assert run.read_json("provenance.json") == {"runs": []}
    assert run.key == KEY
    assert not verify_folder(run.path)[1]


def test_repair_of_an_intact_folder_changes_nothing(run):
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    assert run.repair() == {}
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("content", [b"", b"{}", b'{"results": {}, "logs": {}, "checksum": "0"}'])
def test_results_without_their_checksums_are_computed_again(run, content):
    (run.path / CHECKSUMS).write_bytes(content)
    assert list(verify_folder(run.path)[1]) == [CHECKSUMS]
    assert list(run.repair()) == [CHECKSUMS]
    assert not run.has("verdicts.parquet")
    assert run.key == KEY


@pytest.mark.parametrize("position", [9, None], ids=["changed", "deleted"])
def test_damage_of_checksums_and_manifest_leaves_no_unverified_result(run, position):
    flip(run.path / CHECKSUMS, 40)
    manifest = run.path / "manifest.json"
    manifest.unlink() if position is None else flip(manifest, position)
    again = RunFolder.make(run.path.parent, "demo", KEY)
    assert again.key == KEY
    assert list(again.repair()) == [CHECKSUMS]
    assert not again.has("summary.json")


def test_a_removed_result_has_no_checksum(run):
    run.remove("summary.json", "absent.json")
    assert not run.has("summary.json")
    assert Checksums.read(run.path).mismatches(run.path) == {}


def test_a_result_that_someone_deleted_is_missing(run):
    (run.path / "verdicts.csv").unlink()
    assert run.damaged_files() == {"verdicts.csv": "missing"}


def test_the_log_of_a_killed_run_is_not_damaged(run):
    lock = run.lock()
    lock.__enter__()
    (run.path / "study.log").write_text("started\nstarted again\n")
    message = "without a checksum: a run is writing, or ended without finishing"
    assert verify_folder(run.path)[1] == {"study.log": message}
    lock.__exit__(None, None, None)
    assert verify_folder(run.path)[1] == {}


def test_two_processes_create_a_run_folder_with_the_same_bytes(tmp_path):
    runs = [RunFolder.make(tmp_path / name, "demo", KEY).path for name in ("a", "b")]
    for file in ("manifest.json", CHECKSUMS):
        assert (runs[0] / file).read_bytes() == (runs[1] / file).read_bytes()


def test_folders_and_files_of_a_run_are_private(run):
    modes = {path: path.stat().st_mode & 0o077 for path in run.path.rglob("*.parquet")}
    assert run.path.stat().st_mode & 0o777 == 0o700
    assert set(modes.values()) == {0}
