"""What would fail after hours is said at once: by `check`, `submit`, or before the first search."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from rich.console import Console

from ketadask.cluster import slurm
from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile
from ketadask.pipeline.progress import Progress
from ketadask.schema.errors import InputError
from ketadask.simulate.study import simulate_study
from ketadask.study import submit
from ketadask.study.study import Study

STUDY = """
name: small
data: {folder: study}
features: {modalities: [demographic, scale]}
splits: {count: 4}
null: {relabellings: 19, calibration_studies: 0}
"""
SLURM = Profile(kind="slurm", workers=2)


@pytest.fixture
def folder(tmp_path):
    simulate_study(tmp_path / "study", participants=12)
    return tmp_path


def study_of(folder, more="", out="runs"):
    (folder / "study.yaml").write_text(STUDY + more)
    progress = Progress(Console(file=io.StringIO(), width=300))
    study = Study.read(folder / "study.yaml", out=folder / out, progress=progress)
    return replace(study, profile=Profile(kind="synchronous"))


VERBS = {
    "check": Study.check,
    "run": Study.run,
    "submit": lambda study: submit.submit_study(replace(study, profile=SLURM)),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_missing_covariate_of_the_prediction(folder, verb):
    study = study_of(folder, "predict: {covariates: [age, EstimatedTotalIntraCranialVol]}\n")
    with pytest.raises(InputError, match="unknown covariate, found 'EstimatedTotal"):
        VERBS[verb](study)
    assert not list((folder / "runs").glob("*/hits"))


@pytest.mark.parametrize("verb", VERBS)
def test_equal_scores(folder, verb):
    path = folder / "study" / "phenotype" / "madrs.tsv"
    header, *rows = path.read_text().splitlines()
    n_columns = len(header.split("\t"))
    rows = ["\t".join([*row.split("\t")[:2], *["1"] * (n_columns - 2)]) for row in rows]
    path.write_text("\n".join([header, *rows, ""]))
    with pytest.raises(InputError, match=r"equal|in all 22 cases"):
        VERBS[verb](study_of(folder))
    assert not list((folder / "runs").glob("*/hits"))


def test_a_folder_that_job_scripts_cannot_contain(folder):
    for out in ("my runs", 'runs"\ntouch pwned\n#"'):
        with pytest.raises(InputError, match="job scripts cannot contain this path"):
            VERBS["submit"](study_of(folder, out=out))


def test_invalid_cells_that_stop_a_study_stop_its_submission(folder):
    path = folder / "study" / "phenotype" / "madrs.tsv"
    path.write_text(path.read_text().replace("\t1\t", "\tx\t", 1))
    with pytest.raises(InputError, match=r"would stop at invalid cells; `ketadask check`"):
        VERBS["submit"](study_of(folder))


def test_a_missing_library_for_queues(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    monkeypatch.setattr(slurm, "call", pytest.fail)
    with pytest.raises(InputError, match=r"pip install 'ketadask\[slurm\]'"):
        VERBS["submit"](study_of(folder))


@contextlib.contextmanager
def worker_on_another_disk(folder):
    """Start a scheduler and a worker that sees an empty disk in place of a folder."""
    dask = [sys.executable, "-m", "dask"]
    environment = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES": "[]"}
    address = folder.parent / "scheduler.json"
    options = ["--host", "127.0.0.1", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
    command = ["scheduler", "--port", "0", "--scheduler-file", str(address), *options]
    worker = f'mount -t tmpfs none "{folder}" && exec "$0" "$@"'
    words = ["--scheduler-file", str(address), *options, "--no-nanny", "--nthreads", "1"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    processes = [subprocess.Popen([*dask, *command], **quiet)]
    try:
        end = time.monotonic() + 60
        while not address.exists() and time.monotonic() < end:
            time.sleep(0.1)
        unshare = ["unshare", "-m", "sh", "-c", worker]
        processes.append(subprocess.Popen([*unshare, *dask, "worker", *words], **quiet))
        yield json.loads(address.read_text())["address"]
    finally:
        for process in processes[::-1]:
            process.terminate()
            process.wait()


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount another disk")
def test_workers_that_do_not_see_the_run_folder(tmp_path):
    (tmp_path / "runs").mkdir()
    with worker_on_another_disk(tmp_path / "runs") as address:
        profile = Profile(kind="address", address=address)
        with (
            pytest.raises(InputError, match=r"1 workers do not see the run folder, .*all machines"),
            connect(profile, logs=tmp_path / "runs" / "demo-0f3a" / "logs"),
        ):
            pass
    assert not list((tmp_path / "runs").rglob("*visible*"))
