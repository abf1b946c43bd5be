"""What a persona adds to better ones: one true difference must not count as many findings.

Where a persona is true, every persona that shares units with it benefits too, and many of them
reach a small adjusted p. They are not false, but not new. So the part of the scores
that earlier findings explain is removed, and a persona is a finding of its own only where its
statistic on the residuals would still be rare among the maxima of relabelled trials.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass
class IncrementalTest:
    """Test personas one after the other against the findings before them.

    Parameters
    ----------
    cover
        bool (P, U), units inside each persona, best persona first.
    sign
        (P,) 1 favourable, -1 unfavourable.
    score
        (U,) scores of all units.
    maxima
        (M, B) largest statistic of each relabelled trial, for each method of relabelling.
    level
        (P,) p above which a persona adds nothing; NaN for personas without a claim.
    statistic
        Function of cover (P, U) and scores (U,): the statistic (P,) that ranks personas.

    Examples
    --------
    >>> cover = np.array([[1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0]], dtype=bool)
    >>> score = np.array([5.0, 5.2, 4.9, 0.1, 0.0, 0.2])
    >>> test = IncrementalTest(cover, np.ones(2), score, np.array([[1.5, 1.9, 2.0]]),
    ...                        np.array([0.5, 0.5]), lambda cover, score: score @ cover.T)
    >>> test.adds([], 0), test.adds([0], 1)
    (True, False)
    """

    cover: np.ndarray
    sign: np.ndarray
    score: np.ndarray
    maxima: np.ndarray
    level: np.ndarray
    statistic: Callable[[np.ndarray, np.ndarray], np.ndarray]
    p: np.ndarray = field(init=False)
    _findings: tuple[int, ...] = field(init=False, default=())
    _value: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.p = np.full(len(self.cover), np.nan)
        self._value = np.full(len(self.cover), np.inf)

    def adds(self, leaders: list[int], i: int) -> bool:
        """Return whether persona ``i`` adds to the findings among ``leaders``; stores its p."""
        findings = tuple(j for j in leaders if np.isfinite(self.level[j]))
        if np.isnan(self.level[i]) or not findings:
            return True
        if findings != self._findings:
            self._findings, self._value = findings, self._residual_value(findings)
        n_reaching = (self.maxima >= self._value[i]).sum(axis=1).max()
        self.p[i] = (1 + n_reaching) / (1 + self.maxima.shape[1])
        return bool(self.p[i] <= self.level[i])

    def _residual_value(self, findings: tuple[int, ...]) -> np.ndarray:
        """Statistic of every persona on the scores that the findings leave unexplained."""
        design = np.column_stack([np.ones(self.score.size), self.cover[list(findings)].T])
        residual = self.score - design @ np.linalg.lstsq(design, self.score, rcond=None)[0]
        # Where the findings explain every score, only rounding remains; no persona explains it.
        residual[np.abs(residual) < 1e-9 * np.abs(self.score).max()] = 0.0
        value = self.statistic(self.cover, residual) * self.sign
        return np.asarray(np.nan_to_num(value, nan=-np.inf))
