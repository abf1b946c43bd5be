"""Compare a small study with that of another environment: `python -m tests.golden_study FILE`.

The first call writes verdicts and headline numbers to FILE. Later ones, under another Python or
other dependencies, compare theirs: texts and whole numbers exactly, others to 1e-10.
"""

from __future__ import annotations

import json
import math
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

STUDY = {
    "name": "golden",
    "seed": 3,
    "data": {"simulate": {"participants": 60, "seed": 11}},
    "features": {"include": ["age", "sex", "bdi_*", "*cingulate*", "wm-*-inferiorparietal"]},
    "search": {"max_literals": 3, "keep": 20},
    "splits": {"count": 24},
    "null": {"relabellings": 39, "calibration_studies": 0},
}
TOLERANCE = 1e-10
# Facts of the machine and of this run, not results.
OTHERS = ("seconds", "memory", "created", "version", "machine")


def golden_results(folder: Path) -> dict[str, Any]:
    """Run the study in a folder and return verdict table and summary as plain values."""
    import pandas as pd

    study = folder / "study.yaml"
    study.write_text(json.dumps(STUDY))
    (folder / "one.yaml").write_text("kind: synchronous\n")
    command = [sys.executable, "-m", "ketadask", "run", "study.yaml", "--cluster", "one.yaml"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    run = (folder / done.stdout.splitlines()[-1]).parent
    verdicts = pd.read_parquet(run / "verdicts.parquet")
    return {
        "verdicts": json.loads(verdicts.to_json(orient="records", double_precision=15)),
        "summary": json.loads((run / "summary.json").read_text()),
    }


def differences(first: Any, second: Any, where: str = "") -> list[str]:
    """Return the places in which two results differ."""
    if where.rpartition(".")[2] in OTHERS:
        return []
    if isinstance(first, dict) and isinstance(second, dict):
        names = sorted(first.keys() | second.keys())
        return [d for n in names for d in differences(first.get(n), second.get(n), f"{where}.{n}")]
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        pairs = enumerate(zip(first, second, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, f"{where}[{i}]")]
    if isinstance(first, float) and isinstance(second, int | float):
        same = math.isclose(first, second, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        return [] if same else [f"{where}: {first!r} and {second!r}"]
    return [] if first == second else [f"{where}: {first!r} and {second!r}"]


def main(file: Path) -> int:
    """Write the results, or compare them with those in the file; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        results = golden_results(Path(folder))
    packages = ("numpy", "scipy", "pandas", "numba", "xarray", "dask", "pydantic")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    print(f"Python {platform.python_version()}: {versions}")
    if not file.exists():
        file.write_text(json.dumps(results))
        print(f"{len(results['verdicts'])} verdicts written to {file}")
        return 0
    found = differences(json.loads(file.read_text()), results)
    print("\n".join(found[:20]) or f"{len(results['verdicts'])} verdicts are equal")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
