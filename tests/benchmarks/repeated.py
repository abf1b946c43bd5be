"""Simulations repeated many times: resumable, on any cluster, summarised as rates."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binom

from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile
from ketadask.pipeline.executor import Executor, TaskFailure
from ketadask.store.fingerprints import code_version, fingerprint
from ketadask.store.parts import Parts
from ketadask.store.ranges import Range, blocks

if TYPE_CHECKING:
    import pandas as pd

_BLOCK = 20


@dataclass(frozen=True)
class Bench:
    """Where repetitions are kept, who computes them, how many go into a task."""

    folder: Path
    executor: Executor
    block: int = _BLOCK

    def rows(
        self, name: str, make: Callable[[Range], pd.DataFrame], count: int, *asked: Any
    ) -> pd.DataFrame:
        """Return the rows of the repetitions 0 to ``count - 1``, made where they are missing.

        Parameters
        ----------
        make
            Makes the rows of a range of numbers, column ``index`` among them; travels to workers.
        asked
            What else the rows depend on: under it, and this version, they are found again.
        """
        from ketadask.bench.graph import repetition_blocks

        key = fingerprint(name, *asked, code_version())
        parts = Parts(self.folder / f"{name}-{key[:12]}", key)
        missing = blocks(parts.missing(count), self.block)
        done = count - sum(last - first + 1 for first, last in missing)
        for number, (_, result) in enumerate(
            self.executor.compute(repetition_blocks(make, missing, parts))
        ):
            if isinstance(result, TaskFailure):
                raise result.error
            done += missing[number][1] - missing[number][0] + 1
            if sys.stderr.isatty():
                print(f"\r{name}: {done:,} of {count:,}", end="", file=sys.stderr)
        if missing and sys.stderr.isatty():
            print(file=sys.stderr)
        table = parts.read_all("rows", count)
        return table[table["index"] < count].sort_values("index", ignore_index=True)


def benchmark_parser(what: str, text: str | None) -> argparse.ArgumentParser:
    """Return a parser of the options that all repeated simulations have."""
    parser = argparse.ArgumentParser(f"python -m tests.benchmarks.{what}", description=text)
    parser.add_argument("--out", type=Path, default=Path("runs") / "bench", help="kept repetitions")
    parser.add_argument("--cluster", type=Path, metavar="PROFILE.yaml", help="where the work runs")
    parser.add_argument("--seed", type=int, default=7)
    return parser


@contextmanager
def open_benchmark(asked: argparse.Namespace) -> Iterator[Bench]:
    """Yield the bench that the options ask for."""
    from ketadask.config.reading import read_settings

    profile = Profile() if asked.cluster is None else read_settings(asked.cluster, Profile)
    with connect(profile) as executor:
        yield Bench(asked.out.absolute(), executor)


def binomial_interval(count: int, share: float, level: float = 0.99) -> tuple[float, float]:
    """Return where an observed share lies with probability ``level``, if ``share`` is the truth.

    Examples
    --------
    >>> binomial_interval(1000, 0.05)
    (0.033, 0.069)
    """
    low, high = binom.interval(level, count, share)
    return float(low / count), float(high / count)


def error_of(share: float, count: int) -> float:
    """Return the Monte-Carlo standard error of a share.

    Examples
    --------
    >>> error_of(0.5, 100)
    0.05
    """
    return float(np.sqrt(share * (1 - share) / count))


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
