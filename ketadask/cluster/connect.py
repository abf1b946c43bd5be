"""Open the executor a profile asks for, and close it cleanly whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ketadask.cluster.profile import QUEUES, Profile
from ketadask.pipeline.executor import Executor, Synchronous, Threads
from ketadask.schema.errors import InputError
from ketadask.store.environment import ONE_THREAD, cores

# Workers hold next to nothing that could be spilled: a paused one would stay so for ever and say
# nothing. They go on, and their nanny ends them at the limit, which is told and counted.
NEVER_PAUSED = {f"distributed.worker.memory.{name}": False for name in ("target", "spill", "pause")}

# A task first goes to the worker that holds its problem. Tasks take seconds: an idle worker should
# fetch the problem and begin, and not wait the second after which dask looks for idle ones.
LONG_TASKS = {
    "distributed.scheduler.unknown-task-duration": "10s",
    "distributed.scheduler.work-stealing-interval": "100ms",
}


@contextmanager
def connect(
    profile: Profile, *, logs: Path | None = None, say: Callable[[str], None] | None = None
) -> Iterator[Executor]:
    """Yield an executor for ``profile``; what the workers say goes into the folder ``logs``.

    A queue keeps its record and its certificates beside that folder; it must be of this run alone.
    Which workers were lost, how many of a queue are there, and why others are not, is told to
    ``say``.

    Examples
    --------
    >>> from dask import delayed
    >>> with connect(Profile(kind="threads", workers=2)) as executor:
    ...     sorted(executor.compute([delayed(abs)(-1), delayed(abs)(-2)]))
    [(0, 1), (1, 2)]
    """
    if profile.kind == "synchronous":
        yield Synchronous()
    elif profile.kind == "threads":
        yield Threads(profile.workers or cores())
    elif profile.kind == "local":
        yield from _local(profile, logs, say)
    elif profile.kind in QUEUES:
        from ketadask.cluster.queues import queued

        with queued(profile, logs=logs, say=say) as executor:
            yield executor
    else:
        yield from _address(profile, logs)


def _settings(profile: Profile) -> dict[str, object]:
    return {
        "distributed.scheduler.allowed-failures": profile.worker_deaths,
        "distributed.admin.large-graph-warning-threshold": "2GiB",
        "distributed.nanny.pre-spawn-environ": ONE_THREAD,
        **LONG_TASKS,
        **NEVER_PAUSED,
    }


ANSWERS_WITHIN = "10s"

# A nanny starts its worker again, however long that takes; dask would close the nanny of one that
# is away for 15 s, which on a busy machine is how long Python may need, and nobody replaces it.
NEVER_GIVEN_UP = {"distributed.deploy.lost-worker-timeout": "365 days"}


def _local(
    profile: Profile, logs: Path | None, say: Callable[[str], None] | None
) -> Iterator[Executor]:
    import logging

    import dask
    from distributed import Client, LocalCluster

    from ketadask.cluster.certificates import temporary
    from ketadask.cluster.dask_executor import DaskExecutor
    from ketadask.cluster.logs import OwnInterrupts, WorkerLog, driver_log, watch_workers

    workers = profile.workers or cores()
    with (
        TemporaryDirectory(prefix="ketadask-") as private,
        temporary(Path(private) / "tls") as security,
        dask.config.set({**_settings(profile), **NEVER_GIVEN_UP}),
        driver_log(logs),
    ):
        try:
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=profile.threads_per_worker,
                processes=True,
                host="127.0.0.1",
                # Whoever else works on this machine can reach the port: without certificates they
                # could run code as you.
                security=security,
                memory_limit=profile.memory_limit,
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": profile.dashboard},
                silence_logs=logging.CRITICAL,
                env=ONE_THREAD,
            )
        except (OSError, RuntimeError) as error:
            raise InputError(
                "the local cluster does not start",
                value=str(error).splitlines()[0],
                remedy="try --cluster with kind: threads, or see ketadask doctor",
            ) from error
        with cluster, Client(cluster, set_as_default=False) as client:
            client.register_plugin(OwnInterrupts())
            if logs is not None:
                client.register_plugin(WorkerLog(str(logs)))
            dashboard = cluster.dashboard_link if profile.dashboard else None
            executor = DaskExecutor(
                client, workers=workers * profile.threads_per_worker, dashboard=dashboard
            )
            with watch_workers(cluster.scheduler, executor.events, say):
                yield executor


def _address(profile: Profile, logs: Path | None) -> Iterator[Executor]:
    import dask
    from distributed import Client

    from ketadask.cluster.certificates import security as certificate
    from ketadask.cluster.dask_executor import DaskExecutor
    from ketadask.cluster.logs import WorkerLog

    security = None if profile.certificates is None else certificate(profile.certificates)
    with dask.config.set(_settings(profile)):
        try:
            client = Client(
                profile.address, set_as_default=False, timeout=ANSWERS_WITHIN, security=security
            )
        except (OSError, TimeoutError, ValueError) as error:
            raise InputError(
                "no scheduler answers",
                where="address",
                value=profile.address,
                remedy="start one with `dask scheduler`, or check host and port",
            ) from error
        with client:
            try:
                client.wait_for_workers(1, timeout=60)
            except TimeoutError as error:
                raise InputError(
                    "the scheduler has no workers",
                    where="address",
                    value=profile.address,
                    remedy="start some with `dask worker`",
                ) from error
            if logs is not None:
                client.register_plugin(WorkerLog(str(logs)))
            workers = sum(client.nthreads().values())
            yield DaskExecutor(client, workers=workers, dashboard=client.dashboard_link)
