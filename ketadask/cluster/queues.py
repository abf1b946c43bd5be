"""Workers as jobs on a queue: scheduler in this process, job scripts by dask-jobqueue."""

from __future__ import annotations

import getpass
import logging
import os
import platform
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dask
from distributed import Client

from ketadask.cluster import certificates, slurm
from ketadask.cluster.dashboard import dashboard_settings
from ketadask.cluster.dask_executor import DaskExecutor
from ketadask.cluster.interrupts import drain_on_interrupt
from ketadask.cluster.logs import driver_log
from ketadask.cluster.network import address_towards, interface_address, is_loopback
from ketadask.cluster.profile import LONG_TASKS, NO_PAUSING, Profile
from ketadask.cluster.worker_jobs import WorkerJobs
from ketadask.cluster.worker_pool import LossScheduler, WorkerPool
from ketadask.pipeline.executor import Executor
from ketadask.schema.errors import InputError
from ketadask.store.disk import make_folder, write_file
from ketadask.store.environment import ONE_THREAD, now
from ketadask.store.json_values import render_json

STATUS_FILE = "cluster.json"
_HEADROOM = 100 * 2**20
_SETTINGS = {
    "distributed.scheduler.allowed-failures": 1_000_000,
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.comm.timeouts.connect": "30s",
    **LONG_TASKS,
}
CLUSTER_CLASSES = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "lsf": "LSFCluster",
    "sge": "SGECluster",
    "htcondor": "HTCondorCluster",
}


def worker_memory(profile: Profile) -> int:
    """Return the bytes one worker may use: equal parts of the job's, less the memory of its nanny.

    Examples
    --------
    >>> from ketadask.cluster.profile import JobSettings
    >>> profile = Profile(kind="slurm", workers=1, job=JobSettings(memory="2GiB", workers=2))
    >>> worker_memory(profile) // 2**20
    924
    """
    from dask.utils import parse_bytes

    if profile.memory_limit != "auto":
        return int(parse_bytes(profile.memory_limit))
    return profile.job.mebibytes * 2**20 // profile.job.workers - _HEADROOM


def open_jobqueue(profile: Profile, *, name: str, logs: Path, host: str, security: Any) -> Any:
    """Return the cluster of dask-jobqueue for a profile: a scheduler without jobs."""
    cluster_class = _jobqueue_class(CLUSTER_CLASSES[profile.kind])
    try:
        return cluster_class(
            scheduler_cls=LossScheduler,
            scheduler_options={
                "host": host,
                "dashboard": profile.dashboard,
                "dashboard_address": "127.0.0.1:0",
            },
            security=security,
            protocol="tcp://" if security is None else "tls://",
            silence_logs=logging.CRITICAL,
            **job_options(profile, name=name, logs=logs),
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            "cannot start the scheduler",
            value=str(error).splitlines()[0],
            where="job.interface" if profile.job.interface else None,
            remedy="run `ketadask doctor` with this profile",
        ) from error


def job_options(profile: Profile, *, name: str, logs: Path) -> dict[str, Any]:
    """Return the arguments of dask-jobqueue for a job, the same on every queue where possible."""
    job, limit = profile.job, worker_memory(profile)
    exports = [f"export {variable}={value}" for variable, value in ONE_THREAD.items()]
    for key, value in NO_PAUSING.items():
        exports.append(f"export DASK_{key.upper().replace('.', '__')}={value}")
    options: dict[str, Any] = {
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
        "job_script_prologue": [*prologue_lines(profile, logs), *exports],
        "job_extra_directives": list(job.directives),
    }
    if profile.kind == "slurm":
        options["job_mem"] = f"{job.mebibytes}M"
        directives = [f'-o "{logs}/worker-%j.log"', "--no-requeue", "--export=ALL"]
        options["job_extra_directives"] = [*directives, *job.directives]
    elif profile.kind == "htcondor":
        for key in ("account", "queue", "walltime"):
            options.pop(key)
        options["disk"] = "1GiB"
        options["job_extra_directives"] = dict(line.split("=", 1) for line in job.directives)
        options["log_directory"] = str(logs)
    else:
        options["log_directory"] = str(logs)
        if profile.kind in ("lsf", "sge"):
            options["project"] = options.pop("account")
    return options


def prologue_lines(profile: Profile, folder: Path) -> list[str]:
    """Write the prologue of jobs into a private file; return the line of a job script that runs it.

    Queues store job scripts, and a prologue may contain a password.
    """
    if not profile.job.prologue:
        return []
    path = folder / "prologue.sh"
    certificates.write_private(path, "\n".join([*profile.job.prologue, ""]).encode())
    return [f". {shlex.quote(str(path))}"]


def check_script_path(path: Path) -> None:
    """Raise where a path would not be one word of a job script, or would be more than a path."""
    if re.fullmatch(r"[\w./@%+:,=~-]+", str(path)) is None:
        raise InputError(
            "job scripts cannot contain this path",
            file=repr(str(path)),
            remedy="use letters, digits and ._-+=@ in the folder of the runs (--out), no spaces",
        )


def check_library(profile: Profile) -> None:
    """Raise where the library of a queue is not installed."""
    _jobqueue_class(CLUSTER_CLASSES[profile.kind])


