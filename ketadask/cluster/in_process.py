"""Many workers in one process: what a scheduler bears can be measured without a cluster.

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
from ketadask.cluster.connect import LONG_TASKS
from ketadask.cluster.dask_executor import DaskExecutor

# Hundreds of workers that look at themselves many times a second would measure nothing but that.
_QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.limit": "60s",
    "distributed.comm.timeouts.connect": "120s",
    "distributed.admin.large-graph-warning-threshold": "2GiB",
    **LONG_TASKS,
}


@contextmanager
def _scheduler() -> Iterator[tuple[Any, Any, Path]]:
    """Yield a scheduler without workers in this process, its client, and their certificates.

    It listens on loopback, which whoever else works on this machine can reach.
    """
    import dask
    from distributed import Client, LocalCluster

    with (
        TemporaryDirectory(prefix="ketadask-") as private,
        certificates.temporary(Path(private) / "tls") as security,
        dask.config.set(_QUIET),
        LocalCluster(
            n_workers=0, processes=False, protocol="tls://", host="127.0.0.1", security=security,
            dashboard_address=None, silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):  # fmt: skip
        yield cluster.scheduler, client, Path(private) / "tls"


@contextmanager
def crowd(workers: int) -> Iterator[DaskExecutor]:
    """Yield an executor on so many workers of one thread each, all of them in one other process.

    This process holds scheduler and driver and nothing else, so that its processor time is what
    tasks cost these two.
    """
    with _scheduler() as (scheduler, client, folder):
        asked = [scheduler.address, str(workers), str(folder)]
        others = subprocess.Popen([sys.executable, "-m", "ketadask.cluster.in_process", *asked])
        try:
            client.wait_for_workers(workers, timeout=300)
            yield DaskExecutor(client, workers=workers)
        finally:
            others.terminate()
            others.wait()


def hand_over(tasks: Sequence[Delayed]) -> float:
    """Hand all tasks at once to a scheduler without workers; return the seconds until it has them.

    A study never does this: it hands over a window at a time.
    """
    with _scheduler() as (scheduler, client, _):
        started = time.perf_counter()
        futures = client.compute(list(tasks), optimize_graph=False)
        while len(scheduler.tasks) < len(tasks):
            time.sleep(0.005)
        seconds = time.perf_counter() - started
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
    await asyncio.gather(*(each.finished() for each in workers))


if __name__ == "__main__":
    import dask

    logging.disable(logging.CRITICAL)
    with dask.config.set(_QUIET):
        asyncio.run(_work(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
