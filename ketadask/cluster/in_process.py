"""Many workers in one process, to measure the limits of a scheduler without a cluster.

``python -m ketadask.cluster.in_process ADDRESS COUNT CERTIFICATES`` is such a process.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dask.delayed import Delayed

from ketadask.cluster import certificates
from ketadask.cluster.dashboard import dashboard_settings
from ketadask.cluster.dask_executor import DaskExecutor
from ketadask.cluster.profile import LONG_TASKS, Profile

# Hundreds of workers that monitor themselves many times a second would leave no time for tasks.
_QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.limit": "60s",
    "distributed.comm.timeouts.connect": "120s",
    **dashboard_settings(Profile(dashboard=False))[0],
    **LONG_TASKS,
}


@contextmanager
def _scheduler() -> Iterator[tuple[Any, Any, Path]]:
    """Yield a scheduler without workers in this process, its client, and their certificates.

    It listens on loopback, which other users of this machine can reach.
    """
    import dask
    from distributed import Client, LocalCluster

    with (
        TemporaryDirectory(prefix="ketadask-") as private,
        certificates.temporary(Path(private) / "tls") as security,
        dask.config.set(_QUIET),
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=0, processes=False, protocol="tls://", host="127.0.0.1", security=security,
            dashboard_address=None, silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,  # type: ignore[no-untyped-call]
    ):  # fmt: skip
        yield cluster.scheduler, client, Path(private) / "tls"


@contextmanager
def worker_process(workers: int) -> Iterator[DaskExecutor]:
    """Yield an executor on workers of one thread each, all of them in one other process.

    This process runs only scheduler and driver, so its processor time is their cost of the tasks.
    """
    with _scheduler() as (scheduler, client, folder):
        arguments = [scheduler.address, str(workers), str(folder)]
        command = [sys.executable, "-m", "ketadask.cluster.in_process", *arguments]
        process = subprocess.Popen(command)
        try:
            client.wait_for_workers(workers, timeout=300)
            yield DaskExecutor(client, workers=workers)
        finally:
            process.terminate()
            process.wait()


def seconds_to_send(tasks: Sequence[Delayed]) -> float:
    """Send all tasks at once to a scheduler without workers; return the seconds this takes.

    A study sends a window of tasks at a time instead.
    """
    with _scheduler() as (scheduler, client, _):
        start = time.perf_counter()
        futures = client.compute(list(tasks), optimize_graph=False)
        while len(scheduler.tasks) < len(tasks):
            time.sleep(0.005)
        seconds = time.perf_counter() - start
        del futures
        return seconds


async def _work(address: str, count: int, folder: Path) -> None:
    from distributed import Worker

    security = certificates.security(folder)
    workers = await asyncio.gather(
        *(
            Worker(
                address, nthreads=1, memory_limit=0, host="127.0.0.1", dashboard=False,
                heartbeat_interval="5s", silence_logs=logging.CRITICAL, security=security,
            )
            for _ in range(count)
        )
    )  # fmt: skip
    await asyncio.gather(*(worker.finished() for worker in workers))


if __name__ == "__main__":
    import dask

    logging.disable(logging.CRITICAL)
    with dask.config.set(_QUIET):
        asyncio.run(_work(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
