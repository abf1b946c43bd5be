"""The graph of simulated studies: one task per range of studies of a list of scenarios.

A task simulates its studies by index, searches each and writes a row per study; the power of a
scenario is summarised from these rows alone. Two-stage trials of a persona are one task per range
of trial sizes, for which there is no formula.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from dask.base import tokenize
from dask.delayed import Delayed, delayed

from ketadask.inference.next_trial import two_stage_row
from ketadask.inference.power import Scenario, power_block, power_studies, summarise_power
from ketadask.pipeline.stage import Stage
from ketadask.store.parts import Parts, Receipt
from ketadask.store.ranges import Range, blocks, range_name

if TYPE_CHECKING:
    from ketadask.inference.trial_assumptions import PersonaEffect, TrialAssumptions
    from ketadask.search.persona_search import PersonaSearch

BLOCK = 25


def power_rows(
    scenarios: Sequence[Scenario],
    search: PersonaSearch,
    *,
    simulations: int,
    alpha: float,
    **options: Any,
) -> list[Delayed]:
    """Return the row of each scenario, a task per block of its studies.

    Options are those of `power_block`.
    """
    ranges = blocks([(0, simulations - 1)], BLOCK)
    return [
        delayed(summarise_power)(
            scenario,
            [delayed(power_block)(scenario, search, block, **options) for block in ranges],
            alpha,
        )
        for scenario in scenarios
    ]


def power_stage(
    scenarios: Sequence[Scenario],
    search: PersonaSearch,
    parts: Parts,
    *,
    simulations: int,
    **options: Any,
) -> Stage:
    """Return the stage of simulated studies, those of the first scenario first.

    Item i is study ``i % simulations`` of scenario ``i // simulations``; options of `power_block`.
    """
    token = tokenize(scenarios, search, simulations, options, parts)[:12]

    def build_graph(ranges: Sequence[Range]) -> list[Delayed]:
        return [
            delayed(_write)(
                parts, tuple(scenarios), search, block, simulations=simulations, **options,
                dask_key_name=f"power-{range_name(*block)}-{token}",
            )
            for block in ranges
        ]  # fmt: skip

    n_items = len(scenarios) * simulations
    return Stage("power", "simulated studies", n_items, build_graph, parts)


def _write(
    parts: Parts, scenarios: Sequence[Scenario], search: PersonaSearch, block: Range, **address: Any
) -> Receipt:
    studies = power_studies(scenarios, search, block, **address)
    return parts.write(range_name(*block), {"studies": studies})


def two_stage_stage(
    sizes: Sequence[int],
    effect: PersonaEffect,
    trial: TrialAssumptions,
    parts: Parts,
    *,
    simulations: int,
    seed: int,
) -> Stage:
    """Return the stage of simulated two-stage trials; item i is the size ``sizes[i]``."""
    token = tokenize(sizes, effect, trial, simulations, seed, parts)[:12]

    def build_graph(ranges: Sequence[Range]) -> list[Delayed]:
        return [
            delayed(_write_sizes)(
                parts, block, tuple(sizes), effect, trial, simulations=simulations, seed=seed,
                dask_key_name=f"two-stage-{range_name(*block)}-{token}",
            )
            for block in ranges
        ]  # fmt: skip

    return Stage("two-stage", "sizes of the trial", len(sizes), build_graph, parts)


def _write_sizes(
    parts: Parts, block: Range, sizes: Sequence[int], effect: PersonaEffect,
    trial: TrialAssumptions, **address: Any,
) -> Receipt:  # fmt: skip
    rows = [two_stage_row(n, effect, trial, **address) for n in sizes[block[0] : block[1] + 1]]
    return parts.write(range_name(*block), {"trials": pd.DataFrame(rows)})
