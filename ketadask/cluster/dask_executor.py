"""The executor on a Dask scheduler; the only file with a `Client`.

On an interrupt it drains: running tasks and those that are nearly complete end and are stored,
others are cancelled.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from dask.delayed import Delayed
from dask.graph_manipulation import clone
from distributed import KilledWorker, as_completed

from ketadask.pipeline.executor import TaskFailure

WINDOW, PER_WORKER = 512, 4
DRAIN_SECONDS = 60.0
_REMEDY = "raise memory_limit or job.memory in the cluster profile, or lower execution.block"
_FINAL_STATES = ("memory", "released", "erred", "forgotten")


class DaskExecutor:
    """Tasks on the workers of a Dask scheduler.

    Tasks are sent in windows: one call sends their shared nodes once, and the scheduler never
    stores more than a window of tasks.

    Parameters
    ----------
    client
        Client of the scheduler.
    workers
        Number of tasks that run at once.
    tries
        Number of dead workers after which `blame` cancels a task; None: the scheduler decides.
    drain_seconds
        Time all workers together may still need for tasks in parts after an interrupt.
    """

    distributes: ClassVar[bool] = True

    def __init__(
        self,
        client: Any,
        *,
        workers: int,
        dashboard: str | None = None,
        tries: int | None = None,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        self._client = client
        self._tries = tries
        self.workers = workers
        self.window = max(WINDOW, PER_WORKER * workers)
        self.dashboard = dashboard
        self.drain_seconds = drain_seconds
        self.events: list[str] = []
        self.find_error: Callable[[], Exception | None] = lambda: None
        self.say: Callable[[str], None] = lambda line: None
        self.draining = self.computing = False
        self.remaining = 0
        self._is_drain_reported = False
        self._deaths: dict[str, list[tuple[bool, str]]] = {}
        self._active: dict[Any, int] = {}
        # By the key of an inner task: the submitted task that contains it, None if several do.
        self._outer_key: dict[str, str | None] = {}

    def compute(self, tasks: Sequence[Delayed]) -> Iterator[tuple[int, Any]]:
        """Yield (index, result or failure) as the tasks end.

        When a worker dies, the scheduler blames every task on it. Tasks that are blamed too often
        run again at the end, one at a time, so that only a task that kills its worker fails.
        """
        suspects: list[int] = []
        self.remaining = len(tasks)
        for index, result in self._compute_window(tasks, range(len(tasks))):
            if isinstance(result, TaskFailure) and isinstance(
                result.error, KilledWorker | _DoubtError
            ):
                suspects.append(index)
            else:
                self.remaining -= 1
                yield index, result
        for index in sorted(suspects):
            for _, result in self._compute_window({index: clone(tasks[index])}, [index]):
                self.remaining -= 1
                yield index, _with_remedy(result)

    def blame(self, keys: Iterable[str], cause: str) -> None:
        """Count the death of a worker against its tasks; cancel tasks that reach ``tries``.

        A task that was alone on its worker each time is the cause of the deaths; one that shared
        its worker runs again, alone, after all others.
        """
        tasks = [self._outer_key.get(key) or key for key in keys]
        for key in tasks:
            deaths = self._deaths.setdefault(key, [])
            deaths.append((len(tasks) == 1, cause))
            self.events.append(f"a worker died while it computed {key}: {cause}")
            if self._tries is not None and len(deaths) >= self._tries:
                futures = [future for future in list(self._active) if str(future.key) == key]
                if futures:
                    self._client.cancel(futures, force=True)

    def _compute_window(
        self, tasks: Sequence[Delayed] | Mapping[int, Delayed], indices: Iterable[int]
    ) -> Iterator[tuple[int, Any]]:
        waiting = list(indices)[::-1]
        active: dict[Any, int] = {}
        self._active, self.computing = active, True
        completions: Any = as_completed([], loop=self._client.loop, raise_errors=False)  # type: ignore[no-untyped-call]
        try:
            while waiting or active:
                if len(active) <= self.window // 2 and waiting and not self.draining:
                    self._send(tasks, waiting, active, completions)
                futures = self._next(completions, active)
                results = self._gather(futures)
                for future in futures:
                    index = active.pop(future, None)
                    if index is None:
                        continue
                    if future in results:
                        yield index, results.pop(future)
                    else:
                        yield index, self._result(future, tasks[index])
                    future.release()
            if self.draining:  # cancelled tasks have no result, so the caller must not continue
                raise KeyboardInterrupt
        finally:
            self.computing = False
            if active:
                self._client.cancel(list(active), force=True)

    def _next(self, completions: Any, active: dict[Any, int]) -> list[Any]:
        """Wait for the next completed tasks; meanwhile check for errors and interrupts."""
        while not completions.has_ready():
            error = self.find_error()
            if error is not None:
                raise error
            if self.draining and not self._drain(active):
                raise KeyboardInterrupt
            with completions.thread_condition:
                completions.thread_condition.wait(timeout=0.1)
        return [next(completions), *completions.next_batch(block=False)]

    def _gather(self, futures: list[Any]) -> dict[Any, Any]:
        """Fetch all available results in one call; none if one of them was lost meanwhile."""
        available = [future for future in futures if future.status == "finished"]
        try:
            return dict(zip(available, self._client.gather(available), strict=True))
        except Exception:
            return {}

    def _drain(self, active: dict[Any, int]) -> bool:
        """Cancel tasks that have not started or would take long; return whether others run."""
        inner_keys: dict[str, list[str]] = {
            str(future.key): [] for future in active if not future.done()
        }
        for key, outer in self._outer_key.items():
            if outer in inner_keys:
                inner_keys[outer].append(key)
        outlooks: dict[str, TaskOutlook] = {}
        if inner_keys:
            outlooks = self._client.run_on_scheduler(task_outlooks, inner_keys)
        staying = nearly_complete(outlooks, self.workers, self.drain_seconds)
        rest = [future for future in active if str(future.key) in inner_keys.keys() - staying]
        if rest:
            self._client.cancel(rest, force=True)
            for future in rest:
                active.pop(future)
        self._report_drain(
            staying.values(), [outlooks[key] for key in outlooks.keys() - staying.keys()]
        )
        return bool(active)

    def _report_drain(self, staying: Iterable[TaskOutlook], cut: Sequence[TaskOutlook]) -> None:
        """Say how long tasks in parts will still take, and which parts are lost."""
        in_parts = [task for task in staying if task.n_parts > 1]
        if in_parts and not self._is_drain_reported:
            self._is_drain_reported = True
            seconds = sum(task.seconds for task in in_parts) / self.workers
            self.say(f"completing {len(in_parts):,} tasks in parts, about {seconds:.0f} s")
        if cut:
            parts = sum(task.n_underway for task in cut)
            seconds = sum(task.seconds for task in cut) / self.workers
            line = (
                f"cancelled {len(cut):,} tasks in parts, which would take {seconds:.0f} s; "
                f"{parts:,} of their parts are lost"
            )
            self.events.append(line)
            self.say(line)

    def _send(
        self,
        tasks: Sequence[Delayed] | Mapping[int, Delayed],
        waiting: list[int],
        active: dict[Any, int],
        completions: Any,
    ) -> None:
        indices = [waiting.pop() for _ in range(min(self.window - len(active), len(waiting)))]
        futures = self._client.compute(
            [tasks[index] for index in indices],
            optimize_graph=False,
            retries=0 if self._tries is None else self._tries - 1,
        )
        for index, future in zip(indices, futures, strict=True):
            for key in map(str, tasks[index].__dask_graph__()):
                outer = self._outer_key.setdefault(key, str(future.key))
                if outer != str(future.key):
                    self._outer_key[key] = None
        active.update(zip(futures, indices, strict=True))
        completions.update(futures)

    def _result(self, future: Any, task: Delayed) -> Any:
        deaths = self._deaths.get(str(future.key), [])
        if future.status == "cancelled" and self._tries is not None and len(deaths) >= self._tries:
            causes = "; ".join(dict.fromkeys(cause for _, cause in deaths))
            text = f"{len(deaths)} workers died while they computed it: {causes}"
            kind = MemoryError if all(alone for alone, _ in deaths) else _DoubtError
            return TaskFailure(str(task.key), kind(f"{text}; {_REMEDY}"), text)
        return task_result(future, task)


class _DoubtError(RuntimeError):
    """Workers died while they computed a task, but never that task alone."""


def task_result(future: Any, task: Delayed) -> Any:
    """Return the result of a future, or the failure of its task."""
    if future.status == "cancelled":
        text = "lost the scheduler before the task ended"
        return TaskFailure(str(task.key), ConnectionError(text), text)
    cause = future.exception() if future.status != "finished" else None
    if cause is None:  # a result lost with its worker is computed again
        try:
            return future.result()
        except Exception as error:
            return TaskFailure.of(task, error)
    trace = "".join(traceback.format_tb(future.traceback())) + repr(cause)
    return TaskFailure(str(task.key), cause, trace)


def _with_remedy(result: Any) -> Any:
    if not (isinstance(result, TaskFailure) and isinstance(result.error, KilledWorker)):
        return result
    text = (
        f"{result.error.allowed_failures + 1} workers died while they computed it, most likely "
        f"for lack of memory; {_REMEDY}"
    )
    return TaskFailure(result.task, MemoryError(text), text)


@dataclass(frozen=True)
class TaskOutlook:
    """A task that has started: its parts, how many are complete or running, seconds it needs."""

    n_parts: int
    n_underway: int
    seconds: float


def task_outlooks(
    inner_keys: Mapping[str, Sequence[str]], dask_scheduler: Any
) -> dict[str, TaskOutlook]:
    """Return the outlook of tasks that have started; runs on the scheduler.

    Parameters
    ----------
    inner_keys
        By the key of a task: the keys of the tasks that only it contains, its own among them.

    Returns
    -------
    By key. A part is running when its worker says so, not while it waits on the worker; its
    duration is estimated by that of similar parts.
    """
    running = {
        task.key: seconds
        for worker in dask_scheduler.workers.values()
        for task, seconds in worker.executing.items()
    }
    outlooks = {}
    for outer, keys in inner_keys.items():
        tasks = [dask_scheduler.tasks[key] for key in keys if key in dask_scheduler.tasks]
        pending = [task for task in tasks if task.state not in _FINAL_STATES]
        n_underway = len(keys) - sum(task.key not in running for task in pending)
        if len(keys) == 1:
            if not pending or pending[0].state == "processing":
                outlooks[outer] = TaskOutlook(1, 1, 0.0)
        elif n_underway:
            seconds = (max(0.0, _duration(t) - running.get(t.key, 0.0)) for t in pending)
            outlooks[outer] = TaskOutlook(len(keys), n_underway, sum(seconds))
    return outlooks


def _duration(task: Any) -> float:
    mean = task.prefix.duration_average
    return float(mean if mean >= 0 else max(task.prefix.max_exec_time, 0.0))


def nearly_complete(
    outlooks: Mapping[str, TaskOutlook], workers: int, seconds: float = DRAIN_SECONDS
) -> dict[str, TaskOutlook]:
    """Return the tasks that all workers complete within ``seconds``, shortest first.

    Examples
    --------
    >>> tasks = {"a": TaskOutlook(9, 3, 80.0), "b": TaskOutlook(9, 8, 50.0)}
    >>> list(nearly_complete(tasks, workers=1)), list(nearly_complete(tasks, workers=3))
    (['b'], ['b', 'a'])
    """
    selection, total = {}, 0.0
    for key, task in sorted(outlooks.items(), key=lambda entry: entry[1].seconds):
        total += task.seconds
        if total > seconds * workers:
            break
        selection[key] = task
    return selection
