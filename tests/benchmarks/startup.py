"""Start-up time: ``python -m tests.benchmarks.startup``.

Times ``import ketadask``, ``ketadask --help`` and the first line of ``ketadask run``, each in fresh
processes, beside an empty Python program.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from ketadask.bench.timing import print_table, processor_line, time_call

IMPORT = "import time; t = time.perf_counter(); import ketadask; print(time.perf_counter() - t)"
AT_MOST = {"import ketadask": 0.7, "ketadask --help": 1.0, "first line of ketadask run": 1.0}


def main(words: Sequence[str]) -> int:
    """Measure and print; see ``python -m tests.benchmarks.startup --help``."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.startup", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="fresh processes of each")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(list(words))
    found = startup(runs=options.runs)
    if options.json:
        print(json.dumps(found))
        return 0
    print_table(
        "Start-up, seconds",
        {"what": "what", "median": "median", "fastest": "fastest", "at_most": "at most"},
        found["rows"],
    )
    print(processor_line())
    return 0


def startup(*, runs: int = 7) -> dict[str, Any]:
    """Return ``rows``: program, median and fastest seconds, and the limit."""
    module = [sys.executable, "-m", "ketadask", "--help"]
    nothing = [_process([sys.executable, "-c", "pass"]) for _ in range(runs)]
    inside = [_inside() for _ in range(runs)]
    options = [_process(module) for _ in range(runs)]
    first = [_first_line() for _ in range(runs)]
    return {
        "rows": [
            {
                "what": what,
                "median": statistics.median(each),
                "fastest": min(each),
                "at_most": AT_MOST.get(what),
            }
            for what, each in (
                ("python that does nothing", nothing),
                ("import ketadask", inside),
                ("ketadask --help", options),
                ("first line of ketadask run", first),
            )
        ]
    }


def _process(command: list[str]) -> float:
    return time_call(lambda: subprocess.run(command, capture_output=True, check=True)).wall


def _first_line() -> float:
    """Return the seconds until `ketadask run` says something; the run then ends."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "ketadask", "run", "config/demo.yaml", "--out", folder]
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            line = process.stderr.readline()
            seconds = time.perf_counter() - start
            process.kill()
    assert line.startswith(b"study: reading")
    return seconds


def _inside() -> float:
    ended = subprocess.run(
        [sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True
    )
    return float(ended.stdout)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
