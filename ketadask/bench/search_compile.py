"""Cost of the first search: compilation, and loading compiled code from the cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from tempfile import TemporaryDirectory
from typing import Any

_CHILD = "from ketadask.bench.search_compile import first_search; first_search()"


def first_search() -> None:
    """Search a small problem twice; print the extra seconds of the first as JSON."""
    from ketadask.bench.synthetic import synthetic_problem
    from ketadask.kernels.exact import search_literals

    problem = synthetic_problem(20, 6)
    seconds = []
    for _ in range(2):
        start = time.process_time()
        search_literals(
            problem.literals.holds, problem.trial.score, problem.literals.feature, keep=3
        )
        seconds.append(time.process_time() - start)
    print(json.dumps(seconds[0] - seconds[1]))


def compile_times() -> dict[str, Any]:
    """Return processor seconds to compile the search (``cold``) and to load it (``cached``).

    Each is measured in a fresh process; the cache is a new folder, so yours stays as it is.
    """
    with TemporaryDirectory(prefix="ketadask-bench-") as folder:
        cold = _first_search(folder)
        warm = _first_search(folder)
    return {"cold": cold, "cached": warm}


def _first_search(cache: str) -> float:
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    process = subprocess.run(
        [sys.executable, "-c", _CHILD], env=environment, capture_output=True, text=True, check=True
    )
    return float(json.loads(process.stdout))
