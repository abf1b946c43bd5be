"""SLURM as it is spoken: sbatch, squeue, scontrol, sacct and scancel, with values in between."""

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

_SECONDS = 40
_COLUMNS = "%i|%T|%r|%N|%S|%L"
ALIVE = frozenset(
    {
        *("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STAGE_OUT"),
        *("SIGNALING", "REQUEUED", "REQUEUE_HOLD", "RESIZING", "SPECIAL_EXIT", "STOPPED"),
    }
)
_REFUSALS = {
    "account": "correct job.account in the profile; `sacctmgr show associations user=$USER` lists "
    "yours",
    "partition": "correct job.partition in the profile; `sinfo -s` lists what there is",
    "QOSMaxSubmit": "wait until jobs have ended, ask for fewer workers, or for another quality of "
    "service in job.directives",
    "AssocMaxSubmit": "wait until jobs have ended, or ask for fewer workers",
    "time limit": "lower job.walltime in the profile; `sinfo -o '%P %l'` lists the longest",
    "node configuration is not available": "lower job.memory or job.workers in the profile; "
    "`sinfo -o '%P %c %m'` lists what a node has",
    "Memory": "lower job.memory in the profile",
    "controller": "wait until the controller answers (`scontrol ping`), then run again",
}


class UnreachableError(InputError):
    """The controller does not answer now; it may later."""


@dataclass(frozen=True)
class JobState:
    """What SLURM says of one job."""

    state: str
    reason: str = ""
    node: str = ""
    start: str = ""
    seconds_left: float | None = None

    @property
    def alive(self) -> bool:
        """Whether the job waits or runs."""
        return self.state in ALIVE

    @property
    def waiting(self) -> bool:
        """Whether the job has not begun."""
        return self.state in ("PENDING", "REQUEUED", "REQUEUE_HOLD", "CONFIGURING")


@dataclass(frozen=True)
class Death:
    """How a job ended: SLURM's word for it, its exit code, and whether a task may be to blame."""

    state: str
    code: str
    node: str = ""

    @property
    def own(self) -> bool:
        """Whether what ran in the job ended it: too much memory, or a crash.

        Memory is told as OUT_OF_MEMORY where cgroups are used and as FAILED with signal 9 where
        memory is polled.

        Examples
        --------
        >>> Death("OUT_OF_MEMORY", "0:125").own, Death("FAILED", "0:9").own
        (True, True)
        >>> Death("TIMEOUT", "0:15").own, Death("CANCELLED", "0:15").own, Death("FAILED", "1:0").own
        (False, False, False)
        """
        if self.state == "OUT_OF_MEMORY":
            return True
        status, _, signal = self.code.partition(":")
        crashed = signal not in ("", "0", "15") or (status.isdigit() and int(status) > 128 + 15)
        return self.state == "FAILED" and (crashed or status == "137")

    def __str__(self) -> str:
        words = {
            "OUT_OF_MEMORY": "it used more memory than it asked for",
            "TIMEOUT": "its walltime ended",
            "PREEMPTED": "another job took its place",
            "NODE_FAIL": "its node failed",
            "CANCELLED": "it was cancelled",
            "COMPLETED": "it ended by itself",
        }
        why = words.get(self.state, "")
        if self.state == "FAILED":
            why = "most likely too much memory" if self.own else f"exit code {self.code}"
        where = f" on {self.node}" if self.node else ""
        return f"{self.state}{where}" + (f" ({why})" if why else "")


