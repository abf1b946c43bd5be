"""Fraction of trials without any persona in which something is supported, a cell per kind."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask.cohort.relabel import PAIR
from ketadask.cohort.units import score_units
from ketadask.inference.null import relabel_problem, relabelling_methods
from ketadask.inference.null_method import AUTO, choose_null
from ketadask.inference.second_stage import strongest
from ketadask.kernels.maxt import TIE, may_reach
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.problem import SearchProblem
from tests.benchmarks.former import former_problem
from tests.benchmarks.null_kinds import NULL_KINDS
from tests.benchmarks.repeated import Bench, binomial_interval, markdown
from tests.benchmarks.simulated_trials import SimulatedCases, TrialKind, simulate_cases

if TYPE_CHECKING:
    import xarray as xr

    from ketadask.store.ranges import Range

ALPHA, CUTS, CANDIDATES = 0.05, 4, 20
METHODS = ("current", "former")
WIDE_KINDS = (
    "normal", "prognosis in 12 of 20 features", "change score, baseline items",
    "3 sites, benefit and features differ", "outcome spread exp(.7 x)",
    "benefit spread grows with severity",
)  # fmt: skip
DEEP_WIDE = "normal"


@dataclass(frozen=True)
class Cell:
    """A kind of trial in a design and a size, searched with one or more depths."""

    kind: TrialKind
    design: str
    participants: int = 60
    features: int = 20
    depths: tuple[int, ...] = (2, 3)


def error_cells(depths: Sequence[int] = (2, 3)) -> list[Cell]:
    """Return the cells of the table, of at most these depths: small trials first."""
    cells = []
    for large, kind in product((False, True), NULL_KINDS):
        participants = 200 if large else 60
        if kind.benefit_spread:
            participants = 120 if large else 56
        wide = (2, 3) if kind.name == DEEP_WIDE and not large else (2,)
        for features, all_depths in ((20, (2, 3)), (200, wide)):
            if features == 20 or kind.name in WIDE_KINDS:
                own = tuple(depth for depth in all_depths if depth in depths)
                cells += [
                    Cell(kind, design, participants, features, own) for design in kind.designs
                ]
    return cells


def persona_search(depth: int) -> PersonaSearch:
    """Return the search of all benchmarks of validity."""
    return PersonaSearch(depth, cuts=CUTS, keep=CANDIDATES)


def problem_of(
    cases: SimulatedCases, kind: TrialKind, search: PersonaSearch
) -> tuple[SearchProblem, xr.Dataset]:
    """Return problem and units of a simulated trial by the way of a study, from its cohort."""
    units = score_units(
        cases.cohort(),
        design=cases.design,
        baseline="first" if kind.first_baseline else "mean",
        within_arm=kind.within_arm,
    )
    return search.problem(units), units


def null_methods(units: xr.Dataset, method: str, seed: int) -> Sequence[str]:
    """Return how a study relabels such a trial by default; the former method had one way."""
    if method == "former":
        return PAIR[:1]
    return relabelling_methods(choose_null(AUTO, units, seed=seed).method)


def smallest_p(
    problem: SearchProblem,
    search: PersonaSearch,
    *,
    seed: int,
    relabellings: int,
    alpha: float = ALPHA,
    former: bool = False,
    methods: Sequence[str] = PAIR[:1],
) -> tuple[float, int]:
    """Return the adjusted p of the best persona, and the number of relabellings used.

    Of several methods the larger p counts. Once so many relabelled trials reach the observed
    maximum that p must exceed ``alpha``, the others are not searched, and p is 1: the verdict is
    that of all of them.
    """
    top = highest_q if former else highest_t
    observed = top(problem, search)
    threshold = observed - TIE * abs(observed) if np.isfinite(observed) else np.inf
    allowed, largest = may_reach(alpha, relabellings), 0
    for method in methods:
        reached = 0
        for index in range(relabellings):
            relabelled, rows = relabel_problem(problem, index, seed=seed, method=method)
            reached += top(relabelled, search, **rows) >= threshold
            if reached > allowed:
                return 1.0, index + 1
        largest = max(largest, reached)
    return (largest + 1) / (relabellings + 1), relabellings


def highest_q(
    problem: SearchProblem, search: PersonaSearch, rows: np.ndarray | None = None
) -> float:
    """Return the largest Q of all personas of both polarities."""
    q = [search.solve(problem, polarity=p, rows=rows, keep=1).q for p in search.polarities]
    return max((float(top[0]) for top in q if len(top)), default=-np.inf)


def highest_t(
    problem: SearchProblem, search: PersonaSearch, rows: np.ndarray | None = None
) -> float:
    """Return the largest studentised contrast of the second stage."""
    return strongest(problem, search, rows=rows).largest()


def claims_block(
    block: Range, *, cell: Cell, method: str, seed: int, relabellings: int
) -> pd.DataFrame:
    """Return a row per trial and depth: ``p`` of its best persona, ``seconds`` of processor."""
    rows: list[dict[str, Any]] = []
    size = (cell.participants, cell.features)
    for index in range(block[0], block[1] + 1):
        started = time.process_time()
        cases = simulate_cases(cell.kind, cell.design, *size, seed=seed, index=index)
        problem, units = problem_of(cases, cell.kind, persona_search(cell.depths[0]))
        methods = null_methods(units, method, index)
        if method == "former":
            problem = former_problem(problem, units["site"].values)
        for depth in cell.depths:
            settings = {"seed": index, "relabellings": relabellings}
            search = persona_search(depth)
            p, n = smallest_p(
                problem, search, former=method == "former", methods=methods, **settings
            )
            seconds = time.process_time() - started
            rows.append({"index": index, "depth": depth, "p": p, "n": n, "seconds": seconds})
            started = time.process_time()
    return pd.DataFrame(rows)


def error_table(
    bench: Bench,
    cells: Sequence[Cell],
    *,
    trials: int = 1000,
    method: str = "current",
    seed: int = 7,
    relabellings: int = 19,
) -> pd.DataFrame:
    """Return the fraction of trials in which something is supported, a row per cell and depth.

    Columns: ``kind``, ``design``, ``participants``, ``features``, ``depth``, ``trials``,
    ``supported``, ``low`` and ``high`` (99 % binomial interval around 0.05), ``inside``, and
    ``seconds`` of processor time per trial.
    """
    rows: list[dict[str, Any]] = []
    started = time.perf_counter()
    for k, cell in enumerate(cells, start=1):
        settings = {"method": method, "seed": seed, "relabellings": relabellings}
        simulate = partial(claims_block, cell=cell, **settings)
        table = bench.rows("error", simulate, trials, asdict(cell), settings)
        for depth, part in table.groupby("depth"):
            claims = part["p"].to_numpy() <= ALPHA
            size = {"participants": cell.participants, "features": cell.features, "depth": depth}
            row = {"kind": cell.kind.name, "design": cell.design, **size}
            rows.append(row | rate_inside(claims) | {"seconds": part["seconds"].mean()})
        minutes = (time.perf_counter() - started) / 60
        last = rows[-1]
        print(
            f"cell {k} of {len(cells)}, {minutes:.1f} min, {minutes / k * (len(cells) - k):.0f} min"
            f" left: {last['kind']}, {cell.design}, n = {cell.participants}: "
            + ", ".join(f"{row['supported']:.3f}" for row in rows[-len(cell.depths) :]),
            file=sys.stderr,
            flush=True,
        )
    return pd.DataFrame(rows)


def rate_inside(claims: np.ndarray) -> dict[str, Any]:
    """Return the fraction of claims, the 99 % binomial interval of 0.05, and whether it is inside.

    Examples
    --------
    >>> row = rate_inside(np.arange(1000) < 60)
    >>> row["supported"], row["low"], row["high"], row["inside"]
    (0.06, 0.033, 0.069, True)
    """
    low, high = binomial_interval(len(claims), ALPHA)
    rate = float(claims.mean())
    inside = low <= rate <= high
    return {"trials": len(claims), "supported": rate, "low": low, "high": high, "inside": inside}


def error_markdown(table: pd.DataFrame) -> str:
    """Return the table as Markdown: a row per kind, design and number of features."""
    header = ["kind of trial", "design", "features", "participants", "literals", "trials"]
    header += ["share at .05", "99 % interval", "inside"]
    rows = [
        [
            row["kind"], row["design"], row["features"], row["participants"], row["depth"],
            f"{row['trials']:,}", f"{row['supported']:.3f}",
            f"{row['low']:.3f} to {row['high']:.3f}", "yes" if row["inside"] else "**NO**",
        ]
        for row in table.to_dict("records")
    ]  # fmt: skip
    return markdown(header, rows)
