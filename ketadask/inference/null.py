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
    numbers: Range,
    *,
    seed: int,
    method: str = "features",
    keep: int | None = None,
    found: Mapping[tuple[int, str], PartialResult] | None = None,
) -> pd.DataFrame:
    """Search the relabelled trials ``numbers``, both ends included.

    Relabelling number i is the same wherever and with whatever others it is made. ``keep`` is
    how many personas of each are stored, `KEEP` or fewer by default. Step-down p-values are
    exact as long as one of these is not among the better observed ones, and too large beyond.
    ``found`` are, by relabelling and polarity, searches made in parts already.

    Returns
    -------
    A table that keeps ``schema.NULLS``: a row per relabelling, polarity and rank; a single row of
    rank 1, no literals and Q of -inf where nothing was admissible.
    """
    keep = kept(search, keep)
    rows = []
    for index in range(numbers[0], numbers[1] + 1):
        if found is None:
            redrawn, asked = relabel_problem(problem, index, seed=seed, method=method)
        for polarity in search.polarities:
            rows.append(
                _frame(
                    index,
                    polarity,
                    search.solve(redrawn, polarity=polarity, **asked, keep=keep)
                    if found is None
                    else found[index, polarity].result,
                )
            )
    return NULLS.check(pd.concat(rows, ignore_index=True))


def kept(search: PersonaSearch, keep: int | None) -> int:
    """Return how many personas of a relabelled trial are stored."""
    return min(search.keep, KEEP) if keep is None else keep


def relabel_problem(
    problem: SearchProblem, index: int, *, seed: int, method: str
) -> tuple[SearchProblem, dict[str, Any]]:
    """Return what is searched in a relabelling: the problem, and arguments of its search."""
    from ketadask.cohort.relabel import relabel

    order, trial = relabel(problem.trial, seed=seed, index=index, method=method)
    redrawn = problem if trial is problem.trial else replace(problem, trial=trial)
    return redrawn, {"rows": order}


def _frame(index: int, polarity: str, found: Any) -> pd.DataFrame:
    ids, q, size = np.asarray(found.ids), np.asarray(found.q), np.asarray(found.n_literals)
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


def null_lists(
    nulls: pd.DataFrame, polarities: Sequence[str]
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return per polarity the stored personas as arrays: ids (B, J, 4), q (B, J).

    Relabellings come in the order of their numbers, whatever the order of the rows; lists shorter
    than J are padded with -1 and -inf. Every polarity must have every relabelling.
    """
    numbers = np.unique(nulls["relabelling"].to_numpy())
    if not len(numbers):
        raise InputError(
            "there are no relabelled trials", remedy="ask for at least 19 relabellings"
        )
    lists = []
    for polarity in polarities:
        mine = nulls[nulls["polarity"] == polarity]
        if not np.array_equal(np.unique(mine["relabelling"].to_numpy()), numbers):
            raise InputError(
                f"relabelled trials without a search of the {polarity} polarity",
                remedy="relabel with the same search that was judged",
            )
        row = np.searchsorted(numbers, mine["relabelling"].to_numpy())
        place = mine["rank"].to_numpy() - 1
        ids = np.full((len(numbers), place.max() + 1, len(IDS)), -1, dtype=np.int64)
        q = np.full(ids.shape[:2], -np.inf)
        ids[row, place] = mine[list(IDS)].to_numpy()
        q[row, place] = mine["q"].to_numpy()
        lists.append((polarity, ids, q))
    return lists


def null_maxima(nulls: pd.DataFrame) -> pd.DataFrame:
    """Return the largest Q per relabelling and polarity: what a report draws as the null."""
    best = nulls.groupby(["relabelling", "polarity"], as_index=False)["q"].max()
    return best.sort_values(["relabelling", "polarity"], ignore_index=True)
