"""Loaded by the workers of the tests: blocks take a second, are listed, and do harm on demand.

The folder in KETADASK_TEST_WATCH holds the list ``computed`` and the orders: ``bomb`` makes one
block take too much memory, ``poison-000007`` makes every try of the block that begins there do so,
``seconds`` says how long a block lasts.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

FOLDER = Path(os.environ.get("KETADASK_TEST_WATCH", "."))


def note(word, numbers):
    """Append one line; short appends are whole."""
    with (FOLDER / "computed").open("a") as file:
        file.write(f"{word} {numbers[0]} {numbers[1]} {os.environ.get('SLURM_JOB_ID')}\n")


def explode():
    """Take more memory than the job has, and keep it until something ends this."""
    held = []
    for _ in range(100):
        held.append(bytearray(os.urandom(1024) * 2**16))
        time.sleep(0.05)
    return held


def slowed(write):
    """Wrap the function that computes and writes one block of splits."""

    def made(problem, search, splitter, numbers, parts, gates):
        note("begin", numbers)
        seconds = FOLDER / "seconds"
        time.sleep(float(seconds.read_text()) if seconds.exists() else 0.5)
        try:
            (FOLDER / "bomb").rename(FOLDER / "bomb-used")
        except OSError:
            bombed = False
        else:
            bombed = True
        if bombed or (FOLDER / f"poison-{numbers[0]:06d}").exists():
            note("explode", numbers)
            explode()
        receipt = write(problem, search, splitter, numbers, parts, gates)
        note("done", numbers)
        return receipt

    return made


def dask_setup(worker):
    """Put the wrapper in place when the worker starts."""
    from ketadask.search import graph

    graph._write = slowed(graph._write)
