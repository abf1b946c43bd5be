"""The workers of a scheduler whose jobs come and go."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from distributed import Scheduler

from ketadask.cluster.dask_executor import DaskExecutor
from ketadask.cluster.profile import Profile


@dataclass(frozen=True)
class LostWorker:
    """A worker that disconnected: its name, the keys of its tasks, and the time."""

    name: str
    tasks: tuple[str, ...]
    time: float


class LossScheduler(Scheduler):
    """A scheduler that records the tasks of each lost worker."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lost_workers: deque[LostWorker] = deque()

    async def remove_worker(self, address: str, **options: Any) -> Any:
        """Record the tasks of a worker, then remove it."""
        worker = self.workers.get(self.coerce_address(address))
        if worker is not None and not options.get("expected"):
            tasks = tuple(str(task.key) for task in worker.processing)
            self.lost_workers.append(LostWorker(str(worker.name), tasks, time.time()))
        return await super().remove_worker(address, **options)


class WorkerPool:
    """The workers of a scheduler: their job script, names, number and losses."""

    def __init__(self, cluster: Any, profile: Profile, executor: DaskExecutor) -> None:
        self._cluster, self._profile, self._executor = cluster, profile, executor
        self.lost_workers: deque[LostWorker] = cluster.scheduler.lost_workers

    def _workers(self) -> list[Any]:
        return list(self._cluster.scheduler.workers.values())

    def script(self, name: str) -> str:
        """Return the job script of a worker."""
        cluster = self._cluster
        job = cluster.job_cls(cluster.scheduler_address, name=name, **cluster._job_kwargs)
        return str(job.job_script())

    def names(self) -> set[str]:
        """Return the names of the connected workers."""
        return {str(worker.name) for worker in self._workers()}

    def idle_names(self) -> set[str]:
        """Return the names of the workers without tasks."""
        return {str(worker.name) for worker in self._workers() if not worker.processing}

    def remove(self, name: str) -> None:
        """Remove the workers of an ended job."""
        remove_worker = self._cluster.scheduler.remove_worker
        for worker in self._workers():
            if str(worker.name).split("-")[0] == name:
                self._cluster.sync(remove_worker, worker.address, stimulus_id=f"{name}-ended")

    def target(self) -> int:
        """Return how many jobs there should be."""
        profile = self._profile
        workers = profile.workers or 1
        if profile.minimum_workers is not None:
            workers = min(workers, max(profile.minimum_workers, self._executor.remaining))
        return -(-workers // profile.job.workers)

    def blame(self, worker: LostWorker, cause: str) -> None:
        """Count the loss of a worker against its tasks."""
        self._executor.blame(worker.tasks, cause)