def _jobqueue_class(name: str) -> Any:
    """Return a class of dask-jobqueue.

    Importing dask-jobqueue 0.9.0 replaces the interrupt handler; restore it until that is fixed.
    """
    before = signal.getsignal(signal.SIGINT)
    try:
        import dask_jobqueue
    except ImportError:
        raise InputError(
            "a library for job queues is not installed",
            value="dask-jobqueue",
            remedy="pip install 'ketadask[slurm]'",
        ) from None
    finally:
        with suppress(ValueError):
            signal.signal(signal.SIGINT, before)
    return getattr(dask_jobqueue, name)


def scheduler_host(profile: Profile) -> str:
    """Return the address of this machine that the compute nodes can reach."""
    if profile.job.interface:
        return interface_address(profile.job.interface)
    return address_towards(_node_address() if profile.kind == "slurm" else None)


def _node_address() -> str | None:
    """Return the address of one node according to SLURM."""
    with suppress(InputError):
        match = re.search(r"NodeAddr=(\S+)", slurm.call("scontrol", "show", "nodes", "--oneliner"))
        return match[1] if match else None
    return None


@contextmanager
def open_queue(
    profile: Profile, *, logs: Path | None, say: Callable[[str], None] | None
) -> Iterator[Executor]:
    """Yield an executor whose workers are jobs; at the end no job remains."""
    logs = (logs or Path.cwd() / "ketadask-queue" / "logs").absolute()
    make_folder(logs)
    check_script_path(logs)
    say = say or (lambda line: None)
    if profile.kind == "slurm":
        slurm.call("squeue", "--version")
    name = slurm.job_name(logs.parent)
    pages, token = dashboard_settings(profile)
    profile = profile.model_copy(update={"dashboard": token is not None})
    with ExitStack() as stack:
        stack.enter_context(dask.config.set({**_SETTINGS, **pages}))
        stack.enter_context(driver_log(logs))
        cluster = stack.enter_context(_open_scheduler(profile, name, logs, say))
        client = Client(cluster, set_as_default=False)  # type: ignore[no-untyped-call]
        stack.enter_context(client)
        executor = DaskExecutor(
            client,
            workers=(profile.workers or 1) * profile.threads_per_worker,
            dashboard=_tunnel_command(cluster.dashboard_link, token) if token else None,
            tries=profile.allowed_failures,
        )
        executor.say = say
        if profile.kind == "slurm":
            stack.enter_context(_worker_jobs(profile, cluster, executor, name, logs))
        else:
            cluster.scale(jobs=-(-(profile.workers or 1) // profile.job.workers))
        stack.enter_context(drain_on_interrupt(executor, say))
        yield executor


@contextmanager
def _open_scheduler(
    profile: Profile, name: str, logs: Path, say: Callable[[str], None]
) -> Iterator[Any]:
    """Yield the cluster of dask-jobqueue, with certificates unless the profile waives them."""
    host, run = scheduler_host(profile), logs.parent
    for stale in run.glob("tls-*"):  # of a killed run; the lock of the folder is ours
        shutil.rmtree(stale, ignore_errors=True)
    with ExitStack() as stack:
        security = None
        if not profile.listen_without_encryption_on_the_network:
            folder = run / f"tls-{os.getpid()}"
            security = stack.enter_context(certificates.temporary(folder))
        elif not is_loopback(host):
            say(f"Warning: {host} is open without encryption; anyone there can run code as you")
        yield stack.enter_context(
            open_jobqueue(profile, name=name, logs=logs, host=host, security=security)
        )


@contextmanager
def _worker_jobs(
    profile: Profile, cluster: Any, executor: DaskExecutor, name: str, logs: Path
) -> Iterator[None]:
    """Submit and replace the worker jobs while the context is open."""

    def note(line: str) -> None:
        executor.events.append(f"{now()} {line}")
        executor.say(line)

    def write_status(status: dict[str, object]) -> None:
        with suppress(InputError):
            content = render_json({**status, "updated": now()})
            write_file(logs.parent / STATUS_FILE, content)

    stray = [job for job, state in slurm.my_jobs(name).items() if state.state != "COMPLETING"]
    if stray:
        note(f"cancelling {len(stray)} jobs of an earlier run that are still on the queue")
        slurm.cancel(stray)
    walltime = slurm.parse_duration(profile.job.walltime) or 3600.0
    jobs = WorkerJobs(
        pool=WorkerPool(cluster, profile, executor),
        job_name=name,
        logs=logs,
        poll_seconds=profile.job.poll,
        renew_seconds=min(profile.job.renew_seconds, walltime / 4),
        say=executor.say,
        note=note,
        write_status=write_status,
    )
    executor.find_error = lambda: jobs.error
    try:
        jobs.start()
        if jobs.error is not None:
            raise jobs.error
        yield
    finally:
        jobs.stop()


def _tunnel_command(link: str, token: str) -> str:
    """Return the command that forwards the dashboard to the user's own machine."""
    tunnel = f"ssh -N -L 8787:127.0.0.1:{urlsplit(link).port}"
    page = f"http://127.0.0.1:8787/status?token={token}"
    return f"{page} after {tunnel} {getpass.getuser()}@{platform.node()}"
