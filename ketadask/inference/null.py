"""Relabelled trials, each with its own full search: the null distribution of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.schema.errors import InputError
from ketadask.schema.tables import NULLS

if TYPE_CHECKING:
    from ketadask.search.partial import PartialResult
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.store.ranges import Range

KEEP = 25
IDS = tuple(f"literal_{k}" for k in range(1, nm.MAX_LITERALS + 1))


def null_block(
    problem: SearchProblem,
    search: PersonaSearch,
    block: Range,
    *,
    seed: int,
    method: str = "features",
    keep: int | None = None,
    partial_results: Mapping[tuple[int, str], PartialResult] | None = None,
) -> pd.DataFrame:
    """Search the first to the last relabelled trial of ``block``.

    A relabelling depends on its index alone. ``keep`` is the number of personas of each to store,
    by default at most `KEEP`. Step-down p-values are exact as long as none of these is among the
    better observed ones, and too large beyond. ``partial_results``, by relabelling and polarity,
    are searches that ran in parts before.

    Keeps ``schema.NULLS``: a row per relabelling, polarity and rank; a single row of rank 1, no
    literals and Q of -inf where no persona was admissible.
    """
    keep = stored_personas(search, keep)
    tables = []
    for index in range(block[0], block[1] + 1):
        if partial_results is None:
            redrawn, order = relabel_problem(problem, index, seed=seed, method=method)
        for polarity in search.polarities:
            if partial_results is None:
                result = search.solve(redrawn, polarity=polarity, **order, keep=keep)
            else:
                result = partial_results[index, polarity].result
            tables.append(_frame(index, polarity, result))
    return NULLS.check(pd.concat(tables, ignore_index=True))


def stored_personas(search: PersonaSearch, keep: int | None) -> int:
    """Return the number of personas of a relabelled trial to store."""
    return min(search.keep, KEEP) if keep is None else keep


def relabel_problem(
    problem: SearchProblem, index: int, *, seed: int, method: str
) -> tuple[SearchProblem, dict[str, Any]]:
    """Return the problem of a relabelled trial, and ``rows``: whose literals each unit gets."""
    from ketadask.cohort.relabel import relabel

    order, trial = relabel(problem.trial, seed=seed, index=index, method=method)
    redrawn = problem if trial is problem.trial else replace(problem, trial=trial)
    return redrawn, {"rows": order}


def _frame(index: int, polarity: str, result: Any) -> pd.DataFrame:
    ids, q, size = np.asarray(result.ids), np.asarray(result.q), np.asarray(result.n_literals)
    if not len(q):
        ids, q, size = np.full((1, nm.MAX_LITERALS), -1), np.array([-np.inf]), np.zeros(1)
    return pd.DataFrame(
        {
            "relabelling": np.full(len(q), index, dtype=np.int64),
            "polarity": polarity,
            "rank": np.arange(1, len(q) + 1),
            "n_literals": size.astype(np.int8),
            **{name: ids[:, k].astype(np.int32) for k, name in enumerate(IDS)},
            "q": q,
        }
    )


def null_arrays(
    nulls: pd.DataFrame, polarities: Sequence[str]
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return per polarity the stored personas as arrays: ids (B, J, 4), q (B, J).

    Relabellings are sorted, whatever the order of the rows; lists shorter than J are padded with
    -1 and -inf. Every polarity must have every relabelling.
    """
    relabellings = np.unique(nulls["relabelling"].to_numpy())
    if not len(relabellings):
        raise InputError("no relabelled trials", remedy="use at least 19 relabellings")
    arrays = []
    for polarity in polarities:
        mine = nulls[nulls["polarity"] == polarity]
        if not np.array_equal(np.unique(mine["relabelling"].to_numpy()), relabellings):
            raise InputError(
                f"relabelled trials without a search of the {polarity} polarity",
                remedy="relabel with the same search that is judged",
            )
        row = np.searchsorted(relabellings, mine["relabelling"].to_numpy())
        column = mine["rank"].to_numpy() - 1
        ids = np.full((len(relabellings), column.max() + 1, len(IDS)), -1, dtype=np.int64)
        q = np.full(ids.shape[:2], -np.inf)
        ids[row, column] = mine[list(IDS)].to_numpy()
        q[row, column] = mine["q"].to_numpy()
        arrays.append((polarity, ids, q))
    return arrays


def null_maxima(nulls: pd.DataFrame) -> pd.DataFrame:
    """Return the largest Q per relabelling and polarity."""
    best: pd.DataFrame = nulls.groupby(["relabelling", "polarity"], as_index=False)[["q"]].max()
    return best.sort_values(["relabelling", "polarity"], ignore_index=True)
