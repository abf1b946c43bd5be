"""When no worker comes: SLURM's own reason within half a minute, and no hang."""

from __future__ import annotations

import time

import pytest

SOON = 30


def script(place, name, text):
    """Write a program that stands in for Python on the compute nodes."""
    path = place.folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def crash(place):
    return {"python": script(place, "python-that-dies", "echo no module named ketadask; exit 3")}


def hidden_folder(place):
    import sys

    hide = f'mount -t tmpfs none {place.folder}/runs && exec {sys.executable} "$@"'
    return {
        "python": script(place, "python-elsewhere", f"exec unshare -m sh -c '{hide}' sh \"$@\"")
    }


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"partition": "mian"}, ["sbatch refuses", "invalid partition", "job.partition", "sinfo"]),
        ({"account": "nobody"}, ["sbatch refuses", "Invalid account", "job.account"]),
        ({"memory": "900GiB"}, ["sbatch refuses", "configuration is not available", "job.memory"]),
        ({"partition": "short"}, ["sbatch refuses", "time limit", "job.walltime"]),
        ({"directives": ["--qos=none"]}, ["sbatch refuses", "Invalid qos"]),
        (crash, ["ended before their workers connected", "no module named ketadask", "FAILED"]),
        (hidden_folder, ["ended before their workers connected", "tls", "doctor"]),
    ],
    ids=["partition", "account", "memory", "walltime", "refusal", "dies", "folder"],
)
def test_what_will_never_work_ends_with_the_reason(place, job, words):
    more = job(place) if callable(job) else job
    begun = time.monotonic()
    told = place.do("search", cluster=place.profile(**more), seconds=150)
    seconds = time.monotonic() - begun
    assert told.returncode == 2, told.stderr
    for word in words:
        assert word in told.stderr, told.stderr
    assert seconds < 2 * SOON
    assert place.slurm.jobs() == []


def test_a_full_queue_is_told_with_the_reason_and_waited_for(place, laptop):
    held = place.slurm.call(
        *("sbatch", "--parsable", "-A", "lab", "-N", "4", "--exclusive", "--mem=0"),
        *("-o", "/dev/null", "--wrap", "sleep 600"),
    ).strip()
    place.until(lambda: place.slurm.jobs("-t", "RUNNING"), 60, "the other people's job")
    process = place.start("search", cluster=place.profile())
    try:
        place.until(lambda: "2 queued: PENDING (Resources" in place.said, 60, "the reason")
        assert "0 of 2 workers" in place.said
        assert process.poll() is None
        place.slurm.call("scancel", held)
        place.until(lambda: "2 of 2 workers" in place.said, 90, "the workers")
        assert process.wait(180) == 0, place.said
    finally:
        process.kill()
        process.wait()


def test_a_limit_on_jobs_is_told_and_the_study_goes_on_with_those_it_has(place):
    profile = place.profile(workers=4, directives=["--qos=tight"])
    process = place.start("search", cluster=profile)
    try:
        assert process.wait(240) == 0, place.said
    finally:
        process.kill()
        process.wait()
    assert "QOSMaxSubmitJobPerUserLimit" in place.said
    assert "going on with 2 jobs" in place.said
    assert "QOSMaxJobsPerUserLimit" in place.said


def test_a_job_that_runs_and_never_connects_is_told(place):
    profile = place.profile(python=script(place, "python-that-waits", "sleep 300"))
    process = place.start("search", cluster=profile)
    try:
        place.until(lambda: "its worker has not connected" in place.said, 90, "the message")
        assert "its log is" in place.said
    finally:
        process.send_signal(2)
        assert process.wait(60) != 0
    place.until(lambda: not place.slurm.jobs(), 60, "an empty queue")


def test_cancel_ends_head_and_workers(place):
    place.last(5)
    assert place.do("submit", cluster=place.profile(slow=True)).returncode == 0
    place.until(lambda: place.computed("begin"), 120, "work")
    told = place.do("cancel")
    assert told.returncode == 0
    assert "cancelled" in told.stdout
    place.until(lambda: not place.slurm.jobs(), 60, "an empty queue")
    assert "nothing is on the queue" in place.do("cancel").stdout
