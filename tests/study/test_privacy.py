"""Who took part, and every password, is in the named files of a run folder only, for its owner."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr
from rich.console import Console

from ketadask.cluster import slurm
from ketadask.cluster.profile import JobSettings, Profile
from ketadask.features.graph import recordings_stage
from ketadask.features.meg.settings import MegSettings
from ketadask.pipeline.progress import Progress
from ketadask.simulate.study import simulate_study
from ketadask.sources.meg.collection import find_recordings
from ketadask.store.parts import Parts
from ketadask.study.study import Study
from ketadask.study.submit import submit_study
from tests.conftest import ROOT

NAME, PASSWORD = "QXPLANT", "hunter2-planted"
STUDY = """
name: private
data: {folder: study}
features: {modalities: [demographic, scale, volume], include: [age, bdi_10, "wm-lh-p*"]}
search: {max_literals: 2, keep: 20}
splits: {count: 4}
null: {relabellings: 19, calibration_studies: 0}
predict:
  {repeats: 1, folds: 2, inner_repeats: 1, inner_folds: 2, costs: [1.0], covariates: [age]}
EXECUTION
"""
# The files that hold identifiers or passwords, as config/README.md lists them.
WITH_NAMES = {
    *("cohort.zarr", "splits.zarr", "explained.parquet", "left_out.parquet"),
    *("prediction_cases.parquet", "prediction_cases.csv", "predict"),
}
WITH_PASSWORD = {"profile.json", "prologue.sh"}


def plant_names(folder):
    """Give the participants of a study folder names that occur nowhere else."""
    for path in sorted(folder.rglob("*"), key=lambda path: -len(path.parts)):
        if path.suffix in (".tsv", ".json", ".txt", ".stats"):
            path.write_text(path.read_text().replace("K000", NAME))
        if "K000" in path.name:
            path.rename(path.with_name(path.name.replace("K000", NAME)))


def study_of(folder, execution="", profile=None):
    (folder / "study.yaml").write_text(STUDY.replace("EXECUTION", execution))
    console = Console(file=io.StringIO(), width=400)
    study = Study.read(folder / "study.yaml", out=folder / "runs", progress=Progress(console))
    return Study(study.settings, study.out, profile or Profile(kind="synchronous"), study.progress)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("private")
    plant_names(simulate_study(folder / "study", participants=44, seed=11))
    return folder


@pytest.fixture(scope="module")
def run(folder):
    """Return the folder of a submitted run, whose profile has a password in its prologue."""
    job = JobSettings(prologue=("module load python", f"export API_TOKEN={PASSWORD}"))
    profile = Profile(kind="slurm", workers=1, job=job)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slurm, "my_jobs", lambda name: [])
        patch.setattr(slurm, "submit", lambda script, folder: "77")
        submit_study(study_of(folder, profile=profile))
    study = study_of(folder)
    path = study.run().folder
    (path / "printed").touch(mode=0o600)
    (path / "printed").write_text(study.progress.console.file.getvalue())
    return path


def content(path):
    """Return the text of a file of a run folder, compressed tables and datasets included."""
    text = path.read_bytes() if path.is_file() else b""
    if path.suffix == ".parquet":
        text += pd.read_parquet(path).to_csv().encode()
    if path.suffix == ".zarr":
        dataset = xr.open_zarr(path)
        texts = [dataset[name].values.astype(str) for name in dataset.variables]
        text = " ".join(str(value) for array in texts for value in array.ravel()).encode()
    return text.decode(errors="replace") + path.name


def files_with(run, word):
    """Return the first names below the run folder of the files that contain a word."""
    paths = [path for path in run.rglob("*") if word in content(path)]
    return {path.relative_to(run).parts[0] for path in paths if "logs" not in path.parts} | {
        path.name for path in paths if "logs" in path.parts
    }


def test_participants_occur_in_the_named_files_only(run):
    found = files_with(run, NAME)
    assert found <= WITH_NAMES
    assert "cohort.zarr" in found


def test_a_password_occurs_in_the_named_files_only(run):
    assert files_with(run, PASSWORD) == WITH_PASSWORD
    assert "(not recorded)" not in (run / "profile.json").read_text()


def test_the_documentation_names_these_files():
    page = (ROOT / "config" / "README.md").read_text()
    for name in WITH_NAMES | WITH_PASSWORD:
        assert f"{name}`" in page or f"`{name}" in page


def test_other_users_cannot_read_a_run(run):
    for path in [run, *run.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_reads_nothing(run):
    shared = Path("/tmp") / f"ketadask-privacy-{os.getpid()}"
    shutil.copytree(run, shared / run.name)
    shared.chmod(0o755)
    try:
        words = ["find", str(shared), "-mindepth", "1", "-readable"]
        stranger = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        process = subprocess.run([*stranger, *words], capture_output=True, text=True, check=False)
        assert process.stdout == ""
        assert "Permission denied" in process.stderr
    finally:
        shutil.rmtree(shared)


def test_a_group_may_read_a_shared_run(folder, tmp_path):
    shutil.copytree(folder / "study", tmp_path / "study")
    umask = os.umask(0o077)
    try:
        run = study_of(tmp_path, "execution: {shared: group}").extract().folder
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(umask)
    for path in [run, *run.rglob("*")]:
        mode = path.stat().st_mode & 0o777
        assert mode == (0o750 if path.is_dir() else 0o640), path
    study_of(tmp_path).extract()
    assert run.stat().st_mode & 0o777 == 0o700


def test_names_of_tasks_have_no_participants(tmp_path):
    plant_names(simulate_study(tmp_path / "study", participants=11, meg_seconds=2.0))
    recordings = find_recordings(tmp_path / "study", "rest")
    parts = Parts(tmp_path / "parts", "k")
    stage = recordings_stage(recordings, MegSettings(), parts)
    tasks = stage.build_graph([(i, i) for i in range(len(recordings))])
    assert len({task.key for task in tasks}) == len(recordings) > 10
    assert not [task.key for task in tasks if NAME in task.key]


def test_process_lists_have_no_participants(folder, tmp_path):
    """While a study runs on local workers, another user sees its command lines."""
    study_of(folder)
    profile = tmp_path / "local.yaml"
    profile.write_text("kind: local\nworkers: 1\n")
    words = [sys.executable, "-m", "ketadask", "run", str(folder / "study.yaml")]
    words += ["--out", str(tmp_path / "runs"), "--cluster", str(profile)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = subprocess.Popen(words, env=environment, text=True, **quiet)
    seen = set()
    while process.poll() is None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.add(path.read_bytes())
            except OSError:
                continue
        time.sleep(0.1)
    assert process.returncode == 0
    assert any(b"ketadask" in line for line in seen)
    assert not [line for line in seen if NAME.encode() in line]
    assert NAME not in process.stdout.read()
