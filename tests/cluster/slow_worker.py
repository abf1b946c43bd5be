"""Preloaded by workers of the tests: parts take a second, are listed, and fail on demand.

The folder in KETADASK_TEST_WATCH contains the list ``computed`` and the files that control the
parts of one ``stage``: with ``bomb`` one part takes too much memory, with ``poison-000007`` each
attempt of the part that begins there does; ``seconds`` is the time of a part, ``allowed`` the
number of parts after which the next one waits.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

FOLDER = Path(os.environ.get("KETADASK_TEST_WATCH", "."))
STAGES = ("recordings", "hits", "nulls", "permutations")


def note(word, folder, name):
    """Append one line; short appends are whole."""
    with (FOLDER / "computed").open("a") as file:
        file.write(f"{word} {folder} {name} {os.environ.get('SLURM_JOB_ID')}\n")


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


def n_done(folder):
    """Return how many parts of a stage all workers have completed."""
    return sum(line.startswith(f"done {folder} ") for line in (FOLDER / "computed").open())


def take_bomb():
    """Whether this part gets the bomb; only one does."""
    try:
        (FOLDER / "bomb").rename(FOLDER / "bomb-used")
    except OSError:
        return False
    return True


def slow(write):
    """Wrap the function that writes one part."""

    def write_slowly(parts, name, *more, **keywords):
        stage = FOLDER / "stage"
        stage = stage.read_text() if stage.exists() else "hits"
        folder = next((part for part in parts.folder.parts if part in STAGES), "other")
        note("begin", folder, name)
        if folder == stage:
            time.sleep(setting("seconds", 0.5))
        is_poison = (FOLDER / f"poison-{name[:6]}").exists()
        while folder == stage:
            if is_poison or take_bomb():
                note("explode", folder, name)
                explode()
            if n_done(folder) < setting("allowed", float("inf")):
                break
            time.sleep(0.2)
        receipt = write(parts, name, *more, **keywords)
        note("done", folder, name)
        return receipt

    return write_slowly


def dask_setup(worker):
    """Put the wrapper in place when the worker starts."""
    from ketadask.store.parts import Parts

    Parts.write = slow(Parts.write)
