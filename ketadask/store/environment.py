"""The environment of a run: library versions, git commit, machine, cores, time and log."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from threading import Lock
from typing import Any

from ketadask.store.disk import create_file

_LIBRARIES = (
    *("ketadask", "numpy", "pandas", "xarray", "scipy", "numba", "dask", "distributed"),
    *("zarr", "pyarrow", "pydantic", "scikit-learn", "mne"),
)

ONE_THREAD = {
    f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "VECLIB", "NUMBA", "BLIS")
}


class _OneThread:
    """Linear algebra on one thread while at least one task is inside, in any thread.

    Many small problems are faster so, and on a busy machine by far: threads wait for each other.
    """

    def __init__(self) -> None:
        self._lock, self._tasks = Lock(), 0
        self._limits: Any = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            self._tasks += 1
            if self._tasks == 1:
                from threadpoolctl import threadpool_limits

                self._limits = threadpool_limits(limits=1)
        try:
            yield
        finally:
            with self._lock:
                self._tasks -= 1
                if self._tasks == 0:
                    self._limits.restore_original_limits()


one_thread = _OneThread()


def now() -> str:
    """Return the current time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of every library the package uses.

    Examples
    --------
    >>> sorted(library_versions())[:2]
    ['dask', 'distributed']
    """
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def commit() -> str | None:
    """Return the git commit of the package, with ``+changes`` where files differ from it."""
    package = Path(__file__).parents[1]

    def git(*words: str) -> str:
        command = ["git", "-C", str(package), *words]
        return subprocess.check_output(
            command, stderr=subprocess.DEVNULL, text=True, timeout=10
        ).strip()

    try:
        if not git("ls-files", "--", "__init__.py"):
            return None
        changes = git("status", "--porcelain", "--untracked-files=no", "--", ".")
        return git("rev-parse", "HEAD") + ("+changes" if changes else "")
    except (OSError, subprocess.SubprocessError):
        return None


def cores() -> int:
    """Return the number of cores the system and the queue allow this process."""
    from dask.system import CPU_COUNT

    text = os.environ.get("SLURM_CPUS_ON_NODE", "")
    of_job = int(text) if text.isdigit() else CPU_COUNT
    return max(1, min(CPU_COUNT, of_job, len(os.sched_getaffinity(0))))


def describe_machine() -> dict[str, Any]:
    """Return host, system, processor, cores, memory and Python."""
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


def peak_memory() -> float:
    """Return the largest memory this process has used, in bytes."""
    with contextlib.suppress(OSError, StopIteration):
        # ru_maxrss begins with the memory of the process that started this one.
        with open("/proc/self/status") as file:
            line = next(line for line in file if line.startswith("VmHWM:"))
        return float(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak * (1 if sys.platform == "darwin" else 1024))


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Write the log of the package to ``path`` while the context is open."""
    handler = logging.FileHandler(create_file(path), encoding="utf-8", delay=True)
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
        with suppress(OSError):  # a full disk, which the run itself reports
            handler.close()
