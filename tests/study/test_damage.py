"""A damaged file of a finished run is noticed by the next run, which computes it again."""

from __future__ import annotations

import io
import shutil

import pytest
from rich.console import Console

from ketadask.cluster.profile import Profile
from ketadask.pipeline.progress import Progress
from ketadask.store.checksums import verify_folder
from ketadask.study.study import Study

STUDY = """
name: small
seed: 3
data: {simulate: {participants: 44, seed: 11}}
features: {include: [age, sex, bdi_10]}
search: {max_literals: 2, keep: 20}
splits: {count: 6}
null: {relabellings: 19, calibration_studies: 0}
"""
NOT_RESULTS = ("lock", "study.log", "provenance.json", "checksums.json")


def open_study(folder):
    (folder / "study.yaml").write_text(STUDY)
    progress = Progress(Console(file=io.StringIO(), width=300))
    read = Study.read(folder / "study.yaml", out=folder / "runs", progress=progress)
    return Study(read.settings, read.out, Profile(kind="synchronous"), progress, read.command)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    return folder, open_study(folder).run().folder


def results(run):
    files = [path for path in run.iterdir() if path.is_file() and path.name not in NOT_RESULTS]
    return {path.name: path.read_bytes() for path in files if path.suffix != ".html"}


def test_every_file_of_a_finished_run_has_a_checksum(finished):
    n_files, problems = verify_folder(finished[1])
    assert n_files > 20
    assert problems == {}


@pytest.mark.parametrize(
    "name",
    [
        "verdicts.parquet",
        "verdicts.csv",
        "summary.json",
        "personas.parquet",
        "literals.parquet",
        "report.html",
        "manifest.json",
        "finished.json",
        "checksums.json",
    ],
)
def test_a_damaged_file_is_computed_again(finished, tmp_path, name):
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    run = tmp_path / "runs" / finished[1].name
    before, path = results(run), run / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    study = open_study(tmp_path)
    study.run()
    after = results(run)
    if name != "manifest.json":  # written again when the folder is opened
        assert f"{name} is damaged" in study.progress.console.file.getvalue()
    assert after == before
    assert verify_folder(run)[1] == {}
