"""Preloaded by workers of the tests: blocks take a second, are listed, and fail on demand.

The folder in KETADASK_TEST_WATCH contains the list ``computed`` and the files that control the
workers: with ``bomb`` one block takes too much memory, with ``poison-000007`` every attempt of the
block that begins there does; ``seconds`` is the time of a block, ``allowed`` the number of blocks
after which the next one waits. With a file ``recordings``, recordings are listed too.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

FOLDER = Path(os.environ.get("KETADASK_TEST_WATCH", "."))


def note(word, block):
    """Append one line; short appends are whole."""
    with (FOLDER / "computed").open("a") as file:
        file.write(f"{word} {block[0]} {block[1]} {os.environ.get('SLURM_JOB_ID')}\n")


def explode():
    """Take more memory than the job has, until something ends this process."""
    memory = []
    for _ in range(100):
        memory.append(bytearray(os.urandom(1024) * 2**16))
        time.sleep(0.05)
    return memory


def setting(name, default):
    """Return the number in a file."""
    path = FOLDER / name
    return float(path.read_text()) if path.exists() else default


def n_done():
    """Return how many blocks all workers have completed."""
    return sum(line.startswith("done") for line in (FOLDER / "computed").open())


def take_bomb():
    """Whether this block gets the bomb; only one block does."""
    try:
        (FOLDER / "bomb").rename(FOLDER / "bomb-used")
    except OSError:
        return False
    return True


def slow_search(write):
    """Wrap the function that computes and writes one block of splits."""

    def write_slowly(problem, search, splitter, block, *more):
        note("begin", block)
        time.sleep(setting("seconds", 0.5))
        is_poison = (FOLDER / f"poison-{block[0]:06d}").exists()
        while True:
            if is_poison or take_bomb():
                note("explode", block)
                explode()
            if n_done() < setting("allowed", float("inf")):
                break
            time.sleep(0.2)
        receipt = write(problem, search, splitter, block, *more)
        note("done", block)
        return receipt

    return write_slowly


def list_recordings(write):
    """Wrap the function that computes the features of one recording."""

    def write_and_list(*words):
        note("measure", (0, 0))
        return write(*words)

    return write_and_list


def dask_setup(worker):
    """Put the wrappers in place when the worker starts."""
    from ketadask.search import graph

    graph.write_hits = slow_search(graph.write_hits)
    if (FOLDER / "recordings").exists():
        from ketadask.features import graph as recordings

        recordings._write = list_recordings(recordings._write)
