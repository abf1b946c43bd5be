"""The scripts of jobs/ say to sbatch what they promise, from whatever folder they are called."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

JOBS = Path(__file__).parents[2] / "jobs"


@pytest.fixture
def said(tmp_path):
    """Return a function that runs a script and returns what it told a played sbatch or Python."""
    for name in ("sbatch", "played-python"):
        path = tmp_path / name
        path.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/said\necho 17\n')
        path.chmod(0o755)

    def run(name, **more):
        path = f"{tmp_path}:{os.environ['PATH']}"
        environment = {
            **os.environ,
            "PATH": path,
            "PYTHON": str(tmp_path / "played-python"),
            **more,
        }
        words = ["bash", JOBS / name, "my study.yaml"]
        subprocess.run(words, cwd=tmp_path, env=environment, check=True, capture_output=True)
        return (tmp_path / "said").read_text().splitlines()

    return run


def test_an_array_has_as_many_tasks_as_asked_for_and_is_judged_at_its_end(said):
    first, second = said("submit_array.sh", TASKS="16", SBATCH_MORE="-A lab")
    assert first == f"--parsable --array=0-15 -A lab {JOBS}/array.sbatch my study.yaml"
    assert second == f"--dependency=afterany:17 -A lab {JOBS}/judge.sbatch my study.yaml"


def test_an_array_has_eight_tasks_if_nothing_is_said(said):
    assert "--array=0-7 " in said("submit_array.sh")[0]


def test_each_task_is_told_its_number_and_how_many_there_are(said):
    (line,) = said("array.sbatch", TASKS="16", SLURM_ARRAY_TASK_ID="3")
    assert line == "-m ketadask array-task my study.yaml --task 3 --tasks 16"


def test_a_node_searches_and_is_judged_at_its_end(said):
    first, second = said("submit_node.sh")
    assert first == f"--parsable {JOBS}/search.sbatch my study.yaml"
    assert second == f"--dependency=afterany:17 {JOBS}/judge.sbatch my study.yaml"


def test_a_service_is_given_the_profile_of_the_repository_or_another(said):
    (line,) = said("submit_service.sh", PROFILE="mine.yaml")
    assert line == "-m ketadask submit my study.yaml --cluster mine.yaml"
    *_, line = said("submit_service.sh")
    assert Path(line.split()[-1]).resolve() == JOBS.parent / "config" / "cluster" / "slurm.yaml"
