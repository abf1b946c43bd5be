"""The executor on a Dask scheduler; the only file that holds a `Client`."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from dask.delayed import Delayed
from dask.graph_manipulation import clone
from distributed import Client, KilledWorker, as_completed

from ketadask.pipeline.executor import TaskFailure

WINDOW, PER_WORKER = 512, 4
_REMEDY = "raise memory_limit or job.memory in the cluster profile, or lower execution.block"


class DaskExecutor:
    """Tasks on the workers of a Dask scheduler.

    Tasks are handed over in windows: one call sends what they share once, and the scheduler never
    holds more than a window of them, however many there are.
    """

    distributes: ClassVar[bool] = True

    def __init__(
        self,
        client: Client,
        *,
        workers: int,
        dashboard: str | None = None,
        tries: int | None = None,
    ) -> None:
        self._client = client
        self._tries = tries
        self.workers = workers
        self.window = max(WINDOW, PER_WORKER * workers)
        self.dashboard = dashboard
        self.events: list[str] = []
        self.trouble: Callable[[], Exception | None] = lambda: None
        self.say: Callable[[str], None] = lambda line: None
        self.draining = self.computing = self._told = False
        self.unfinished = 0
        self._deaths: dict[str, list[tuple[bool, str]]] = {}
        self._flying: dict[Any, int] = {}
        # By the key of a task inside: the one that was asked for; None where several share it.
        self._asked_by: dict[str, str | None] = {}

    def compute(self, tasks: Sequence[Delayed]) -> Iterator[tuple[int, Any]]:
        """Yield (position, result or failure) as the tasks end.

        When a worker dies, the scheduler blames every task it held. Those blamed too often are
        run again at the end, one at a time, so that only a task that kills its worker fails.
        """
        blamed: list[int] = []
        self.unfinished = len(tasks)
        for index, result in self._window(tasks, range(len(tasks))):
            if isinstance(result, TaskFailure) and isinstance(
                result.error, KilledWorker | _DoubtError
            ):
                blamed.append(index)
            else:
                self.unfinished -= 1
                yield index, result
        for index in sorted(blamed):
            again = {index: clone(tasks[index])}
            for _, result in self._window(again, [index]):
                self.unfinished -= 1
                yield index, _explained(result)

    def blame(self, keys: Iterable[str], why: str) -> None:
        """Hold the death of a worker against the tasks it had; the third takes them out.

        A task that was alone on its worker each time is the cause; one that had company gets
        another chance, alone, when the others are done.
        """
        held = [self._asked_by.get(key) or key for key in keys]
        for key in held:
            deaths = self._deaths.setdefault(key, [])
            deaths.append((len(held) == 1, why))
            self.events.append(f"{key} was being computed when a worker died: {why}")
            if self._tries is not None and len(deaths) >= self._tries:
                flying = [each for each in list(self._flying) if str(each.key) == key]
                if flying:
                    self._client.cancel(flying, force=True)

    def _window(
        self, tasks: Sequence[Delayed] | Mapping[int, Delayed], indices: Iterable[int]
    ) -> Iterator[tuple[int, Any]]:
        waiting = list(indices)[::-1]
        flying: dict[Any, int] = {}
        self._flying, self.computing = flying, True
        ended = as_completed([], loop=self._client.loop, raise_errors=False)
        try:
            while waiting or flying:
                if len(flying) <= self.window // 2 and waiting and not self.draining:
                    self._send(tasks, waiting, flying, ended)
                futures = self._next(ended, flying)
                fetched = self._fetched(futures)
                for future in futures:
                    index = flying.pop(future, None)
                    if index is None:
                        continue
                    if future in fetched:
                        yield index, fetched.pop(future)
                    else:
                        yield index, self._result(future, tasks[index])
                    future.release()
            if self.draining:  # what was called back has no result, and nobody may go on as if
                raise KeyboardInterrupt
        finally:
            self.computing = False
            if flying:
                self._client.cancel(list(flying), force=True)

    def _next(self, ended: as_completed, flying: dict[Any, int]) -> list[Any]:
        """Wait until some have ended; look at the jobs and for interrupts meanwhile."""
        while not ended.has_ready():
            trouble = self.trouble()
            if trouble is not None:
                raise trouble
            if self.draining and not self._being_computed(flying):
                raise KeyboardInterrupt
            with ended.thread_condition:
                ended.thread_condition.wait(timeout=0.1)
        return [next(ended), *ended.next_batch(block=False)]

    def _fetched(self, futures: list[Any]) -> dict[Any, Any]:
        """Fetch the results of all that have ended at once: workers need not be asked in turn.

        Where one was lost, none is: they are fetched one by one, and that one is told of.
        """
        finished = [future for future in futures if future.status == "finished"]
        try:
            return dict(zip(finished, self._client.gather(finished), strict=True))
        except Exception:
            return {}

    def _being_computed(self, flying: dict[Any, int]) -> bool:
        """Call back what is not begun or would take long; tell whether something is computed."""
        inside: dict[str, list[str]] = {str(each.key): [] for each in flying if not each.done()}
        for key, asked in self._asked_by.items():
            if asked in inside:
                inside[asked].append(key)
        begun = self._client.run_on_scheduler(prospects, inside) if inside else {}
        kept = soon(begun, self.workers)
        idle = [each for each in flying if str(each.key) in inside.keys() - kept.keys()]
        if idle:
            self._client.cancel(idle, force=True)
            for future in idle:
                flying.pop(future)
        self._tell(kept, [begun[key] for key in begun.keys() - kept.keys()])
        return bool(flying)

    def _tell(self, kept: Mapping[str, Prospect], lost: Sequence[Prospect]) -> None:
        """Say how long those in parts that are kept will take, and what is lost of the others."""
        many = [each for each in kept.values() if each.parts > 1]
        if many and not self._told:
            self._told = True
            wait = sum(each.seconds for each in many) / self.workers
            self.say(f"{len(many):,} tasks in parts are finished too, in some {wait:.0f} s")
        if lost:
            parts, wait = sum(each.begun for each in lost), sum(each.seconds for each in lost)
            line = (
                f"{len(lost):,} tasks in parts are given up, and {parts:,} parts of them are lost: "
                f"the rest would take {wait / self.workers:.0f} s"
            )
            self.events.append(line)
            self.say(line)

    def _send(
        self,
        tasks: Sequence[Delayed] | Mapping[int, Delayed],
        waiting: list[int],
        flying: dict[Any, int],
        ended: as_completed,
    ) -> None:
        indices = [waiting.pop() for _ in range(min(self.window - len(flying), len(waiting)))]
        futures = self._client.compute(
            [tasks[i] for i in indices],
            optimize_graph=False,
            retries=0 if self._tries is None else self._tries - 1,
        )
        for i, future in zip(indices, futures, strict=True):
            for key in map(str, tasks[i].__dask_graph__()):
                asked = self._asked_by.setdefault(key, str(future.key))
                if asked != str(future.key):
                    self._asked_by[key] = None
        flying.update(zip(futures, indices, strict=True))
        ended.update(futures)

    def _result(self, future: Any, task: Delayed) -> Any:
        deaths = self._deaths.get(str(future.key), [])
        if future.status == "cancelled" and self._tries is not None and len(deaths) >= self._tries:
            why = "; ".join(dict.fromkeys(cause for _, cause in deaths))
            text = f"quarantined, its worker died {len(deaths)} times: {why}"
            kind = MemoryError if all(alone for alone, _ in deaths) else _DoubtError
            return TaskFailure(str(task.key), kind(f"{text}; {_REMEDY}"), text)
        return _result(future, task)


class _DoubtError(RuntimeError):
    """Workers died under a task that was not alone on them."""


def _result(future: Any, task: Delayed) -> Any:
    if future.status == "finished":
        try:
            return future.result()
        except Exception as error:  # lost with its worker before it was fetched, and not made again
            return TaskFailure.of(task, error)
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
        f"memory; {_REMEDY}"
    )
    return TaskFailure(result.task, MemoryError(text), text)


PATIENCE = 60.0
"""Seconds all workers together may still need for tasks in parts after an interrupt."""

_ENDED = ("memory", "released", "erred", "forgotten")


@dataclass(frozen=True)
class Prospect:
    """A task that is begun: of how many parts, how many are made or in work, seconds left."""

    parts: int
    begun: int
    seconds: float


def prospects(inside: Mapping[str, Sequence[str]], dask_scheduler: Any) -> dict[str, Prospect]:
    """Return what is begun of some tasks; runs on the scheduler.

    Parameters
    ----------
    inside
        By the key of a task: the keys of all it alone is made of, its own among them.

    Returns
    -------
    By key. A part counts as in work when its worker says so, not while it waits there for its turn;
    how long it takes is what others like it have taken, or have been taking so far.
    """
    scheduler = dask_scheduler
    working = {
        task.key: seconds
        for worker in scheduler.workers.values()
        for task, seconds in worker.executing.items()
    }
    told = {}
    for asked, keys in inside.items():
        tasks = [scheduler.tasks[key] for key in keys if key in scheduler.tasks]
        left = [task for task in tasks if task.state not in _ENDED]
        begun = len(keys) - sum(task.key not in working for task in left)
        if len(keys) == 1:
            if not left or left[0].state == "processing":
                told[asked] = Prospect(1, 1, 0.0)
        elif begun:
            lengths = (max(0.0, _length(task) - working.get(task.key, 0.0)) for task in left)
            told[asked] = Prospect(len(keys), begun, sum(lengths))
    return told


def _length(task: Any) -> float:
    known = task.prefix.duration_average
    return float(known if known >= 0 else max(task.prefix.max_exec_time, 0.0))


def soon(
    begun: Mapping[str, Prospect], workers: int, patience: float = PATIENCE
) -> dict[str, Prospect]:
    """Return the tasks that are finished within so many seconds, nearest to their end first.

    Examples
    --------
    >>> begun = {"a": Prospect(9, 3, 80.0), "b": Prospect(9, 8, 50.0), "c": Prospect(1, 0, 0.0)}
    >>> list(soon(begun, workers=1)), list(soon(begun, workers=3))
    (['c', 'b'], ['c', 'b', 'a'])
    """
    kept, total = {}, 0.0
    for key, each in sorted(begun.items(), key=lambda entry: entry[1].seconds):
        total += each.seconds
        if total > patience * workers:
            break
        kept[key] = each
    return kept
