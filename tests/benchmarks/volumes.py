"""FreeSurfer folders: speed and memory of opening and reducing the volumes.

``python -m tests.benchmarks.volumes --participants 5000`` writes simulated ``*.stats``, opens them
lazily, computes mean and standard deviation of every region with one thread, and compares them
with the simulated numbers.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ketadask import names as nm
from tests.benchmarks.stats_files import write_stats


def main(words: Sequence[str]) -> int:
    """Measure, print one line of JSON, and return 0 where the numbers agree."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.volumes", description=__doc__)
    parser.add_argument("--participants", type=int, default=1_000)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(list(words))
    with TemporaryDirectory() as place:
        found = measure_volumes(Path(place), options.participants)
    if options.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:24} {value:,.6g}")
    return 0 if found["largest_difference"] < 0.5 else 1


def measure_volumes(place: Path, participants: int) -> dict[str, float]:
    """Return seconds, participants per second of one core, and growth of memory in MB."""
    from ketadask.simulate.volumes import draw_volumes, regions
    from ketadask.sources.freesurfer import open_volumes

    male = np.arange(participants) % 2 == 0
    written = draw_volumes(np.random.default_rng(7), male)
    write_stats(place, [f"sub-{k:05d}" for k in range(participants)], written)
    before = _peak_mb()
    begun, used = time.perf_counter(), time.process_time()
    volumes = open_volumes(place)[nm.VOLUME]
    opened = time.perf_counter() - begun
    means = volumes.mean(nm.PARTICIPANT).compute(scheduler="synchronous")
    spent = time.process_time() - used
    expected = written.mean(axis=0)[[regions().column(str(r)) for r in means[nm.REGION].values]]
    return {
        "participants": participants,
        "open_seconds": opened,
        "total_seconds": time.perf_counter() - begun,
        "participants_per_core_s": participants / spent,
        "memory_growth_mb": _peak_mb() - before,
        "largest_difference": float(np.abs(means.to_numpy() - expected).max()),
    }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
