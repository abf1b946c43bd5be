"""Durations, memory, single-core runs and printed tables of the benchmarks."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ketadask.store.environment import ONE_THREAD, peak_memory

_WIDTH = 160


@dataclass(frozen=True)
class Duration:
    """Wall and processor seconds of one call."""

    wall: float
    cpu: float


def time_call(call: Callable[[], Any]) -> Duration:
    """Call once and return its duration."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return Duration(time.perf_counter() - wall, time.process_time() - cpu)


def fastest_times(calls: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Return the least processor seconds of each call; calls take turns, so that the load of the
    machine is the same for all.

    Examples
    --------
    >>> sorted(fastest_times({"a": lambda: None, "b": lambda: None}, repeats=2))
    ['a', 'b']
    """
    for call in calls.values():
        call()
    minimum = dict.fromkeys(calls, float("inf"))
    for _ in range(repeats):
        for name, call in calls.items():
            minimum[name] = min(minimum[name], time_call(call).cpu)
    return minimum


def median_times(calls: list[Callable[[], Any]]) -> dict[str, float]:
    """Return median and largest wall seconds, and median processor seconds, of single calls."""
    durations = [time_call(call) for call in calls]
    return {
        "seconds": statistics.median(duration.wall for duration in durations),
        "slowest": max(duration.wall for duration in durations),
        "cpu_seconds": statistics.median(duration.cpu for duration in durations),
    }


def memory_now() -> float:
    """Return the current memory of this process in MB; its peak where the system hides it."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 1e6
    except OSError:
        return peak_memory() / 1e6


@contextmanager
def one_core() -> Iterator[None]:
    """Pin this process and its children to one core, with one thread each."""
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
    """Return processor, cores, load and versions, on which the figures depend."""
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


def print_table(title: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a table of rows; ``columns`` maps keys to headings."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(title=title, title_justify="left")
    for name in columns.values():
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(format_value(row.get(key)) for key in columns))
    (console if console.is_terminal else Console(highlight=False, width=_WIDTH)).print(table)


def format_value(value: Any) -> str:
    """Return a value in readable form.

    Examples
    --------
    >>> [format_value(value) for value in (7_715_207_280, 6.9e12, 0.01234, True, None)]
    ['7,715,207,280', '6.9e+12', '0.0123', 'yes', '']
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


def format_fraction(value: float) -> str:
    """Return a fraction in percent.

    Examples
    --------
    >>> format_fraction(0.546)
    '55 %'
    """
    return f"{100 * value:.0f} %"


def processor_line() -> str:
    """Return the description of the processor in one line."""
    return "; ".join(f"{name}: {value}" for name, value in describe_processor().items())


def run_part(benchmark: str, name: str, *options: str) -> Any:
    """Measure one part of a benchmark in its own process; return what it prints as JSON."""
    command = [sys.executable, "-m", "ketadask", "bench", benchmark, "--part", name, *options]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if process.returncode:
        raise SystemExit(process.returncode)
    return json.loads(process.stdout)
