"""When no worker comes: SLURM's own reason within half a minute, and no hang."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import pytest
from dask import delayed

from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile
from ketadask.config.reading import read_settings
from ketadask.schema.errors import InputError
from tests.cluster.slurm_machine import wait_for

SOON = 30


def script(place, name, text):
    """Write a program that stands in for Python on the compute nodes."""
    path = place.folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def opened(place, monkeypatch):
    """Return a function that computes on a profile, and the list of what it said meanwhile."""
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, place.slurm.environment[name])
    said = []

    def computed(tasks=1, **job):
        profile = read_settings(place.profile(**job), Profile)
        with connect(profile, logs=place.folder / "runs" / "one" / "logs", say=said.append) as made:
            work = [delayed(time.sleep)(0.2, dask_key_name=f"nap-{i}") for i in range(tasks)]
            return len(dict(made.compute(work)))

    return computed, said


def meanwhile(act):
    """Do something beside the computation."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


def test_the_command_ends_with_the_reason_and_its_exit_code(place):
    told = place.do("search", cluster=place.profile(partition="mian"), seconds=150)
    assert told.returncode == 2, told.stderr
    assert "invalid partition" in told.stderr
    assert "sinfo" in told.stderr


def crash(place):
    return {"python": script(place, "python-that-dies", "echo no module named ketadask; exit 3")}


def hidden_folder(place):
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
def test_what_will_never_work_ends_with_the_reason(place, opened, job, words):
    more = job(place) if callable(job) else job
    begun = time.monotonic()
    with pytest.raises(InputError) as caught:
        opened[0](**more)
    assert (
        time.monotonic() - begun < 2 * SOON
    )  # half a minute, and as much again for a busy machine
    for word in words:
        assert word in str(caught.value)
    place.until(lambda: not place.slurm.jobs(), 60, "an empty queue")


def test_a_full_queue_is_told_with_the_reason_and_waited_for(place, opened):
    held = place.slurm.call(
        *("sbatch", "--parsable", "-A", "lab", "-N", "4", "--exclusive", "--mem=0"),
        *("-o", "/dev/null", "--wrap", "sleep 600"),
    ).strip()
    place.until(lambda: place.slurm.jobs("-t", "RUNNING"), 60, "the other people's job")
    computed, said = opened
    begun, told = time.monotonic(), []

    def make_room():
        wait_for(lambda: "Resources)" in str(said), 90, why="the reason")
        told.append(time.monotonic() - begun)
        place.slurm.call("scancel", held)

    meanwhile(make_room)
    assert computed() == 1
    assert told[0] < SOON
    assert "0 of 2 workers, 2 queued: PENDING (" in str(said)


def test_a_limit_on_jobs_is_told_and_the_work_goes_on_with_those_it_has(opened):
    computed, said = opened
    assert computed(40, workers=4, directives=["--qos=tight"]) == 40
    assert "QOSMaxSubmitJobPerUserLimit" in str(said)
    assert "going on with 2 jobs" in str(said)


def test_a_job_that_runs_and_never_connects_is_told_and_an_interrupt_ends_it(place, opened):
    computed, said = opened

    def give_up():
        wait_for(lambda: "its worker has not connected" in str(said), 90, why="the message")
        os.kill(os.getpid(), signal.SIGINT)

    meanwhile(give_up)
    with pytest.raises(KeyboardInterrupt):
        computed(python=script(place, "python-that-waits", "sleep 300"))
    assert "its log is" in str(said)
    place.until(lambda: not place.slurm.jobs(), 60, "an empty queue")


def test_idle_workers_go_where_few_are_enough(place, opened):
    _, said = opened
    profile = read_settings(place.profile(workers=3, minimum_workers=1), Profile)
    with connect(profile, logs=place.folder / "runs" / "one" / "logs", say=said.append) as made:
        work = [delayed(time.sleep)(0.5, dask_key_name=f"nap-{i}") for i in range(30)]
        assert len(dict(made.compute(work))) == 30
        assert "3 of 3 workers" in str(said)
        place.until(lambda: len(place.slurm.jobs()) == 1, 60, "two workers to go")
        again = [delayed(abs)(-i, dask_key_name=f"abs-{i}") for i in range(5)]
        assert dict(made.compute(again)) == {i: i for i in range(5)}
        assert made.events == []


def test_cancel_ends_head_and_workers(place):
    place.last(5)
    assert place.do("submit", cluster=place.profile(slow=True)).returncode == 0
    place.until(lambda: place.computed("begin"), 120, "work")
    told = place.do("cancel")
    assert told.returncode == 0
    assert "cancelled" in told.stdout
    place.until(lambda: not place.slurm.jobs(), 60, "an empty queue")
    assert "nothing is on the queue" in place.do("cancel").stdout
