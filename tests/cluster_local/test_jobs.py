"""The scripts of jobs/ call sbatch and Python correctly, from any working directory."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

JOBS = Path(__file__).parents[2] / "jobs"


@pytest.fixture
def run(tmp_path):
    """Return a function that runs a script and returns the arguments of sbatch and Python."""
    for name in ("sbatch", "fake-python"):
        path = tmp_path / name
        path.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\necho 17\n')
        path.chmod(0o755)

    def run(name, **variables):
        path = f"{tmp_path}:{os.environ['PATH']}"
        python = str(tmp_path / "fake-python")
        environment = {**os.environ, "PATH": path, "PYTHON": python, **variables}
        words = ["bash", JOBS / name, "my study.yaml"]
        subprocess.run(words, cwd=tmp_path, env=environment, check=True, capture_output=True)
        return (tmp_path / "calls").read_text().splitlines()

    return run


def test_an_array_has_n_tasks_and_verdicts_at_its_end(run):
    first, second = run("submit_array.sh", TASKS="16", SBATCH_MORE="-A lab")
    assert first == f"--parsable --array=0-15 -A lab {JOBS}/array.sbatch my study.yaml"
    assert second == f"--dependency=afterany:17 -A lab {JOBS}/judge.sbatch my study.yaml"


def test_an_array_has_eight_tasks_by_default(run):
    assert "--array=0-7 " in run("submit_array.sh")[0]


def test_a_task_gets_its_index_and_the_number_of_tasks(run):
    (line,) = run("array.sbatch", TASKS="16", SLURM_ARRAY_TASK_ID="3")
    assert line == "-m ketadask array-task my study.yaml --task 3 --tasks 16"


def test_a_node_searches_before_the_verdicts(run):
    first, second = run("submit_node.sh")
    assert first == f"--parsable {JOBS}/search.sbatch my study.yaml"
    assert second == f"--dependency=afterany:17 {JOBS}/judge.sbatch my study.yaml"


def test_a_service_uses_the_profile_of_the_repository_or_another(run):
    (line,) = run("submit_service.sh", PROFILE="mine.yaml")
    assert line == "-m ketadask submit my study.yaml --cluster mine.yaml"
    *_, line = run("submit_service.sh")
    assert Path(line.split()[-1]).resolve() == JOBS.parent / "config" / "cluster" / "slurm.yaml"
