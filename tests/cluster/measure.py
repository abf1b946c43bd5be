"""Measure what a queue costs: python -m tests.cluster.measure prints the table of the README.

Brings its own SLURM up (see slurm_machine.py), so the numbers are those of this machine.
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
from tests.cluster.conftest import STUDY, WITHOUT_MEG, Place
from tests.cluster.slurm_machine import Slurm, wait_for

CHANGES = (*WITHOUT_MEG, "splits.count=400", "null.relabellings=19", "execution.block=10")
SPLITS, BLOCK, TASKS = 2000, 20, 2000


def first_result(place):
    """Return the seconds from `submit` to the first finished block, and those of submit itself."""
    begun = time.monotonic()
    told = place.do("submit", cluster=place.profile(workers=2, poll=1))
    assert told.returncode == 0, told.stderr
    submitted = time.monotonic() - begun
    place.until(lambda: place.there("hits/*.json"), 300, "the first block")
    seconds = time.monotonic() - begun
    place.do("cancel")
    place.slurm.clear()
    return submitted, seconds


def searching(place, workers):
    """Return the seconds in which ``workers`` jobs search the splits, once they are there, warm."""
    profile = read_settings(place.profile(workers=workers, poll=1), Profile)
    count = SPLITS + 2 * BLOCK * workers
    changes = [*WITHOUT_MEG, f"splits.count={count}", f"execution.block={BLOCK}"]
    asked_for = Study.read(STUDY, changes=changes, out=place.folder / "runs")
    with replace(asked_for, profile=profile)._writing() as work:
        asked, executor = build_problem(work), work.executor(SEARCH)
        there = executor._client.scheduler_info
        wait_for(lambda: len(there(n_workers=-1)["workers"]) == workers, 120, why="the workers")
        warm = replace(asked, splitter=replace(asked.splitter, n_splits=count - SPLITS))
        require(work.run_stage(splits_stage(work, warm)))
        ended = work.run_stage(splits_stage(work, asked))
        assert ended.new == SPLITS
        return ended.seconds


def per_task(place):
    """Return the seconds a task costs that does nothing, on two workers."""
    profile = read_settings(place.profile(workers=2, poll=1), Profile)
    with connect(profile, logs=place.folder / "overhead" / "logs") as executor:
        dict(executor.compute([delayed(abs)(-x, pure=False) for x in range(50)]))
        begun = time.monotonic()
        done = dict(executor.compute([delayed(abs)(-x, pure=False) for x in range(TASKS)]))
        assert len(done) == TASKS
        return (time.monotonic() - begun) / TASKS


def main():
    """Print the table."""
    folder = Path(tempfile.mkdtemp(prefix="ketadask-measure-"))
    slurm = Slurm(folder / "slurm")
    try:
        slurm.start()
        os.environ.update(slurm.environment)
        print("| what | measured |\n|---|---|")
        submitted, seconds = first_result(Place(slurm, folder / "first", CHANGES))
        print(f"| `submit` returns after | {submitted:.1f} s |")
        print(f"| from `submit` to the first finished block | {seconds:.1f} s |", flush=True)
        each = 1000 * per_task(Place(slurm, folder / "overhead"))
        print(f"| overhead per task, two workers | {each:.1f} ms |", flush=True)
        one = None
        for workers in (1, 2, 4):
            took = searching(Place(slurm, folder / f"workers-{workers}"), workers)
            what, share = f"{workers} workers", ""
            if one is None:
                one, what = took, f"{SPLITS:,} splits of the demo study without MEG, 1 worker"
            else:
                share = f", efficiency {round(100 * one / took / workers)} %"
            print(f"| {what} | {took:.1f} s{share} |", flush=True)
    finally:
        slurm.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
