"""Ctrl-C on a queue: once finishes and stores what is in flight, twice cancels the jobs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol


class Drainable(Protocol):
    """An executor that can stop handing out tasks."""

    computing: bool
    draining: bool


@contextmanager
def drained_on_interrupt(executor: Drainable, say: Callable[[str], None]) -> Iterator[None]:
    """While tasks are computed, the first interrupt drains and the second one ends."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        if executor.draining or not executor.computing:
            raise KeyboardInterrupt
        executor.draining = True
        say("finishing and storing what is being computed; once more cancels the jobs")

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
