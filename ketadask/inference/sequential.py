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


def besag_clifford(reached: np.ndarray, enough: int) -> tuple[float, int]:
    """Return the sequential Monte Carlo p-value and the number of relabellings it needed.

    ``reached`` (B,) says, in order, whether each relabelled trial reached the observed statistic.
    Sampling stops at the ``enough``-th that does, at number l, and p = enough / l; if that never
    happens, p = (b + 1) / (B + 1). Valid at every level.

    Examples
    --------
    >>> besag_clifford(np.array([True, False, False, True, True]), enough=2)
    (0.5, 4)
    >>> besag_clifford(np.array([False, False, False, True]), enough=2)
    (0.4, 4)

    References
    ----------
    Besag & Clifford 1991, Biometrika 78, 301-304, 10.1093/biomet/78.2.301.
    """
    if enough < 1:
        raise ValueError(f"sampling stops after one or more reach it, found enough = {enough}")
    places = np.flatnonzero(reached)
    if len(places) >= enough:
        needed = int(places[enough - 1]) + 1
        return enough / needed, needed
    return (len(places) + 1) / (len(reached) + 1), len(reached)
