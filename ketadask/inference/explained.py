"""Explained and unexplained units: what train hits say about units they have never seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from ketadask import names as nm
from ketadask.inference.null import IDS

if TYPE_CHECKING:
    from ketadask.search.problem import SearchProblem
    from ketadask.store.ranges import Range

QUORUM = 0.5
"""Share of a split's hits that must hold a unit for them to speak for it."""

UNEXPLAINED = "unexplained"


@dataclass(frozen=True, eq=False)
class Votes:
    """Votes per unit, counted over the splits that held it out: int64 (U,) each."""

    n_held_out: np.ndarray
    favourable: np.ndarray
    unfavourable: np.ndarray

    def __add__(self, other: Votes) -> Votes:
        """Counts add up, in any order and grouping."""
        return Votes(
            self.n_held_out + other.n_held_out,
            self.favourable + other.favourable,
            self.unfavourable + other.unfavourable,
        )

    @property
    def share(self) -> np.ndarray:
        """(U,) favourable minus unfavourable votes over splits held out, -1 to 1; 0 if never."""
        net = self.favourable - self.unfavourable
        return net / np.maximum(self.n_held_out, 1)


def count_votes(
    problem: SearchProblem,
    splitter: Any,
    hits: pd.DataFrame,
    passed: np.ndarray,
    numbers: Range,
    *,
    quorum: float = QUORUM,
) -> Votes:
    """Let the hits of the splits ``numbers``, both ends included, vote on their holdout units.

    In a split a unit's vote is favourable when at least ``quorum`` of the favourable hits hold
    it, and a larger share than of the unfavourable hits; unfavourable likewise; else none. A
    split without hits casts no vote.

    Parameters
    ----------
    hits
        Table that keeps ``schema.HITS``, of these splits.
    passed
        bool, which of its rows are hits under the gate in use.
    """
    trial = problem.trial
    counts = np.zeros((3, len(trial.score)), dtype=np.int64)
    ids, split = hits[list(IDS)].to_numpy()[passed], hits["split"].to_numpy()[passed]
    favourable = (hits["polarity"] == nm.FAVOURABLE).to_numpy()[passed]
    cover = problem.literals.conjunction(ids)
    for i in range(numbers[0], numbers[1] + 1):
        holdout = ~splitter.mask(i, trial.participant, trial.split_stratum, trial.trial)
        mine = split == i
        strength = [_strength(cover[mine & (favourable == side)]) for side in (True, False)]
        counts[0] += holdout
        for row, (one, other) in enumerate((strength, strength[::-1]), start=1):
            counts[row] += holdout & (one >= quorum) & (one > other)
    return Votes(*counts)


def _strength(cover: np.ndarray) -> np.ndarray:
    """(U,) share of the personas that hold each unit, 0 where there are none."""
    return cover.sum(axis=0) / max(len(cover), 1)


def explained_units(votes: Votes, tau: float = 0.5) -> np.ndarray:
    """Return per unit ``favourable``, ``unfavourable`` or ``unexplained`` at threshold tau.

    Examples
    --------
    >>> explained_units(Votes(np.array([4, 4, 4]), np.array([3, 1, 0]), np.array([0, 0, 4])))
    array(['favourable', 'unexplained', 'unfavourable'], dtype='<U12')
    """
    share = votes.share
    words = np.where(share >= tau, nm.FAVOURABLE, UNEXPLAINED)
    return np.where(share <= -tau, nm.UNFAVOURABLE, words)


def risk_coverage(votes: Votes, score: np.ndarray) -> pd.DataFrame:
    """Return what is gained by speaking about fewer units: a row per threshold, strictest first.

    A unit benefits when its score lies above the mean score (below it, it does not). A vote is
    accurate when it says so. With one score per unit this is exact in paired designs and a noisy
    but unbiased stand-in elsewhere: what matters is the distance to the same curve on relabelled
    trials (`explained_against_null`). Scores are those of the whole trial: a unit's votes come
    from many splits, so that there is no one holdout to make them of.

    Returns
    -------
    ``tau``, ``explained`` (units), ``coverage`` (their share of the units ever held out),
    ``accuracy``, ``auc`` (of the vote share for benefit, among them; NaN with one class) and
    ``difference`` (mean score of the explained favourable minus explained unfavourable, against
    the mean of all where one side is empty).
    """
    share, seen = votes.share, votes.n_held_out > 0
    above, centred = score > score.mean(), score - score.mean()
    rows = []
    for tau in np.unique(np.abs(share[seen & (share != 0)]))[::-1]:
        told = seen & (np.abs(share) >= tau)
        up, down = told & (share > 0), told & (share < 0)
        rows.append(
            {
                "tau": tau,
                "explained": int(told.sum()),
                "coverage": told.sum() / seen.sum(),
                "accuracy": ((share > 0) == above)[told].mean(),
                "auc": auc(share[told], above[told]),
                "difference": _mean(centred[up]) - _mean(centred[down]),
            }
        )
    columns = ["tau", "explained", "coverage", "accuracy", "auc", "difference"]
    # Where nobody has a vote there are no rows to tell what kind of numbers these are.
    kinds = dict.fromkeys(columns, np.float64) | {"explained": np.int64}
    return pd.DataFrame(rows, columns=columns).astype(kinds)


def auc(value: np.ndarray, positive: np.ndarray) -> float:
    """Return the chance that a positive has the larger value, ties count half; NaN with one class.

    Examples
    --------
    >>> auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, False, True, True]))
    0.875
    """
    n_high = int(positive.sum())
    n_low = len(value) - n_high
    if not n_high or not n_low:
        return float("nan")
    wins = rankdata(value)[positive].sum() - n_high * (n_high + 1) / 2
    return float(wins / (n_high * n_low))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0
