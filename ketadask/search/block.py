"""One block of splits: a full search of every training set, gates on both sides for every hit."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.kernels.gates import gates as compare
from ketadask.schema.tables import HITS, SEARCHES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from ketadask.kernels.result import SearchResult
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.search.thresholds import GateThresholds

_Columns = dict[str, Any]
_Sides = dict[str, np.ndarray]


def search_block(
    problem: SearchProblem,
    search: PersonaSearch,
    splitter: Any,
    first: int,
    last: int,
    *,
    gates: GateThresholds,
    result: Mapping[tuple[int, str], SearchResult] | None = None,
) -> tuple[dict[str, pd.DataFrame], dict[str, float]]:
    """Search the splits ``first`` .. ``last``, both included.

    Parameters
    ----------
    result
        Results of searches that were split over tasks, by split and polarity.

    Returns
    -------
    Tables ``hits`` (a row per split, polarity and rank) and ``searches`` (a row per split and
    polarity), and the cost of the searches: ``search_seconds``, ``nodes`` expanded and conjunctions
    ``screened``, which depend on the number of pieces.
    """
    trial = problem.trial
    hits: list[_Columns] = []
    searches: list[_Columns] = []
    cost = {"search_seconds": 0.0, "nodes": 0.0, "screened": 0.0}
    for split in range(first, last + 1):
        train = splitter.train_mask(split, trial)
        sides = {nm.TRAIN: np.isfinite(trial.scores(train)), nm.HOLDOUT: ~train}
        for polarity in search.polarities:
            if result is None:
                start = time.perf_counter()
                best = _solve(problem, search, split, polarity, train)
                cost["search_seconds"] += time.perf_counter() - start
            else:
                best = result[split, polarity]
            cost["nodes"] += best.nodes
            cost["screened"] += best.screened
            searches.append(_summary(split, polarity, sides, best, search.keep))
            hits.append(_hits(problem, split, polarity, sides, best, gates))
    return {
        "hits": HITS.check(_frame(hits)),
        "searches": SEARCHES.check(_frame(searches)),
    }, cost


def _solve(
    problem: SearchProblem, search: PersonaSearch, split: int, polarity: str, train: np.ndarray
) -> SearchResult:
    try:
        return search.solve(problem, polarity=polarity, train=train)
    except ValueError as error:
        error.add_note(f"in the {polarity} search of split {split}")
        raise


def train_side(
    problem: SearchProblem, index: int, *, splitter: Any
) -> tuple[SearchProblem, _Columns]:
    """Return the problem of a split and its arguments of `PersonaSearch.solve`."""
    trial = problem.trial
    train = splitter.train_mask(index, trial)
    return problem, {"train": train}


def _frame(blocks: list[_Columns]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {name: np.concatenate([np.atleast_1d(b[name]) for b in blocks]) for name in blocks[0]}
    )


def _summary(split: int, polarity: str, sides: _Sides, result: SearchResult, keep: int) -> _Columns:
    return {
        "split": split,
        "polarity": polarity,
        **{f"n_{side}": int(units.sum()) for side, units in sides.items()},
        "q_best": result.q[0] if result.q.size else -np.inf,
        "q_last": result.q[-1] if result.q.size == keep else -np.inf,
        "saturation": result.saturation,
        "proven": result.proven,
        "gap": result.gap,
    }


def _hits(
    problem: SearchProblem,
    split: int,
    polarity: str,
    sides: _Sides,
    result: SearchResult,
    gates: GateThresholds,
) -> _Columns:
    count = len(result.q)
    inside = problem.literals.conjunction(result.ids)
    columns: _Columns = {
        "split": np.full(count, split),
        "polarity": np.full(count, polarity),
        "rank": np.arange(1, count + 1),
        "n_literals": result.n_literals,
        **{f"literal_{k + 1}": result.ids[:, k] for k in range(nm.MAX_LITERALS)},
        "q": result.q,
        "support_train": result.support,
        "support_holdout": inside[:, sides[nm.HOLDOUT]].sum(axis=1),
    }
    sign = -1.0 if polarity == nm.UNFAVOURABLE else 1.0
    trial = problem.trial
    for side, units in sides.items():
        statistics = compare(
            inside[:, units], trial.outcome[units], trial.cluster[units], trial.has_pairs
        )
        columns |= {
            f"n_active_{side}": statistics["n_active"],
            f"n_control_{side}": statistics["n_control"],
            f"p_{side}": statistics["p"],
            f"d_{side}": statistics["d"],
            f"interaction_p_{side}": statistics["interaction_p"],
            **{f"{gate}_{side}": mask for gate, mask in gates.passes(statistics, sign).items()},
        }
    return columns
