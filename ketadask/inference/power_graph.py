"""The graph of simulated studies: one task per range of studies of a list of scenarios.

A task simulates its studies by number, judges each, and writes one row per study as a part, or
returns its rows where they are few; scenarios are summed up from the rows alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dask.base import compute, tokenize
from dask.delayed import Delayed, delayed

from ketadask.inference.power import Scenario, power_block, power_studies, summarise_power
from ketadask.store.parts import Parts, Receipt
from ketadask.store.ranges import Range, blocks, range_name

if TYPE_CHECKING:
    from ketadask.search.persona_search import PersonaSearch

BLOCK = 25


def power_rows(
    asked: Sequence[Scenario], search: PersonaSearch, *, simulations: int, seed: int, alpha: float
) -> list[dict[str, Any]]:
    """The rows of `power`, a block of simulated studies per task, on dask's current scheduler."""
    ranges = blocks([(0, simulations - 1)], BLOCK)
    return compute(
        [
            delayed(summarise_power)(
                each, [delayed(power_block)(each, search, one, seed=seed) for one in ranges], alpha
            )
            for each in asked
        ]
    )[0]


def power_blocks(
    asked: Sequence[Scenario],
    search: PersonaSearch,
    ranges: Sequence[Range],
    parts: Parts,
    *,
    simulations: int,
    seed: int,
) -> list[Delayed]:
    """One task per range of simulated studies, those of the first scenario first.

    Number i is study ``i % simulations`` of scenario ``i // simulations``.
    """
    token = tokenize(asked, search, simulations, seed, parts)[:12]
    return [
        delayed(_write)(
            parts, tuple(asked), search, numbers, simulations=simulations, seed=seed,
            dask_key_name=f"power-{range_name(*numbers)}-{token}",
        )
        for numbers in ranges
    ]  # fmt: skip


def _write(
    parts: Parts, asked: Sequence[Scenario], search: PersonaSearch, numbers: Range, **address: int
) -> Receipt:
    return parts.write(
        range_name(*numbers), {"studies": power_studies(asked, search, numbers, **address)}
    )
