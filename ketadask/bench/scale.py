"""How far it scales: ``ketadask bench scale``.

Measures what does not depend on the search: what a task costs scheduler and driver (processor
time), with up to 200 workers in one process on loopback; size, building and handing over of the
graph of 100,000 splits; what writing and verifying parts costs on this disk. A model of these few
numbers foretells studies on more workers; how well it does is shown with tasks that sleep, of which
hundreds run here at once (their workers share one process, which bears some 200 tasks a second).
"""

from __future__ import annotations

import argparse
import json
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ketadask.bench.scaling import Machine, table
from ketadask.bench.timing import (
    Elapsed,
    describe_processor,
    machine_line,
    memory_now,
    peak_memory,
    said,
    share,
    show,
    time_call,
)

SPLITS = 100_000
CROWDS = (1, 10, 50, 200)
WORKERS = (1, 10, 100, 1000, 10_000)
TASKS = 3000
NAPS = ((200, 5.0, 3), (200, 2.0, 5), (50, 0.5, 12))
LATENCY_TASKS = 200
WORK = (0.02, 3.0, 60.0)
_AT_MOST = {"tasks": 20_000, "memory": 1000.0, "seconds": 30.0}
_CROWD = {
    "workers": "workers", "tasks": "tasks", "each": "CPU ms per task", "per_second": "tasks/s",
    "seconds": "wall s", "memory": "MB",
}  # fmt: skip
_NAPS = {
    "workers": "workers", "nap": "s each", "tasks": "tasks", "seconds": "wall s",
    "measured": "efficiency", "foretold": "foretold",
}  # fmt: skip
_FORETOLD = {
    "each": "s per split", "workers": "workers", "tasks": "tasks",
    "block": "splits per task", "seconds": "wall s", "share": "efficiency", "limit": "limited by",
}  # fmt: skip


