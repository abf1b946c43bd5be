"""Power to detect a planted persona, and to recover it, by the current and the former method."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.cohort.designs import CROSSOVER, DESIGNS, POOLED
from ketadask.inference.companion import companion_block, companion_summary
from ketadask.inference.power import RECOVERY_JACCARD
from ketadask.inference.second_stage import SEARCH_Q, STUDENTISED, strongest
from tests.benchmarks.error_rates import ALPHA, persona_search, problem_of, smallest_p
from tests.benchmarks.former import former_problem
from tests.benchmarks.repeated import Bench, markdown
from tests.benchmarks.simulated_trials import TrialKind, simulate_cases

if TYPE_CHECKING:
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.store.ranges import Range

SIZES = (60, 120, 252)
EFFECT_AT_60 = {CROSSOVER: 1.6, POOLED: 1.8, "parallel": 2.6}
STRONG = 1.5
STATISTIC = {"current": STUDENTISED, "former": SEARCH_Q}


@dataclass(frozen=True)
class PlantedCell:
    """A planted kind in a design and a size."""

    kind: TrialKind
    design: str
    participants: int

    @property
    def features(self) -> int:
        """Features of the trial."""
        return 20

    @property
    def depth(self) -> int:
        """Literals of the search."""
        return max(2, self.kind.literals)


def planted_cells(
    sizes: Sequence[int] = SIZES, designs: Sequence[str] = DESIGNS
) -> list[PlantedCell]:
    """Return boxes of one to three literals and a linear modifier, with and without prognosis."""
    cells = []
    for participants, design, literals, prognosis in product(sizes, designs, range(4), (0, STRONG)):
        effect = EFFECT_AT_60[design] * np.sqrt(60 / participants)
        name = f"{literals} literal{'s' * (literals > 1)}" if literals else "linear"
        kind = TrialKind(
            name,
            designs=(design,),
            literals=literals,
            linear=not literals,
            effect=round(effect * (1.0 if literals else 0.45), 3),
            prognosis=prognosis,
        )
        cells.append(PlantedCell(kind, design, participants))
    return cells


def detections_block(
    block: Range, *, cell: PlantedCell, seed: int, relabellings: int
) -> pd.DataFrame:
    """Return a row per trial and method: p of the best persona, its Jaccard index with the truth.

    ``p`` is 1 where it must exceed 0.05; ``linear`` is the p of the linear companion.
    """
    search = persona_search(cell.depth)
    rows: list[dict[str, Any]] = []
    for index in range(block[0], block[1] + 1):
        cases = simulate_cases(
            cell.kind, cell.design, cell.participants, 20, seed=seed, index=index
        )
        problem, inside, site = planted_problem(cases, cell.kind, search)
        for method, statistic in STATISTIC.items():
            trial = former_problem(problem, site) if method == "former" else problem
            p, jaccard = best_persona(
                trial, search, inside, statistic, seed=index, relabellings=relabellings
            )
            row = {"index": index, "method": method, "p": p, "jaccard": jaccard, "linear": np.nan}
            if method == "current":
                nulls = companion_block(problem, (0, relabellings - 1), seed=index)
                row["linear"] = companion_summary(problem, nulls, None)["linear"]["p"]
            rows.append(row)
    return pd.DataFrame(rows)


def planted_problem(
    cases: Any, kind: TrialKind, search: PersonaSearch
) -> tuple[SearchProblem, np.ndarray, np.ndarray]:
    """Return the problem, and per unit the planted persona and the site."""
    problem, units = problem_of(cases, kind, search)
    first = np.unique(cases.participant, return_index=True)[1]
    inside = np.zeros(int(cases.participant.max()) + 1, dtype=bool)
    inside[cases.participant[first]] = cases.inside[first]
    who = np.char.lstrip(units[nm.PARTICIPANT].values.astype(str), "p").astype(int)
    return problem, inside[who], units["site"].values


def best_persona(
    problem: SearchProblem,
    search: PersonaSearch,
    inside: np.ndarray,
    statistic: str,
    *,
    seed: int,
    relabellings: int,
) -> tuple[float, float]:
    """Return the p of the best persona, and the Jaccard index of who benefits more."""
    personas = strongest(problem, search, statistic=statistic)
    cover = problem.literals.conjunction(personas.ids[:1])[0]
    cover = cover == (personas.polarity[0] == nm.FAVOURABLE)
    jaccard = float((cover & inside).sum() / (cover | inside).sum())
    settings = {"seed": seed, "relabellings": relabellings}
    p, _ = smallest_p(problem, search, former=statistic == SEARCH_Q, **settings)
    return p, jaccard


def detection_table(
    bench: Bench,
    cells: Sequence[PlantedCell],
    *,
    trials: int = 100,
    seed: int = 7,
    relabellings: int = 99,
) -> pd.DataFrame:
    """Return a row per cell: fraction supported and recovered, by both methods."""
    rows: list[dict[str, Any]] = []
    for k, cell in enumerate(cells, start=1):
        settings = {"seed": seed, "relabellings": relabellings}
        simulate = partial(detections_block, cell=cell, **settings)
        table = bench.rows("power", simulate, trials, asdict(cell), settings)
        kind = cell.kind
        row: dict[str, Any] = {
            "persona": kind.name, "prognosis": "strong" if kind.prognosis else "none",
            "design": cell.design, "participants": cell.participants, "effect": kind.effect,
        }  # fmt: skip
        for method, part in table.groupby("method"):
            supported = part["p"] <= ALPHA
            recovered = supported & (part["jaccard"] >= RECOVERY_JACCARD)
            row |= {f"any_{method}": supported.mean(), f"recovered_{method}": recovered.mean()}
        row["linear"] = (table["linear"] <= ALPHA).sum() / trials
        rows.append(row | {"trials": trials})
        print(f"cell {k} of {len(cells)}: {row}", file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


def detection_markdown(table: pd.DataFrame) -> str:
    """Return the table as Markdown, current and former side by side."""
    header = ["persona", "prognosis", "design", "participants", "effect (SD)", "trials"]
    header += ["supported: current", "former", "planted one supported: current", "former"]
    header += ["linear modifier, p <= .05"]
    rates = ["any_current", "any_former", "recovered_current", "recovered_former", "linear"]
    rows = [
        [
            row["persona"], row["prognosis"], row["design"], row["participants"],
            f"{row['effect']:.2f}", row["trials"], *(f"{row[rate]:.2f}" for rate in rates),
        ]
        for row in table.to_dict("records")
    ]  # fmt: skip
    return markdown(header, rows)
