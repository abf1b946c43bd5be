"""A study as a head job: scheduler and study run on a compute node and continue after logout.

The run folder holds the settings and the profile of the head job as they were when it was
submitted: a later change of the YAML files changes nothing. A head job resumes the study. Shortly
before its walltime SLURM sends a signal; the head job then stores the results of its workers,
requeues itself and resumes later. `status` and `cancel` query the queue only.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from ketadask.cluster import slurm
from ketadask.cluster.queues import check_library, check_script_path, prologue_lines
from ketadask.schema.errors import InputError
from ketadask.store.disk import make_folder
from ketadask.store.environment import now
from ketadask.store.run_folder import SUBMISSION, RunFolder
from ketadask.study.run import LOG

if TYPE_CHECKING:
    from ketadask.cluster.slurm import JobEnd
    from ketadask.study.study import RunSummary, Study

_PAUSE, _LOG_LINES = 5.0, 10
SETTINGS, PROFILE, HEAD, SCRIPT = SUBMISSION
QUEUE = "cluster.json"


def submit_study(study: Study) -> tuple[str, Path]:
    """Submit the head job of a study; return its id and its log."""
    if study.profile.kind != "slurm":
        raise InputError(
            "submit needs a profile of kind slurm",
            where="kind",
            value=study.profile.kind,
            remedy="give --cluster a profile of kind slurm, or use `ketadask run`",
        )
    check_library(study.profile)
    check_script_path(study.paths.path)
    if study.settings.data.simulate is None and study.check().stops:
        raise InputError(
            "the study would stop at invalid cells",
            file=study.settings.data.folder,
            remedy="`ketadask check` lists them",
        )
    run = study.paths.open()
    jobs = slurm.my_jobs(head_name(run))
    if jobs:
        raise InputError(
            f"the study is already on the queue as job {', '.join(jobs)}",
            file=run.path,
            remedy="follow it with `ketadask status`, cancel it with `ketadask cancel`",
        )
    make_folder(run.path / "logs")
    script = head_script(study, run)
    with run.lock():
        run.write_json(SETTINGS, study.settings.model_dump(mode="json", exclude_unset=True))
        run.write_json(PROFILE, study.profile.model_dump(mode="json", exclude_unset=True))
        run.write_text(SCRIPT, script)
        job = slurm.submit(script, folder=Path.cwd())
        log = run.path / "logs" / f"head-{job}.log"
        run.write_json(HEAD, {"job": job, "submitted": now(), "log": str(log)})
    return job, log


def head_name(run: RunFolder) -> str:
    """Return the name of the head job on the queue."""
    return slurm.job_name(run.path, "keta-head")


def submitted_study(folder: Path) -> Study:
    """Return the study of a run folder as it was submitted."""
    from ketadask.study.study import Study

    run = RunFolder.open(folder)
    if not run.has(SETTINGS):
        raise InputError(
            "the study of this run folder was not submitted",
            file=run.path,
            remedy="give the YAML file of the study",
        )
    for name in (SETTINGS, PROFILE):
        run.read_json(name)  # compares the checksum
    study = Study.read(run.path / SETTINGS, out=run.path.parent, cluster=run.path / PROFILE)
    if study.paths.path != run.path:
        raise InputError(
            "the inputs or the version of ketadask changed after the study was submitted",
            file=run.path,
            remedy="submit the study again",
        )
    return study


def head_script(study: Study, run: RunFolder) -> str:
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
            *prologue_lines(profile, run.path / "logs"),
            f"exec {shlex.quote(python)} -m ketadask head {shlex.quote(str(run.path))}",
            "",
        ]
    )


def run_head_job(study: Study) -> RunSummary:
    """Run the study in its head job; requeue near the end of the walltime."""
    near_end, end = False, 0.0

    def before_walltime(signum: int, frame: FrameType | None) -> None:
        nonlocal near_end, end
        near_end, end = True, time.monotonic() + study.profile.head.requeue_seconds
        study.progress.print(
            "the walltime of the head job ends soon: storing results and requeueing"
        )
        signal.alarm(max(5, study.profile.head.requeue_seconds // 2))
        os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGUSR1, before_walltime)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGALRM, _interrupt)
    try:
        return study.run()
    except KeyboardInterrupt:
        if near_end:
            signal.alarm(0)
            requeue(os.environ["SLURM_JOB_ID"], end, study.progress.print)
        raise


def requeue(job: str, end: float, say: Callable[[str], None]) -> None:
    """Requeue a job; retry until ``end`` if the controller does not answer."""
    while True:
        try:
            slurm.call("scontrol", "requeue", job)
            return
        except InputError as error:
            if time.monotonic() + _PAUSE > end:
                raise
            say(f"requeue failed, trying again: {error.problem}")
        time.sleep(_PAUSE)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def cancel_jobs(folder: Path, *, patience: float = 60.0) -> list[str]:
    """Cancel the head and worker jobs of a run folder; return their ids."""
    run = RunFolder(folder)
    heads = slurm.my_jobs(head_name(run))
    slurm.cancel(heads)
    end = time.monotonic() + patience
    while time.monotonic() < end and slurm.my_jobs(head_name(run)):
        time.sleep(0.5)
    workers = slurm.my_jobs(slurm.job_name(run.path))
    slurm.cancel(workers)
    return [*heads, *workers]


def queue_lines(folder: Path) -> list[str]:
    """Return the jobs, workers and writer of a study, as its run folder records them."""
    run, lines = RunFolder(folder), []
    if run.has(HEAD):
        head = run.read_json(HEAD)
        lines.append(f"head job {head['job']}, submitted {head['submitted']}, log {head['log']}")
        end = _head_end(head["job"])
        if end is not None and end.state not in ("UNKNOWN", "COMPLETED"):
            lines.append(f"head job {head['job']} ended: {end}")
    if run.has(QUEUE):
        cluster = run.read_json(QUEUE)
        lines.append(f"cluster: {cluster['line']} (at {cluster['updated']})")
    if lines:
        lines.append(f"logs of the workers: {run.path / 'logs'}")
    owner = run.owner
    if owner is not None:
        lines.append(f"written by {owner}")
    return lines


def run_end(folder: Path) -> str | None:
    """Return how a run ended, with the last lines of its log; None while it is active."""
    run, job = RunFolder(folder), ""
    log = folder / LOG
    if run.owner is not None:
        return None
    if run.has(HEAD):
        head = run.read_json(HEAD)
        end, log = _head_end(head["job"]), Path(head["log"])
        if end is None:
            return None
        job = f"head job {head['job']} ended: {end}"
    lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:] if log.is_file() else []
    text = job or "no process writes this run; `ketadask run` continues it"
    return "\n".join([text, *([f"last lines of {log}:"] if lines else []), *lines])


def _head_end(job: str) -> JobEnd | None:
    """Return how a head job ended; None while it waits or runs, or SLURM does not answer."""
    try:
        end = slurm.job_end(job)
    except slurm.UnreachableError:
        return None
    return None if end.state in slurm.ALIVE else end
