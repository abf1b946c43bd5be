"""Test tasks of the doctor: each returns the process that ran it.

Strategy: a few independent tasks without a shared node; they write no files.
"""

from __future__ import annotations

import os

from dask.delayed import Delayed, delayed


def probes(count: int) -> list[Delayed]:
    """Return tasks that return their process id."""
    return [delayed(os.getpid)(dask_key_name=f"probe-{i}") for i in range(count)]
