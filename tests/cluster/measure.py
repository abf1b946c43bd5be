"""Measure the overhead of a queue: python -m tests.cluster.measure prints a table.

It starts a SLURM of its own (see slurm_machine.py); the numbers are those of this machine.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from dask import delayed

from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile
from ketadask.config.reading import read_settings
from ketadask.pipeline.stage import require
from ketadask.study.problem import build_problem
from ketadask.study.run import SEARCH
from ketadask.study.search import splits_stage
from ketadask.study.study import Study
from tests.cluster.conftest import STUDY, WITHOUT_MEG, StudyRunner
from tests.cluster.slurm_machine import Slurm, wait_for

CHANGES = (*WITHOUT_MEG, "splits.count=400", "null.relabellings=19", "execution.block=10")
SPLITS, BLOCK, TASKS = 2000, 20, 2000


def first_result(study):
    """Return the seconds from `submit` to the first finished block, and those of submit itself."""
    start = time.monotonic()
    process = study.do("submit", cluster=study.profile(workers=2, poll=1))
    assert process.returncode == 0, process.stderr
    submit_seconds = time.monotonic() - start
    study.until(lambda: study.files("hits/*.json"), 300, "the first block")
    seconds = time.monotonic() - start
    study.do("cancel")
    study.slurm.clear()
    return submit_seconds, seconds


def search_seconds(study, workers):
    """Return the seconds that ``workers`` jobs need for the splits, after a warm-up."""
    profile = read_settings(study.profile(workers=workers, poll=1), Profile)
    count = SPLITS + 2 * BLOCK * workers
    changes = [*WITHOUT_MEG, f"splits.count={count}", f"execution.block={BLOCK}"]
    definition = Study.read(STUDY, changes=changes, out=study.folder / "runs")
    with replace(definition, profile=profile).open_run() as work:
        problem, executor = build_problem(work), work.executor(SEARCH)
        scheduler_info = executor._client.scheduler_info
        wait_for(
            lambda: len(scheduler_info(n_workers=-1)["workers"]) == workers, 120, why="the workers"
        )
        warm = replace(problem, splitter=replace(problem.splitter, n_splits=count - SPLITS))
        require(work.run_stage(splits_stage(work, warm)))
        result = work.run_stage(splits_stage(work, problem))
        assert result.new == SPLITS
        return result.seconds


def per_task(study):
    """Return the seconds a task costs that does nothing, on two workers."""
    profile = read_settings(study.profile(workers=2, poll=1), Profile)
    with connect(profile, logs=study.folder / "overhead" / "logs") as executor:
        dict(executor.compute([delayed(abs)(-x, pure=False) for x in range(50)]))
        start = time.monotonic()
        results = dict(executor.compute([delayed(abs)(-x, pure=False) for x in range(TASKS)]))
        assert len(results) == TASKS
        return (time.monotonic() - start) / TASKS


def main():
    """Print the table."""
    folder = Path(tempfile.mkdtemp(prefix="ketadask-measure-"))
    slurm = Slurm(folder / "slurm")
    try:
        slurm.start()
        os.environ.update(slurm.environment)
        print("| what | measured |\n|---|---|")
        submit_seconds, seconds = first_result(StudyRunner(slurm, folder / "first", CHANGES))
        print(f"| `submit` returns after | {submit_seconds:.1f} s |")
        print(f"| from `submit` to the first finished block | {seconds:.1f} s |", flush=True)
        overhead = 1000 * per_task(StudyRunner(slurm, folder / "overhead"))
        print(f"| overhead per task, two workers | {overhead:.1f} ms |", flush=True)
        single = 0.0
        for workers in (1, 2, 4):
            seconds = search_seconds(StudyRunner(slurm, folder / f"workers-{workers}"), workers)
            single = single or seconds
            efficiency = round(100 * single / seconds / workers)
            row = f"{SPLITS:,} splits of the demo study without MEG, {workers} workers"
            print(f"| {row} | {seconds:.1f} s, efficiency {efficiency} % |", flush=True)
    finally:
        slurm.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