def main(words: Sequence[str]) -> int:
    """Measure and print; see ``ketadask bench scale --help``."""
    parser = argparse.ArgumentParser(prog="ketadask bench scale", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--crowds", type=int, nargs="+", default=CROWDS, metavar="N")
    parser.add_argument("--tasks", type=int, default=TASKS, metavar="N")
    parser.add_argument("--part", choices=sorted(_PARTS), help=argparse.SUPPRESS)
    asked = parser.parse_args(list(words))
    if asked.part:
        print(json.dumps(_PARTS[asked.part](asked)))
        return 0
    found = measure_scale(crowds=asked.crowds, tasks=asked.tasks)
    print(json.dumps(found)) if asked.json else _show(found)
    return 0


def measure_scale(*, crowds: Sequence[int] = CROWDS, tasks: int = TASKS) -> dict[str, Any]:
    """Measure each part in a process of its own, one after the other, and foretell."""
    found: dict[str, Any] = {
        "machine": describe_processor(),
        "graph": _part("graph"),
        "store": _part("store"),
        "crowds": _part("crowds", "--tasks", str(tasks), "--crowds", *map(str, crowds)),
        "naps": _part("naps"),
    }
    return {**found, **foretell(found)}


def foretell(found: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of the model, and what it says of studies and of the naps."""
    costs = machine_of(found)
    for row in found["naps"]:
        idle = row["tasks"] / row["workers"] * row["nap"]
        served = row["tasks"] * costs.task
        row["foretold"] = idle / max(idle + row["tasks"] / row["workers"] * costs.latency, served)
    return {
        "costs": vars(costs),
        "foretold": table(costs, WORK, splits=SPLITS, workers=WORKERS),
    }


def machine_of(found: dict[str, Any]) -> Machine:
    """Return what tasks cost; for the scheduler what they cost in the dearest crowd."""
    rows = found["crowds"]["rows"]
    return Machine(
        task=max(row["cpu_seconds"] / row["tasks"] for row in rows),
        latency=found["crowds"]["latency"],
        part=found["store"]["write_seconds"],
        check=found["store"]["check_seconds"],
        build=found["graph"]["build_seconds"] / found["graph"]["tasks"],
        begin=found["crowds"]["begin"],
    )


def graph_of_splits(splits: int = SPLITS, *, each: float = 60.0) -> dict[str, Any]:
    """Build the graph of a study of long searches, the most tasks there can be; hand it over.

    Returns
    -------
    ``tasks``, ``bytes`` (the shared problem once), seconds to build it and to hand it over at
    once, and the ``memory`` in MB of this process, driver and scheduler together, when the
    scheduler holds all of it, with ``before`` what the process had when it began.
    """
    from ketadask.bench.synthetic import problem
    from ketadask.cluster.in_process import hand_over
    from ketadask.cohort.splits import HoldoutSplit
    from ketadask.pipeline.task_sizes import block_size
    from ketadask.search.graph import hit_blocks
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.thresholds import GateThresholds
    from ketadask.store.parts import Parts
    from ketadask.store.ranges import blocks

    made, search = problem(), PersonaSearch(max_literals=3, keep=100)
    splitter, parts, gates = (
        HoldoutSplit(splits, seed=7),
        Parts(Path("hits"), "bench"),
        GateThresholds(),
    )
    before = memory_now()
    started = time.perf_counter()
    block = block_size(each, splits, 1000, 10.0)
    ranges = blocks([(0, splits - 1)], block)
    tasks = hit_blocks(made, search, splitter, ranges, parts, gates)
    built = time.perf_counter() - started
    sent = len(pickle.dumps(made)) + sum(
        len(pickle.dumps((search, splitter, each, parts, gates))) for each in ranges
    )
    seconds = hand_over(tasks)
    return {
        "splits": splits,
        "tasks": len(tasks),
        "block": block,
        "bytes": sent,
        "build_seconds": built,
        "seconds": seconds,
        "before": before,
        "memory": peak_memory(),
        "at_most": _AT_MOST,
    }


def store_throughput(count: int = 200, rows: int = 2000) -> dict[str, Any]:
    """Write and verify parts of ten splits, both polarities, 100 personas kept."""
    from ketadask.bench.synthetic import problem
    from ketadask.cohort.splits import HoldoutSplit
    from ketadask.search.block import search_block
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.thresholds import GateThresholds
    from ketadask.store.parts import Parts
    from ketadask.store.ranges import range_name

    search = PersonaSearch(max_literals=2, keep=100)
    splits = -(-rows // 200)
    tables, _ = search_block(
        problem(), search, HoldoutSplit(splits, seed=7), 0, splits - 1, gates=GateThresholds()
    )
    with TemporaryDirectory(prefix="ketadask-bench-") as folder:
        parts = Parts(Path(folder) / "hits", "bench")
        started = time.perf_counter()
        receipts = [parts.write(range_name(i, i), tables) for i in range(count)]
        written = time.perf_counter()
        finished = parts.finished()
        checked = time.perf_counter()
    size = sum(receipts[0].bytes.values())
    return {
        "parts": len(finished),
        "bytes": size,
        "write_seconds": (written - started) / count,
        "check_seconds": (checked - written) / count,
        "write_megabytes": size * count / (written - started) / 1e6,
        "check_megabytes": size * count / (checked - written) / 1e6,
    }


def crowds(sizes: Sequence[int], tasks: int) -> dict[str, Any]:
    """Run tasks that do nothing on so many workers, through a study's executor.

    Returns
    -------
    Rows with ``cpu_seconds`` that scheduler and driver took, tasks ``per_second`` they could
    serve with a core of their own, wall ``seconds`` with the workers beside them, and ``memory``
    in MB; the seconds until a worker was there (``begin``), and of one task after the other on
    a single worker (``latency``).
    """
    from ketadask.bench.graph import naps
    from ketadask.cluster.in_process import crowd

    rows, begin, latency = [], 0.0, 0.0
    for workers in sorted(sizes):
        started = time.perf_counter()
        with crowd(workers) as executor:
            opened = time.perf_counter() - started
            _ended(executor, naps(4 * workers, 0.0, f"warm-{workers}"))
            took = _ended(executor, naps(tasks, 0.0, f"crowd-{workers}"))
            if not rows:
                begin = opened
                late = _ended(executor, naps(LATENCY_TASKS * workers, 0.0, "late"))
                latency = late.wall / LATENCY_TASKS
        rows.append(
            {
                "workers": workers,
                "tasks": tasks,
                "seconds": took.wall,
                "cpu_seconds": took.cpu,
                "each": 1e3 * took.cpu / tasks,
                "per_second": tasks / took.cpu,
                "memory": memory_now(),
            }
        )
    return {"rows": rows, "begin": begin, "latency": latency, "memory": peak_memory()}


def sleepers(asked: Sequence[tuple[int, float, int]] = NAPS) -> list[dict[str, Any]]:
    """Run tasks that sleep, each worker some; what is not sleep is overhead."""
    from ketadask.bench.graph import naps
    from ketadask.cluster.in_process import crowd

    rows = []
    for workers in dict.fromkeys(count for count, _, _ in asked):
        with crowd(workers) as executor:
            _ended(executor, naps(4 * workers, 0.0, f"warm-{workers}"))
            for count, nap, times in asked:
                if count != workers:
                    continue
                seconds = _ended(executor, naps(count * times, nap, f"nap-{count}-{nap}")).wall
                rows.append(
                    {
                        "workers": workers,
                        "nap": nap,
                        "tasks": count * times,
                        "seconds": seconds,
                        "efficiency": times * nap / seconds,
                    }
                )
    return rows


def _ended(executor: Any, tasks: Sequence[Any]) -> Elapsed:
    from ketadask.pipeline.executor import TaskFailure

    def compute() -> None:
        for _, result in executor.compute(tasks):
            if isinstance(result, TaskFailure):
                raise RuntimeError(str(result)) from result.error

    return time_call(compute)


_PARTS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "graph": lambda asked: graph_of_splits(),
    "store": lambda asked: store_throughput(),
    "crowds": lambda asked: crowds(asked.crowds, asked.tasks),
    "naps": lambda asked: sleepers(),
}


def _part(name: str, *more: str) -> Any:
    command = [sys.executable, "-m", "ketadask", "bench", "scale", "--part", name, *more]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode:
        raise SystemExit(ended.returncode)
    return json.loads(ended.stdout)


def _show(found: dict[str, Any]) -> None:
    print(machine_line())
    graph, store, most = found["graph"], found["store"], found["graph"]["at_most"]
    print(
        f"graph of {graph['splits']:,} splits: {graph['tasks']:,} tasks (at most "
        f"{most['tasks']:,}), {graph['bytes'] / 1e6:.1f} MB, built in "
        f"{graph['build_seconds']:.1f} s, handed over in {graph['seconds']:.1f} s (at most "
        f"{most['seconds']:.0f}); driver and scheduler hold {graph['memory']:.0f} MB (at most "
        f"{most['memory']:.0f}), {graph['before']:.0f} MB before"
    )
    print(
        f"store: a part of {store['bytes'] / 1e3:.0f} kB is written in "
        f"{1e3 * store['write_seconds']:.1f} ms ({said(store['write_megabytes'])} MB/s) and "
        f"verified in {1e3 * store['check_seconds']:.1f} ms ({said(store['check_megabytes'])} MB/s)"
    )
    show(
        "Tasks that do nothing: what they cost scheduler and driver",
        _CROWD,
        found["crowds"]["rows"],
    )
    rows = [
        {**row, "measured": share(row["efficiency"]), "foretold": share(row["foretold"])}
        for row in found["naps"]
    ]
    show("Tasks that sleep: the model against what happened", _NAPS, rows)
    rows = [{**row, "share": share(row["efficiency"])} for row in found["foretold"]]
    show(f"{SPLITS:,} splits, foretold", _FORETOLD, rows)
