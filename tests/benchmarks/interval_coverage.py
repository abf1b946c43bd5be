"""Intervals of the benefit difference of all personas listed, and the bias of its estimates.

The true difference of a persona is the mean expected benefit, given features and site, of its units
minus that of the units outside, after each site's mean benefit is taken off, as in the scores.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.cohort.designs import DESIGNS, PARALLEL
from ketadask.cohort.relabel import relabel
from ketadask.inference.estimates import benefit_differences
from ketadask.inference.second_stage import SEARCH_Q, STUDENTISED, strongest
from tests.benchmarks.detection_rates import EFFECT_AT_60
from tests.benchmarks.error_rates import Cell, persona_search, problem_of
from tests.benchmarks.null_kinds import NULL_KINDS
from tests.benchmarks.repeated import Bench, markdown
from tests.benchmarks.simulated_trials import SimulatedCases, TrialKind, simulate_cases

if TYPE_CHECKING:
    from ketadask.store.ranges import Range

NULLS = (
    "normal", "lognormal", "prognosis in 12 of 20 features", "change score, baseline items",
    "3 sites, benefit and features differ", "outcome spread exp(.7 x)",
    "benefit spread grows with severity",
)  # fmt: skip
NAIVE = 1.96
RULES = {STUDENTISED: (STUDENTISED,), SEARCH_Q: (SEARCH_Q,), "wider": (STUDENTISED, SEARCH_Q)}


def coverage_cells() -> list[Cell]:
    """Return null kinds, and planted personas of moderate and large effect, per design."""
    nulls = [kind for kind in NULL_KINDS if kind.name in NULLS]
    cells = []
    for participants in (60, 200):
        cells += [
            Cell(kind, design, participants, 20, (2,)) for kind in nulls for design in kind.designs
        ]
        for design in DESIGNS:
            for name, factor in (("planted, moderate", 0.6), ("planted, large", 1.2)):
                effect = round(factor * EFFECT_AT_60[design] * np.sqrt(60 / participants), 3)
                for prognosis in (0.0, 1.5) if design == PARALLEL else (0.0,):
                    text = f"{name}{', prognosis' if prognosis else ''}"
                    kind = TrialKind(text, literals=2, effect=effect, prognosis=prognosis)
                    cells.append(Cell(kind, design, participants, 20, (2,)))
    return cells


def unit_benefits(cases: SimulatedCases, units: Any) -> np.ndarray:
    """Return (unit,) the expected benefit, each site of a trial moved to the same mean."""
    names = units[nm.PARTICIPANT].values.astype(str)
    code = np.char.lstrip(names, "p").astype(int)
    by_participant = np.zeros(int(cases.participant.max()) + 1)
    by_participant[cases.participant] = cases.benefit
    benefit = by_participant[code]
    site = np.unique(np.char.add(units["trial"].values, units["site"].values), return_inverse=True)
    means = np.bincount(site[1], weights=benefit) / np.bincount(site[1])
    return np.asarray(benefit - means[site[1]])


def coverage_block(block: Range, *, cell: Cell, seed: int, relabellings: int) -> pd.DataFrame:
    """Return a row per trial: whether all intervals cover, and the errors of the best persona."""
    search, rows = persona_search(cell.depths[0]), []
    size = (cell.participants, cell.features)
    for index in range(block[0], block[1] + 1):
        cases = simulate_cases(cell.kind, cell.design, *size, seed=seed, index=index)
        problem, units = problem_of(cases, cell.kind, search)
        benefit = unit_benefits(cases, units)
        personas = strongest(problem, search)
        maxima = {name: np.empty((1, relabellings)) for name in (STUDENTISED, SEARCH_Q)}
        for k in range(relabellings):
            order, _ = relabel(problem.trial, seed=index, index=k)
            null = strongest(problem, search, rows=order)
            for name, largest in maxima.items():
                largest[0, k] = null.largest(name)
        inside = problem.literals.conjunction(personas.ids)
        truth = np.array([benefit[a].mean() - benefit[~a].mean() for a in inside])
        row: dict[str, Any] = {"index": index}
        for rule, names in RULES.items():
            used = {name: maxima[name] for name in names}
            table = benefit_differences(problem, search, personas.ids, used)
            low, high = table["difference_low"], table["difference_high"]
            row[f"covers_{rule}"] = not ((truth < low) | (truth > high)).any()
            row[f"width_{rule}"] = float((high - low).mean())
            row[f"shrunken_{rule}"] = float(table["difference_shrunken"][0] - truth[0])
        difference = table["difference"].to_numpy()
        se = np.abs(difference / personas.t)
        misses = np.abs(difference - truth) > NAIVE * se
        rows.append(
            row
            | {
                "covers_naive": not misses.any(), "covers_naive_best": not misses[0],
                "naive": float(difference[0] - truth[0]), "truth": float(truth[0]),
                "difference": float(difference[0]),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def coverage_table(
    bench: Bench,
    cells: Sequence[Cell],
    *,
    trials: int = 200,
    seed: int = 7,
    relabellings: int = 39,
) -> pd.DataFrame:
    """Return a row per cell: simultaneous coverage, and bias in the direction of the persona."""
    rows: list[dict[str, Any]] = []
    for k, cell in enumerate(cells, start=1):
        settings = {"seed": seed, "relabellings": relabellings}
        simulate = partial(coverage_block, cell=cell, **settings)
        table = bench.rows("coverage", simulate, trials, asdict(cell), settings)
        sign = np.sign(table["difference"])
        row = {"kind": cell.kind.name, "design": cell.design, "participants": cell.participants}
        row |= {"trials": trials, "truth": (sign * table["truth"]).mean()}
        row |= {f"covers_{name}": table[f"covers_{name}"].mean() for name in (*RULES, "naive")}
        row |= {f"width_{name}": table[f"width_{name}"].mean() for name in RULES}
        row["bias_naive"] = (sign * table["naive"]).mean()
        row["bias_shrunken"] = (sign * table[f"shrunken_{STUDENTISED}"]).mean()
        rows.append(row)
        print(f"cell {k} of {len(cells)}: {row}", file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


def coverage_markdown(table: pd.DataFrame) -> str:
    """Return the table as Markdown."""
    header = ["kind of trial", "design", "participants", "trials", "all intervals cover: t", "Q"]
    header += ["wider", "naive", "width: t", "Q", "wider", "true difference of the best"]
    header += ["bias: naive", "shrunken"]
    columns = [f"covers_{name}" for name in (*RULES, "naive")]
    columns += [*(f"width_{name}" for name in RULES), "truth", "bias_naive", "bias_shrunken"]
    rows = [
        [
            row["kind"], row["design"], row["participants"], row["trials"],
            *(f"{row[name]:.2f}" for name in columns),
        ]
        for row in table.to_dict("records")
    ]  # fmt: skip
    return markdown(header, rows)
