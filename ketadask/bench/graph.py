"""Tasks that sleep, or do nothing.

Strategy: independent tasks without data and without results, so that the time of many of them is
that of the scheduler and of the network alone.
"""

from __future__ import annotations

from time import sleep

from dask.delayed import Delayed, delayed


def naps(count: int, seconds: float, turn: str) -> list[Delayed]:
    """Tasks that sleep for the given time."""
    return [delayed(sleep)(seconds, dask_key_name=f"nap-{turn}-{i}") for i in range(count)]
