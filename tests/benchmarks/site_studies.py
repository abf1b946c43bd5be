"""Studies, splits and verdicts included, of three sites that are equal within and differ."""

from __future__ import annotations

from functools import partial
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import dask
import pandas as pd

import ketadask as kd
from ketadask import names as nm
from ketadask.cohort.designs import DESIGNS
from tests.benchmarks.error_rates import persona_search
from tests.benchmarks.null_kinds import NULL_KINDS
from tests.benchmarks.repeated import Bench, markdown
from tests.benchmarks.simulated_trials import simulate_cases

if TYPE_CHECKING:
    from ketadask.store.ranges import Range

PARTICIPANTS, FEATURES, SPLITS = 60, 20, 20
KIND = next(kind for kind in NULL_KINDS if kind.name == "3 sites, benefit and features differ")


def studies_block(block: Range, *, design: str, seed: int, relabellings: int) -> pd.DataFrame:
    """Return a row per study: findings, and how many of them are supported."""
    rows = []
    search = persona_search(2)
    for index in range(block[0], block[1] + 1):
        cases = simulate_cases(KIND, design, PARTICIPANTS, FEATURES, seed=seed, index=index)
        cohort = cases.cohort()
        with TemporaryDirectory() as store, dask.config.set(scheduler="synchronous"):
            splits = kd.HoldoutSplit(SPLITS, seed=index)
            hits = search.run(cohort, splits, design=design, store=store)
            settings: dict[str, Any] = {"relabellings": relabellings, "seed": index}
            null = kd.null(search, cohort, design=design, store=store, **settings)
            verdicts = kd.judge(hits, null)
        supported = int((verdicts["verdict"] == nm.SUPPORTED).sum())
        rows.append({"index": index, "findings": len(verdicts), "supported": supported})
    return pd.DataFrame(rows)


def studies_table(
    bench: Bench, *, trials: int = 100, seed: int = 7, relabellings: int = 99
) -> pd.DataFrame:
    """Return a row per design: in how many studies something is supported."""
    rows = []
    for design in DESIGNS:
        settings = {"seed": seed, "relabellings": relabellings}
        simulate = partial(studies_block, design=design, **settings)
        table = bench.rows("sites", simulate, trials, design, settings)
        supported = int((table["supported"] > 0).sum())
        rows.append({"design": design, "studies": trials, "supported": supported})
    return pd.DataFrame(rows)


def studies_markdown(table: pd.DataFrame) -> str:
    """Return the table as Markdown."""
    header = ["design", "studies", "studies with anything supported"]
    return markdown(header, table.to_numpy().tolist())
