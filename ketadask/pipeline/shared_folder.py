"""Whether the workers see the folder of the results, before anything is computed."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable
from pathlib import Path

from dask.delayed import delayed

from ketadask.pipeline.executor import CurrentScheduler, Executor, collect
from ketadask.schema.errors import InputError

_PROBES = 8


def require_shared(folder: Path, executor: Executor) -> None:
    """Raise an InputError, before the first task, if a worker does not see a folder.

    The driver writes a file into the folder, and small tasks look for it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".probe-{uuid.uuid4().hex}"
    probe.touch()
    try:
        task = delayed(_look_for)
        tasks = [task(str(probe), dask_key_name=f"{probe.name}-{k}") for k in range(_PROBES)]
        blind = sorted({worker for worker in collect(tasks, executor) if worker})
    finally:
        probe.unlink(missing_ok=True)
    if blind:
        raise _invisible(", ".join(blind), folder)


def shared_scheduler(folder: Path) -> Callable[[], Executor]:
    """Return what opens dask's current scheduler, once its workers see the folder."""

    def open_scheduler() -> Executor:
        executor = CurrentScheduler()
        require_shared(folder, executor)
        return executor

    return open_scheduler


def check_visible(folder: Path) -> None:
    """Raise in a task where its worker does not see a folder that the driver has created."""
    if not folder.is_dir():
        raise _invisible(_worker_name(), folder)


def _invisible(workers: str, folder: Path) -> InputError:
    return InputError(
        f"{workers} cannot see the folder of the results",
        file=folder,
        where="store",
        remedy="name a folder that the driver and all workers share",
    )


def _worker_name() -> str:
    return f"a worker on {socket.gethostname()}"


def _look_for(path: str) -> str:
    """Return the name of this worker if it does not see a file, else an empty text."""
    return "" if os.path.exists(path) else _worker_name()
