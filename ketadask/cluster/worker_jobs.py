"""Keep the number of workers on the queue, and report why some are missing.

Strategy: a thread polls the queue every few seconds and compares its jobs with the connected
workers. Missing jobs are submitted, with longer pauses after jobs that end before they connect; a
job near its walltime gets a successor; a waiting job is never cancelled. Every ended job is
reported with SLURM's reason. Only a crash or a lack of memory counts against the tasks of a
worker; walltime, preemption, failed nodes and cancelled jobs do not.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ketadask.cluster import slurm
from ketadask.cluster.slurm import JobEnd, JobState, UnreachableError
from ketadask.cluster.worker_pool import LostWorker, WorkerPool
from ketadask.schema.errors import InputError

_log = logging.getLogger(__name__)
_MAX_FAILURES = 3
_MAX_OUTAGE = 300.0
_MAX_PAUSE = 300.0
_REPORT_SECONDS = 30.0
_CONNECT_SECONDS = 20.0
_CRASH_MESSAGES = ("memory budget", "killed by signal", "exited with status")


@dataclass
class WorkerJob:
    """One job with workers."""

    job: str
    name: str
    submit_time: float
    state: JobState = field(default_factory=lambda: JobState("PENDING"))
    start_time: float | None = None
    is_online: bool = False
    has_warning: bool = False
    is_surplus: bool = False


@dataclass
class WorkerJobs:
    """The jobs with the workers of one run.

    ``say`` receives progress, ``note`` also goes into the run record, ``write_status`` writes
    the status file.
    """

    pool: WorkerPool
    job_name: str
    logs: Path
    poll_seconds: float
    renew_seconds: float
    say: Callable[[str], None]
    note: Callable[[str], None]
    write_status: Callable[[dict[str, object]], None]
    clock: Callable[[], float] = time.monotonic
    jobs: dict[str, WorkerJob] = field(default_factory=dict)
    error: InputError | None = None

    def __post_init__(self) -> None:
        self._n_submissions = 0
        self._n_failures = 0
        self._any_online = False
        self._next_submission = 0.0
        self._outage_start: float | None = None
        self._may_have_strays = False
        self._ends: dict[str, JobEnd] = {}
        self._last_line, self._last_time = "", 0.0
        self._last_refusal = ""
        self._lost_workers: list[LostWorker] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ketadask-jobs", daemon=True)

    def start(self) -> None:
        """Submit the first jobs and start the thread."""
        self.update()
        if self.error is None:
            self._thread.start()

    def stop(self) -> None:
        """Stop the thread and cancel every job, waiting ones too."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=60)
        self._cancel(self.jobs)
        self._write_status("the study is not running", [])

    def _cancel(self, jobs: Iterable[str]) -> None:
        for wait in (0, 1, 3):
            time.sleep(wait)
            try:
                return slurm.cancel(jobs)
            except InputError as error:
                _log.warning("%s", error)
        return None

    def _run(self) -> None:
        while not self._stop.wait(
            self.poll_seconds if self._any_online else min(self.poll_seconds, 2.0)
        ):
            try:
                self.update()
            except Exception:
                _log.exception("polling the queue failed; trying again")
            if self.error is not None:
                return

    def update(self) -> None:
        """Poll the queue once, compare it with the workers, submit and cancel jobs."""
        now = self.clock()
        try:
            states = slurm.job_states(self.jobs)
            if self._may_have_strays:
                self._cancel(set(slurm.my_jobs(self.job_name)) - set(self.jobs))
                self._may_have_strays = False
            self._outage_start = None
        except UnreachableError as error:
            self._handle_outage(now, error)
            return
        online = {name.split("-")[0] for name in self.pool.names()}
        for job in list(self.jobs.values()):
            self._update_job(job, states.get(job.job), job.name in online, now)
        self._blame_tasks()
        self._submit_missing(now)
        self._release_idle()
        self._report(now, online)

    def _update_job(
        self, job: WorkerJob, state: JobState | None, is_online: bool, now: float
    ) -> None:
        if is_online and not job.is_online:
            job.is_online = self._any_online = True
            self._n_failures = 0
        if state is None and now - job.submit_time < 10 and not job.is_online:
            return  # SLURM may take a moment to list a new job
        if state is None or not state.is_alive:
            self._handle_end(job, now)
            return
        job.state = state
        if state.state == "RUNNING" and job.start_time is None:
            job.start_time = now
        seconds = 0.0 if job.start_time is None else now - job.start_time
        if seconds > _CONNECT_SECONDS and not job.is_online and not job.has_warning:
            job.has_warning = True
            self.say(
                f"job {job.job} has been running on {state.node} for {seconds:.0f} s, but its "
                f"worker has not connected; see its log {self.log(job.job)}"
            )

    def _handle_end(self, job: WorkerJob, now: float) -> None:
        end = slurm.job_end(job.job)
        del self.jobs[job.job]
        self._ends[job.name] = end
        self.pool.remove(job.name)
        if job.is_surplus:
            return
        if job.is_online:
            self.note(f"job {job.job} of worker {job.name} ended: {end}")
            return
        self._n_failures += 1
        self._next_submission = now + min(_MAX_PAUSE, 2.0**self._n_failures)
        self.note(f"job {job.job} ended before its worker connected: {end}")
        if self._n_failures >= _MAX_FAILURES * (3 if self._any_online else 1):
            log = self.log(job.job)
            self.error = InputError(
                f"{self._n_failures} jobs ended before their workers connected; state of job "
                f"{job.job}: {end}; its log ends with:\n{tail(log)}\n",
                file=log,
                remedy="run `ketadask doctor` with this profile",
            )

    def _blame_tasks(self) -> None:
        """Decide for every lost worker whether its loss counts against its tasks."""
        while self.pool.lost_workers:
            self._lost_workers.append(self.pool.lost_workers.popleft())
        pending, self._lost_workers = self._lost_workers, []
        jobs = {job.name: job for job in self.jobs.values()}
        for worker in pending:
            name = worker.name.split("-")[0]
            if name in self._ends:
                if self._ends[name].is_task_fault:
                    self.pool.blame(worker, str(self._ends[name]))
            elif name in jobs:
                self._blame_restart(worker, jobs[name])

    def _blame_restart(self, worker: LostWorker, job: WorkerJob) -> None:
        """Handle the loss of a worker whose job is on the queue still."""
        age = time.time() - worker.time
        if job.state.state != "RUNNING" or age < 2 * self.poll_seconds + 3:
            self._lost_workers.append(worker)
        elif any(message in tail(self.log(job.job), 40) for message in _CRASH_MESSAGES):
            self.note(f"worker {worker.name} in job {job.job} died and was restarted")
            self.pool.blame(worker, "the process of the worker died, see its log")
        else:
            self.note(f"worker {worker.name} in job {job.job} lost its connection")

    def _submit_missing(self, now: float) -> None:
        lasting = [job for job in self.jobs.values() if not self._is_expiring(job)]
        missing = self.pool.target() - len(lasting)
        if missing <= 0 or now < self._next_submission or self._stop.is_set():
            return
        for _ in range(missing):
            name = f"w{self._n_submissions}"
            try:
                job = slurm.submit(self.pool.script(name))
            except UnreachableError as error:
                self._may_have_strays = True
                self._handle_outage(now, error)
                return
            except InputError as error:
                self._handle_refusal(error, now)
                return
            self._n_submissions += 1
            self.jobs[job] = WorkerJob(job, name, now)
            _log.info("job %s submitted for worker %s", job, name)
            self._write_status(self._status_line(set()), self.jobs.values())

    def _is_expiring(self, job: WorkerJob) -> bool:
        seconds = job.state.seconds_left
        return job.state.state == "RUNNING" and seconds is not None and seconds < self.renew_seconds

    def _handle_refusal(self, error: InputError, now: float) -> None:
        if not self.jobs and not self._any_online:
            self.error = error
            return
        self._next_submission = now + 60
        if self._last_refusal != str(error):
            self._last_refusal = str(error)
            self.note(f"{error.problem}; continuing with {len(self.jobs)} jobs")

    def _handle_outage(self, now: float, error: UnreachableError) -> None:
        self._next_submission = now + 5
        if self._outage_start is None:
            self._outage_start = now
            self.note(f"{error.problem}; trying again")
        elif now - self._outage_start > _MAX_OUTAGE and not self.pool.names():
            self.error = error

    def _release_idle(self) -> None:
        surplus = sum(job.is_online for job in self.jobs.values()) - self.pool.target()
        idle = {name.split("-")[0] for name in self.pool.idle_names()} if surplus > 0 else set()
        for job in [job for job in self.jobs.values() if job.name in idle][:surplus]:
            if not self._is_expiring(job):
                job.is_surplus = True
                self.pool.remove(job.name)
                self._cancel([job.job])

    def _report(self, now: float, online: set[str]) -> None:
        line, seconds = self._status_line(online), now - self._last_time
        is_complete = len(online) >= self.pool.target()
        if (line != self._last_line and seconds > 3) or (
            not is_complete and seconds > _REPORT_SECONDS
        ):
            self._last_line, self._last_time = line, now
            self.say(f"cluster: {line}")
        self._write_status(line, self.jobs.values())

    def _status_line(self, online: set[str]) -> str:
        waiting = [job.state for job in self.jobs.values() if job.state.is_waiting]
        starting = sum(
            not job.state.is_waiting and job.name not in online for job in self.jobs.values()
        )
        line = f"{len(online)} of {self.pool.target()} workers"
        if starting:
            line += f", {starting} starting"
        if waiting:
            reasons = sorted({state.reason for state in waiting} - {"", "None"})
            starts = sorted(state.start for state in waiting if state.start)
            line += f", {len(waiting)} in the queue: {waiting[0].state}"
            line += f" ({', '.join(reasons)})" if reasons else ""
            line += f", expected {starts[0]}" if starts else ""
        return line

    def _write_status(self, line: str, jobs: Iterable[WorkerJob]) -> None:
        names = {job.job: job.name for job in jobs}
        self.write_status({"line": line, "job_name": self.job_name, "jobs": names})

    def log(self, job: str) -> Path:
        """Return the log of a job."""
        return self.logs / f"worker-{job}.log"


def tail(path: Path, lines: int = 12) -> str:
    """Return the last lines of a log, or why there are none."""
    try:
        text = path.read_text(errors="replace").strip()
    except OSError as error:
        return f"(cannot read the log: {error.strerror})"
    return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"
