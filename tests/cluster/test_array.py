"""A job array without a scheduler: the same parts, even if tasks are killed."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.cluster.conftest import ROOT, results


def submit_array(study, tasks):
    """Submit tasks of the array; return the job id."""
    words = ["sbatch", "--parsable", "-A", "lab", f"--array={tasks}", "--mem=1200M"]
    export = f"ALL,PYTHON={sys.executable},PYTHONPATH={ROOT}"
    words += [f"--export={export}", "-o", str(study.folder / "array-%a.log")]
    words += [str(ROOT / "jobs" / "array.sbatch"), *study.words("array-task")[4:]]
    return study.slurm.call(*words).strip()


def test_the_scripts_that_submit_an_array_and_a_node(study, laptop):
    environment = {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "TASKS": "8"}
    for name, jobs in (("submit_array.sh", "-A lab --mem=2000M"), ("submit_node.sh", "-A lab")):
        more = {**environment, "SBATCH_MORE": f"{jobs} -o {study.folder}/%x-%A-%a.log"}
        words = study.words("array-task", "--out", str(study.folder / name / "runs"))[4:]
        subprocess.run(
            [ROOT / "jobs" / name, *words],
            env={**study.slurm.environment, **more},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        study.until(lambda: not study.slurm.jobs(), 300, f"the end of {name}")
        (run,) = (study.folder / name / "runs").glob("demo-*")
        assert results(run) == laptop


def parts(study):
    return {path.name: path.stat().st_mtime_ns for path in study.files("hits/*.json")}


def test_eight_tasks_and_a_kill_of_two(study, laptop):
    study.changes = (*study.changes, "execution.block=3")
    study.folder.mkdir(exist_ok=True)
    array = submit_array(study, "0-7%4")
    study.until(lambda: study.slurm.jobs("-t", "RUNNING"), 60, "the first tasks")
    study.slurm.call("scancel", "--signal=KILL", "--full", f"{array}_1")
    study.slurm.call("scancel", f"{array}_6")
    study.until(lambda: not study.slurm.jobs(), 300, "the array")
    first = parts(study)
    assert 0 < len(first) < 20
    submit_array(study, "1,6")
    study.until(lambda: not study.slurm.jobs(), 200, "the two tasks")
    second = parts(study)
    assert len(second) == 20
    assert {name: second[name] for name in first} == first
    process = study.do("run")
    assert process.returncode == 0, process.stderr
    assert parts(study) == second
    assert results(study.run) == laptop
    run = json.loads((study.run / "provenance.json").read_text())["runs"][-1]
    assert run["counted"] == {"search": 60, "null": 19, "calibrate": 39, "evaluate": 60}
    new = {stage["stage"]: stage["made"] for stage in run["stages"]}
    assert new["search"] == new["null"] == new["calibrate"] == 0
