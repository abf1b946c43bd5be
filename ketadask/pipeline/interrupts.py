"""Interrupts that cannot get lost: Python drops an exception raised within a callback."""

from __future__ import annotations

from types import FrameType

_received: list[int] = []


def interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt: the handler of signals that end a run as Ctrl-C does."""
    _received.append(number)
    raise KeyboardInterrupt


def check_interrupt() -> None:
    """Raise KeyboardInterrupt where one was raised within a callback and dropped."""
    if _received:
        raise KeyboardInterrupt
