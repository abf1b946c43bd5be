"""Seconds, medians, memory, and one core to measure on."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ketadask.store.environment import ONE_THREAD

_MEBI = 1 << 20


@dataclass(frozen=True)
class Elapsed:
    """What one call took: seconds on the clock, and seconds of the processor."""

    wall: float
    cpu: float


def time_call(call: Callable[[], Any]) -> Elapsed:
    """Call once and return what that took."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return Elapsed(time.perf_counter() - wall, time.process_time() - cpu)


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
            least[name] = min(least[name], time_call(call).cpu)
    return least


def medians(calls: list[Callable[[], Any]]) -> dict[str, float]:
    """Return median and largest wall seconds, and median processor seconds, of single calls."""
    each = [time_call(call) for call in calls]
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


def describe_processor() -> dict[str, str | int | float]:
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


_WIDE = 160


def show(title: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows of numbers; ``columns`` names what is shown, by key."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(title=title, title_justify="left")
    for name in columns.values():
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(said(row.get(key)) for key in columns))
    (console if console.is_terminal else Console(highlight=False, width=_WIDE)).print(table)


def said(value: Any) -> str:
    """Return a value as people write it.

    Examples
    --------
    >>> said(7_715_207_280), said(6.9e12), said(0.01234), said(True), said(None), said("beam")
    ('7,715,207,280', '6.9e+12', '0.0123', 'yes', '', 'beam')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, int) and abs(value) < 1e11:
        return f"{value:,}"
    return f"{value:.3g}" if value < 1000 or value >= 1e6 else f"{value:,.0f}"


def share(value: float) -> str:
    """Return a share in percent.

    Examples
    --------
    >>> share(0.546)
    '55 %'
    """
    return f"{100 * value:.0f} %"


def machine_line() -> str:
    """Return what the numbers depend on, in one line."""
    return "; ".join(f"{name}: {value}" for name, value in describe_processor().items())
