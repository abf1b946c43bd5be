"""Jobs of unlike size: recordings are measured by jobs with more memory, and by no others."""

from __future__ import annotations

import json

import yaml

from ketadask.cluster import slurm

RECORDINGS = (
    "data.simulate.participants=10",
    "data.simulate.meg_seconds=4",
    "features.modalities=[demographic, meg]",
    'features.include=[age, "meg_*"]',
    "features.max_missing=1",
    "splits.count=12",
    "null.relabellings=19",
    "null.calibration_studies=0",
    "search.max_literals=1",
    "execution.block=1",
)


def asked(place):
    """Return the memory every worker job of the tests asked for, as accounting tells it."""
    words = ("sacct", "-n", "-P", "-X", "-a", "--format=JobID,JobName,ReqMem,Timelimit")
    rows = [line.split("|") for line in place.slurm.call(*words).splitlines()]
    name = slurm.job_name(place.run)
    return {job: (memory, limit) for job, which, memory, limit in rows if which == name}


def test_recordings_are_measured_by_jobs_with_more_memory(place):
    place.changes = RECORDINGS
    place.last(0.1)
    (place.folder / "recordings").touch()
    profile = place.profile(slow=True, workers=2)
    stages = {"extract": {"memory": "1700MiB", "walltime": "00:20:00", "workers": 1}}
    profile.write_text(yaml.safe_dump({**yaml.safe_load(profile.read_text()), "stages": stages}))
    told = place.do("submit", cluster=profile)
    assert told.returncode == 0, told.stderr

    (job,) = place.until(lambda: set(place.workers()), 120, "the job that measures")
    shown = place.slurm.call("scontrol", "show", "job", job)
    assert "MinMemoryNode=1700M" in shown
    place.until(lambda: len(place.workers()) == 2, 200, "the jobs that search")
    place.until(lambda: place.there("report.html") and not place.slurm.jobs(), 240, "the report")

    jobs = asked(place)
    measured = {job for _, _, job in place.computed("measure")}
    searched = {job for _, _, job in place.computed("done")}
    assert len(place.computed("measure")) >= 10
    assert len(place.computed("done")) == 12
    assert {jobs[job] for job in measured} == {("1700M", "00:20:00")}
    assert {jobs[job] for job in searched} == {("1000M", "00:30:00")}
    run = json.loads((place.run / "provenance.json").read_text())["runs"][-1]
    assert run["events"] == []
    assert {each["stage"]: each["made"] for each in run["stages"]}["recordings"] >= 10
