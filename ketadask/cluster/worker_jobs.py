"""Keep as many workers on the queue as were asked for, and say why some are missing.

Strategy: a thread looks at the queue every few seconds and compares what SLURM says with the
workers that have connected. What is missing is submitted, again and again, more slowly where jobs
die before they connect; a job near the end of its walltime gets a successor; a job that waits is
never cancelled. Every death is put into words with SLURM's own reason. Only deaths by memory or by
a crash are held against the tasks that ran; walltime, preemption, failing nodes and scancel are
nobody's fault.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ketadask.cluster import slurm
from ketadask.cluster.slurm import Death, JobState, UnreachableError
from ketadask.schema.errors import InputError

_log = logging.getLogger(__name__)
_EARLY = 3
_PATIENCE = 300.0
_SLOWEST = 300.0
_SAY_AGAIN = 30.0
_SILENT = 20.0
_OWN_WORDS = ("memory budget", "killed by signal", "exited with status")


@dataclass(frozen=True)
class Loss:
    """A worker that went away: its name, the tasks it held, and when."""

    name: str
    tasks: tuple[str, ...]
    moment: float


class Pool(Protocol):
    """What the fleet needs of the scheduler."""

    losses: deque[Loss]

    def script(self, name: str) -> str:
        """Return the job script of a worker."""
        ...

    def registered(self) -> set[str]:
        """Return the names of the workers that are connected."""
        ...

    def idle(self) -> set[str]:
        """Return the names of the workers that have nothing to do."""
        ...

    def dismiss(self, name: str) -> None:
        """Forget the workers of a job that has ended."""
        ...

    def wanted(self) -> int:
        """Return how many jobs there should be."""
        ...

    def blame(self, loss: Loss, why: str) -> None:
        """Hold the loss of a worker against the tasks it was computing."""
        ...


@dataclass
class WorkerJob:
    """One job of the fleet."""

    job: str
    name: str
    begun: float
    state: JobState = field(default_factory=lambda: JobState("PENDING"))
    running: float | None = None
    connected: bool = False
    told: bool = False
    dismissed: bool = False


@dataclass
class WorkerJobs:
    """The jobs that hold the workers of one run."""

    pool: Pool
    job_name: str
    logs: Path
    poll: float
    renew_seconds: float
    say: Callable[[str], None]
    note: Callable[[str], None]
    record: Callable[[dict[str, object]], None]
    clock: Callable[[], float] = time.monotonic
    members: dict[str, WorkerJob] = field(default_factory=dict)
    error: InputError | None = None

    def __post_init__(self) -> None:
        self._made = 0
        self._early = 0
        self._ever = False
        self._next = 0.0
        self._deaf_since: float | None = None
        self._strays = False
        self._dead: dict[str, Death] = {}
        self._said = ("", 0.0)
        self._refused = ""
        self._lost: list[Loss] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ketadask-fleet", daemon=True)

    def start(self) -> None:
        """Submit the first jobs, and look after them from now on."""
        self.tick()
        if self.error is None:
            self._thread.start()

    def stop(self) -> None:
        """Cancel every job, those that wait too."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(timeout=60)
        self._cancel(self.members)
        self.record(self._told("the study is not running", {}))

    def _cancel(self, jobs: Iterable[str]) -> None:
        for wait in (0, 1, 3):
            time.sleep(wait)
            try:
                return slurm.cancel(jobs)
            except InputError as error:
                _log.warning("%s", error)
        return None

    def _run(self) -> None:
        while not self._end.wait(self.poll if self._ever else min(self.poll, 2.0)):
            try:
                self.tick()
            except Exception:
                _log.exception("looking after the jobs failed; trying again")
            if self.error is not None:
                return

    def tick(self) -> None:
        """Look once at queue and workers, and do what is needed."""
        now = self.clock()
        try:
            states = slurm.look(self.members)
            if self._strays:
                self._cancel(set(slurm.mine(self.job_name)) - set(self.members))
                self._strays = False
            self._deaf_since = None
        except UnreachableError as error:
            self._deaf(now, error)
            return
        registered = {name.split("-")[0] for name in self.pool.registered()}
        for member in list(self.members.values()):
            self._look(member, states.get(member.job), member.name in registered, now)
        self._weigh(now)
        self._replace(now)
        self._shrink()
        self._tell(now, registered)

    def _look(self, member: WorkerJob, state: JobState | None, there: bool, now: float) -> None:
        if there and not member.connected:
            member.connected = self._ever = True
            self._early = 0
        if state is None and now - member.begun < 10 and not member.connected:
            return  # SLURM may need a moment to list what it has taken
        if state is None or not state.alive:
            self._bury(member, now)
            return
        member.state = state
        if state.state == "RUNNING" and member.running is None:
            member.running = now
        silent = member.running is not None and now - member.running > _SILENT
        if silent and not member.connected and not member.told:
            member.told = True
            self.say(
                f"job {member.job} runs on {state.node} for {now - (member.running or 0):.0f} s "
                f"and its worker has not connected; its log is {self.log(member.job)}"
            )

    def _bury(self, member: WorkerJob, now: float) -> None:
        death = slurm.death(member.job)
        del self.members[member.job]
        self._dead[member.name] = death
        self.pool.dismiss(member.name)
        if member.dismissed:
            return
        if member.connected:
            self.note(f"job {member.job} with worker {member.name} ended: {death}")
            return
        self._early += 1
        self._next = now + min(_SLOWEST, 2.0**self._early)
        self.note(f"job {member.job} ended before its worker connected: {death}")
        if self._early >= (_EARLY if not self._ever else 3 * _EARLY):
            log = self.log(member.job)
            self.error = InputError(
                f"{self._early} jobs ended before their workers connected; SLURM says of job "
                f"{member.job}: {death}; its log ends with:\n{tail(log)}\n",
                file=log,
                remedy="try `ketadask doctor` with this profile",
            )

    def _weigh(self, now: float) -> None:
        """Find out of every lost worker whether its tasks are to blame."""
        while self.pool.losses:
            self._lost.append(self.pool.losses.popleft())
        waiting, self._lost = self._lost, []
        for loss in waiting:
            name = loss.name.split("-")[0]
            if name in self._dead:
                if self._dead[name].own:
                    self.pool.blame(loss, str(self._dead[name]))
                continue
            member = next((each for each in self.members.values() if each.name == name), None)
            if member is None:
                continue
            if member.state.state != "RUNNING" or time.time() - loss.moment < 2 * self.poll + 3:
                self._lost.append(loss)
                continue
            words = tail(self.log(member.job), 40)
            if any(word in words for word in _OWN_WORDS):
                self.note(f"worker {loss.name} in job {member.job} died and was started again")
                self.pool.blame(loss, "the worker's process died, its log tells how")
            else:
                self.note(f"worker {loss.name} in job {member.job} lost its connection")

    def _replace(self, now: float) -> None:
        staying = [each for each in self.members.values() if not self._expiring(each)]
        missing = self.pool.wanted() - len(staying)
        if missing <= 0 or now < self._next or self._end.is_set():
            return
        for _ in range(missing):
            name = f"w{self._made}"
            try:
                job = slurm.submit(self.pool.script(name))
            except UnreachableError as error:
                self._strays = True
                self._deaf(now, error)
                return
            except InputError as error:
                self._refusal(error, now)
                return
            self._made += 1
            self.members[job] = WorkerJob(job, name, now)
            _log.info("job %s submitted for worker %s", job, name)
            self.record(self._told(self._line(set()), self.members))

    def _expiring(self, member: WorkerJob) -> bool:
        left = member.state.seconds_left
        return member.state.state == "RUNNING" and left is not None and left < self.renew_seconds

    def _refusal(self, error: InputError, now: float) -> None:
        if not self.members and not self._ever:
            self.error = error
            return
        self._next = now + 60
        if self._refused != str(error):
            self._refused = str(error)
            self.note(f"{error.problem}; going on with {len(self.members)} jobs")

    def _deaf(self, now: float, error: UnreachableError) -> None:
        self._next = now + 5
        if self._deaf_since is None:
            self._deaf_since = now
            self.note(f"{error.problem}; trying again")
        elif now - self._deaf_since > _PATIENCE and not self.pool.registered():
            self.error = error

    def _shrink(self) -> None:
        spare = sum(each.connected for each in self.members.values()) - self.pool.wanted()
        idle = {name.split("-")[0] for name in self.pool.idle()} if spare > 0 else set()
        for member in [each for each in self.members.values() if each.name in idle][:spare]:
            if not self._expiring(member):
                member.dismissed = True
                self.pool.dismiss(member.name)
                self._cancel([member.job])

    def _tell(self, now: float, registered: set[str]) -> None:
        line, (said, moment) = self._line(registered), self._said
        complete = len(registered) >= self.pool.wanted()
        if (line != said and now - moment > 3) or (not complete and now - moment > _SAY_AGAIN):
            self._said = (line, now)
            self.say(f"cluster: {line}")
        self.record(self._told(line, self.members))

    def _line(self, registered: set[str]) -> str:
        queued = [each.state for each in self.members.values() if each.state.waiting]
        starting = [
            each
            for each in self.members.values()
            if not each.state.waiting and each.name not in registered
        ]
        text = f"{len(registered)} of {self.pool.wanted()} workers"
        if starting:
            text += f", {len(starting)} starting"
        if queued:
            reasons = sorted({each.reason for each in queued if each.reason not in ("", "None")})
            why = f" ({', '.join(reasons)})" if reasons else ""
            starts = sorted(each.start for each in queued if each.start)
            text += f", {len(queued)} queued: {queued[0].state}{why}"
            text += f", expected {starts[0]}" if starts else ""
        return text

    def _told(self, line: str, members: dict[str, WorkerJob]) -> dict[str, object]:
        return {
            "line": line,
            "job_name": self.job_name,
            "jobs": {each.job: each.name for each in members.values()},
        }

    def log(self, job: str) -> Path:
        """Return the log of a job."""
        return self.logs / f"worker-{job}.log"


def tail(path: Path, lines: int = 12) -> str:
    """Return the last lines of a log, or a word on why there are none."""
    try:
        text = path.read_text(errors="replace").strip()
    except OSError as error:
        return f"(there is no log: {error.strerror})"
    return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"
