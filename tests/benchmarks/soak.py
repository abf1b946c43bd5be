"""Many studies in one process and on one cluster: what grows with their number.

``python -m tests.benchmarks.soak --studies 100`` prints memory, descriptors, threads and temporary
files of this process and of its workers after 10 studies and after all of them.
"""

from __future__ import annotations

import argparse
import gc
import io
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import psutil
from rich.console import Console

from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile
from ketadask.pipeline.executor import Executor
from ketadask.pipeline.progress import Progress
from ketadask.study.study import Study

STUDY = """
name: soak
seed: {seed}
data: {{simulate: {{participants: 44, seed: 11}}}}
features: {{include: [age, sex, bdi_10]}}
search: {{max_literals: 2, keep: 20}}
splits: {{count: 4}}
null: {{relabellings: 19, calibration_studies: 0}}
execution: {{block: 4}}
"""
FIRST = 10


def measure(temporary: Path) -> dict[str, float]:
    """Return megabytes, descriptors, threads, child processes and temporary files."""
    gc.collect()
    me = psutil.Process()
    children = me.children(recursive=True)
    workers = [p for p in children if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    return {
        "megabytes": me.memory_info().rss / 1e6,
        "megabytes of workers": sum(p.memory_info().rss for p in workers) / 1e6,
        "descriptors": me.num_fds(),
        "descriptors of workers": sum(p.num_fds() for p in workers),
        "threads": me.num_threads(),
        "processes": len(workers),
        "temporary files": sum(path.is_file() for path in temporary.rglob("*")),
    }


@contextmanager
def one_cluster(profile: Profile) -> Iterator[None]:
    """Give all studies the same executor, without logs in any of their folders."""
    with ExitStack() as stack:
        executor = stack.enter_context(connect(profile))

        @contextmanager
        def reuse(*_: object, **__: object) -> Iterator[Executor]:
            yield executor

        stack.enter_context(patch("ketadask.study.run.connect", reuse))
        yield


def run_studies(n_studies: int, folder: Path, profile: Profile) -> list[dict[str, float]]:
    """Run studies with different seeds one after another; return the measures after each."""
    measures = []
    temporary = Path(tempfile.gettempdir())
    with one_cluster(profile):
        for seed in range(n_studies):
            path = folder / "study.yaml"
            path.write_text(STUDY.format(seed=seed))
            progress = Progress(Console(file=io.StringIO(), width=200))
            study = Study.read(path, out=folder / "runs", progress=progress)
            study.run()
            measures.append(measure(temporary))
    return measures


def main() -> None:
    """Print what grew between the first studies and the last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--kind", default="local")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / "tmp"
        temporary.mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
        start = time.monotonic()
        profile = Profile(kind=arguments.kind, workers=1, dashboard=False)
        measures = run_studies(arguments.studies, Path(folder), profile)
        print(f"{arguments.studies} studies, {time.monotonic() - start:.0f} s")
        first, last = measures[min(FIRST, len(measures)) - 1], measures[-1]
        for name, value in first.items():
            change = (last[name] / value - 1) if value else float(last[name] > 0)
            print(f"{name:24}{value:10.1f}{last[name]:10.1f}{change:+8.1%}")
        tempfile.tempdir = None


if __name__ == "__main__":
    main()
