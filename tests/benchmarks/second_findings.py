"""Fraction of trials with exactly one persona in which a second finding is supported."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from ketadask import names as nm
from ketadask.inference.null import null_block
from ketadask.inference.power import RECOVERY_JACCARD, Scenario, simulate_problem
from ketadask.inference.verdicts import build_verdicts
from ketadask.search.persona_search import PersonaSearch
from tests.benchmarks.error_rates import ALPHA
from tests.benchmarks.repeated import Bench, binomial_interval, error_of, markdown

if TYPE_CHECKING:
    from ketadask.store.ranges import Range

PLANTED = Scenario(participants=80, features=12, effect=2.0, literals=2)
PLANTED_SEARCH = PersonaSearch(2, cuts=3, keep=30)


def findings_block(
    block: Range, *, scenario: Scenario, search: PersonaSearch, seed: int, relabellings: int
) -> pd.DataFrame:
    """Return a row per planted trial: supported findings, and the overlap of the first one."""
    rows = []
    for index in range(block[0], block[1] + 1):
        problem, inside = simulate_problem(scenario, search, seed=seed, index=index)
        results = {p: search.solve(problem, polarity=p) for p in search.polarities}
        nulls = null_block(
            problem, search, (0, relabellings - 1), seed=index, candidates=search.keep
        )
        verdicts = build_verdicts(problem, search, results, nulls)
        supported = verdicts[verdicts["verdict"] == nm.SUPPORTED]
        overlap = 0.0
        if len(supported):
            ids = supported[[f"literal_{k}" for k in range(1, nm.MAX_LITERALS + 1)]].to_numpy()[:1]
            cover = problem.literals.conjunction(ids)[0]
            if supported["polarity"].iloc[0] == nm.UNFAVOURABLE:
                cover = ~cover
            overlap = (cover & inside).sum() / (cover | inside).sum()
        rows.append({"index": index, "supported": len(supported), "jaccard": overlap})
    return pd.DataFrame(rows)


def findings_summary(
    bench: Bench,
    scenario: Scenario = PLANTED,
    search: PersonaSearch = PLANTED_SEARCH,
    *,
    trials: int = 300,
    seed: int = 7,
    relabellings: int = 99,
) -> dict[str, Any]:
    """Return rates of trials with one planted persona: with a finding, with a second one.

    ``second`` is the fraction with two or more ``supported`` findings of all trials, with its 99 %
    binomial interval around 0.05; ``recovered`` that in which the first is the planted one.
    """
    settings = {"search": search, "seed": seed, "relabellings": relabellings}
    simulate = partial(findings_block, scenario=scenario, **settings)
    key = settings | {"search": search.get_params()}
    table = bench.rows("beyond", simulate, trials, asdict(scenario), key)
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


def findings_markdown(table: pd.DataFrame) -> str:
    """Return the rates as Markdown, a row per summary."""
    header = ["design", "participants", "features", "effect (SD)", "trials", "a finding supported"]
    header += ["the planted one", "a second finding supported", "standard error"]
    rows = []
    for row in table.to_dict("records"):
        size = [row[name] for name in ("design", "participants", "features", "effect", "trials")]
        rates = [f"{row[name]:.3f}" for name in ("first", "recovered", "second")]
        rows.append([*size, *rates, f"{error_of(row['second'], row['trials']):.3f}"])
    return markdown(header, rows)
