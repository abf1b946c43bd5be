"""Costs of the scheduler, and predicted run times on many workers.

``ketadask bench scale`` measures the costs that do not depend on the search: processor time of
scheduler and driver per task, with up to 200 workers in one process on loopback; size,
construction and submission of the graph of 100,000 splits; writing and verification of parts on
this disk. A model of these costs predicts the run time of studies on more workers, and is
compared with tasks that sleep, of which hundreds run here at once (their workers share one
process, which serves some 200 tasks a second).
"""

from __future__ import annotations

import argparse
import json
import pickle
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ketadask.bench.scaling import TaskCosts, forecast_table
from ketadask.bench.timing import (
    Duration,
    describe_processor,
    format_fraction,
    format_value,
    memory_now,
    print_table,
    processor_line,
    run_part,
    time_call,
)
from ketadask.pipeline.executor import collect
from ketadask.store.environment import peak_memory

if TYPE_CHECKING:
    from ketadask.pipeline.executor import Executor

SPLITS = 100_000
POOL_SIZES = (1, 10, 50, 200)
WORKERS = (1, 10, 100, 1000, 10_000)
TASKS = 3000
NAPS = ((200, 5.0, 3), (200, 2.0, 5), (50, 0.5, 12))
LATENCY_TASKS = 200
WORK = (0.02, 3.0, 60.0)
_AT_MOST = {"tasks": 20_000, "memory": 1000.0, "seconds": 30.0}
_POOL = {
    "workers": "workers", "tasks": "tasks", "each": "CPU ms per task", "per_second": "tasks/s",
    "seconds": "wall s", "memory": "MB",
}  # fmt: skip
_NAPS = {
    "workers": "workers", "nap": "s each", "tasks": "tasks", "seconds": "wall s",
    "measured": "efficiency", "predicted": "predicted",
}  # fmt: skip
_PREDICTION = {
    "each": "s per split", "workers": "workers", "tasks": "tasks",
    "block": "splits per task", "seconds": "wall s", "share": "efficiency", "limit": "limited by",
}  # fmt: skip


