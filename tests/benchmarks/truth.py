"""Power to detect a planted persona, and agreement of the detected with the planted one.

``python -m tests.benchmarks.truth`` plants a persona of three features and counts, over simulated
trials of several sizes, effects and prevalences, how often a search exceeds its critical value
(``detected``) and how often the best persona overlaps with the true one by half or more
(``recovered``, Jaccard index of the members). Designs are compared on the same participants.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial

import pandas as pd

from ketadask.inference.power import Scenario, build_scenarios, power_block, summarise_power
from ketadask.search.persona_search import PersonaSearch
from ketadask.store.ranges import Range
from tests.benchmarks.repeated import Bench, benchmark_parser, error_of, markdown, open_benchmark

_BLOCK = 10


def _numbered(
    numbers: Range, *, scenario: Scenario, search: PersonaSearch, seed: int
) -> pd.DataFrame:
    return power_block(scenario, search, numbers, seed=seed)


def truth_table(
    bench: Bench,
    options: Sequence[Scenario],
    search: PersonaSearch,
    *,
    simulations: int,
    seed: int = 7,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Return a row per scenario, as `ketadask.inference.power.power` has them; resumable."""
    rows = []
    for scenario in options:
        make = partial(_numbered, scenario=scenario, search=search, seed=seed)
        told = asdict(scenario), search.get_params(), seed
        studies = replace(bench, block=_BLOCK).rows("truth", make, simulations, *told)
        rows.append(summarise_power(scenario, [studies], alpha))
    return pd.DataFrame(rows)


def truth_markdown(table: pd.DataFrame) -> str:
    """Return detection and recovery, a column per effect, and the accuracy of the detected."""
    effects = sorted(table["effect"].unique())
    keys = ["participants", "prevalence", "design"]
    rows = []
    for (participants, prevalence, design), mine in table.groupby(keys, sort=True):
        of = mine.set_index("effect")
        cells = [f"{of['power'][e]:.0%} / {of['recovered'][e]:.0%}" for e in effects]
        last = of.loc[effects[-1]]
        quality = [f"{last['jaccard']:.2f}", f"{last['right']:.2f}", f"{last['saturation']:.2f}"]
        rows.append([participants, f"{prevalence:.0%}", design, *cells, *quality])
    header = ["participants", "prevalence", "design", *(f"d = {e}" for e in effects)]
    return markdown([*header, "Jaccard", "right features", "saturation"], rows)


def gain_markdown(table: pd.DataFrame) -> str:
    """Return the power of the pooled and the crossover analysis of the same participants."""
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
    """Simulate the trials and print Markdown tables."""
    parser = benchmark_parser("truth", __doc__)
    parser.add_argument("--participants", type=int, nargs="+", default=[63, 126, 252, 500])
    parser.add_argument("--effects", type=float, nargs="+", default=[0.8, 1.2, 2.1])
    parser.add_argument("--prevalences", type=float, nargs="+", default=[0.2, 0.35, 0.5])
    parser.add_argument("--designs", nargs="+", default=["crossover", "pooled"])
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--literals", type=int, default=3)
    parser.add_argument("--cuts", type=int, default=3)
    parser.add_argument("--simulations", type=int, default=100)
    options = parser.parse_args(list(words))
    wanted = build_scenarios(
        participants=options.participants,
        prevalence=options.prevalences,
        effect=options.effects,
        design=options.designs,
        features=options.features,
        literals=options.literals,
    )
    search = PersonaSearch(options.literals, cuts=options.cuts)
    with open_benchmark(options) as bench:
        table = truth_table(
            bench, wanted, search, simulations=options.simulations, seed=options.seed
        )
    print(truth_markdown(table))
    worst = error_of(0.5, options.simulations)
    print(f"\n{options.simulations} simulations each; standard error of a rate at most {worst:.1%}")
    if {"crossover", "pooled"} <= set(options.designs):
        print(f"\nDetected, mean over prevalences, pooled -> crossover:\n\n{gain_markdown(table)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
