"""Without workers: SLURM's reason within half a minute, and an end."""

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


def script(study, name, text):
    """Write a program that replaces Python on the compute nodes."""
    path = study.folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def cluster(study, monkeypatch):
    """Return a function that computes on a profile, and the list of its messages."""
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, study.slurm.environment[name])
    lines = []

    def compute(tasks=1, **job):
        profile = read_settings(study.profile(**job), Profile)
        with connect(
            profile, logs=study.folder / "runs" / "one" / "logs", say=lines.append
        ) as executor:
            work = [delayed(time.sleep)(0.2, dask_key_name=f"nap-{i}") for i in range(tasks)]
            return len(dict(executor.compute(work)))

    return compute, lines


def in_background(act):
    """Call a function during the computation."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


def test_the_command_ends_with_the_reason_and_its_exit_code(study):
    process = study.do("search", cluster=study.profile(partition="mian"), seconds=150)
    assert process.returncode == 2, process.stderr
    assert "invalid partition" in process.stderr
    assert "sinfo" in process.stderr


def crash(study):
    return {"python": script(study, "python-that-dies", "echo no module named ketadask; exit 3")}


def hidden_folder(study):
    hide = f'mount -t tmpfs none {study.folder}/runs && exec {sys.executable} "$@"'
    return {
        "python": script(study, "python-elsewhere", f"exec unshare -m sh -c '{hide}' sh \"$@\"")
    }


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"partition": "mian"}, ["sbatch fails", "invalid partition", "job.partition", "sinfo"]),
        ({"account": "nobody"}, ["sbatch fails", "Invalid account", "job.account"]),
        ({"memory": "900GiB"}, ["sbatch fails", "configuration is not available", "job.memory"]),
        ({"partition": "short"}, ["sbatch fails", "time limit", "job.walltime"]),
        ({"directives": ["--qos=none"]}, ["sbatch fails", "Invalid qos"]),
        (crash, ["ended before their workers connected", "no module named ketadask", "FAILED"]),
        (hidden_folder, ["ended before their workers connected", "tls", "doctor"]),
    ],
    ids=["partition", "account", "memory", "walltime", "refusal", "dies", "folder"],
)
def test_impossible_jobs_end_with_the_reason(study, cluster, job, words):
    more = job(study) if callable(job) else job
    start = time.monotonic()
    with pytest.raises(InputError) as error:
        cluster[0](**more)
    assert time.monotonic() - start < 2 * SOON  # half a minute, twice that on a busy machine
    for word in words:
        assert word in str(error.value)
    study.until(lambda: not study.slurm.jobs(), 60, "an empty queue")


def test_a_full_queue_is_reported_with_the_reason(study, cluster):
    other_job = study.slurm.call(
        *("sbatch", "--parsable", "-A", "lab", "-N", "4", "--exclusive", "--mem=0"),
        *("-o", "/dev/null", "--wrap", "sleep 600"),
    ).strip()
    study.until(lambda: study.slurm.jobs("-t", "RUNNING"), 60, "the job of another user")
    compute, lines = cluster
    start, seconds = time.monotonic(), []

    def free_nodes():
        wait_for(lambda: "Resources)" in str(lines), 90, why="the reason")
        seconds.append(time.monotonic() - start)
        study.slurm.call("scancel", other_job)

    in_background(free_nodes)
    assert compute() == 1
    assert seconds[0] < SOON
    assert "0 of 2 workers, 2 in the queue: PENDING (" in str(lines)


def test_a_limit_on_jobs_is_reported_and_the_study_continues(cluster):
    compute, lines = cluster
    assert compute(40, workers=4, directives=["--qos=tight"]) == 40
    assert "QOSMaxSubmitJobPerUserLimit" in str(lines)
    assert "continuing with 2 jobs" in str(lines)


def test_a_worker_that_never_connects_is_reported_until_an_interrupt(study, cluster):
    compute, lines = cluster

    def give_up():
        wait_for(lambda: "worker has not connected" in str(lines), 90, why="the message")
        os.kill(os.getpid(), signal.SIGINT)

    in_background(give_up)
    with pytest.raises(KeyboardInterrupt):
        compute(python=script(study, "python-that-waits", "sleep 300"))
    assert "see its log" in str(lines)
    study.until(lambda: not study.slurm.jobs(), 60, "an empty queue")


def test_idle_workers_end(study, cluster):
    _, lines = cluster
    profile = read_settings(study.profile(workers=3, minimum_workers=1), Profile)
    with connect(
        profile, logs=study.folder / "runs" / "one" / "logs", say=lines.append
    ) as executor:
        work = [delayed(time.sleep)(0.5, dask_key_name=f"nap-{i}") for i in range(30)]
        assert len(dict(executor.compute(work))) == 30
        assert "3 of 3 workers" in str(lines)
        study.until(lambda: len(study.slurm.jobs()) == 1, 60, "two workers to go")
        tasks = [delayed(abs)(-i, dask_key_name=f"abs-{i}") for i in range(5)]
        assert dict(executor.compute(tasks)) == {i: i for i in range(5)}
        assert executor.events == []


def test_cancel_ends_head_and_workers(study):
    study.set_seconds(5)
    assert study.do("submit", cluster=study.profile(slow=True)).returncode == 0
    study.until(lambda: study.blocks("begin"), 120, "work")
    process = study.do("cancel")
    assert process.returncode == 0
    assert "cancelled" in process.stdout
    study.until(lambda: not study.slurm.jobs(), 60, "an empty queue")
    assert "no jobs on the queue" in study.do("cancel").stdout