def main(words: Sequence[str]) -> int:
    """Measure and print; see ``ketadask bench scale --help``."""
    parser = argparse.ArgumentParser(prog="ketadask bench scale", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--pools", type=int, nargs="+", default=POOL_SIZES, metavar="N")
    parser.add_argument("--tasks", type=int, default=TASKS, metavar="N")
    parser.add_argument("--part", choices=sorted(_PARTS), help=argparse.SUPPRESS)
    options = parser.parse_args(list(words))
    if options.part:
        print(json.dumps(_PARTS[options.part](options)))
        return 0
    results = measure_scale(pools=options.pools, tasks=options.tasks)
    print(json.dumps(results)) if options.json else _print_results(results)
    return 0


def measure_scale(*, pools: Sequence[int] = POOL_SIZES, tasks: int = TASKS) -> dict[str, Any]:
    """Measure each part in a process of its own, one after the other, and predict."""
    results: dict[str, Any] = {
        "machine": describe_processor(),
        "graph": _part("graph"),
        "store": _part("store"),
        "pools": _part("pools", "--tasks", str(tasks), "--pools", *map(str, pools)),
        "naps": _part("naps"),
    }
    return {**results, **predict_scaling(results)}


def predict_scaling(results: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of the model, and its predictions for studies and for sleeping tasks."""
    costs = task_costs(results)
    for row in results["naps"]:
        idle = row["tasks"] / row["workers"] * row["nap"]
        scheduler_seconds = row["tasks"] * costs.task
        row["predicted"] = idle / max(
            idle + row["tasks"] / row["workers"] * costs.latency, scheduler_seconds
        )
    return {
        "costs": vars(costs),
        "predicted": forecast_table(costs, WORK, splits=SPLITS, workers=WORKERS),
    }


def task_costs(results: dict[str, Any]) -> TaskCosts:
    """Return the costs of tasks; for the scheduler those in the most expensive pool."""
    rows = results["pools"]["rows"]
    return TaskCosts(
        task=max(row["cpu_seconds"] / row["tasks"] for row in rows),
        latency=results["pools"]["latency"],
        part=results["store"]["write_seconds"],
        check=results["store"]["check_seconds"],
        build=results["graph"]["build_seconds"] / results["graph"]["tasks"],
        begin=results["pools"]["begin"],
    )


def graph_of_splits(splits: int = SPLITS, *, split_seconds: float = 60.0) -> dict[str, Any]:
    """Build and submit the graph of a study of long searches, the largest possible graph.

    Returns
    -------
    ``tasks``, ``bytes`` (the shared problem once), seconds to build and to submit it, the
    ``memory`` in MB of this process, driver and scheduler, after submission and ``before``.
    """
    from ketadask.bench.synthetic import synthetic_problem
    from ketadask.cluster.in_process import seconds_to_send
    from ketadask.cohort.splits import HoldoutSplit
    from ketadask.pipeline.task_sizes import block_size
    from ketadask.search.graph import hit_blocks
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.thresholds import GateThresholds
    from ketadask.store.parts import Parts
    from ketadask.store.ranges import blocks

    problem, search = synthetic_problem(), PersonaSearch(max_literals=3, keep=100)
    splitter, parts, gates = (
        HoldoutSplit(splits, seed=7),
        Parts(Path("hits"), "bench"),
        GateThresholds(),
    )
    before = memory_now()
    start = time.perf_counter()
    block = block_size(split_seconds, splits, 1000, 10.0)
    ranges = blocks([(0, splits - 1)], block)
    tasks = hit_blocks(problem, search, splitter, ranges, parts, gates)
    build_seconds = time.perf_counter() - start
    sent_bytes = len(pickle.dumps(problem)) + sum(
        len(pickle.dumps((search, splitter, block_range, parts, gates))) for block_range in ranges
    )
    seconds = seconds_to_send(tasks)
    return {
        "splits": splits,
        "tasks": len(tasks),
        "block": block,
        "bytes": sent_bytes,
        "build_seconds": build_seconds,
        "seconds": seconds,
        "before": before,
        "memory": peak_memory() / 1e6,
        "at_most": _AT_MOST,
    }


def store_throughput(count: int = 200, rows: int = 2000) -> dict[str, Any]:
    """Write and verify parts of ten splits, both polarities, 100 personas kept."""
    from ketadask.bench.synthetic import synthetic_problem
    from ketadask.cohort.splits import HoldoutSplit
    from ketadask.search.block import search_block
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.thresholds import GateThresholds
    from ketadask.store.parts import Parts
    from ketadask.store.ranges import range_name

    search = PersonaSearch(max_literals=2, keep=100)
    splits = -(-rows // 200)
    tables, _ = search_block(
        synthetic_problem(),
        search,
        HoldoutSplit(splits, seed=7),
        0,
        splits - 1,
        gates=GateThresholds(),
    )
    with TemporaryDirectory(prefix="ketadask-bench-") as folder:
        parts = Parts(Path(folder) / "hits", "bench")
        start = time.perf_counter()
        receipts = [parts.write(range_name(i, i), tables) for i in range(count)]
        write_end = time.perf_counter()
        n_parts = len(parts.verify())
        check_end = time.perf_counter()
    size = sum(receipts[0].bytes.values())
    return {
        "parts": n_parts,
        "bytes": size,
        "write_seconds": (write_end - start) / count,
        "check_seconds": (check_end - write_end) / count,
        "write_megabytes": size * count / (write_end - start) / 1e6,
        "check_megabytes": size * count / (check_end - write_end) / 1e6,
    }


def pools(sizes: Sequence[int], tasks: int) -> dict[str, Any]:
    """Run tasks that do nothing on so many workers, through a study's executor.

    Returns
    -------
    Rows with ``cpu_seconds`` of scheduler and driver, tasks ``per_second`` they could
    serve with a core of their own, wall ``seconds`` of all, and ``memory`` in MB; the seconds
    until the first worker (``begin``), and per task in sequence on one worker (``latency``).
    """
    from ketadask.bench.graph import naps
    from ketadask.cluster.in_process import worker_process

    rows: list[dict[str, Any]] = []
    begin = latency = 0.0
    for workers in sorted(sizes):
        start = time.perf_counter()
        with worker_process(workers) as executor:
            open_seconds = time.perf_counter() - start
            _time_tasks(executor, naps(4 * workers, 0.0, f"warm-{workers}"))
            duration = _time_tasks(executor, naps(tasks, 0.0, f"pool-{workers}"))
            if not rows:
                begin = open_seconds
                sequential = _time_tasks(executor, naps(LATENCY_TASKS * workers, 0.0, "late"))
                latency = sequential.wall / LATENCY_TASKS
        rows.append(
            {
                "workers": workers,
                "tasks": tasks,
                "seconds": duration.wall,
                "cpu_seconds": duration.cpu,
                "each": 1e3 * duration.cpu / tasks,
                "per_second": tasks / duration.cpu,
                "memory": memory_now(),
            }
        )
    return {"rows": rows, "begin": begin, "latency": latency, "memory": peak_memory() / 1e6}


def sleepers(schedules: Sequence[tuple[int, float, int]] = NAPS) -> list[dict[str, Any]]:
    """Run tasks that sleep on every worker; the rest of the time is overhead."""
    from ketadask.bench.graph import naps
    from ketadask.cluster.in_process import worker_process

    rows = []
    for workers in dict.fromkeys(count for count, _, _ in schedules):
        with worker_process(workers) as executor:
            _time_tasks(executor, naps(4 * workers, 0.0, f"warm-{workers}"))
            for count, nap, times in schedules:
                if count != workers:
                    continue
                seconds = _time_tasks(executor, naps(count * times, nap, f"nap-{count}-{nap}")).wall
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


def _time_tasks(executor: Executor, tasks: Sequence[Any]) -> Duration:
    return time_call(lambda: collect(tasks, executor))


_PARTS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "graph": lambda options: graph_of_splits(),
    "store": lambda options: store_throughput(),
    "pools": lambda options: pools(options.pools, options.tasks),
    "naps": lambda options: sleepers(),
}


def _part(name: str, *options: str) -> Any:
    return run_part("scale", name, *options)


def _print_results(results: dict[str, Any]) -> None:
    print(processor_line())
    graph, store, most = results["graph"], results["store"], results["graph"]["at_most"]
    write, check = (format_value(store[f"{step}_megabytes"]) for step in ("write", "check"))
    print(
        f"graph of {graph['splits']:,} splits: {graph['tasks']:,} tasks (at most "
        f"{most['tasks']:,}), {graph['bytes'] / 1e6:.1f} MB; construction "
        f"{graph['build_seconds']:.1f} s, submission {graph['seconds']:.1f} s (at most "
        f"{most['seconds']:.0f}); memory of driver and scheduler {graph['memory']:.0f} MB (at most "
        f"{most['memory']:.0f}), {graph['before']:.0f} MB before"
    )
    print(
        f"store: a part of {store['bytes'] / 1e3:.0f} kB takes {1e3 * store['write_seconds']:.1f} "
        f"ms to write ({write} MB/s) and {1e3 * store['check_seconds']:.1f} ms to verify "
        f"({check} MB/s)"
    )
    print_table("Empty tasks: cost to scheduler and driver", _POOL, results["pools"]["rows"])
    rows = [
        {
            **row,
            "measured": format_fraction(row["efficiency"]),
            "predicted": format_fraction(row["predicted"]),
        }
        for row in results["naps"]
    ]
    print_table("Sleeping tasks: measured and predicted", _NAPS, rows)
    rows = [{**row, "share": format_fraction(row["efficiency"])} for row in results["predicted"]]
    print_table(f"{SPLITS:,} splits, predicted", _PREDICTION, rows)
