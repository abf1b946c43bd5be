"""SLURM commands (sbatch, squeue, scontrol, sacct, scancel) as functions with typed results."""

from __future__ import annotations

import getpass
import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ketadask.schema.errors import InputError
from ketadask.store.fingerprints import fingerprint

_TIMEOUT_SECONDS = 40
_COLUMNS = "%i|%T|%r|%N|%S|%L"
ALIVE = frozenset(
    {
        *("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STAGE_OUT"),
        *("SIGNALING", "REQUEUED", "REQUEUE_HOLD", "RESIZING", "SPECIAL_EXIT", "STOPPED"),
    }
)
_NO_CONTACT = ("Unable to contact", "Socket timed out", "Connection refused", "Zero Bytes")
_REMEDIES = {
    "account": "correct job.account in the profile; `sacctmgr show associations user=$USER` lists "
    "yours",
    "partition": "correct job.partition in the profile; `sinfo -s` lists partitions",
    "QOSMaxSubmit": "wait for other jobs to end, request fewer workers, or another quality of "
    "service in job.directives",
    "AssocMaxSubmit": "wait for other jobs to end, or request fewer workers",
    "time limit": "lower job.walltime in the profile; `sinfo -o '%P %l'` lists limits",
    "node configuration is not available": "lower job.memory or job.workers in the profile; "
    "`sinfo -o '%P %c %m'` lists cores and memory",
    "Memory": "lower job.memory in the profile",
    "controller": "wait until the controller answers (`scontrol ping`), then run again",
}


class UnreachableError(InputError):
    """The controller does not answer at present."""


@dataclass(frozen=True)
class JobState:
    """The state of a job according to SLURM."""

    state: str
    reason: str = ""
    node: str = ""
    start: str = ""
    seconds_left: float | None = None

    @property
    def is_alive(self) -> bool:
        """Whether the job is waiting or running."""
        return self.state in ALIVE

    @property
    def is_waiting(self) -> bool:
        """Whether the job has not started."""
        return self.state in ("PENDING", "REQUEUED", "REQUEUE_HOLD", "CONFIGURING")


@dataclass(frozen=True)
class JobEnd:
    """How a job ended: its final state, exit code and node."""

    state: str
    code: str
    node: str = ""

    @property
    def is_task_fault(self) -> bool:
        """Whether a task may have ended the job: a lack of memory or a crash.

        With cgroups SLURM reports a lack of memory as OUT_OF_MEMORY, otherwise as FAILED with
        signal 9.

        Examples
        --------
        >>> JobEnd("OUT_OF_MEMORY", "0:125").is_task_fault, JobEnd("FAILED", "0:9").is_task_fault
        (True, True)
        >>> JobEnd("TIMEOUT", "0:15").is_task_fault, JobEnd("FAILED", "1:0").is_task_fault
        (False, False)
        """
        if self.state == "OUT_OF_MEMORY":
            return True
        status, _, signal = self.code.partition(":")
        is_crash = signal not in ("", "0", "15") or (status.isdigit() and int(status) > 128 + 15)
        return self.state == "FAILED" and (is_crash or status == "137")

    def __str__(self) -> str:
        reason = {
            "OUT_OF_MEMORY": "it exceeded its memory limit",
            "TIMEOUT": "it reached its walltime",
            "PREEMPTED": "a job of higher priority replaced it",
            "NODE_FAIL": "its node failed",
            "CANCELLED": "it was cancelled",
            "COMPLETED": "it ended without an error",
            "FAILED": f"exit code {self.code}",
        }.get(self.state, "")
        if self.state == "FAILED" and self.is_task_fault:
            reason = "most likely it exceeded its memory limit"
        node = f" on {self.node}" if self.node else ""
        return f"{self.state}{node}" + (f" ({reason})" if reason else "")


