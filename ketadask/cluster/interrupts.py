"""Ctrl-C on a queue: the first completes and stores running tasks, the second cancels all."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol


class Drainable(Protocol):
    """An executor that can stop sending tasks."""

    computing: bool
    draining: bool


@contextmanager
def drain_on_interrupt(executor: Drainable, say: Callable[[str], None]) -> Iterator[None]:
    """While tasks run, drain on the first interrupt and raise on the second."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:
        if executor.draining or not executor.computing:
            raise KeyboardInterrupt
        executor.draining = True
        say("completing and storing running tasks; press Ctrl-C again to cancel the jobs")

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