def call(*words: str, text: str | None = None) -> str:
    """Return what a command of SLURM prints; or raise with its own words."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name == "SLURM_CONF" or not name.startswith(("SLURM_", "SBATCH_", "SRUN_"))
    }
    try:
        told = subprocess.run(
            words,
            input=text,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
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
        raise UnreachableError(f"{words[0]} gave no answer in {_SECONDS} s") from None
    if told.returncode:
        said = " ".join((told.stderr.strip() or told.stdout.strip()).split())
        for name in ("Unable to contact", "Socket timed out", "Connection refused", "Zero Bytes"):
            if name in said:
                raise UnreachableError(
                    f"SLURM does not answer: {said}", remedy=_REFUSALS["controller"]
                )
        raise InputError(f"{words[0]} refuses: {said}", remedy=_remedy(said))
    return told.stdout


def _remedy(said: str) -> str | None:
    low = said.lower()
    return next((text for word, text in _REFUSALS.items() if word.lower() in low), None)


def job_name(run: Path, what: str = "keta") -> str:
    """Return what the jobs of a run are called; the same study run elsewhere has other jobs.

    Examples
    --------
    >>> job_name(Path("/a/runs/demo-0f3a"))
    'keta-demo-0f3a-c1ede5'
    >>> job_name(Path("/b/runs/demo-0f3a")) == job_name(Path("/a/runs/demo-0f3a"))
    False
    """
    return f"{what}-{run.name}-{fingerprint(str(run.absolute()))[:6]}"


def submit(script: str, *, folder: Path | None = None) -> str:
    """Hand a job script to the queue; return the number of the job."""
    where = () if folder is None else (f"--chdir={folder}",)
    printed = call("sbatch", "--parsable", *where, text=script)
    return printed.strip().splitlines()[-1].split(";")[0]


def trial_submit(script: str) -> str:
    """Ask SLURM whether it would take a script; return its answer."""
    return call("sbatch", "--test-only", text=script)


def look(jobs: Iterable[str]) -> dict[str, JobState]:
    """Return the states of the jobs that SLURM still knows, by number."""
    wanted = sorted(set(jobs))
    if not wanted:
        return {}
    words = ("squeue", "--noheader", "--states=all", f"--format={_COLUMNS}")
    try:
        printed = call(*words, f"--jobs={','.join(wanted)}")
    except UnreachableError:
        raise
    except InputError as error:
        if "Invalid job id" not in error.problem:
            raise
        return {}
    found = {}
    for line in printed.splitlines():
        job, state, reason, node, start, left = [*line.split("|"), *[""] * 6][:6]
        found[job.strip()] = JobState(state, reason, node, _time(start), parse_duration(left))
    return {job: found[job] for job in wanted if job in found}


def mine(name: str) -> dict[str, JobState]:
    """Return my jobs of one name that wait or run."""
    words = ("squeue", "--noheader", f"--user={getpass.getuser()}", f"--name={name}")
    lines = call(*words, "--format=%i|%T|%r|%N").splitlines()
    rows = [line.split("|") for line in lines if line.count("|") >= 3]
    return {row[0]: JobState(*row[1:4]) for row in rows}


def death(job: str) -> Death:
    """Return how a job ended, from the controller or, where it has forgotten, from accounting."""
    try:
        said = call("scontrol", "show", "job", "--oneliner", job)
    except UnreachableError:
        raise
    except InputError:
        return _accounted(job)
    found = dict(re.findall(r"(\w+)=(\S*)", said))
    code = found.get("ExitCode", "")
    return Death(found.get("JobState", "UNKNOWN"), code, found.get("NodeList", "").strip("()"))


def _accounted(job: str) -> Death:
    try:
        fields = "State,ExitCode,NodeList"
        lines = call("sacct", "-n", "-P", "-X", "-j", job, f"--format={fields}").splitlines()
        state, code, node = lines[0].split("|")
    except (InputError, IndexError, ValueError):
        return Death("UNKNOWN", "")
    return Death(state.split()[0], code, node)


def cancel(jobs: Iterable[str]) -> None:
    """Cancel jobs; those that are gone already are no error."""
    wanted = sorted(set(jobs))
    if wanted:
        try:
            call("scancel", *wanted)
        except UnreachableError:
            raise
        except InputError:
            return


def parse_duration(span: str) -> float | None:
    """Return a span as SLURM writes it in seconds, or None where it is no span.

    Examples
    --------
    >>> seconds("1-02:00:30"), seconds("09:59"), seconds("UNLIMITED")
    (93630.0, 599.0, None)
    """
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", span.strip())
    if not match:
        return None
    days, hours, minutes, rest = (int(each or 0) for each in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + rest)


def _time(start: str) -> str:
    return "" if start in ("N/A", "") else start
