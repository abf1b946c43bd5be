"""The same literals and scores, searched by pysubgroup in its own environment.

``python -m tests.benchmarks.peer PYTHON`` compares both. The quality of a set of k units in
pysubgroup is ``sqrt(k) * (mean inside - mean of all)``. Our objective ``effect`` on centred scores
ranks by the same number, so both search for the same optimum.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ketadask.bench.synthetic import FEATURES, UNITS, synthetic_problem
from ketadask.bench.timing import one_core, print_table, time_call
from ketadask.kernels.exact import search_literals
from ketadask.kernels.settings import SearchSettings
from ketadask.schema.errors import InputError
from ketadask.store.environment import ONE_THREAD
from tests.benchmarks import peer_pysubgroup

CUTS = 2


def quality(score: np.ndarray, inside: np.ndarray) -> float:
    """Return pysubgroup's quality of a set of units, with exponent one half.

    Examples
    --------
    >>> quality(np.array([3.0, 1.0, 1.0, 1.0]), np.array([True, False, False, False]))
    1.5
    """
    return float(np.sqrt(inside.sum()) * (score[inside].mean() - score.mean()))


def compare(
    python: Path, *, units: int = UNITS, features: int = FEATURES, depth: int = 2
) -> dict[str, Any]:
    """Search side by side; ``python`` is that of an environment with pysubgroup.

    Returns
    -------
    For ``ours`` and ``theirs``: seconds, processor seconds, peak memory (theirs), quality of the
    best by the same formula; the ``ratio`` of processor seconds; whether ours is ``as_good``.
    """
    made = synthetic_problem(units, features, cuts=CUTS)
    literals, score = made.literals, made.trial.score
    floor = SearchSettings().support_floor(units)
    found: list[Any] = []

    def ours() -> None:
        found.append(
            search_literals(
                literals.holds, score - score.mean(), literals.feature, max_literals=depth,
                min_support=floor, keep=1, objective="effect",
            )
        )  # fmt: skip

    ours()
    ours_spent = time_call(ours)
    theirs = _theirs(python, {"holds": literals.holds, "score": score, "depth": depth,
                              "min_support": floor})  # fmt: skip
    best = literals.conjunction(found[0].ids)[0]
    their_best = literals.holds[theirs["literals"]].all(axis=0)
    mine, other = quality(score, best), quality(score, their_best)
    return {
        "selectors": len(literals),
        "depth": depth,
        "version": theirs["version"],
        "ours": {"seconds": ours_spent.wall, "cpu_seconds": ours_spent.cpu, "quality": mine},
        "theirs": {
            "seconds": theirs["seconds"],
            "cpu_seconds": theirs["cpu_seconds"],
            "peak_memory": theirs["peak_memory"],
            "quality": other,
        },
        "ratio": theirs["cpu_seconds"] / ours_spent.cpu,
        "as_good": mine >= other - 1e-9 * abs(other),
    }


def _theirs(python: Path, given: dict[str, Any]) -> dict[str, Any]:
    script = Path(peer_pysubgroup.__file__)
    with TemporaryDirectory(prefix="ketadask-bench-") as folder:
        handed, answer = Path(folder) / "in.npz", Path(folder) / "out.json"
        np.savez(handed, **given)
        try:
            ended = subprocess.run(
                [str(python), str(script), str(handed), str(answer)],
                capture_output=True, text=True, check=False, env={**ONE_THREAD, "HOME": folder},
            )  # fmt: skip
        except OSError as error:
            raise InputError(
                "this Python does not start", where="PYTHON", value=str(python),
                remedy=f"give the Python of an environment, such as {sys.executable}",
            ) from error  # fmt: skip
        if ended.returncode:
            said = ended.stderr.strip().splitlines() or ["no message"]
            raise InputError(
                "pysubgroup does not run in this Python", where="PYTHON", value=said[-1],
                remedy="python3 -m venv peer && peer/bin/pip install pysubgroup 'numpy<2'",
            )  # fmt: skip
        return json.loads(answer.read_text())


def main(words: Sequence[str]) -> int:
    """Compare and print; see ``python -m tests.benchmarks.peer --help``."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.peer", description=__doc__)
    parser.add_argument("python", type=Path, help="Python of an environment with pysubgroup")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(list(words))
    with one_core():
        peer = compare(options.python)
    if options.json:
        print(json.dumps(peer))
        return 0
    print_table(
        f"{peer['selectors']:,} literals, depth {peer['depth']}, one core",
        {"who": "program", "seconds": "wall s", "cpu_seconds": "CPU s", "quality": "best quality"},
        [
            {"who": "ketadask", **peer["ours"]},
            {"who": f"pysubgroup {peer['version']}", **peer["theirs"]},
        ],
    )
    quality_text = "at least as good" if peer["as_good"] else "WORSE"
    print(f"ratio {peer['ratio']:,.0f}; our best is {quality_text} by the same formula")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
