"""Logs of workers and scheduler in the run folder, and interrupts left to the driver."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from distributed import Scheduler, SchedulerPlugin, Worker, WorkerPlugin

from ketadask.store.disk import create_file
from ketadask.store.environment import now

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LOGGERS = ("distributed", "ketadask", "py.warnings")


class WorkerLog(WorkerPlugin):
    """A log file for every worker, named by its process."""

    name = "ketadask-log"

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def setup(self, worker: Worker) -> None:
        """Open the log file when a worker starts."""
        logging.captureWarnings(True)
        with suppress(OSError):
            _attach(Path(self.folder) / f"worker-{os.getpid()}.log")
        logger = logging.getLogger("ketadask")
        logger.setLevel(logging.INFO)
        logger.info("worker %s started", worker.address)


class IgnoreInterrupts(WorkerPlugin):
    """Make workers ignore Ctrl-C, which reaches every process of a terminal."""

    name = "ketadask-interrupts"

    def setup(self, worker: Worker) -> None:
        """Ignore interrupts; possible in the main thread only, where local workers run."""
        with suppress(ValueError):
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _attach(path: Path) -> logging.Handler:
    handler = logging.FileHandler(create_file(path), encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter(_FORMAT))
    for name in _LOGGERS:
        logging.getLogger(name).addHandler(handler)
    return handler


@contextmanager
def driver_log(folder: Path | None) -> Iterator[None]:
    """Log the scheduler and nannies of this process to ``folder/scheduler.log``."""
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
        self.is_active = True

    def remove_worker(self, scheduler: Scheduler, worker: str, **_: Any) -> None:
        if self.is_active:
            line = f"lost worker {worker}; its tasks restart"
            self.events.append(f"{now()} {line}")
            if self.say is not None:
                self.say(line)


@contextmanager
def watch_workers(
    scheduler: Scheduler, events: list[str], say: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Record each lost worker in ``events``, and say so."""
    watch = _Watch(events, say)
    scheduler.add_plugin(watch)
    try:
        yield
    finally:
        watch.is_active = False
