"""Relabelled trials, each with its own full search: the null distribution of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.cohort.relabel import BOTH, PAIR
from ketadask.inference.second_stage import (
    CANDIDATES,
    STUDENTISED,
    StrongestPersonas,
    strongest,
)
from ketadask.kernels.maxt import may_reach
from ketadask.schema.errors import InputError
from ketadask.schema.tables import NULLS

if TYPE_CHECKING:
    from ketadask.cohort.designs import TrialArrays
    from ketadask.search.partial import PartialResult
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.store.ranges import Range

IDS = tuple(f"literal_{k}" for k in range(1, nm.MAX_LITERALS + 1))


def relabelling_methods(method: str) -> tuple[str, ...]:
    """Return the relabellings of a method: ``both`` stands for features and arms.

    Examples
    --------
    >>> relabelling_methods("both"), relabelling_methods("arms")
    (('features', 'arms'), ('arms',))
    """
    return PAIR if method == BOTH else (method,)


def null_block(
    problem: SearchProblem,
    search: PersonaSearch,
    block: Range,
    *,
    seed: int,
    method: str = "features",
    candidates: int = CANDIDATES,
    partial_results: Mapping[str, Mapping[tuple[int, str], PartialResult]] | None = None,
) -> pd.DataFrame:
    """Search the first to the last relabelled trial of ``block``, and rank its best personas by t.

    A relabelling depends on its index alone. ``candidates`` is the number of personas of each that
    are ranked by t (see `strongest`). ``partial_results``, by method and then by relabelling and
    polarity, are searches that ran in parts before.

    Keeps ``schema.NULLS``: a row per relabelling, method and rank; a single row of rank 1, no
    literals and statistics of -inf where no persona was admissible.
    """
    tables = []
    for index in range(block[0], block[1] + 1):
        for name in relabelling_methods(method):
            redrawn, order = relabel_problem(problem, index, seed=seed, method=name)
            results = None if partial_results is None else {
                polarity: partial_results[name][index, polarity].result
                for polarity in search.polarities
            }  # fmt: skip
            personas = strongest(
                redrawn, search, **order, candidates=candidates, result_by_polarity=results
            )
            tables.append(_frame(index, name, personas, search.polarities[0]))
    return NULLS.check(pd.concat(tables, ignore_index=True))


def relabel_problem(
    problem: SearchProblem, index: int, *, seed: int, method: str
) -> tuple[SearchProblem, dict[str, Any]]:
    """Return the problem of a relabelled trial, and ``rows``: whose literals each unit gets."""
    from ketadask.cohort.relabel import relabel

    order, trial = relabel(problem.trial, seed=seed, index=index, method=method)
    redrawn = problem if trial is problem.trial else replace(problem, trial=trial)
    return redrawn, {"rows": order}


def check_relabelling(trial: TrialArrays, method: str, *, where: str = "method") -> int:
    """Return the number of unexchangeable units, of the method with most; raise where all are."""
    from ketadask.cohort.relabel import check_exchange

    names = relabelling_methods(method)
    return max(check_exchange(trial, name, where=where) for name in names)


def _frame(index: int, method: str, personas: StrongestPersonas, polarity: str) -> pd.DataFrame:
    ids, q, t = personas.ids, personas.q, np.nan_to_num(personas.t, nan=-np.inf)
    polarities: Any = personas.polarity
    if not len(personas):
        ids, q, t = np.full((1, len(IDS)), -1), np.array([-np.inf]), np.array([-np.inf])
        polarities = polarity
    return pd.DataFrame(
        {
            "relabelling": np.full(len(q), index, dtype=np.int64),
            "method": method,
            "polarity": polarities,
            "rank": np.arange(1, len(q) + 1),
            "n_literals": (ids >= 0).sum(axis=1).astype(np.int8),
            **{name: ids[:, k].astype(np.int32) for k, name in enumerate(IDS)},
            "q": q,
            "t": t,
        }
    )


@dataclass(frozen=True, eq=False)
class NullLists:
    """The strongest personas of all relabelled trials of one method.

    Attributes
    ----------
    method
        What was exchanged.
    polarity, ids, value
        Position of the polarity (B, J), literal indices (B, J, 4) and statistic (B, J), largest
        first; -1 and -inf where fewer than J personas exist.
    """

    method: str
    polarity: np.ndarray
    ids: np.ndarray
    value: np.ndarray


def null_lists(
    nulls: pd.DataFrame, polarities: Sequence[str], statistic: str = STUDENTISED
) -> list[NullLists]:
    """Return the personas of relabelled trials as arrays, for each method.

    Relabellings are sorted, whatever the order of the rows. Every method must have every
    relabelling.
    """
    column = statistic_column(statistic)
    relabellings = np.unique(nulls["relabelling"].to_numpy())
    if not len(relabellings):
        raise InputError("no relabelled trials", remedy="use at least 19 relabellings")
    lists = []
    for method, mine in nulls.groupby("method", sort=False):
        if not np.array_equal(np.unique(mine["relabelling"].to_numpy()), relabellings):
            raise InputError(
                f"relabelled trials without the method {method}",
                remedy="compute all relabelled trials with the same settings",
            )
        table = mine.sort_values(
            ["relabelling", column, "rank"], ascending=[True, False, True], kind="stable"
        )
        row = np.searchsorted(relabellings, table["relabelling"].to_numpy())
        at = table.groupby("relabelling").cumcount().to_numpy()
        ids = np.full((len(relabellings), at.max() + 1, len(IDS)), -1, dtype=np.int64)
        value, code = np.full(ids.shape[:2], -np.inf), np.full(ids.shape[:2], -1)
        ids[row, at], value[row, at] = table[list(IDS)].to_numpy(), table[column].to_numpy()
        code[row, at] = [polarities.index(name) for name in table["polarity"]]
        lists.append(NullLists(str(method), code, ids, value))
    return lists


def statistic_column(statistic: str) -> str:
    """Return the column of a statistic: ``t`` of studentised, else ``q``."""
    return "t" if statistic == STUDENTISED else "q"


def null_maxima(nulls: pd.DataFrame) -> pd.DataFrame:
    """Return the largest Q and t per relabelling and method, over all polarities."""
    best: pd.DataFrame = nulls.groupby(["relabelling", "method"], as_index=False)[["q", "t"]].max()
    return best.sort_values(["relabelling", "method"], ignore_index=True)


def maxima_by_method(nulls: pd.DataFrame, statistic: str = STUDENTISED) -> np.ndarray:
    """Return (method, B) the largest statistic of each relabelled trial."""
    maxima = null_maxima(nulls).sort_values(["method", "relabelling"])[statistic_column(statistic)]
    return np.asarray(maxima.to_numpy(dtype=np.float64)).reshape(nulls["method"].nunique(), -1)


def critical_value(maxima: np.ndarray, alpha: float) -> float | None:
    """Return the statistic above which a single-step adjusted p is at most ``alpha``, or None.

    Parameters
    ----------
    maxima
        (method, B) largest statistic of each relabelled trial; the largest critical value of all
        methods counts.

    Examples
    --------
    >>> critical_value(np.arange(19.0)[None], 0.05), critical_value(np.arange(39.0)[None], 0.05)
    (18.0, 37.0)
    """
    rank = may_reach(alpha, maxima.shape[1])
    return None if rank < 0 else float(np.sort(maxima, axis=1)[:, ::-1][:, rank].max())
