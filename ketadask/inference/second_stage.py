"""The second stage of a search: its best personas of both polarities, ranked by a studentised t.

Q takes the spread of the scores to be the same in every set of units. Where it is not, exchanging
features between participants gives Q a wrong null distribution; the studentised statistic keeps it
(Chung & Romano 2013, 10.1214/13-AOS1090). The search remains that of Q: its best candidates are
ranked again, in the trial as in every relabelled trial.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.kernels.contrast import Contrast, contrast

if TYPE_CHECKING:
    from ketadask.cohort.designs import TrialArrays
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem

CANDIDATES = 20
STUDENTISED, SEARCH_Q = "studentised", "q"
STATISTICS = (STUDENTISED, SEARCH_Q)


@dataclass(frozen=True, eq=False)
class StrongestPersonas:
    """The strongest personas of one trial, over all polarities, best first.

    Attributes
    ----------
    ids, polarity
        Literal indices (K, 4) padded with -1, and polarities (K,).
    q, t
        (K,) search statistic and studentised contrast, both positive in the direction of the
        polarity; t is NaN where undefined.
    """

    ids: np.ndarray
    polarity: np.ndarray
    q: np.ndarray
    t: np.ndarray

    def __len__(self) -> int:
        return len(self.q)

    def largest(self, statistic: str = STUDENTISED) -> float:
        """Return the largest value of a statistic; -inf where there is none."""
        values = self.t if statistic == STUDENTISED else self.q
        return float(np.max(values, initial=-np.inf, where=~np.isnan(values)))


def strongest(
    problem: SearchProblem,
    search: PersonaSearch,
    *,
    rows: np.ndarray | None = None,
    candidates: int = CANDIDATES,
    statistic: str = STUDENTISED,
    result_by_polarity: Mapping[str, Any] | None = None,
) -> StrongestPersonas:
    """Search a trial and rank its best personas again; the same for relabelled trials.

    Parameters
    ----------
    rows
        Permutation of the units: unit u gets the features of unit ``rows[u]``.
    candidates
        Number of personas with the largest Q, over all polarities, that are ranked again; no more
        per polarity than ``search.keep``.
    statistic
        ``studentised`` ranks by t, ``q`` by the search statistic.
    result_by_polarity
        Results of the searches, each with at least that many personas, where they have run before.
    """
    keep = min(search.keep, candidates)
    if result_by_polarity is None:
        result_by_polarity = {
            polarity: search.solve(problem, polarity=polarity, rows=rows, keep=keep)
            for polarity in search.polarities
        }
    results = [(name, result_by_polarity[name]) for name in search.polarities]
    ids = np.concatenate([np.asarray(result.ids)[:keep] for _, result in results])
    q = np.concatenate([np.asarray(result.q)[:keep] for _, result in results])
    polarity = np.repeat(
        [name for name, _ in results], [len(result.q[:keep]) for _, result in results]
    )
    best = np.argsort(-q, kind="stable")[:candidates]
    ids, q, polarity = ids[best], q[best], polarity[best]
    t = persona_contrast(problem, search, ids, rows).t * persona_sign(polarity)
    by = np.where(np.isnan(t), -np.inf, t) if statistic == STUDENTISED else q
    order = np.argsort(-by, kind="stable")
    return StrongestPersonas(ids[order], polarity[order], q[order], t[order])


def persona_contrast(
    problem: SearchProblem,
    search: PersonaSearch,
    ids: np.ndarray,
    rows: np.ndarray | None = None,
) -> Contrast:
    """Return the contrasts of personas (persona, 4); favourable where positive."""
    score, cluster = move_scores(problem.trial, rows)
    inside, outside = persona_sides(problem, ids)
    return contrast(inside, score, outside=outside, cluster=cluster, objective=search.objective)


def persona_sides(problem: SearchProblem, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return bool (persona, unit): units inside, and units known to be outside."""
    inside = problem.literals.conjunction(ids)
    return inside, ~(inside | problem.literals.unknown_mask(ids))


def persona_sign(polarity: np.ndarray) -> np.ndarray:
    """Return 1 where favourable, -1 where unfavourable."""
    return np.where(np.asarray(polarity) == nm.UNFAVOURABLE, -1.0, 1.0)


def move_scores(trial: TrialArrays, rows: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and clusters by the unit whose features they get: features need not move.

    Unit u gets the features of unit ``rows[u]``; nothing moves without ``rows``.
    """
    score, cluster = trial.score, trial.cluster
    if rows is None:
        return score, cluster
    by_features = np.empty_like(rows)
    by_features[rows] = np.arange(rows.size)
    return score[by_features], cluster[by_features]
