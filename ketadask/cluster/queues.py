"""Workers as jobs on a queue: the scheduler in this process, job scripts by dask-jobqueue."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Scheduler

from ketadask.cluster import certificates, slurm
from ketadask.cluster.dask_executor import DaskExecutor
from ketadask.cluster.interrupts import drain_on_interrupt
from ketadask.cluster.logs import driver_log
from ketadask.cluster.network import address_towards, interface_address, is_loopback
from ketadask.cluster.profile import Profile
from ketadask.cluster.worker_jobs import Loss, WorkerJobs
from ketadask.pipeline.executor import Executor
from ketadask.schema.errors import InputError
from ketadask.store.disk import write_file
from ketadask.store.json_values import render_json

RECORD = "cluster.json"
_HEADROOM = 100 * 2**20
_CLASSES = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "lsf": "LSFCluster",
    "sge": "SGECluster",
    "htcondor": "HTCondorCluster",
}


class WatchedScheduler(Scheduler):
    """A scheduler that remembers which tasks a worker held when it went away."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.losses: deque[Loss] = deque()

    async def remove_worker(self, address: str, **words: Any) -> Any:
        """Note the tasks of the worker, then remove it."""
        worker = self.workers.get(self.coerce_address(address))
        if worker is not None and not words.get("expected"):
            tasks = tuple(str(task.key) for task in worker.processing)
            self.losses.append(Loss(str(worker.name), tasks, time.time()))
        return await super().remove_worker(address, **words)


def worker_memory(profile: Profile) -> int:
    """Return the bytes one worker may use: its share of the job's, less what its nanny needs.

    Examples
    --------
    >>> from ketadask.cluster.profile import Job
    >>> profile = Profile(kind="slurm", workers=1, job=Job(memory="2GiB", workers=2))
    >>> worker_memory(profile) // 2**20
    924
    """
    from dask.utils import parse_bytes

    if profile.memory_limit != "auto":
        return int(parse_bytes(profile.memory_limit))
    return profile.job.mebibytes * 2**20 // profile.job.workers - _HEADROOM


def made_cluster(profile: Profile, *, name: str, logs: Path, host: str, security: Any) -> Any:
    """Return dask-jobqueue's cluster for a profile, with a scheduler and no jobs yet."""
    made = _jobqueue(_CLASSES[profile.kind])
    job = profile.job
    try:
        return made(
            scheduler_cls=WatchedScheduler,
            scheduler_options={
                "host": host,
                "dashboard": profile.dashboard,
                "dashboard_address": "127.0.0.1:0",
            },
            security=security,
            protocol="tcp://" if security is None else "tls://",
            silence_logs=logging.CRITICAL,
            **job_words(profile, name=name, logs=logs),
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            "the scheduler does not start",
            value=str(error).splitlines()[0],
            where="job.interface" if job.interface else None,
            remedy="try `ketadask doctor` with this profile",
        ) from error


def job_words(profile: Profile, *, name: str, logs: Path) -> dict[str, Any]:
    """Return what dask-jobqueue is told of a job, the same on every queue where it can be."""
    from ketadask.cluster.profile import NO_PAUSING
    from ketadask.store.environment import ONE_THREAD

    job, limit = profile.job, worker_memory(profile)
    exports = [f"export {variable}={value}" for variable, value in ONE_THREAD.items()]
    for key, value in NO_PAUSING.items():
        exports.append(f"export DASK_{key.upper().replace('.', '__')}={value}")
    words: dict[str, Any] = {
        "job_name": name,
        "cores": job.workers * profile.threads_per_worker,
        "processes": job.workers,
        "memory": f"{limit * job.workers} B",
        "walltime": job.walltime,
        "account": job.account,
        "queue": job.partition,
        "python": str(job.python or sys.executable),
        "local_directory": job.scratch,
        "interface": job.interface,
        "death_timeout": 60,
        "worker_extra_args": ["--no-dashboard", "--dashboard-address", "127.0.0.1:0"],
        "job_script_prologue": [*job.prologue, *exports],
        "job_extra_directives": list(job.directives),
    }
    if profile.kind == "slurm":
        words["job_mem"] = f"{job.mebibytes}M"
        own = [f'-o "{logs}/worker-%j.log"', "--no-requeue", "--export=ALL"]
        words["job_extra_directives"] = [*own, *job.directives]
    elif profile.kind == "htcondor":
        for key in ("account", "queue", "walltime"):
            words.pop(key)
        words["disk"] = "1GiB"
        words["job_extra_directives"] = dict(line.split("=", 1) for line in job.directives)
        words["log_directory"] = str(logs)
    else:
        words["log_directory"] = str(logs)
        if profile.kind in ("lsf", "sge"):
            words["project"] = words.pop("account")
    return words


def _jobqueue(name: str) -> Any:
    """Return a class of dask-jobqueue; importing it takes the interrupt handler, we give it back.

    dask-jobqueue 0.9.0; the two lines around the import can go once it leaves signals alone.
    """
    before = signal.getsignal(signal.SIGINT)
    try:
        import dask_jobqueue
    except ImportError:
        raise InputError(
            "job queues need a library that is not installed",
            value="dask-jobqueue",
            remedy="pip install 'ketadask[slurm]'",
        ) from None
    finally:
        with suppress(ValueError):
            signal.signal(signal.SIGINT, before)
    return getattr(dask_jobqueue, name)


