"""Open the executor of a profile, and close it in every case."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ketadask.cluster.profile import LONG_TASKS, NO_PAUSING, QUEUES, Profile
from ketadask.pipeline.executor import Executor, Synchronous, Threads
from ketadask.schema.errors import InputError
from ketadask.store.disk import create_file, temporary_path
from ketadask.store.environment import ONE_THREAD, cores

CONNECT_TIMEOUT = "10s"

# A nanny restarts its worker, however long that takes. Dask would close the nanny of a worker that
# is absent for 15 s, which Python may need on a busy machine, and would not replace it.
_NO_NANNY_TIMEOUT = {"distributed.deploy.lost-worker-timeout": "365 days"}


@contextmanager
def connect(
    profile: Profile, *, logs: Path | None = None, say: Callable[[str], None] | None = None
) -> Iterator[Executor]:
    """Yield an executor for ``profile``.

    Parameters
    ----------
    logs
        Folder for the logs of the workers. A queue writes its status and its certificates beside
        it, so it must belong to one run.
    say
        Receives a line for each lost worker and each change of the workers on a queue.

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
        from ketadask.cluster.queues import open_queue

        with open_queue(profile, logs=logs, say=say) as executor:
            yield executor
    elif profile.kind == "current":
        yield _current(profile)
    else:
        yield from _address(profile, logs)


def _current(profile: Profile) -> Executor:
    """Return the executor of the ``Client`` that the caller has opened; threads without one."""
    from distributed import Client

    from ketadask.cluster.dask_executor import DaskExecutor

    try:
        client: Any = Client.current()  # type: ignore[no-untyped-call]
    except ValueError:
        return Threads(profile.workers or cores())
    workers = sum(client.nthreads().values())
    return DaskExecutor(client, workers=workers, dashboard=client.dashboard_link)


def _settings(profile: Profile) -> dict[str, object]:
    return {
        "distributed.scheduler.allowed-failures": profile.allowed_failures,
        "distributed.nanny.pre-spawn-environ": ONE_THREAD,
        **LONG_TASKS,
        **NO_PAUSING,
    }


def _local(
    profile: Profile, logs: Path | None, say: Callable[[str], None] | None
) -> Iterator[Executor]:
    import logging

    import dask
    from distributed import Client, LocalCluster

    from ketadask.cluster.certificates import temporary
    from ketadask.cluster.dashboard import dashboard_settings
    from ketadask.cluster.dask_executor import DaskExecutor
    from ketadask.cluster.logs import IgnoreInterrupts, WorkerLog, driver_log, watch_workers

    workers = profile.workers or cores()
    pages, token = dashboard_settings(profile)
    with (
        TemporaryDirectory(prefix="ketadask-") as private,
        temporary(Path(private) / "tls") as security,
        dask.config.set({**_settings(profile), **_NO_NANNY_TIMEOUT, **pages}),
        driver_log(logs),
    ):
        try:
            cluster = LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=workers,
                threads_per_worker=profile.threads_per_worker,
                processes=True,
                host="127.0.0.1",
                # Without certificates, other users of this machine could run code as you.
                security=security,
                memory_limit=profile.memory_limit,
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": token is not None},
                silence_logs=logging.CRITICAL,
                env=ONE_THREAD,
            )
        except (OSError, RuntimeError) as error:
            raise InputError(
                "cannot start the local cluster",
                value=str(error).splitlines()[0],
                remedy="use a profile with kind: threads, or run ketadask doctor",
            ) from error
        with cluster:
            client: Any = Client(cluster, set_as_default=False)  # type: ignore[no-untyped-call]
            with client:
                client.register_plugin(IgnoreInterrupts())
                if logs is not None:
                    client.register_plugin(WorkerLog(str(logs)))
                dashboard = f"{cluster.dashboard_link}?token={token}" if token else None
                executor = DaskExecutor(
                    client, workers=workers * profile.threads_per_worker, dashboard=dashboard
                )
                scheduler: Any = cluster.scheduler
                with watch_workers(scheduler, executor.events, say):
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
            client: Any = Client(  # type: ignore[no-untyped-call]
                profile.address, set_as_default=False, timeout=CONNECT_TIMEOUT, security=security
            )
        except (OSError, TimeoutError, ValueError) as error:
            raise InputError(
                "cannot connect to a scheduler",
                where="address",
                value=profile.address,
                remedy="start one with `dask scheduler`, or correct host and port",
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
                _require_visible(client, logs)
                client.register_plugin(WorkerLog(str(logs)))
            workers = sum(client.nthreads().values())
            yield DaskExecutor(client, workers=workers, dashboard=client.dashboard_link)


def _require_visible(client: Any, logs: Path) -> None:
    """Raise where a worker does not see the run folder, into which it writes its results."""
    mark = create_file(temporary_path(logs / "visible"))
    try:
        views = client.run(os.path.exists, str(mark))
    finally:
        mark.unlink()
    blind = [worker for worker, sees_mark in views.items() if not sees_mark]
    if blind:
        raise InputError(
            f"{len(blind):,} workers do not see the run folder, the first is {blind[0]}",
            file=logs.parent,
            remedy="choose a folder that all machines share (--out)",
        )
