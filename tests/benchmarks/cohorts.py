"""Large cohorts: ``python -m tests.benchmarks.cohorts``.

Searches splits of synthetic cohorts of thousands of units, all pairs exactly and three literals by
beam, as a study does on a local cluster, and compares the rate per core with that of a single
search. A process may use 2 GB; its peak is printed. The first split is searched again in blocks of
several sizes, with the literals in a file, and long searches are distributed over tasks: all must
give the same bits.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask.bench.synthetic import synthetic_problem, synthetic_values
from ketadask.bench.timing import (
    describe_processor,
    format_fraction,
    print_table,
    processor_line,
    time_call,
)
from ketadask.pipeline.executor import collect
from ketadask.schema.errors import InputError
from tests.benchmarks.graph import partial_search_tree

if TYPE_CHECKING:
    from ketadask.cohort.splits import HoldoutSplit
    from ketadask.kernels.result import SearchResult
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem

SIZES = ("5000x2000", "50000x500")
SPLITS = 200
MEMORY = 2e9
LONG = ("1000x360x3", "20000x4000x2")
PIECES = 4
_BLOCKS = (3, 10, 40)
_COLUMNS = {
    "units": "units", "features": "features", "literals": "literals", "search": "search",
    "splits": "splits", "seconds": "wall s", "one_rate": "one search", "rate": "per core",
    "ratio_share": "of it", "cpu_share": "by CPU time", "first_memory": "MB at first",
    "memory": "MB peak", "same": "same in blocks",
}  # fmt: skip
_SPLIT = {
    "units": "units", "features": "features", "depth": "of literals", "unsplit": "unsplit s",
    "tasks": "pieces", "split": "split s", "workers": "workers", "speedup": "speed-up",
    "more": "more screened", "same": "same bits",
}  # fmt: skip


def main(words: Sequence[str]) -> int:
    """Measure and print; see ``python -m tests.benchmarks.cohorts --help``."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cohorts", description=__doc__)
    parser.add_argument(
        "--sizes", nargs="*", default=SIZES, metavar="UxF",
        help="units x features, by default 5000x2000 and 50000x500",
    )  # fmt: skip
    parser.add_argument("--splits", type=int, default=SPLITS, metavar="N")
    parser.add_argument(
        "--long", nargs="*", default=LONG, metavar="UxFxL",
        help="units x features x literals of the searches that are split over tasks",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(list(words))
    sizes = [_size(text, "--sizes", "5000x2000") for text in options.sizes]
    long = [_size(text, "--long", "1000x360x3") for text in options.long]
    found = {
        "machine": describe_processor(),
        "rows": [
            row
            for size in sizes
            for row in cohort(*size, splits=options.splits, workers=options.workers)
        ],
        "split": [one_search(*size, workers=options.workers) for size in long],
    }
    if options.json:
        print(json.dumps(found))
        return 0
    rows = [
        {
            **row,
            "ratio_share": format_fraction(row["ratio"]),
            "cpu_share": format_fraction(row["cpu_ratio"]),
        }
        for row in found["rows"]
    ]
    title = f"Splits on {options.workers} cores, 2,000 MB each: candidates/s of one search, of all"
    print_table(title, _COLUMNS, rows)
    rows = [{**row, "more": format_fraction(row["more"])} for row in found["split"]]
    print_table("One search split over tasks, with proof", _SPLIT, rows)
    print(processor_line())
    return 0


def _size(text: str, where: str, example: str) -> tuple[int, ...]:
    numbers = text.split("x")
    if len(numbers) != example.count("x") + 1 or not all(each.isdigit() for each in numbers):
        raise InputError("not a size", where=where, value=text, remedy=f"write {example}")
    return tuple(int(each) for each in numbers)


def searches(keep: int = 100) -> dict[str, PersonaSearch]:
    """Return the searches: all pairs, and three literals by beam."""
    from ketadask.search.persona_search import PersonaSearch

    return {
        "pairs": PersonaSearch(max_literals=2, keep=keep, polarity="favourable"),
        "beam 3": PersonaSearch(
            max_literals=3, keep=keep, polarity="favourable", strategy="beam", beam_width=keep
        ),
    }


def cohort(
    units: int, features: int, *, splits: int = SPLITS, workers: int = 2, kind: str = "local"
) -> list[dict[str, Any]]:
    """Search one split alone, then all on a cluster, then one in blocks; a row per search.

    Returns
    -------
    Rows with ``one_rate``, candidates screened per second of a single search (processor time),
    ``rate``, the same per worker of the whole study (wall time, writing included), their
    ``ratio``, ``cpu_ratio``, the same by processor time of the tasks, ``memory`` and
    ``first_memory``, the peak of any worker in the end and after its first part, in MB, and
    whether blocks gave the ``same``.
    """
    from ketadask.cluster.connect import connect
    from ketadask.cluster.profile import Profile
    from ketadask.cohort.splits import HoldoutSplit

    made = replace(synthetic_problem(units, features), memory=MEMORY)
    splitter = HoldoutSplit(splits, seed=7)
    rows = []
    with TemporaryDirectory(prefix="ketadask-bench-") as folder:
        profile = Profile(kind=kind, workers=workers, memory_limit="2GB", dashboard=False)
        for name, search in searches().items():
            train = _train(made, splitter)
            best = search.solve(made, train=train)
            again = partial(search.solve, made, train=train)
            one = min(time_call(again).cpu for _ in range(3))
            with connect(profile) as executor:
                study = _study(executor, made, search, splitter, Path(folder) / name)
            rate = study["screened"] / study["seconds"] / executor.workers
            rows.append(
                {
                    "units": units,
                    "features": features,
                    "literals": len(made.literals),
                    "search": name,
                    "splits": splits,
                    "one_rate": best.screened / one,
                    "rate": rate,
                    "ratio": rate * one / best.screened,
                    "cpu_ratio": study["screened"] / study["cpu_seconds"] * one / best.screened,
                    "same": _same_in_blocks(made, search, train, best, Path(folder)),
                    **study,
                }
            )
    return rows


def _train(made: SearchProblem, splitter: HoldoutSplit, number: int = 0) -> np.ndarray:
    trial = made.trial
    return splitter.train_mask(number, trial)


def _study(
    executor: Any, made: SearchProblem, search: PersonaSearch, splitter: HoldoutSplit, folder: Path
) -> dict[str, Any]:
    """Search all splits as a study does, after a split per worker to warm up."""
    from ketadask.search.graph import hit_blocks
    from ketadask.search.thresholds import GateThresholds
    from ketadask.store.parts import Parts
    from ketadask.store.ranges import blocks

    count, workers = splitter.n_splits, executor.workers
    warm = [(count + i, count + i) for i in range(workers)]
    block = max(1, count // (10 * workers))
    receipts: list[Any] = []
    for place, ranges in (("warm", warm), ("all", blocks([(0, count - 1)], block))):
        parts = Parts(folder / place, "bench")
        tasks = hit_blocks(made, search, splitter, ranges, parts, GateThresholds())
        started = time.perf_counter()
        stage_receipts = collect(tasks, executor)
        seconds = time.perf_counter() - started
        receipts.append(stage_receipts)
    first, facts = ([each.facts for each in some] for some in receipts)
    return {
        "seconds": seconds,
        "search_seconds": sum(each["search_seconds"] for each in facts),
        "cpu_seconds": sum(each["cpu_seconds"] for each in facts),
        "screened": sum(each["screened"] for each in facts),
        "first_memory": max(each["peak_memory"] for each in first) / 1e6,
        "memory": max(each["peak_memory"] for each in facts) / 1e6,
    }


def _same_in_blocks(
    made: SearchProblem, search: PersonaSearch, train: np.ndarray, best: SearchResult, folder: Path
) -> bool:
    """Search with the literals in a file and less and less memory; compare all bits."""
    from ketadask.kernels.blocks import LEAST
    from ketadask.kernels.state import LANES
    from ketadask.search.encoding import encode_values
    from ketadask.search.persona_search import COVERS_FRACTION

    units, features = made.literals.rows.units, len(made.literals.feature_names)
    literals = encode_values(
        synthetic_values(units, features),
        names=made.literals.feature_names,
        memory=1e6,
        folder=folder,
    )
    words = -(-int(train.sum()) // 64)
    wanted = fingerprint_of(best)
    for blocks in _BLOCKS:
        size = max(LEAST, len(literals) // blocks)
        memory = 2 * 8 * words * (size + LANES) / COVERS_FRACTION
        blocked = replace(made, literals=literals, memory=memory)
        if fingerprint_of(search.solve(blocked, train=train)) != wanted:
            return False
    return True


def fingerprint_of(found: SearchResult) -> str:
    """Return a digest of all bits of a result, order included."""
    digest = hashlib.sha256()
    for array in (found.ids, found.n_literals, found.q, found.support):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(np.array([found.upper, found.root, found.proven]).tobytes())
    return digest.hexdigest()


def one_search(
    units: int,
    features: int,
    literals: int = 2,
    *,
    workers: int = 2,
    pieces: int = PIECES,
    kind: str = "local",
) -> dict[str, Any]:
    """Search a whole cohort in one task, then in pieces on all workers.

    Both go through the same cluster, in turns, after a first round that warms up; the faster of
    two turns counts.
    """
    from ketadask.cluster.connect import connect
    from ketadask.cluster.profile import Profile
    from ketadask.search.persona_search import PersonaSearch

    made = replace(synthetic_problem(units, features), memory=MEMORY)
    search = PersonaSearch(max_literals=literals, keep=100, polarity="favourable")
    least = {1: float("inf"), pieces: float("inf")}
    found: dict[int, Any] = {}
    profile = Profile(kind=kind, workers=workers, memory_limit="2GB", dashboard=False)
    with connect(profile) as executor:
        for turn in range(3):
            for count in (1, pieces):
                task = partial_search_tree(made, search, count, f"turn-{turn}")
                started = time.perf_counter()
                (result,) = collect([task], executor)
                found[count] = result.result
                if turn:
                    least[count] = min(least[count], time.perf_counter() - started)
    one, many = found[1], found[pieces]
    return {
        "units": units,
        "features": features,
        "depth": search.max_literals,
        "unsplit": least[1],
        "split": least[pieces],
        "tasks": pieces,
        "workers": workers,
        "speedup": least[1] / least[pieces],
        "more": many.screened / one.screened - 1,
        "same": fingerprint_of(one) == fingerprint_of(many),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
