"""A study as a job of its own: scheduler and study on a compute node, which survives logout.

The head job continues where the last one stopped. Shortly before its walltime ends SLURM sends a
signal; the head then finishes and stores what its workers compute, puts itself back on the queue
and goes on from there. `status` and `cancel` find the run folder by the study and its data; they
ask the queue, and no worker.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from ketadask.cluster import slurm
from ketadask.schema.errors import InputError
from ketadask.store.environment import now

if TYPE_CHECKING:
    from ketadask.store.run_folder import RunFolder
    from ketadask.study.study import RunSummary, Study

_PAUSE = 5.0
HEAD, SCRIPT, QUEUE = "head.json", "head.sbatch", "cluster.json"


def submit_study(study: Study, words: Sequence[str]) -> tuple[str, Path]:
    """Put the head job of a study on the queue; return its number and its log.

    ``words`` are the study's file and options, as the head job will be given them.
    """
    if study.profile.kind != "slurm":
        raise InputError(
            "only a study whose workers are SLURM jobs can be submitted",
            where="kind",
            value=study.profile.kind,
            remedy="give --cluster a profile of kind slurm, or use `ketadask run`",
        )
    run = study.place.open()
    there = slurm.mine(head_name(run))
    if there:
        raise InputError(
            f"the study is on the queue already as job {', '.join(there)}",
            file=run.path,
            remedy="follow it with `ketadask status`, end it with `ketadask cancel`",
        )
    (run.path / "logs").mkdir(exist_ok=True)
    script = head_script(study, run, words)
    run.write_text(SCRIPT, script)
    job = slurm.submit(script, folder=Path.cwd())
    log = run.path / "logs" / f"head-{job}.log"
    run.write_json(HEAD, {"job": job, "submitted": now(), "log": str(log)})
    return job, log


def head_name(run: RunFolder) -> str:
    """Return the name of the head job on the queue."""
    return slurm.job_name(run.path, "keta-head")


def head_script(study: Study, run: RunFolder, words: Sequence[str]) -> str:
    """Return the job script of the head job."""
    profile = study.profile
    head, job = profile.head, profile.job
    partition = head.partition or job.partition
    python = str(job.python or sys.executable)
    options = [
        f"--job-name={head_name(run)}",
        f'--output="{run.path}/logs/head-%j.log"',
        "--open-mode=append",
        "--requeue",
        f"--time={head.walltime}",
        f"--mem={head.mebibytes}M",
        "--ntasks=1",
        "--cpus-per-task=1",
        f"--signal=B:USR1@{head.requeue_seconds}",
        *([f"--partition={partition}"] if partition else []),
        *([f"--account={job.account}"] if job.account else []),
        *head.directives,
    ]
    return "\n".join(
        [
            "#!/usr/bin/env bash",
            *(f"#SBATCH {option}" for option in options),
            *job.prologue,
            f"exec {shlex.quote(python)} -m ketadask head {shlex.join(words)}",
            "",
        ]
    )


def run_head_job(study: Study) -> RunSummary:
    """Do the study inside its head job; near the end of the walltime, requeue and leave."""
    near_end, end = False, 0.0

    def before_walltime(number: int, frame: FrameType | None) -> None:
        nonlocal near_end, end
        near_end, end = True, time.monotonic() + study.profile.head.requeue_seconds
        study.progress.print("the walltime of the head job ends soon; storing, then requeueing")
        signal.alarm(max(5, study.profile.head.requeue_seconds // 2))
        os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGUSR1, before_walltime)
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGALRM, _leave)
    try:
        return study.run()
    except KeyboardInterrupt:
        if near_end:
            signal.alarm(0)
            requeue(os.environ["SLURM_JOB_ID"], end, study.progress.print)
        raise


def requeue(job: str, end: float, say: Callable[[str], None]) -> None:
    """Put a job back on the queue, trying until ``end`` where the controller does not answer."""
    while True:
        try:
            slurm.call("scontrol", "requeue", job)
            return
        except InputError as error:
            if time.monotonic() + _PAUSE > end:
                raise
            say(f"not back on the queue yet, trying again: {error.problem}")
        time.sleep(_PAUSE)


def _leave(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def cancel_study(study: Study, *, patience: float = 60.0) -> list[str]:
    """Cancel head and workers of a study; return the numbers of their jobs."""
    from ketadask.store.run_folder import RunFolder

    run = RunFolder(study.place.path)
    heads = slurm.mine(head_name(run))
    slurm.cancel(heads)
    end = time.monotonic() + patience
    while time.monotonic() < end and slurm.mine(head_name(run)):
        time.sleep(0.5)
    workers = slurm.mine(slurm.job_name(run.path))
    slurm.cancel(workers)
    return [*heads, *workers]


def queue_lines(study: Study) -> list[str]:
    """Return what the run folder tells of who writes, of jobs and workers; asks nobody."""
    from ketadask.store.run_folder import RunFolder

    run, lines = RunFolder(study.place.path), []
    if run.has(HEAD):
        told = run.read_json(HEAD)
        lines.append(f"head job {told['job']}, submitted {told['submitted']}, log {told['log']}")
    if run.has(QUEUE):
        told = run.read_json(QUEUE)
        lines.append(f"cluster: {told['line']} (at {told['updated']})")
    if lines:
        lines.append(f"logs of the workers: {run.path / 'logs'}")
    owner = run.owner
    if owner is not None:
        lines.append(f"being written by {owner}")
    return lines
