"""What the study sees of a cluster: tasks in, small results out, failures as values.

Strategy: tasks write what they make and return receipts, so the driver holds receipts only.
A window of tasks is in flight; each one that ends makes room for the next. A task that fails
for its own reasons becomes a `TaskFailure`; the others go on. Leaving the loop early, by an
interrupt or an error, cancels what has not begun.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from dask.delayed import Delayed


@dataclass(frozen=True)
class TaskFailure:
    """A task that ended with an exception: which one, what was raised, and where."""

    task: str
    error: BaseException
    trace: str

    def __str__(self) -> str:
        text = str(self.error).strip() or type(self.error).__name__
        return f"{self.task}: {type(self.error).__name__}: {text.splitlines()[0]}"


class Executor(Protocol):
    """One way to run tasks; all of them give the same results.

    ``apart`` says whether several workers can compute what one task is made of.
    """

    apart: ClassVar[bool]
    workers: int
    dashboard: str | None
    events: list[str]

    def compute(self, tasks: Sequence[Delayed]) -> Iterator[tuple[int, Any]]:
        """Yield (position in ``tasks``, result or `TaskFailure`) as the tasks end."""
        ...


def _run(task: Delayed) -> Any:
    return task.compute(scheduler="synchronous")


def failure(task: Delayed, error: BaseException) -> TaskFailure:
    """Return the failure of ``task``, with the trace as text."""
    trace = "".join(traceback.format_exception(error))
    return TaskFailure(str(task.key), error, trace)


@dataclass
class Synchronous:
    """Every task in this thread, one after the other: the plainest way, for tests and bugs."""

    apart: ClassVar[bool] = False
    workers: int = 1
    dashboard: str | None = None
    events: list[str] = field(default_factory=list)

    def compute(self, tasks: Sequence[Delayed]) -> Iterator[tuple[int, Any]]:
        """Yield (position, result or failure) in the order of ``tasks``.

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
                result = failure(task, error)
            yield index, result


@dataclass
class Threads:
    """Tasks in threads of this process; the kernels release Python's lock."""

    apart: ClassVar[bool] = False
    workers: int
    dashboard: str | None = None
    events: list[str] = field(default_factory=list)

    def compute(self, tasks: Sequence[Delayed]) -> Iterator[tuple[int, Any]]:
        """Yield (position, result or failure) as the tasks end."""
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="ketadask")
        waiting = iter(enumerate(tasks))
        flying: dict[Future[Any], int] = {}
        try:
            while True:
                for index, task in waiting:
                    flying[pool.submit(_run, task)] = index
                    if len(flying) >= 2 * self.workers:
                        break
                if not flying:
                    return
                for future in wait(flying, return_when=FIRST_COMPLETED).done:
                    index = flying.pop(future)
                    error = future.exception()
                    yield index, failure(tasks[index], error) if error else future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
