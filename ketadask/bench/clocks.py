"""Seconds, medians, memory, and one core to measure on."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

ONE_THREAD = {
    f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "VECLIB", "NUMBA", "BLIS")
}
_MEBI = 1 << 20


@dataclass(frozen=True)
class Spent:
    """What one call took: seconds on the clock, and seconds of the processor."""

    wall: float
    cpu: float


def spent(call: Callable[[], Any]) -> Spent:
    """Call once and return what that took."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def fastest(calls: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Return the least processor seconds of each call; they take turns, so that all meet the
    same moods of the machine.

    Examples
    --------
    >>> sorted(fastest({"a": lambda: None, "b": lambda: None}, repeats=2))
    ['a', 'b']
    """
    for call in calls.values():
        call()
    least = dict.fromkeys(calls, float("inf"))
    for _ in range(repeats):
        for name, call in calls.items():
            least[name] = min(least[name], spent(call).cpu)
    return least


def medians(calls: list[Callable[[], Any]]) -> dict[str, float]:
    """Return median and largest wall seconds, and median processor seconds, of single calls."""
    each = [spent(call) for call in calls]
    return {
        "seconds": statistics.median(one.wall for one in each),
        "slowest": max(one.wall for one in each),
        "cpu_seconds": statistics.median(one.cpu for one in each),
    }


def peak_memory() -> float:
    """Return the largest memory this process has held, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1.0 if sys.platform == "darwin" else 1024.0) / 1e6


def memory_now() -> float:
    """Return the memory this process holds now, in MB; its peak where the system does not say."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 1e6
    except OSError:
        return peak_memory()


@contextmanager
def one_core() -> Iterator[None]:
    """Stay on one core, and have processes started meanwhile stay there, with one thread each."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if cores:
        os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        if cores:
            os.sched_setaffinity(0, cores)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def machine() -> dict[str, str | int | float]:
    """Return what the numbers depend on: processor, cores, how busy they are, and versions."""
    from importlib.metadata import version

    from llvmlite.binding import get_host_cpu_features, get_host_cpu_name

    features = get_host_cpu_features()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": f"{platform.machine()} {get_host_cpu_name()}",
        "counts bits in": "512-bit registers" if features.get("avx512vpopcntdq") else "words",
        "cores": cores or 1,
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: version(name) for name in ("ketadask", "numpy", "numba", "llvmlite")},
    }
