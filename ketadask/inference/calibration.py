"""The whole resampling study on relabelled trials: what recurrence and votes are under noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.inference.explained import Votes, auc, count_votes, risk_coverage
from ketadask.inference.null import IDS
from ketadask.inference.stability import passes

if TYPE_CHECKING:
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.search.thresholds import GateThresholds
    from ketadask.store.ranges import Range

COVERAGES = np.arange(1, 21) / 20
"""Shares of units at which curves of relabelled trials are compared."""


def relabelled_problem(
    problem: SearchProblem, *, seed: int, index: int, method: str
) -> SearchProblem:
    """Return the problem of relabelled trial number ``index``."""
    from ketadask.cohort.relabel import relabel

    rows, trial = relabel(problem.trial, seed=seed, index=index, method=method)
    return replace(problem, literals=problem.literals.rearranged(rows), trial=trial)


def calibration_block(
    problem: SearchProblem,
    search: PersonaSearch,
    splitter: Any,
    numbers: Range,
    *,
    n_splits: int,
    gates: GateThresholds,
    use: str,
    seed: int,
    method: str = "features",
) -> dict[str, pd.DataFrame]:
    """Repeat the first ``n_splits`` splits of a study on the relabelled trials ``numbers``.

    Returns
    -------
    ``votes``: per relabelling and unit its score, and the votes on it; ``recurrence``: per
    relabelling and polarity the highest recurrence and confirmed rate any persona reached.
    """
    from ketadask.search.block import search_block

    votes, recurrence = [], []
    for index in range(numbers[0], numbers[1] + 1):
        redrawn = relabelled_problem(problem, seed=seed, index=index, method=method)
        tables, _ = search_block(redrawn, search, splitter, 0, n_splits - 1, gates=gates)
        hits = tables["hits"]
        passed = passes(hits, nm.TRAIN, use)
        counted = count_votes(redrawn, splitter, hits, passed, (0, n_splits - 1))
        votes.append(_votes_frame(counted, redrawn.trial.score).assign(relabelling=index))
        rates = recurrent(hits, use, n_splits)
        for polarity in search.polarities:
            mine = rates[rates["polarity"] == polarity]
            recurrence.append(
                {
                    "relabelling": index,
                    "polarity": polarity,
                    "recurrence": mine["recurrence"].max() if len(mine) else 0.0,
                    "confirmed": mine["confirmed"].max() if len(mine) else 0.0,
                }
            )
    return {
        "votes": pd.concat(votes, ignore_index=True),
        "recurrence": pd.DataFrame(recurrence),
    }


def recurrent(hits: pd.DataFrame, use: str, n_splits: int) -> pd.DataFrame:
    """Return how often each persona was a hit, and a confirmed one, over ``n_splits`` splits.

    Personas count under their own literals: one that another of equal train cover stood for in
    some split is not credited there. Sorted by recurrence, then polarity and literals.
    """
    mine = hits[(hits["split"] < n_splits) & passes(hits, nm.TRAIN, use)]
    mine = mine.assign(confirmed=passes(mine, nm.HOLDOUT, use))
    keys = ["polarity", *IDS]
    counted = mine.groupby(keys, as_index=False).agg(
        recurrence=("confirmed", "size"), confirmed=("confirmed", "sum")
    )
    counted[["recurrence", "confirmed"]] /= n_splits
    order = ["recurrence", *keys]
    ascending = [False, *[True] * len(keys)]
    return counted.sort_values(order, ascending=ascending, ignore_index=True)


def calibrated_p(rates: pd.DataFrame, null: pd.DataFrame, of: str = "recurrence") -> np.ndarray:
    """Return p of each persona's recurrence among the relabelled studies, (b + 1) / (B + 1).

    b counts the relabelled studies in which some persona, of either polarity, recurred at least
    as often. ``rates`` (of `recurrent`) and ``null`` must rest on the same splits; ``of`` names
    the rate: ``recurrence`` or ``confirmed``.

    Examples
    --------
    >>> null = pd.DataFrame({"relabelling": [0, 1, 2], "recurrence": [0.3, 0.5, 0.2]})
    >>> calibrated_p(pd.DataFrame({"recurrence": [0.6, 0.4]}), null)
    array([0.25, 0.5 ])
    """
    highest = null.groupby("relabelling")[of].max().to_numpy()
    reached = highest[:, None] >= rates[of].to_numpy() - 1e-12
    return (reached.sum(axis=0) + 1) / (len(highest) + 1)


def explained_against_null(
    votes: Votes, score: np.ndarray, null: pd.DataFrame, *, tau: float = 0.5
) -> dict[str, Any]:
    """Hold the votes of a study against those of relabelled studies over the same splits.

    Returns
    -------
    ``curve``: per coverage the observed accuracy and mean, 5 % and 95 % points of the relabelled
    ones; at ``tau``: ``coverage``, ``accuracy``, ``accuracy_null`` (mean) and ``accuracy_p``;
    ``auc`` of all votes for benefit, ``auc_null`` and ``auc_p``. p is (b + 1) / (B + 1); a study
    that explains nobody, relabelled or not, has accuracy 0.5.
    """
    redrawn = [_votes_of(each) for _, each in null.groupby("relabelling", sort=True)]
    mine = _numbers(votes, score, tau)
    theirs = [_numbers(each, s, tau) for each, s in redrawn]
    curve = pd.DataFrame({"coverage": COVERAGES, "accuracy": _on_grid(votes, score)})
    grid = np.array([_on_grid(each, s) for each, s in redrawn])
    for name, values in _spread(grid).items():
        curve[name] = values
    made: dict[str, Any] = {"tau": tau, "relabelled": len(redrawn), **mine, "curve": curve}
    for name in ("accuracy", "auc"):
        values = np.array([each[name] for each in theirs])
        made[f"{name}_null"] = float(values.mean())
        made[f"{name}_p"] = (int((values >= mine[name] - 1e-12).sum()) + 1) / (len(values) + 1)
    return made


def _numbers(votes: Votes, score: np.ndarray, tau: float) -> Mapping[str, float]:
    share, seen, above = votes.share, votes.n_held_out > 0, score > score.mean()
    told = seen & (np.abs(share) >= tau)
    right = ((share > 0) == above)[told]
    area = auc(share[seen], above[seen])
    return {
        "explained": int(told.sum()),
        "coverage": float(told.sum() / max(seen.sum(), 1)),
        "accuracy": float(right.mean()) if len(right) else 0.5,
        "auc": 0.5 if np.isnan(area) else area,
    }


def _on_grid(votes: Votes, score: np.ndarray) -> np.ndarray:
    """Accuracy at the strictest threshold that covers each share; NaN where none does."""
    curve = risk_coverage(votes, score)
    place = np.searchsorted(curve["coverage"].to_numpy(), COVERAGES - 1e-12)
    return np.append(curve["accuracy"].to_numpy(), np.nan)[place]


def _spread(grid: np.ndarray) -> dict[str, np.ndarray]:
    """Mean and 5 and 95 % points per column, over the rows that reach it."""
    made = np.full((3, grid.shape[1]), np.nan)
    for k, column in enumerate(grid.T):
        values = column[np.isfinite(column)]
        if len(values):
            made[:, k] = values.mean(), *np.quantile(values, [0.05, 0.95])
    return dict(zip(("null_mean", "null_low", "null_high"), made, strict=True))


def _votes_frame(votes: Votes, score: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "unit": np.arange(len(score)),
            "score": score,
            "n_held_out": votes.n_held_out,
            "favourable": votes.favourable,
            "unfavourable": votes.unfavourable,
        }
    )


def _votes_of(table: pd.DataFrame) -> tuple[Votes, np.ndarray]:
    table = table.sort_values("unit")
    counts = (table[n].to_numpy() for n in ("n_held_out", "favourable", "unfavourable"))
    return Votes(*counts), table["score"].to_numpy()
