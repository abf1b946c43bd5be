"""Simulations repeated many times: resumable, on any cluster, summarised as rates."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binom

from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile
from ketadask.pipeline.executor import Executor
from ketadask.pipeline.progress import Progress
from ketadask.pipeline.run import run_stage
from ketadask.pipeline.stage import Stage
from ketadask.store.fingerprints import code_version, fingerprint
from ketadask.store.parts import Parts
from ketadask.store.ranges import Range
from tests.benchmarks.graph import repetition_blocks

if TYPE_CHECKING:
    import pandas as pd

_BLOCK = 20


@dataclass(frozen=True)
class Bench:
    """Folder of the stored repetitions, the executor, and repetitions per task.

    Stored repetitions are used again under the same ``version``, by default that of the code.
    """

    folder: Path
    executor: Executor
    block: int = _BLOCK
    version: str = ""

    def rows(
        self,
        name: str,
        simulate: Callable[[Range], pd.DataFrame],
        count: int,
        *key: Any,
        index: str = "index",
    ) -> pd.DataFrame:
        """Return the rows of the repetitions 0 to ``count - 1``; only missing ones are computed.

        Parameters
        ----------
        simulate
            Returns the rows of a range of repetitions, column ``index`` among them; travels to
            workers.
        key
            Everything else that determines the rows; stored rows are reused under the same key
            and version.
        index
            Column of the index.
        """
        digest = fingerprint(name, *key, self.version or code_version())
        parts = Parts(self.folder / f"{name}-{digest[:12]}", digest)
        build_graph = partial(repetition_blocks, simulate, parts=parts)
        stage = Stage(name, "repetitions", count, build_graph, parts)
        progress = Progress() if sys.stderr.isatty() else Progress.silent()
        result = run_stage(stage, lambda: self.executor, progress, block=self.block)
        if result.failures:
            raise result.failures[0][1].error
        return parts.read_below("rows", count, index)


def benchmark_parser(what: str, text: str | None) -> argparse.ArgumentParser:
    """Return a parser of the options that all repeated simulations have."""
    parser = argparse.ArgumentParser(f"python -m tests.benchmarks.{what}", description=text)
    parser.add_argument(
        "--out", type=Path, default=Path("runs") / "bench", help="folder of repetitions"
    )
    parser.add_argument("--cluster", type=Path, metavar="PROFILE.yaml", help="where the work runs")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--version", default="", help="name of the method; by default its code")
    return parser


@contextmanager
def open_benchmark(options: argparse.Namespace) -> Iterator[Bench]:
    """Yield the bench of the options."""
    from ketadask.config.reading import read_settings

    profile = Profile() if options.cluster is None else read_settings(options.cluster, Profile)
    with connect(profile) as executor:
        yield Bench(options.out.absolute(), executor, version=options.version)


def binomial_interval(count: int, rate: float, level: float = 0.99) -> tuple[float, float]:
    """Return the interval of an observed rate with probability ``level`` if ``rate`` is true.

    Examples
    --------
    >>> binomial_interval(1000, 0.05)
    (0.033, 0.069)
    """
    low, high = binom.interval(level, count, rate)
    return float(low / count), float(high / count)


def error_of(rate: float, count: int) -> float:
    """Return the Monte-Carlo standard error of a rate.

    Examples
    --------
    >>> error_of(0.5, 100)
    0.05
    """
    return float(np.sqrt(rate * (1 - rate) / count))


def markdown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table as Markdown.

    Examples
    --------
    >>> print(markdown(["a", "b"], [[1, 0.5]]))
    | a | b |
    |---|---|
    | 1 | 0.5 |
    """
    lines = [header, ["---"] * len(header), *rows]
    text = ["| " + " | ".join(map(str, line)) + " |" for line in lines]
    return "\n".join([text[0], text[1].replace(" ", ""), *text[2:]])
