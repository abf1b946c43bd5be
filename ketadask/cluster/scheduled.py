"""The executor on a Dask scheduler; the only file that holds a `Client`."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dask.delayed import Delayed
from dask.graph_manipulation import clone
from distributed import Client, KilledWorker, as_completed

from ketadask.cluster.executor import TaskFailure

WINDOW = 512


class Scheduled:
    """Tasks on the workers of a Dask scheduler.

    Tasks are handed over in windows: one call sends what they share once, and the scheduler never
    holds more than a window of them, however many there are.
    """

    def __init__(self, client: Client, *, workers: int, dashboard: str | None = None) -> None:
        self._client = client
        self.workers = workers
        self.dashboard = dashboard
        self.events: list[str] = []

    def compute(self, tasks: Sequence[Delayed]) -> Iterator[tuple[int, Any]]:
        """Yield (position, result or failure) as the tasks end.

        When a worker dies, the scheduler blames every task it held. Those blamed too often are
        run again at the end, one at a time, so that only a task that kills its worker fails.
        """
        blamed: list[int] = []
        for index, result in self._window(tasks, range(len(tasks))):
            if isinstance(result, TaskFailure) and isinstance(result.error, KilledWorker):
                blamed.append(index)
            else:
                yield index, result
        for index in sorted(blamed):
            again = {index: clone(tasks[index])}
            for _, result in self._window(again, [index]):
                yield index, _explained(result)

    def _window(
        self, tasks: Sequence[Delayed] | Mapping[int, Delayed], indices: Iterable[int]
    ) -> Iterator[tuple[int, Any]]:
        waiting = list(indices)[::-1]
        flying: dict[Any, int] = {}
        ended = as_completed([], loop=self._client.loop, raise_errors=False)
        try:
            while waiting or flying:
                if len(flying) <= WINDOW // 2 and waiting:
                    self._send(tasks, waiting, flying, ended)
                future = next(ended)
                index = flying.pop(future)
                yield index, _result(future, tasks[index])
                future.release()
        finally:
            if flying:
                self._client.cancel(list(flying), force=True)

    def _send(
        self,
        tasks: Sequence[Delayed] | Mapping[int, Delayed],
        waiting: list[int],
        flying: dict[Any, int],
        ended: as_completed,
    ) -> None:
        indices = [waiting.pop() for _ in range(min(WINDOW - len(flying), len(waiting)))]
        futures = self._client.compute([tasks[i] for i in indices], optimize_graph=False)
        flying.update(zip(futures, indices, strict=True))
        ended.update(futures)


def _result(future: Any, task: Delayed) -> Any:
    if future.status == "finished":
        return future.result()
    if future.status == "cancelled":
        text = "the scheduler was lost before the task ended"
        return TaskFailure(str(task.key), ConnectionError(text), text)
    error = future.exception()
    trace = "".join(traceback.format_tb(future.traceback())) + repr(error)
    return TaskFailure(str(task.key), error, trace)


def _explained(result: Any) -> Any:
    if not (isinstance(result, TaskFailure) and isinstance(result.error, KilledWorker)):
        return result
    text = (
        f"its worker died {result.error.allowed_failures + 1} times, most often for lack of "
        "memory; raise memory_limit in the cluster profile or lower execution.block"
    )
    return TaskFailure(result.task, MemoryError(text), text)
