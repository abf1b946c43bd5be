"""What a persona adds beyond better ones: one true difference must not count as many findings.

Where a persona is true, every persona that shares units with it benefits, too, and many of them
pass the adjusted p. They are not false, but they say nothing new. So the part of the scores that
the findings so far explain is taken out, and a persona is a finding of its own only where its Q
on what is left would still be rare among the maxima of relabelled trials.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ketadask.kernels.q_statistic import persona_q


@dataclass
class IncrementalTest:
    """Judges personas one after the other against the findings named so far.

    Parameters
    ----------
    cover
        bool (P, U), units inside each persona, best persona first.
    sign
        (P,) 1 favourable, -1 unfavourable.
    score
        (U,) scores of all units.
    maxima
        (B,) largest Q of each relabelled trial, over all polarities searched.
    level
        (P,) p above which a persona adds nothing; NaN where it claims nothing in the first place.

    Examples
    --------
    >>> cover = np.array([[1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0]], dtype=bool)
    >>> beyond = Beyond(cover, np.ones(2), np.array([5.0, 5.2, 4.9, 0.1, 0.0, 0.2]),
    ...                 np.array([1.5, 1.9, 2.0]), np.array([0.5, 0.5]))
    >>> beyond.adds([], 0), beyond.adds([0], 1)
    (True, False)
    """

    cover: np.ndarray
    sign: np.ndarray
    score: np.ndarray
    maxima: np.ndarray
    level: np.ndarray
    p: np.ndarray = field(init=False)
    _known: tuple[int, ...] = field(init=False, default=())
    _q: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Start without findings."""
        self.p = np.full(len(self.cover), np.nan)
        self._q = np.full(len(self.cover), np.inf)

    def adds(self, founders: list[int], i: int) -> bool:
        """Say whether persona ``i`` adds to the findings among ``founders``; keeps its p."""
        findings = tuple(j for j in founders if np.isfinite(self.level[j]))
        if np.isnan(self.level[i]) or not findings:
            return True
        if findings != self._known:
            self._known, self._q = findings, self._left_over(findings)
        self.p[i] = (1 + (self.maxima >= self._q[i]).sum()) / (1 + len(self.maxima))
        return bool(self.p[i] <= self.level[i])

    def _left_over(self, findings: tuple[int, ...]) -> np.ndarray:
        """Q of every persona on the scores that membership of the findings leaves unexplained."""
        known = np.column_stack([np.ones(self.score.size), self.cover[list(findings)].T])
        fitted = known @ np.linalg.lstsq(known, self.score, rcond=None)[0]
        everybody = np.ones((1, self.score.size), dtype=bool)
        left = self.score - fitted
        # Where the findings explain every score, rounding is left, and no persona explains that.
        left[np.abs(left) < 1e-9 * np.abs(self.score).max()] = 0.0
        q = persona_q(self.cover, everybody, left)[0][:, 0] * self.sign
        return np.nan_to_num(q, nan=-np.inf)
