"""Executors: tasks in, small results out, failures as values.

Strategy: tasks write what they compute and return receipts, so the driver holds receipts only.
A window of tasks is in flight; each one that ends is replaced by the next. A task that raises
becomes a `TaskFailure` and the others continue. An interrupt or an error in the driver cancels the
tasks that have not started.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self, TypeVar

from dask.base import compute
from dask.delayed import Delayed

from ketadask.store.environment import cores


class _Computable(Protocol):
    def compute(self, **options: Any) -> Self: ...


Lazy = TypeVar("Lazy", bound=_Computable)


@dataclass(frozen=True)
class TaskFailure:
    """A task that raised: its key, the exception and the traceback."""

    task: str
    error: BaseException
    trace: str

    @classmethod
    def of(cls, task: Delayed, error: BaseException) -> TaskFailure:
        """Return the failure of a task."""
        return cls(str(task.key), error, "".join(traceback.format_exception(error)))

    def __str__(self) -> str:
        text = str(self.error).strip() or type(self.error).__name__
        return f"{self.task}: {type(self.error).__name__}: {text.splitlines()[0]}"


class Executor(Protocol):
    """A way to run tasks; all executors give the same results.

    ``distributes`` tells whether the tasks that one task depends on run on several workers.
    """

    distributes: ClassVar[bool]
    workers: int
    dashboard: str | None
    events: list[str]

    def compute(self, tasks: Sequence[Delayed]) -> Iterator[tuple[int, Any]]:
        """Yield (index in ``tasks``, result or `TaskFailure`) as the tasks end."""
        ...


@dataclass
class Synchronous:
    """All tasks in this thread, one after the other: for tests and debugging."""

    distributes: ClassVar[bool] = False
    workers: int = 1
    dashboard: str | None = None
    events: list[str] = field(default_factory=list)

    def compute(self, tasks: Sequence[Delayed]) -> Iterator[tuple[int, Any]]:
        """Yield (index, result or failure) in the order of ``tasks``.

        Examples
        --------
        >>> from dask import delayed
        >>> list(Synchronous().compute([delayed(abs)(-1), delayed(abs)(-2)]))
        [(0, 1), (1, 2)]
        """
        for index, task in enumerate(tasks):
            try:
                result = _run(task)
            except Exception as error:
                result = TaskFailure.of(task, error)
            yield index, result


@dataclass
class Threads:
    """Tasks in threads of this process; the kernels release the interpreter lock."""

    distributes: ClassVar[bool] = False
    workers: int
    dashboard: str | None = None
    events: list[str] = field(default_factory=list)

    def compute(self, tasks: Sequence[Delayed]) -> Iterator[tuple[int, Any]]:
        """Yield (index, result or failure) as the tasks end."""
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="ketadask")
        waiting = iter(enumerate(tasks))
        in_flight: dict[Future[Any], int] = {}
        try:
            while True:
                for index, task in waiting:
                    in_flight[pool.submit(_run, task)] = index
                    if len(in_flight) >= 2 * self.workers:
                        break
                if not in_flight:
                    return
                for future in wait(in_flight, return_when=FIRST_COMPLETED).done:
                    index = in_flight.pop(future)
                    error = future.exception()
                    yield index, TaskFailure.of(tasks[index], error) if error else future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@dataclass
class CurrentScheduler:
    """The scheduler a notebook has set: that of a ``Client``, of ``dask.config``, or threads.

    An exception of a task is raised as it is, as elsewhere in a notebook; parts that other tasks
    have written are kept.
    """

    distributes: ClassVar[bool] = True
    workers: int = field(default_factory=cores)
    dashboard: str | None = None
    events: list[str] = field(default_factory=list)

    def compute(self, tasks: Sequence[Delayed]) -> Iterator[tuple[int, Any]]:
        """Yield (index, result) of all tasks, after the last one has ended."""
        yield from enumerate(compute(*tasks))  # type: ignore[no-untyped-call]


def collect(tasks: Sequence[Delayed], executor: Executor) -> list[Any]:
    """Compute tasks with small results; return these in order, or raise the first error.

    Examples
    --------
    >>> from dask import delayed
    >>> collect([delayed(abs)(-1), delayed(abs)(-2)], Synchronous())
    [1, 2]
    """
    results: list[Any] = [None] * len(tasks)
    for index, result in executor.compute(tasks):
        if isinstance(result, TaskFailure):
            result.error.add_note(f"in task {result.task}\n{result.trace}")
            raise result.error
        results[index] = result
    return results


def load(lazy: Lazy, **options: Any) -> Lazy:
    """Return a lazy dataset or array with its values in memory, from dask's current scheduler."""
    return lazy.compute(**options)


def _run(task: Delayed) -> Any:
    return task.compute(scheduler="synchronous")  # type: ignore[no-untyped-call]
