"""How often a true persona is detected, and is what is found the true one?

``ketadask bench truth`` plants a persona of three features and counts, over simulated trials of
several sizes, effects and coverages, how often a search is above its critical value (``detected``)
and how often the persona it names overlaps with the true one by half or more (``recovered``,
Jaccard index of the members). Designs are compared on the same participants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial

import pandas as pd

from ketadask.inference.power import Scenario, power_block, scenarios, summarise_power
from ketadask.search.persona_search import PersonaSearch
from ketadask.store.ranges import Range
from tests.benchmarks.repeated import Bench, error_of, markdown, opened, options

_BLOCK = 10


def _numbered(
    numbers: Range, *, scenario: Scenario, search: PersonaSearch, seed: int
) -> pd.DataFrame:
    return power_block(scenario, search, numbers, seed=seed)


def truth_table(
    bench: Bench,
    asked: Sequence[Scenario],
    search: PersonaSearch,
    *,
    simulations: int,
    seed: int = 7,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Return a row per scenario, as `ketadask.inference.power.power` has them; resumable."""
    rows = []
    for scenario in asked:
        make = partial(_numbered, scenario=scenario, search=search, seed=seed)
        told = asdict(scenario), search.get_params(), seed
        studies = replace(bench, block=_BLOCK).rows("truth", make, simulations, *told)
        rows.append(summarise_power(scenario, [studies], alpha))
    return pd.DataFrame(rows)


def truth_markdown(table: pd.DataFrame) -> str:
    """Return detection and recovery, a column per effect, and what is right in what is found."""
    effects = sorted(table["effect"].unique())
    keys = ["participants", "coverage", "design"]
    rows = []
    for (participants, coverage, design), mine in table.groupby(keys, sort=True):
        of = mine.set_index("effect")
        cells = [f"{of['power'][e]:.0%} / {of['recovered'][e]:.0%}" for e in effects]
        last = of.loc[effects[-1]]
        quality = [f"{last['jaccard']:.2f}", f"{last['right']:.2f}", f"{last['saturation']:.2f}"]
        rows.append([participants, f"{coverage:.0%}", design, *cells, *quality])
    header = ["participants", "coverage", "design", *(f"d = {e}" for e in effects)]
    return markdown([*header, "Jaccard", "right features", "saturation"], rows)


def gain_markdown(table: pd.DataFrame) -> str:
    """Return what the crossover analysis gains over the pooled one on the same participants."""
    mean = table.groupby(["participants", "effect", "design"])["power"].mean().unstack()
    effects = sorted(table["effect"].unique())
    rows = []
    for participants in sorted(table["participants"].unique()):
        cells = []
        for effect in effects:
            pooled, paired = (mean.loc[(participants, effect), d] for d in ("pooled", "crossover"))
            cells.append(f"{pooled:.0%} -> {paired:.0%}")
        rows.append([participants, *cells])
    return markdown(["participants", *(f"d = {e}" for e in effects)], rows)


def main(words: Sequence[str]) -> int:
    """Simulate what is asked for and print Markdown tables."""
    parser = options("truth", __doc__)
    parser.add_argument("--participants", type=int, nargs="+", default=[63, 126, 252, 500])
    parser.add_argument("--effects", type=float, nargs="+", default=[0.8, 1.2, 2.1])
    parser.add_argument("--coverages", type=float, nargs="+", default=[0.2, 0.35, 0.5])
    parser.add_argument("--designs", nargs="+", default=["crossover", "pooled"])
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--literals", type=int, default=3)
    parser.add_argument("--cuts", type=int, default=3)
    parser.add_argument("--simulations", type=int, default=100)
    asked = parser.parse_args(list(words))
    wanted = scenarios(
        participants=asked.participants,
        coverage=asked.coverages,
        effect=asked.effects,
        design=asked.designs,
        features=asked.features,
        literals=asked.literals,
    )
    search = PersonaSearch(asked.literals, cuts=asked.cuts)
    with opened(asked) as bench:
        table = truth_table(bench, wanted, search, simulations=asked.simulations, seed=asked.seed)
    print(truth_markdown(table))
    worst = error_of(0.5, asked.simulations)
    print(f"\n{asked.simulations} simulations each; standard error of a share at most {worst:.1%}")
    if {"crossover", "pooled"} <= set(asked.designs):
        print(f"\nDetected, mean over coverages, pooled -> crossover:\n\n{gain_markdown(table)}")
    return 0
