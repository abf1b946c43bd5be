"""How long a study takes on W workers: a model of a few measured numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TaskCosts:
    """Overhead of tasks, in seconds.

    Attributes
    ----------
    task
        Of scheduler and driver, per task; one task after the other.
    latency
        On the worker, from the end of one task to the beginning of the next.
    part
        To write the part of a task: on the worker.
    check
        To verify a finished part: on the driver, one part after the other.
    build
        To build a task of the graph: on the driver, one after the other.
    begin
        Until the first worker is available.
    """

    task: float
    latency: float
    part: float
    check: float
    build: float
    begin: float


@dataclass(frozen=True)
class ScalingForecast:
    """A study on W workers: number and size of its tasks, run time, efficiency, and its limit."""

    workers: int
    tasks: int
    block: int
    seconds: float
    efficiency: float
    limit: str


def forecast(
    costs: TaskCosts, *, splits: int, split_seconds: float, workers: int, task_seconds: float = 10.0
) -> ScalingForecast:
    """Predict a study of ``splits`` searches of ``split_seconds`` seconds.

    Tasks are cut as a study cuts them. Workers go through them in rounds while one scheduler, and
    one driver, serve them one after the other: the slower of the two decides, and what the
    driver does alone in the end is added. ``efficiency`` is the work over the workers' time.

    Examples
    --------
    >>> quick = TaskCosts(task=0.001, latency=0.01, part=0.02, check=0.001, build=0.0, begin=2.0)
    >>> forecast(quick, splits=100_000, split_seconds=0.5, workers=100).limit
    'work'
    """
    from ketadask.pipeline.task_sizes import block_size

    block = block_size(split_seconds, splits, workers, task_seconds)
    tasks = -(-splits // block)
    task = block * split_seconds + costs.part + costs.latency
    rounds = -(-tasks // workers)
    work, scheduler_seconds = rounds * task, tasks * costs.task
    serial = costs.begin + tasks * (costs.build + costs.check)
    seconds = max(work, scheduler_seconds) + serial
    ideal = splits * split_seconds / workers
    losses = {
        "scheduler": max(0.0, scheduler_seconds - work),
        "serial work of the driver": serial,
        "last round": rounds * task - tasks / workers * task,
        "overhead of tasks": tasks / workers * (costs.part + costs.latency),
    }
    worst = max(losses, key=lambda name: losses[name])
    limit = "work" if losses[worst] < 0.05 * seconds else worst
    return ScalingForecast(workers, tasks, block, seconds, ideal / seconds, limit)


def forecast_table(
    costs: TaskCosts, work: Sequence[float], *, splits: int, workers: Sequence[int]
) -> list[dict[str, Any]]:
    """Return a row per length of a split, in seconds, and number of workers."""
    return [
        {
            "each": split_seconds,
            "splits": splits,
            **vars(forecast(costs, splits=splits, split_seconds=split_seconds, workers=count)),
        }
        for split_seconds in work
        for count in workers
    ]
