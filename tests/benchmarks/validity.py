"""Error rates of the verdict ``supported`` in simulated trials with known truth.

``python -m tests.benchmarks.validity error`` counts false claims in trials with equal benefit for
all; ``beyond`` counts second findings in trials with exactly one persona. Finished repetitions are
stored and used again; ``--trials`` may grow.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.inference.power import RECOVERY_JACCARD, Scenario, simulate_problem
from ketadask.kernels.maxt import TIE, may_reach
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.problem import SearchProblem
from tests.benchmarks.homogeneous import Homogeneous, kinds
from tests.benchmarks.repeated import (
    Bench,
    benchmark_parser,
    binomial_interval,
    error_of,
    markdown,
    open_benchmark,
)

if TYPE_CHECKING:
    from ketadask.store.ranges import Range

ALPHA = 0.05
SEARCH = PersonaSearch(2, cuts=4, keep=1)
PLANTED = Scenario(participants=80, features=12, effect=2.0, literals=2)
PLANTED_SEARCH = PersonaSearch(2, cuts=3, keep=30)


def smallest_p(
    problem: SearchProblem,
    search: PersonaSearch,
    *,
    seed: int,
    relabellings: int,
    how: str = "features",
    alpha: float = ALPHA,
) -> tuple[float, int]:
    """Return the adjusted p of the best persona, and the number of relabellings used.

    Once so many relabelled trials reach the observed maximum that p must exceed ``alpha``, the
    others are not searched, and p is 1: the verdict is that of all of them.
    """
    from ketadask.cohort.relabel import relabel

    observed = _highest(problem, search, None)
    threshold = observed - TIE * abs(observed) if np.isfinite(observed) else np.inf
    reached, allowed = 0, may_reach(alpha, relabellings)
    for index in range(relabellings):
        rows, trial = relabel(problem.trial, seed=seed, index=index, method=how)
        redrawn = problem if trial is problem.trial else replace(problem, trial=trial)
        reached += _highest(redrawn, search, rows) >= threshold
        if reached > allowed:
            return 1.0, index + 1
    return (reached + 1) / (relabellings + 1), relabellings


def _highest(problem: SearchProblem, search: PersonaSearch, rows: np.ndarray | None) -> float:
    """Largest Q of all personas of both polarities."""
    q = [search.solve(problem, polarity=p, rows=rows, keep=1).q for p in search.polarities]
    return max((float(each[0]) for each in q if len(each)), default=-np.inf)


def claims_block(
    numbers: Range, *, kind: Homogeneous, search: PersonaSearch, seed: int, relabellings: int
) -> pd.DataFrame:
    """Return a row per homogeneous trial: ``p`` of its best persona, ``made`` relabellings."""
    rows = []
    for index in range(numbers[0], numbers[1] + 1):
        problem = kind.problem(search, seed=seed, index=index)
        p, made = smallest_p(problem, search, seed=index, relabellings=relabellings)
        rows.append({"index": index, "p": p, "made": made})
    return pd.DataFrame(rows)


def error_table(
    bench: Bench,
    options: Sequence[Homogeneous],
    search: PersonaSearch = SEARCH,
    *,
    trials: int,
    seed: int = 7,
    relabellings: int = 99,
) -> pd.DataFrame:
    """Return the fraction of homogeneous trials with a claim, a row per kind.

    Columns: those of the kind; ``trials``, ``claimed`` (fraction with an adjusted p of 0.05
    or less), ``low``, ``high`` (99 % binomial interval around 0.05), ``inside``.
    """
    rows: list[dict[str, Any]] = []
    for number, kind in enumerate(options):
        # Kinds have independent draws, so that one unusual draw does not affect all of them.
        settings = {"search": search, "seed": 100 * seed + number, "relabellings": relabellings}
        make = partial(claims_block, kind=kind, **settings)
        told = settings | {"search": search.get_params()}
        table = bench.rows("error", make, trials, asdict(kind), told)
        rows.append({**asdict(kind), **_claimed(table["p"].to_numpy() <= ALPHA)})
    if len(rows) > 1:
        claimed = sum(round(row["claimed"] * row["trials"]) for row in rows)
        count = sum(row["trials"] for row in rows)
        every = np.arange(count) < claimed
        rows.append({"design": "all", "prognostic": "", "overall": "", **_claimed(every)})
    return pd.DataFrame(rows)


def _claimed(claimed: np.ndarray) -> dict[str, Any]:
    low, high = binomial_interval(len(claimed), ALPHA)
    share = float(claimed.mean())
    inside = low <= share <= high
    return {"trials": len(claimed), "claimed": share, "low": low, "high": high, "inside": inside}


def second_block(
    numbers: Range, *, scenario: Scenario, search: PersonaSearch, seed: int, relabellings: int
) -> pd.DataFrame:
    """Return a row per planted trial: supported findings, and the overlap of the first one."""
    from ketadask.inference.null import null_block
    from ketadask.inference.verdicts import build_verdicts

    rows = []
    for index in range(numbers[0], numbers[1] + 1):
        problem, inside = simulate_problem(scenario, search, seed=seed, index=index)
        found = {p: search.solve(problem, polarity=p) for p in search.polarities}
        nulls = null_block(problem, search, (0, relabellings - 1), seed=index)
        told = build_verdicts(problem, search, found, nulls)
        supported = told[told["verdict"] == nm.SUPPORTED]
        overlap = 0.0
        if len(supported):
            ids = supported[[f"literal_{k}" for k in range(1, nm.MAX_LITERALS + 1)]].to_numpy()[:1]
            cover = problem.literals.conjunction(ids)[0]
            if supported["polarity"].iloc[0] == nm.UNFAVOURABLE:
                cover = ~cover
            overlap = (cover & inside).sum() / (cover | inside).sum()
        rows.append({"index": index, "supported": len(supported), "jaccard": overlap})
    return pd.DataFrame(rows)


def second_table(
    bench: Bench,
    scenario: Scenario = PLANTED,
    search: PersonaSearch = PLANTED_SEARCH,
    *,
    trials: int,
    seed: int = 7,
    relabellings: int = 99,
) -> dict[str, Any]:
    """Return rates of trials with one planted persona: with a finding, with a second one.

    ``second`` is the fraction with two or more ``supported`` findings of all trials, with its 99 %
    binomial interval around 0.05; ``recovered`` that in which the first is the planted one.
    """
    settings = {"search": search, "seed": seed, "relabellings": relabellings}
    make = partial(second_block, scenario=scenario, **settings)
    told = settings | {"search": search.get_params()}
    table = bench.rows("beyond", make, trials, asdict(scenario), told)
    supported = table["supported"].to_numpy()
    low, high = binomial_interval(trials, ALPHA)
    return {
        **asdict(scenario),
        "trials": trials,
        "first": float((supported > 0).mean()),
        "recovered": float(((supported > 0) & (table["jaccard"] >= RECOVERY_JACCARD)).mean()),
        "second": float((supported > 1).mean()),
        "low": low,
        "high": high,
    }


def main(words: Sequence[str]) -> int:
    """Simulate the trials and print a Markdown table."""
    parser = benchmark_parser("validity", __doc__)
    parser.add_argument("what", choices=["error", "beyond"])
    parser.add_argument("--trials", type=int, default=1000, help="trials of each kind")
    parser.add_argument("--participants", type=int, default=48)
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--literals", type=int, default=2, help="maximum number of literals")
    parser.add_argument("--relabellings", type=int, default=99)
    options = parser.parse_args(list(words))
    with open_benchmark(options) as bench:
        shared = {
            "trials": options.trials,
            "seed": options.seed,
            "relabellings": options.relabellings,
        }
        if options.what == "error":
            search = PersonaSearch(options.literals, cuts=SEARCH.cuts, keep=1)
            wanted = kinds(options.participants, options.features)
            print(_error_markdown(error_table(bench, wanted, search, **shared)))
        else:
            print(_second_markdown(second_table(bench, **shared)))
    return 0


def _error_markdown(table: pd.DataFrame) -> str:
    header = ["design", "prognostic features", "overall effect", "trials"]
    header += ["fraction with adjusted p <= 0.05", "99 % interval around 0.05", "inside"]
    rows = [
        [
            row["design"], row["prognostic"], row["overall"], f"{row['trials']:,}",
            f"{row['claimed']:.4f}", f"{row['low']:.4f} to {row['high']:.4f}",
            "yes" if row["inside"] else "NO",
        ]
        for row in table.to_dict("records")
    ]  # fmt: skip
    return markdown(header, rows)


def _second_markdown(row: dict[str, Any]) -> str:
    header = ["design", "participants", "features", "effect (SD)", "trials", "a finding supported"]
    header += ["the planted one", "a second finding supported", "standard error"]
    shares = [f"{row[name]:.3f}" for name in ("first", "recovered", "second")]
    size = [row[name] for name in ("design", "participants", "features", "effect", "trials")]
    return markdown(header, [[*size, *shares, f"{error_of(row['second'], row['trials']):.3f}"]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
