"""After an interrupt: which tasks are begun and soon end, so that they are waited for.

A task may be made of several, as a search in parts is; then it is begun when one of them is, long
before its own turn. Those that are begun are finished as long as that is short; to wait longer than
a person would is worse than to make some parts again, and so these are called back and told of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
