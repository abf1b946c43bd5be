"""Tasks that only say which process ran them: what the doctor sends to see whether workers answer.

Strategy: a few independent tasks, no shared node, nothing written; each returns a number.
"""

from __future__ import annotations

import os

from dask.delayed import Delayed, delayed


def probes(count: int) -> list[Delayed]:
    """Return tasks that each give the number of the process they ran in."""
    return [delayed(os.getpid)(dask_key_name=f"probe-{i}") for i in range(count)]
