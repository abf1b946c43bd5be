"""Tasks to be measured: repeated simulations and partial searches.

Strategy: repeated simulations are independent and address their own randomness, so a task is a
range of them, nothing is shared, and only the receipt travels back. A single search is the
same tree of partial searches as in a study.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dask.base import tokenize
from dask.delayed import Delayed, delayed

from ketadask.search.graph import split_search
from ketadask.search.partial import solve_piece
from ketadask.store.parts import Parts, Receipt
from ketadask.store.ranges import Range, range_name

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem


def repetition_blocks(
    simulate: Callable[[Range], pd.DataFrame], ranges: Sequence[Range], *, parts: Parts
) -> list[Delayed]:
    """One task per range of repetitions; each writes the table ``rows``."""
    token = tokenize(parts.key, parts.folder)[:12]
    return [
        delayed(_write)(
            parts, block, simulate, dask_key_name=f"repeat-{range_name(*block)}-{token}"
        )
        for block in ranges
    ]


def partial_search_tree(
    problem: SearchProblem, search: PersonaSearch, pieces: int, turn: str
) -> Delayed:
    """One search of all units, in one task or in a tree of pieces: gives a `PartialResult`."""
    problem_node = delayed(problem, traverse=False, name=f"problem-{tokenize(problem)}")
    name, polarity = f"{turn}-{pieces}", search.polarities[0]
    if pieces == 1:
        task: Delayed = delayed(solve_piece)(
            problem_node, search, all_units, [], polarity=polarity, dask_key_name=f"whole-{name}"
        )
        return task
    return split_search(problem_node, search, all_units, pieces, name=name, polarity=polarity)


def all_units(problem: SearchProblem) -> tuple[SearchProblem, dict[str, Any]]:
    """Return the problem as it is, all units searched."""
    return problem, {}


def _write(parts: Parts, block: Range, simulate: Callable[[Range], pd.DataFrame]) -> Receipt:
    return parts.write(range_name(*block), {"rows": simulate(block)})
