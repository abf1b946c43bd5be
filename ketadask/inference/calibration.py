"""The resampling study repeated on relabelled trials: recurrence and votes under the null."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.inference.explained import Votes, count_votes, risk_coverage
from ketadask.inference.null import IDS, relabel_problem
from ketadask.inference.stability import passes_gate
from ketadask.kernels.roc import auc

if TYPE_CHECKING:
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.search.thresholds import GateThresholds
    from ketadask.store.ranges import Range

COVERAGES = np.arange(1, 21) / 20
"""Fractions of units at which curves of relabelled trials are compared."""


def calibration_block(
    problem: SearchProblem,
    search: PersonaSearch,
    splitter: Any,
    block: Range,
    *,
    n_splits: int,
    gates: GateThresholds,
    gate: str,
    seed: int,
    method: str = "features",
) -> dict[str, pd.DataFrame]:
    """Repeat the first ``n_splits`` splits of a study on each relabelled trial of ``block``.

    Returns
    -------
    ``votes``: per relabelling and unit its score and votes; ``recurrence``: per relabelling and
    polarity the highest recurrence and confirmed rate of any persona.
    """
    from ketadask.search.block import search_block

    splits = (0, n_splits - 1)
    votes, recurrence = [], []
    for index in range(block[0], block[1] + 1):
        redrawn, order = relabel_problem(problem, index, seed=seed, method=method)
        redrawn = replace(redrawn, literals=redrawn.literals.reorder(order["rows"]))
        tables, _ = search_block(redrawn, search, splitter, *splits, gates=gates)
        hits = tables["hits"]
        counts = count_votes(redrawn, splitter, hits, passes_gate(hits, nm.TRAIN, gate), splits)
        votes.append(_votes_frame(counts, redrawn.trial.score).assign(relabelling=index))
        rates = recurrence_rates(hits, gate, n_splits)
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


def recurrence_rates(hits: pd.DataFrame, gate: str, n_splits: int) -> pd.DataFrame:
    """Return the rates at which each persona is a hit, and confirmed, over ``n_splits`` splits.

    Personas count under their own literals: a split in which another persona of equal training
    cover represents one does not count for it. Sorted by recurrence, then polarity and literals.
    """
    mine = hits[(hits["split"] < n_splits) & passes_gate(hits, nm.TRAIN, gate)]
    mine = mine.assign(confirmed=passes_gate(mine, nm.HOLDOUT, gate))
    keys = ["polarity", *IDS]
    rates = mine.groupby(keys, as_index=False).agg(
        recurrence=("confirmed", "size"), confirmed=("confirmed", "sum")
    )
    rates[["recurrence", "confirmed"]] /= n_splits
    ascending = [False, *[True] * len(keys)]
    return rates.sort_values(["recurrence", *keys], ascending=ascending, ignore_index=True)


def calibrated_p(rates: pd.DataFrame, null: pd.DataFrame, of: str = "recurrence") -> np.ndarray:
    """Return p of each persona's recurrence among the relabelled studies, (b + 1) / (B + 1).

    b counts the relabelled studies in which some persona, of either polarity, recurs at least
    as often. ``rates`` (of `recurrence_rates`) and ``null`` must come from the same splits; ``of``
    names the rate: ``recurrence`` or ``confirmed``.

    Examples
    --------
    >>> null = pd.DataFrame({"relabelling": [0, 1, 2], "recurrence": [0.3, 0.5, 0.2]})
    >>> calibrated_p(pd.DataFrame({"recurrence": [0.6, 0.4]}), null)
    array([0.25, 0.5 ])
    """
    highest = null.groupby("relabelling")[of].max().to_numpy()
    exceeds = highest[:, None] >= rates[of].to_numpy() - 1e-12
    return np.asarray((exceeds.sum(axis=0) + 1) / (len(highest) + 1))


def can_be_significant(n_studies: int, alpha: float) -> bool:
    """Return whether so many relabelled studies can give a p below ``alpha``.

    Examples
    --------
    >>> can_be_significant(19, 0.05), can_be_significant(39, 0.05)
    (False, True)
    """
    return 1 / (n_studies + 1) < alpha


def compare_votes(
    votes: Votes, score: np.ndarray, null: pd.DataFrame, *, tau: float = 0.5
) -> dict[str, Any]:
    """Compare the votes of a study with those of relabelled studies over the same splits.

    Returns
    -------
    ``curve``: per coverage the observed accuracy and mean, 5 % and 95 % points of the relabelled
    ones; at ``tau``: ``coverage``, ``accuracy``, ``accuracy_null`` (mean) and ``accuracy_p``;
    ``auc`` of all votes for benefit, ``auc_null`` and ``auc_p``. p is (b + 1) / (B + 1); a study
    without explained units, relabelled or not, has accuracy 0.5.
    """
    relabellings = [_votes_of(table) for _, table in null.groupby("relabelling", sort=True)]
    measures = _measures(votes, score, tau)
    null_measures = [_measures(*relabelling, tau) for relabelling in relabellings]
    grid = np.array([_on_grid(*relabelling) for relabelling in relabellings])
    curve = pd.DataFrame({"coverage": COVERAGES, "accuracy": _on_grid(votes, score)})
    for name, values in _spread(grid).items():
        curve[name] = values
    summary = {"tau": tau, "relabelled": len(relabellings), **measures, "curve": curve}
    for name in ("accuracy", "auc"):
        values = np.array([row[name] for row in null_measures])
        summary[f"{name}_null"] = float(values.mean())
        exceedances = int((values >= measures[name] - 1e-12).sum())
        summary[f"{name}_p"] = (exceedances + 1) / (len(values) + 1)
    return summary


def _measures(votes: Votes, score: np.ndarray, tau: float) -> dict[str, float]:
    vote, held_out_mask, above = votes.mean_vote, votes.n_held_out > 0, score > score.mean()
    explained_mask = held_out_mask & (np.abs(vote) >= tau)
    correct = ((vote > 0) == above)[explained_mask]
    area = auc(vote[held_out_mask], above[held_out_mask])
    return {
        "explained": int(explained_mask.sum()),
        "coverage": float(explained_mask.sum() / max(held_out_mask.sum(), 1)),
        "accuracy": float(correct.mean()) if len(correct) else 0.5,
        "auc": 0.5 if np.isnan(area) else area,
    }


def _on_grid(votes: Votes, score: np.ndarray) -> np.ndarray:
    """Accuracy at the strictest threshold of at least each coverage; NaN where there is none."""
    curve = risk_coverage(votes, score)
    index = np.searchsorted(curve["coverage"].to_numpy(), COVERAGES - 1e-12)
    return np.append(curve["accuracy"].to_numpy(), np.nan)[index]


def _spread(grid: np.ndarray) -> dict[str, np.ndarray]:
    """Mean and 5 and 95 % points per column, over the rows that reach it."""
    spread = np.full((3, grid.shape[1]), np.nan)
    for k, column in enumerate(grid.T):
        values = column[np.isfinite(column)]
        if len(values):
            spread[:, k] = values.mean(), *np.quantile(values, [0.05, 0.95])
    return dict(zip(("null_mean", "null_low", "null_high"), spread, strict=True))


def _votes_frame(votes: Votes, score: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"unit": np.arange(len(score)), "score": score, **vars(votes)})


def _votes_of(table: pd.DataFrame) -> tuple[Votes, np.ndarray]:
    table = table.sort_values("unit")
    counts = (table[name].to_numpy() for name in ("n_held_out", "favourable", "unfavourable"))
    return Votes(*counts), table["score"].to_numpy()
