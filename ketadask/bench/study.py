"""A resampling study end to end: ``ketadask bench study``.

Searches the splits of a synthetic trial (63 cases, 360 features, depth 3, best 100, both
polarities) through the graph a study uses, on a local cluster of one worker and then of two, and
prints splits per second, the share of time spent outside the searches, how well a second worker
pays, what was moved, and how long the graph took to build.
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

from ketadask.bench.synthetic import FEATURES, UNITS, problem
from ketadask.bench.timing import describe_processor, machine_line, memory_now, share, show

if TYPE_CHECKING:
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
    asked = parser.parse_args(list(words))
    found = {"machine": describe_processor(), **study(splits=asked.splits, workers=asked.workers)}
    if asked.json:
        print(json.dumps(found))
        return 0
    rows = [
        {
            **row,
            "outside_share": share(row["outside"]),
            "efficiency_share": "" if row["efficiency"] is None else share(row["efficiency"]),
            "sent": row["bytes_sent"] / 1e3,
            "written": row["bytes_written"] / 1e3,
        }
        for row in found["rows"]
    ]
    show("A study of splits, end to end", _COLUMNS, rows)
    print("the same bits with every number of workers:", "yes" if found["identical"] else "NO")
    print(machine_line())
    return 0


def study(
    *,
    splits: Sequence[int] = SPLITS,
    workers: Sequence[int] = WORKERS,
    units: int = UNITS,
    features: int = FEATURES,
    kind: str = "local",
) -> dict[str, Any]:
    """Run every number of splits on every number of workers.

    Returns
    -------
    ``rows``, and whether all parts were ``identical`` for every number of workers. In a row,
    ``outside`` is the share of the workers' time that no search accounts for, ``efficiency`` the
    rate per worker over that of the first row with as many splits, ``bytes_sent`` the problem
    once per worker and all tasks and receipts, ``memory`` what this process holds, scheduler
    included.
    """
    from ketadask.cluster.connect import connect
    from ketadask.cluster.profile import Profile
    from ketadask.cohort.splits import HoldoutSplit
    from ketadask.search.persona_search import PersonaSearch

    made = problem(units, features)
    search = PersonaSearch(max_literals=3, keep=100)
    rows: list[dict[str, Any]] = []
    written: dict[int, set[str]] = {count: set() for count in splits}
    with TemporaryDirectory(prefix="ketadask-bench-") as folder:
        for number in workers:
            profile = Profile(kind=kind, workers=number, dashboard=False)
            with connect(profile) as executor:
                place = Path(folder) / f"workers-{number}"
                _run(executor, made, search, HoldoutSplit(4 * number, seed=1), 1, place / "warm")
                for count in splits:
                    splitter = HoldoutSplit(count, seed=7)
                    block = min(_LONGEST, -(-count // (4 * max(workers))))
                    row, receipts = _run(
                        executor, made, search, splitter, block, place / str(count)
                    )
                    first = next((r for r in rows if r["splits"] == count), None)
                    per_worker = row["splits_per_second"] / number
                    row["efficiency"] = (
                        first and per_worker * first["workers"] / (first["splits_per_second"])
                    )
                    rows.append({"workers": number, **row, "memory": memory_now()})
                    written[count].add(_fingerprint(receipts))
    return {"rows": rows, "identical": all(len(each) == 1 for each in written.values())}


def _run(
    executor: Executor,
    made: SearchProblem,
    search: PersonaSearch,
    splitter: HoldoutSplit,
    block: int,
    folder: Path,
) -> tuple[dict[str, Any], list[Receipt]]:
    from ketadask.pipeline.executor import TaskFailure
    from ketadask.search.graph import hit_blocks
    from ketadask.search.thresholds import GateThresholds
    from ketadask.store.parts import Parts
    from ketadask.store.ranges import blocks

    ranges = blocks([(0, splitter.n_splits - 1)], block)
    parts, gates = Parts(folder, "bench"), GateThresholds()
    started = time.perf_counter()
    tasks = hit_blocks(made, search, splitter, ranges, parts, gates)
    built = time.perf_counter()
    receipts: list[Receipt] = []
    for _, result in executor.compute(tasks):
        if isinstance(result, TaskFailure):
            raise RuntimeError(str(result)) from result.error
        receipts.append(result)
    seconds = time.perf_counter() - started
    searched = sum(receipt.facts["search_seconds"] for receipt in receipts)
    sent = len(pickle.dumps(made)) * executor.workers + sum(
        len(pickle.dumps((search, splitter, each, parts, gates))) for each in ranges
    )
    return {
        "splits": splitter.n_splits,
        "block": block,
        "tasks": len(tasks),
        "graph_seconds": built - started,
        "seconds": seconds,
        "splits_per_second": splitter.n_splits / seconds,
        "search_seconds": searched,
        "outside": 1.0 - searched / (seconds * executor.workers),
        "bytes_sent": sent + sum(len(pickle.dumps(receipt)) for receipt in receipts),
        "bytes_written": sum(sum(receipt.bytes.values()) for receipt in receipts),
    }, receipts


def _fingerprint(receipts: list[Receipt]) -> str:
    """Return one text for the content of all parts, in whatever order they ended."""
    return json.dumps(sorted((each.name, sorted(each.checksums.items())) for each in receipts))