class _Pool:
    """The scheduler as the fleet sees it."""

    def __init__(self, cluster: Any, profile: Profile, executor: DaskExecutor) -> None:
        self._cluster, self._profile, self._executor = cluster, profile, executor
        self.losses: deque[Loss] = cluster.scheduler.losses

    def script(self, name: str) -> str:
        made = self._cluster
        return str(made.job_cls(made.scheduler_address, name=name, **made._job_kwargs).job_script())

    def registered(self) -> set[str]:
        return {str(each.name) for each in list(self._cluster.scheduler.workers.values())}

    def idle(self) -> set[str]:
        workers = list(self._cluster.scheduler.workers.values())
        return {str(each.name) for each in workers if not each.processing}

    def dismiss(self, name: str) -> None:
        scheduler = self._cluster.scheduler
        for each in list(scheduler.workers.values()):
            if str(each.name).split("-")[0] == name:
                self._cluster.sync(
                    scheduler.remove_worker, each.address, stimulus_id=f"job-of-{name}-ended"
                )

    def wanted(self) -> int:
        profile = self._profile
        workers = profile.workers or 1
        if profile.minimum_workers is not None:
            workers = min(workers, max(profile.minimum_workers, self._executor.unfinished))
        return -(-workers // profile.job.workers)

    def blame(self, loss: Loss, why: str) -> None:
        self._executor.blame(loss.tasks, why)


def host_of(profile: Profile) -> str:
    """Return the address of this machine that the compute nodes can reach."""
    if profile.job.interface:
        return interface_address(profile.job.interface)
    return address_towards(_some_node() if profile.kind == "slurm" else None)


def _some_node() -> str | None:
    """Return the address of one node as SLURM knows it."""
    import re

    with suppress(InputError):
        said = slurm.call("scontrol", "show", "nodes", "--oneliner")
        found = re.search(r"NodeAddr=(\S+)", said)
        return found[1] if found else None
    return None


@contextmanager
def open_queue(
    profile: Profile, *, logs: Path | None, say: Callable[[str], None] | None
) -> Iterator[Executor]:
    """Yield an executor whose workers are jobs; at the end no job is left."""
    from ketadask.cluster.profile import LONG_TASKS

    folder = (logs or Path.cwd() / "ketadask-queue" / "logs").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if any(letter.isspace() for letter in str(folder)):
        raise InputError(
            "job scripts cannot name a folder with a space in it",
            file=folder,
            remedy="choose another place for the runs (--out)",
        )
    run, tell = folder.parent, say or (lambda line: None)
    if profile.kind == "slurm":
        slurm.call("squeue", "--version")
    host = host_of(profile)
    name = slurm.job_name(run)
    open_to_all = profile.listen_without_encryption_on_the_network
    settings = {
        "distributed.scheduler.allowed-failures": 1_000_000,
        "distributed.scheduler.worker-saturation": 1.0,
        "distributed.admin.large-graph-warning-threshold": "2GiB",
        "distributed.comm.timeouts.connect": "30s",
        **LONG_TASKS,
    }
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(settings))
        stack.enter_context(driver_log(folder))
        security = None
        for stale in run.glob("tls-*"):  # of a run that was killed; the folder's lock is ours
            shutil.rmtree(stale, ignore_errors=True)
        if not open_to_all:
            place = run / f"tls-{os.getpid()}"
            security = stack.enter_context(certificates.temporary(place))
        elif not is_loopback(host):
            tell(f"warning: {host} is open without encryption; anyone there can run code as you")
        cluster = stack.enter_context(
            made_cluster(profile, name=name, logs=folder, host=host, security=security)
        )
        client = stack.enter_context(Client(cluster, set_as_default=False))
        dashboard = cluster.dashboard_link if profile.dashboard else None
        executor = DaskExecutor(
            client,
            workers=(profile.workers or 1) * profile.threads_per_worker,
            dashboard=_way_in(dashboard),
            tries=profile.allowed_failures,
        )
        executor.say = tell
        if profile.kind == "slurm":
            stack.enter_context(_fleet(profile, cluster, executor, name, folder, tell))
        else:
            cluster.scale(jobs=-(-(profile.workers or 1) // profile.job.workers))
        stack.enter_context(drain_on_interrupt(executor, tell))
        yield executor


@contextmanager
def _fleet(
    profile: Profile,
    cluster: Any,
    executor: DaskExecutor,
    name: str,
    logs: Path,
    tell: Callable[[str], None],
) -> Iterator[None]:
    record = logs.parent / RECORD

    def note(line: str) -> None:
        executor.events.append(f"{datetime.now(UTC).isoformat(timespec='seconds')} {line}")
        tell(line)

    def write(thing: dict[str, object]) -> None:
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        with suppress(InputError):
            write_file(record, render_json({**thing, "updated": moment}))

    leftover = [job for job, each in slurm.mine(name).items() if each.state != "COMPLETING"]
    if leftover:
        note(f"{len(leftover)} jobs of an earlier run were left on the queue and are cancelled")
        slurm.cancel(leftover)
    walltime = slurm.parse_duration(profile.job.walltime) or 3600.0
    fleet = WorkerJobs(
        pool=_Pool(cluster, profile, executor),
        job_name=name,
        logs=logs,
        poll=profile.job.poll,
        renew_seconds=min(profile.job.renew_seconds, walltime / 4),
        say=tell,
        note=note,
        record=write,
    )
    executor.trouble = lambda: fleet.error
    try:
        fleet.start()
        if fleet.error is not None:
            raise fleet.error
        yield
    finally:
        fleet.stop()


def _way_in(link: str | None) -> str | None:
    """Return the command that brings the dashboard, bound to this machine, to your own."""
    if link is None:
        return None
    import getpass
    import platform
    from urllib.parse import urlsplit

    port = urlsplit(link).port
    return (
        f"http://127.0.0.1:8787/status after "
        f"ssh -N -L 8787:127.0.0.1:{port} {getpass.getuser()}@{platform.node()}"
    )
