"""A job array without a scheduler: the same parts, whoever is killed on the way."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.cluster.conftest import ROOT, results


def submitted(place, numbers):
    """Submit tasks of the array; return the job's number."""
    words = ["sbatch", "--parsable", "-A", "lab", f"--array={numbers}", "--mem=1200M"]
    export = f"ALL,PYTHON={sys.executable},PYTHONPATH={ROOT}"
    words += [f"--export={export}", "-o", str(place.folder / "array-%a.log")]
    study = place.words("share")[4:]
    return place.slurm.call(*words, str(ROOT / "jobs" / "array.sbatch"), *study).strip()


def test_the_scripts_that_submit_an_array_and_a_node(place, laptop):
    environment = {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "TASKS": "8"}
    for name, jobs in (("submit_array.sh", "-A lab --mem=2000M"), ("submit_node.sh", "-A lab")):
        more = {**environment, "SBATCH_MORE": f"{jobs} -o {place.folder}/%x-%A-%a.log"}
        words = place.words("share", "--out", str(place.folder / name / "runs"))[4:]
        subprocess.run(
            [ROOT / "jobs" / name, *words],
            env={**place.slurm.environment, **more},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        place.until(lambda: not place.slurm.jobs(), 300, f"the end of {name}")
        (run,) = (place.folder / name / "runs").glob("demo-*")
        assert results(run) == laptop


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
    assert run["counted"] == {"search": 60, "null": 19, "calibrate": 19, "evaluate": 60}
    made = {each["stage"]: each["made"] for each in run["stages"]}
    assert made["search"] == made["null"] == made["calibrate"] == 0
