"""Explained and unexplained units: votes of training hits on the units of the holdout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.inference.null import IDS
from ketadask.kernels.roc import auc

if TYPE_CHECKING:
    from ketadask.search.problem import SearchProblem
    from ketadask.store.ranges import Range

QUORUM = 0.5
"""Minimum fraction of the hits of a split that cover a unit, for a vote on it."""

NEITHER = "unexplained"


@dataclass(frozen=True, eq=False)
class Votes:
    """Votes per unit, over the splits with the unit in the holdout: int64 (U,) each."""

    n_held_out: np.ndarray
    favourable: np.ndarray
    unfavourable: np.ndarray

    def __add__(self, other: Votes) -> Votes:
        """Add counts, in any order and grouping."""
        return Votes(
            self.n_held_out + other.n_held_out,
            self.favourable + other.favourable,
            self.unfavourable + other.unfavourable,
        )

    @property
    def mean_vote(self) -> np.ndarray:
        """(U,) favourable minus unfavourable votes over splits held out, -1 to 1; 0 if never."""
        net = self.favourable - self.unfavourable
        return np.asarray(net / np.maximum(self.n_held_out, 1))


def count_votes(
    problem: SearchProblem,
    splitter: Any,
    hits: pd.DataFrame,
    hit: np.ndarray,
    block: Range,
    *,
    quorum: float = QUORUM,
) -> Votes:
    """Count the votes of the hits of each split of ``block`` on the units of its holdout.

    In a split the vote on a unit is favourable when at least ``quorum`` of the favourable hits
    cover it, and a larger fraction than of the unfavourable hits; unfavourable likewise; else
    none. A split without hits casts no vote. ``hit`` masks the rows of ``hits`` that pass the gate.
    """
    trial = problem.trial
    counts = np.zeros((3, len(trial.score)), dtype=np.int64)
    ids, split_of = hits[list(IDS)].to_numpy()[hit], hits["split"].to_numpy()[hit]
    favourable = (hits["polarity"] == nm.FAVOURABLE).to_numpy()[hit]
    cover = problem.literals.conjunction(ids)
    for split in range(block[0], block[1] + 1):
        holdout = ~splitter.train_mask(split, trial)
        mine = split_of == split
        strength = [_strength(cover[mine & (favourable == side)]) for side in (True, False)]
        counts[0] += holdout
        for row, (one, other) in enumerate((strength, strength[::-1]), start=1):
            counts[row] += holdout & (one >= quorum) & (one > other)
    return Votes(*counts)


def _strength(cover: np.ndarray) -> np.ndarray:
    """(U,) fraction of the personas that cover each unit, 0 without personas."""
    return np.asarray(cover.sum(axis=0) / max(len(cover), 1))


def explained_units(votes: Votes, tau: float = 0.5) -> np.ndarray:
    """Return per unit ``favourable``, ``unfavourable`` or ``unexplained`` at threshold tau.

    Examples
    --------
    >>> explained_units(Votes(np.array([4, 4, 4]), np.array([3, 1, 0]), np.array([0, 0, 4])))
    array(['favourable', 'unexplained', 'unfavourable'], dtype='<U12')
    """
    vote = votes.mean_vote
    labels = np.where(vote >= tau, nm.FAVOURABLE, NEITHER)
    return np.where(vote <= -tau, nm.UNFAVOURABLE, labels)


def risk_coverage(votes: Votes, score: np.ndarray) -> pd.DataFrame:
    """Return accuracy by coverage: a row per threshold of the vote, strictest first.

    A unit benefits when its score lies above the mean score. A vote is accurate when it agrees.
    With one score per unit this is exact in paired designs and a noisy but unbiased proxy
    elsewhere: compare it with the same curve on relabelled trials (`compare_votes`). Scores are
    those of the whole trial, because the votes on a unit come from many splits.

    Returns
    -------
    ``tau``, ``explained`` (units), ``coverage`` (their fraction of the units ever held out),
    ``accuracy``, ``auc`` (of the mean vote for benefit, among them; NaN with one class) and
    ``difference`` (mean score of the explained favourable minus explained unfavourable, against
    the mean of all where one side is empty).
    """
    vote, held_out_mask = votes.mean_vote, votes.n_held_out > 0
    above, centred_score = score > score.mean(), score - score.mean()
    rows = []
    for tau in np.unique(np.abs(vote[held_out_mask & (vote != 0)]))[::-1]:
        mask = held_out_mask & (np.abs(vote) >= tau)
        up, down = mask & (vote > 0), mask & (vote < 0)
        rows.append(
            {
                "tau": tau,
                "explained": int(mask.sum()),
                "coverage": mask.sum() / held_out_mask.sum(),
                "accuracy": ((vote > 0) == above)[mask].mean(),
                "auc": auc(vote[mask], above[mask]),
                "difference": _mean(centred_score[up]) - _mean(centred_score[down]),
            }
        )
    columns = ["tau", "explained", "coverage", "accuracy", "auc", "difference"]
    # Without votes there are no rows to infer the types from.
    types = dict.fromkeys(columns, np.float64) | {"explained": np.int64}
    return pd.DataFrame(rows, columns=columns).astype(types)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0
