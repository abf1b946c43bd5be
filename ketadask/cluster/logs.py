"""What workers do besides work: log into the run folder, and leave Ctrl-C to the driver."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from distributed import Scheduler, SchedulerPlugin, Worker, WorkerPlugin

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LOGGERS = ("distributed", "ketadask", "py.warnings")


class WorkerLog(WorkerPlugin):
    """Give every worker a log file of its own, named by its process."""

    name = "ketadask-log"

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def setup(self, worker: Worker) -> None:
        """Open the file when the worker starts, and again when its successor does."""
        logging.captureWarnings(True)
        with suppress(OSError):
            _attach(Path(self.folder) / f"worker-{os.getpid()}.log")
        logger = logging.getLogger("ketadask")
        logger.setLevel(logging.INFO)
        logger.info("worker %s started", worker.address)


class OwnInterrupts(WorkerPlugin):
    """Keep a worker of ours calm when Ctrl-C reaches the whole terminal: its driver ends it."""

    name = "ketadask-interrupts"

    def setup(self, worker: Worker) -> None:
        """Ignore interrupts from now on; works in the main thread only, where ours live."""
        with suppress(ValueError):
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _attach(path: Path) -> logging.Handler:
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter(_FORMAT))
    for name in _LOGGERS:
        logging.getLogger(name).addHandler(handler)
    return handler


@contextmanager
def driver_log(folder: Path | None) -> Iterator[None]:
    """Write what scheduler and nannies of this process say to ``folder/scheduler.log``."""
    if folder is None:
        yield
        return
    handler = _attach(folder / "scheduler.log")
    try:
        yield
    finally:
        for name in _LOGGERS:
            logging.getLogger(name).removeHandler(handler)
        handler.close()


class _Watch(SchedulerPlugin):
    name = "ketadask-watch"

    def __init__(self, events: list[str], say: Callable[[str], None] | None) -> None:
        self.events, self.say = events, say
        self.open = True

    def remove_worker(self, scheduler: Scheduler, worker: str, **_: Any) -> None:
        if self.open:
            line = f"worker {worker} was lost; its tasks begin again"
            self.events.append(f"{datetime.now(UTC).isoformat(timespec='seconds')} {line}")
            if self.say is not None:
                self.say(line)


@contextmanager
def watch_workers(
    scheduler: Scheduler, events: list[str], say: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Note in ``events``, and say, each worker lost while the work goes on."""
    watch = _Watch(events, say)
    scheduler.add_plugin(watch)
    try:
        yield
    finally:
        watch.open = False
