"""A job array without a scheduler: the same parts, whoever is killed on the way."""

from __future__ import annotations

import json
import sys

from tests.cluster.conftest import ROOT, results


def submitted(place, numbers):
    """Submit tasks of the array; return the job's number."""
    words = ["sbatch", "--parsable", "-A", "lab", f"--array={numbers}", "--mem=900M"]
    export = f"ALL,PYTHON={sys.executable},PYTHONPATH={ROOT}"
    words += [f"--export={export}", "-o", str(place.folder / "array-%a.log")]
    study = place.words("share")[4:]
    return place.slurm.call(*words, str(ROOT / "jobs" / "array.sbatch"), *study).strip()


def parts(place):
    return {path.name: path.stat().st_mtime_ns for path in place.there("hits/*.json")}


def test_eight_tasks_two_of_them_killed(place, laptop):
    place.changes = (*place.changes, "execution.block=3")
    place.folder.mkdir(exist_ok=True)
    array = submitted(place, "0-7%4")
    place.until(lambda: place.slurm.jobs("-t", "RUNNING"), 60, "the first tasks")
    place.slurm.call("scancel", "--signal=KILL", "--full", f"{array}_1")
    place.slurm.call("scancel", f"{array}_6")
    place.until(lambda: not place.slurm.jobs(), 300, "the array")
    first = parts(place)
    assert 0 < len(first) < 20
    submitted(place, "1,6")
    place.until(lambda: not place.slurm.jobs(), 200, "the two tasks")
    second = parts(place)
    assert len(second) == 20
    assert {name: second[name] for name in first} == first
    told = place.do("run")
    assert told.returncode == 0, told.stderr
    assert parts(place) == second
    assert results(place.run) == laptop
    run = json.loads((place.run / "provenance.json").read_text())["runs"][-1]
    assert run["counted"] == {"search": 60, "null": 19, "evaluate": 60}
    made = {each["stage"]: each["made"] for each in run["stages"]}
    assert made["search"] == made["null"] == 0
