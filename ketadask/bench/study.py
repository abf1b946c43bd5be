"""Speed of a resampling study on a local cluster.

``ketadask bench study`` searches the splits of a synthetic trial (63 cases, 360 features, depth
3, best 100, both polarities) with the graph of a study, on a local cluster of one worker and then
of two. Prints splits per second, the fraction of time outside the searches, the efficiency of the
second worker, bytes sent and written, and the time to build the graph.
"""

from __future__ import annotations

import argparse
import json
import pickle
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ketadask.bench.synthetic import FEATURES, UNITS, synthetic_problem
from ketadask.bench.timing import (
    describe_processor,
    format_fraction,
    memory_now,
    print_table,
    processor_line,
)
from ketadask.pipeline.executor import collect

if TYPE_CHECKING:
    from ketadask.cluster.profile import Kind
    from ketadask.cohort.splits import HoldoutSplit
    from ketadask.pipeline.executor import Executor
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.store.parts import Receipt

SPLITS = (100, 1000)
WORKERS = (1, 2)
_LONGEST = 250
_COLUMNS = {
    "workers": "workers", "splits": "splits", "block": "block", "tasks": "tasks",
    "graph_seconds": "graph s", "seconds": "wall s", "splits_per_second": "splits/s",
    "outside_share": "outside search", "efficiency_share": "efficiency",
    "sent": "sent kB", "written": "written kB", "memory": "driver MB",
}  # fmt: skip


def main(words: Sequence[str]) -> int:
    """Measure and print; see ``ketadask bench study --help``."""
    parser = argparse.ArgumentParser(prog="ketadask bench study", description=__doc__)
    parser.add_argument("--splits", type=int, nargs="+", default=SPLITS, metavar="N")
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS, metavar="N")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(list(words))
    results = {
        "machine": describe_processor(),
        **measure_study(splits=options.splits, workers=options.workers),
    }
    if options.json:
        print(json.dumps(results))
        return 0
    rows = [
        {
            **row,
            "outside_share": format_fraction(row["outside"]),
            "efficiency_share": ""
            if row["efficiency"] is None
            else format_fraction(row["efficiency"]),
            "sent": row["bytes_sent"] / 1e3,
            "written": row["bytes_written"] / 1e3,
        }
        for row in results["rows"]
    ]
    print_table("A study of splits, end to end", _COLUMNS, rows)
    print("the same bits with every number of workers:", "yes" if results["identical"] else "NO")
    print(processor_line())
    return 0


def measure_study(
    *,
    splits: Sequence[int] = SPLITS,
    workers: Sequence[int] = WORKERS,
    units: int = UNITS,
    features: int = FEATURES,
    kind: Kind = "local",
) -> dict[str, Any]:
    """Run every number of splits on every number of workers.

    Returns
    -------
    ``rows``, and whether all parts were ``identical`` for every number of workers. In a row,
    ``outside`` is the fraction of the workers' time outside the searches, ``efficiency`` the
    rate per worker over that of the first row with as many splits, ``bytes_sent`` the problem
    once per worker and all tasks and receipts, ``memory`` that of this process, scheduler
    included.
    """
    from ketadask.cluster.connect import connect
    from ketadask.cluster.profile import Profile
    from ketadask.cohort.splits import HoldoutSplit
    from ketadask.search.persona_search import PersonaSearch

    problem = synthetic_problem(units, features)
    search = PersonaSearch(max_literals=3, keep=100)
    rows: list[dict[str, Any]] = []
    contents: dict[int, set[str]] = {count: set() for count in splits}
    with TemporaryDirectory(prefix="ketadask-bench-") as folder:
        for n_workers in workers:
            profile = Profile(kind=kind, workers=n_workers, dashboard=False)
            with connect(profile) as executor:
                parts_folder = Path(folder) / f"workers-{n_workers}"
                _run(
                    executor,
                    problem,
                    search,
                    HoldoutSplit(4 * n_workers, seed=1),
                    1,
                    parts_folder / "warm",
                )
                for count in splits:
                    splitter = HoldoutSplit(count, seed=7)
                    block = min(_LONGEST, -(-count // (4 * max(workers))))
                    row, receipts = _run(
                        executor, problem, search, splitter, block, parts_folder / str(count)
                    )
                    first = next((r for r in rows if r["splits"] == count), None)
                    per_worker = row["splits_per_second"] / n_workers
                    row["efficiency"] = (
                        first and per_worker * first["workers"] / (first["splits_per_second"])
                    )
                    rows.append({"workers": n_workers, **row, "memory": memory_now()})
                    contents[count].add(_fingerprint(receipts))
    return {"rows": rows, "identical": all(len(prints) == 1 for prints in contents.values())}


def _run(
    executor: Executor,
    problem: SearchProblem,
    search: PersonaSearch,
    splitter: HoldoutSplit,
    block: int,
    folder: Path,
) -> tuple[dict[str, Any], list[Receipt]]:
    from ketadask.search.graph import hit_blocks
    from ketadask.search.thresholds import GateThresholds
    from ketadask.store.parts import Parts
    from ketadask.store.ranges import blocks

    ranges = blocks([(0, splitter.n_splits - 1)], block)
    parts, gates = Parts(folder, "bench"), GateThresholds()
    start = time.perf_counter()
    tasks = hit_blocks(problem, search, splitter, ranges, parts, gates)
    end_of_graph = time.perf_counter()
    receipts: list[Receipt] = collect(tasks, executor)
    seconds = time.perf_counter() - start
    search_seconds = sum(receipt.facts["search_seconds"] for receipt in receipts)
    sent_bytes = len(pickle.dumps(problem)) * executor.workers + sum(
        len(pickle.dumps((search, splitter, block_range, parts, gates))) for block_range in ranges
    )
    return {
        "splits": splitter.n_splits,
        "block": block,
        "tasks": len(tasks),
        "graph_seconds": end_of_graph - start,
        "seconds": seconds,
        "splits_per_second": splitter.n_splits / seconds,
        "search_seconds": search_seconds,
        "outside": 1.0 - search_seconds / (seconds * executor.workers),
        "bytes_sent": sent_bytes + sum(len(pickle.dumps(receipt)) for receipt in receipts),
        "bytes_written": sum(sum(receipt.bytes.values()) for receipt in receipts),
    }, receipts


def _fingerprint(receipts: list[Receipt]) -> str:
    """Return one text for the content of all parts, independent of their order."""
    return json.dumps(
        sorted((receipt.name, sorted(receipt.checksums.items())) for receipt in receipts)
    )
