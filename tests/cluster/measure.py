"""Measure what a queue costs: python -m tests.cluster.measure prints the table of the README.

Brings its own SLURM up (see slurm_machine.py), so the numbers are those of this machine.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from dask import delayed

from ketadask.cluster import Profile, connect
from ketadask.config import read
from tests.cluster.conftest import Place
from tests.cluster.slurm_machine import Slurm

CHANGES = ("splits.count=2000", "null.relabellings=19", "execution.block=50")
TASKS = 2000


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
    """Return the seconds in which ``workers`` jobs search all splits, once they are warm."""
    profile = place.profile(workers=workers, poll=1)
    told = place.do("search", "--set", "splits.count=40", cluster=profile)
    assert told.returncode == 0, told.stderr
    shutil.rmtree(place.run / "hits")
    told = place.do("search", cluster=profile)
    assert told.returncode == 0, told.stderr
    stages = json.loads((place.run / "provenance.json").read_text())["runs"][-1]["stages"]
    return next(each["seconds"] for each in stages if each["stage"] == "search")


def per_task(place):
    """Return the seconds a task costs that does nothing, on two workers."""
    profile = read(place.profile(workers=2, poll=1), Profile)
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
        print(f"| `submit` returns | {submitted:.1f} s |")
        print(f"| from `submit` to the first finished block | {seconds:.1f} s |", flush=True)
        print(f"| overhead per task | {1000 * per_task(Place(slurm, folder / 'x')):.1f} ms |")
        one = None
        for workers in (1, 2, 4):
            took = searching(Place(slurm, folder / f"workers-{workers}", CHANGES), workers)
            one = one or took
            share = one / took / workers
            print(f"| 2,000 splits, {workers} workers | {took:.1f} s, efficiency {share:.0%} |")
            sys.stdout.flush()
    finally:
        slurm.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
