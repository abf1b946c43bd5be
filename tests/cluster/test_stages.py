"""Stages with jobs of their own: recordings are processed by jobs with more memory only."""

from __future__ import annotations

import json

import yaml

from ketadask.cluster import slurm
from tests.cluster.conftest import RECORDINGS


def requests(study):
    """Return memory and time limit of every worker job, from accounting."""
    words = ("sacct", "-n", "-P", "-X", "-a", "--format=JobID,JobName,ReqMem,Timelimit")
    rows = [line.split("|") for line in study.slurm.call(*words).splitlines()]
    name = slurm.job_name(study.run)
    return {job: (memory, limit) for job, which, memory, limit in rows if which == name}


def test_recordings_are_processed_by_jobs_with_more_memory(study):
    study.changes = RECORDINGS
    study.set_seconds(0.1)
    profile = study.profile(slow=True, workers=2)
    stages = {"extract": {"memory": "1700MiB", "walltime": "00:20:00", "workers": 1}}
    profile.write_text(yaml.safe_dump({**yaml.safe_load(profile.read_text()), "stages": stages}))
    process = study.do("submit", cluster=profile)
    assert process.returncode == 0, process.stderr

    (job,) = study.until(lambda: set(study.workers()), 120, "the job that measures")
    assert "MinMemoryNode=1700M" in study.slurm.call("scontrol", "show", "job", job)
    study.until(lambda: len(study.workers()) == 2, 200, "the jobs that search")
    study.until(lambda: study.files("report.html") and not study.slurm.jobs(), 240, "the report")

    jobs = requests(study)
    extract_jobs = {job for _, job in study.blocks("done", "recordings")}
    search_jobs = {job for _, job in study.blocks("done")}
    assert len(study.blocks("done", "recordings")) >= 10
    assert len(study.blocks("done")) == 12
    assert {jobs[job] for job in extract_jobs} == {("1700M", "00:20:00")}
    assert {jobs[job] for job in search_jobs} == {("1000M", "00:30:00")}
    run = json.loads((study.run / "provenance.json").read_text())["runs"][-1]
    assert run["events"] == []
    assert {stage["stage"]: stage["made"] for stage in run["stages"]}["recordings"] >= 10