def call(*words: str, text: str | None = None) -> str:
    """Return the output of a SLURM command; raise with its error message."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name == "SLURM_CONF" or not name.startswith(("SLURM_", "SBATCH_", "SRUN_"))
    }
    try:
        process = subprocess.run(
            words,
            input=text,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
            env=environment,
        )
    except FileNotFoundError:
        raise InputError(
            "no such command on this machine",
            value=words[0],
            remedy="run on a login node of the cluster, or load its SLURM module",
        ) from None
    except subprocess.TimeoutExpired:
        raise UnreachableError(f"{words[0]} gave no answer in {_TIMEOUT_SECONDS} s") from None
    if process.returncode:
        message = " ".join((process.stderr.strip() or process.stdout.strip()).split())
        if any(text in message for text in _NO_CONTACT):
            raise UnreachableError(
                f"SLURM does not answer: {message}", remedy=_REMEDIES["controller"]
            )
        remedies = (r for text, r in _REMEDIES.items() if text.lower() in message.lower())
        raise InputError(f"{words[0]} fails: {message}", remedy=next(remedies, None))
    return process.stdout


def job_name(run: Path, prefix: str = "keta") -> str:
    """Return the name of the jobs of a run; it depends on the path of the run folder.

    Examples
    --------
    >>> job_name(Path("/a/runs/demo-0f3a"))
    'keta-demo-0f3a-c1ede5'
    >>> job_name(Path("/b/runs/demo-0f3a")) == job_name(Path("/a/runs/demo-0f3a"))
    False
    """
    return f"{prefix}-{run.name}-{fingerprint(str(run.absolute()))[:6]}"


def submit(script: str, *, folder: Path | None = None) -> str:
    """Submit a job script; return the job id."""
    options = () if folder is None else (f"--chdir={folder}",)
    output = call("sbatch", "--parsable", *options, text=script)
    return output.strip().splitlines()[-1].split(";")[0]


def check_script(script: str) -> str:
    """Return SLURM's answer to a script, without submitting it; raise where it is rejected."""
    return call("sbatch", "--test-only", text=script)


def job_states(jobs: Iterable[str]) -> dict[str, JobState]:
    """Return the states of the jobs that SLURM lists, by job id."""
    ids = sorted(set(jobs))
    if not ids:
        return {}
    words = ("squeue", "--noheader", "--states=all", f"--format={_COLUMNS}")
    try:
        output = call(*words, f"--jobs={','.join(ids)}")
    except UnreachableError:
        raise
    except InputError as error:
        if "Invalid job id" not in error.problem:
            raise
        return {}
    states = {}
    for line in output.splitlines():
        job, state, reason, node, start, duration = [*line.split("|"), *[""] * 6][:6]
        start = "" if start == "N/A" else start
        states[job.strip()] = JobState(state, reason, node, start, parse_duration(duration))
    return {job: states[job] for job in ids if job in states}


def my_jobs(name: str) -> dict[str, JobState]:
    """Return the waiting and running jobs of this user with a name, by job id."""
    words = ("squeue", "--noheader", f"--user={getpass.getuser()}", f"--name={name}")
    lines = call(*words, "--format=%i|%T|%r|%N").splitlines()
    rows = (line.split("|") for line in lines if line.count("|") >= 3)
    return {job: JobState(state, reason, node) for job, state, reason, node, *_ in rows}


def job_end(job: str) -> JobEnd:
    """Return how a job ended, from the controller or, if it lists the job no more, from sacct."""
    try:
        output = call("scontrol", "show", "job", "--oneliner", job)
    except UnreachableError:
        raise
    except InputError:
        return _end_in_accounting(job)
    fields = dict(re.findall(r"(\w+)=(\S*)", output))
    node = fields.get("NodeList", "").strip("()")
    return JobEnd(fields.get("JobState", "UNKNOWN"), fields.get("ExitCode", ""), node)


def _end_in_accounting(job: str) -> JobEnd:
    try:
        fields = "State,ExitCode,NodeList"
        lines = call("sacct", "-n", "-P", "-X", "-j", job, f"--format={fields}").splitlines()
        state, code, node = lines[0].split("|")
    except (InputError, IndexError, ValueError):
        return JobEnd("UNKNOWN", "")
    return JobEnd(state.split()[0], code, node)


def cancel(jobs: Iterable[str]) -> None:
    """Cancel jobs; jobs that have ended are ignored."""
    ids = sorted(set(jobs))
    if ids:
        try:
            call("scancel", *ids)
        except UnreachableError:
            raise
        except InputError:
            return


def parse_duration(text: str) -> float | None:
    """Return the seconds of a duration as SLURM writes it, or None for other texts.

    Examples
    --------
    >>> parse_duration("1-02:00:30"), parse_duration("09:59"), parse_duration("UNLIMITED")
    (93630.0, 599.0, None)
    """
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text.strip())
    if not match:
        return None
    days, hours, minutes, seconds = (int(group or 0) for group in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
