"""What a study remembers of how it was made: versions, machine, inputs, events, log."""

from __future__ import annotations

import logging
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

_LIBRARIES = (
    "ketadask",
    "numpy",
    "pandas",
    "xarray",
    "scipy",
    "numba",
    "dask",
    "distributed",
    "zarr",
    "pyarrow",
    "pydantic",
    "scikit-learn",
    "mne",
)


ONE_THREAD = {
    f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "VECLIB", "NUMBA", "BLIS")
}


def now() -> str:
    """Return this moment in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Return the versions of Python and of every library that takes part.

    Examples
    --------
    >>> sorted(versions())[:2]
    ['dask', 'distributed']
    """
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """Return the git commit the package runs from, with ``+changes`` where files differ."""
    package = Path(__file__).parents[1]

    def git(*words: str) -> str:
        told = subprocess.run(
            ["git", "-C", str(package), *words],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        return told.stdout.strip()

    try:
        if not git("ls-files", "--", "__init__.py"):
            return None
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ".")
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def cores() -> int:
    """Return the number of cores this process may use, as system and queue leave them."""
    from dask.system import CPU_COUNT

    given = os.environ.get("SLURM_CPUS_ON_NODE", "")
    of_job = int(given) if given.isdigit() else CPU_COUNT
    return max(1, min(CPU_COUNT, of_job, len(os.sched_getaffinity(0))))


def describe_machine() -> dict[str, Any]:
    """Return what this machine is."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": cores(),
        "memory_gib": round(memory / 2**30, 1),
        "python": sys.executable,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.machine()


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Write what the package says to ``path`` while the context is open."""
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S")
    )
    logger = logging.getLogger("ketadask")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()
