"""When relabelling may stop: the words of the verdicts cannot change any more."""

from __future__ import annotations

import numpy as np

from ketadask.inference.verdicts import ALPHA, SUGGESTIVE, words


def settled(
    p: np.ndarray, done: int, planned: int, *, alpha: float = ALPHA, suggestive: float = SUGGESTIVE
) -> np.ndarray:
    """Return whether the word of each persona is certain before all relabellings are made.

    Of ``planned`` relabellings ``done`` gave the adjusted p-values ``p``, (b + 1) / (done + 1).
    At worst every further one reaches the observed statistic, at best none does; where both ends
    have the same word, stopping gives the word that all of them would have given.

    Examples
    --------
    >>> settled(np.array([0.01, 0.3]), done=99, planned=999), settled(np.array([0.9]), 299, 999)
    (array([False, False]), array([ True]))
    """
    reached = np.rint(np.asarray(p) * (done + 1)) - 1
    lowest = (reached + 1) / (planned + 1)
    highest = (reached + planned - done + 1) / (planned + 1)
    return words(lowest, alpha, suggestive) == words(highest, alpha, suggestive)
