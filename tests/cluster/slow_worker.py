"""Loaded by the workers of the tests: blocks take a second, are listed, and do harm on demand.

The folder in KETADASK_TEST_WATCH holds the list ``computed`` and the orders: ``bomb`` makes one
block take too much memory, ``poison-000007`` makes every try of the block that begins there do so,
``seconds`` says how long a block lasts, ``allowed`` how many may be finished before the next waits.
Where there is a file ``recordings``, those that are measured are listed, too.
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


def ordered(name, otherwise):
    """Return the number in a file of orders."""
    path = FOLDER / name
    return float(path.read_text()) if path.exists() else otherwise


def finished():
    """Return how many blocks were finished by all workers."""
    return sum(line.startswith("done") for line in (FOLDER / "computed").open())


def bombed():
    """Take the bomb, if there is one; only one block gets it."""
    try:
        (FOLDER / "bomb").rename(FOLDER / "bomb-used")
    except OSError:
        return False
    return True


def slowed(write):
    """Wrap the function that computes and writes one block of splits."""

    def made(problem, search, splitter, numbers, *more):
        note("begin", numbers)
        time.sleep(ordered("seconds", 0.5))
        poisoned = (FOLDER / f"poison-{numbers[0]:06d}").exists()
        while True:
            if poisoned or bombed():
                note("explode", numbers)
                explode()
            if finished() < ordered("allowed", float("inf")):
                break
            time.sleep(0.2)
        receipt = write(problem, search, splitter, numbers, *more)
        note("done", numbers)
        return receipt

    return made


def noted(write):
    """Wrap the function that measures one recording."""

    def made(*words):
        note("measure", (0, 0))
        return write(*words)

    return made


def dask_setup(worker):
    """Put the wrappers in place when the worker starts."""
    from ketadask.search import graph

    graph._write = slowed(graph._write)
    if (FOLDER / "recordings").exists():
        from ketadask.features import graph as recordings

        recordings._write = noted(recordings._write)
