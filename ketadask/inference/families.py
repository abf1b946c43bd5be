"""Families: personas that are one finding under several names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np


def families(
    cover: np.ndarray,
    features: Sequence[frozenset[int]],
    polarity: Sequence[str],
    *,
    jaccard: float = 0.8,
    adds: Callable[[list[int], int], bool] | None = None,
) -> np.ndarray:
    """Return for each persona the place of the representative of its family.

    Personas come in order of worth, best first. Each joins the best representative before it
    whose cover overlaps with its own (Jaccard index at least ``jaccard``) or whose features are
    the same; a persona that finds none founds a family. So every member resembles the persona
    it is reported under, and no chain of small steps joins strangers. Across polarities two
    personas are one finding where each holds the units that the other leaves out, up to the same
    overlap: "these benefit more" and "the others benefit less" are one sentence. A persona that
    ``adds`` nothing to the founders so far joins the one that it overlaps with most.

    Parameters
    ----------
    cover
        bool (P, U), units inside each persona.
    features
        Set of features of each persona.
    polarity
        Polarity of each persona.
    adds
        Says of founders so far and a persona whether it adds anything (see `Beyond`).

    Examples
    --------
    >>> cover = np.array([[1, 1, 1, 0], [0, 0, 1, 1], [1, 1, 1, 0]], dtype=bool)
    >>> sets = [frozenset({0}), frozenset({1}), frozenset({2})]
    >>> families(cover, sets, ["favourable"] * 3)
    array([0, 1, 0])
    """
    leader = np.arange(len(cover))
    founders: list[int] = []
    for i in range(len(cover)):
        alike = [_alike(cover, polarity, j, i) for j in founders]
        same = [j for j, share in zip(founders, alike, strict=True) if share >= jaccard]
        same += [j for j in founders if features[j] == features[i] and polarity[j] == polarity[i]]
        if same:
            leader[i] = min(same)
        elif founders and adds is not None and not adds(founders, i):
            leader[i] = founders[int(np.argmax(alike))]
        else:
            founders.append(i)
    return leader


def _alike(cover: np.ndarray, polarity: Sequence[str], j: int, i: int) -> float:
    """Overlap of two personas; of opposite ones that of each with what the other leaves out."""
    if polarity[j] == polarity[i]:
        return overlap(cover[j], cover[i])
    return min(overlap(cover[j], ~cover[i]), overlap(~cover[j], cover[i]))


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Return the Jaccard index of two covers, 0 where both are empty.

    Examples
    --------
    >>> overlap(np.array([True, True, False]), np.array([True, False, False]))
    0.5
    """
    return float((one & other).sum() / max((one | other).sum(), 1))


def persona_name(texts: Sequence[str]) -> str:
    """Return the stable id of a persona: a short hash of the texts of its literals, in any order.

    Examples
    --------
    >>> persona_name(["age <= 40", "bmi > 25"]) == persona_name(["bmi > 25", "age <= 40"])
    True
    """
    text = "\n".join(sorted(texts))
    return "P" + hashlib.sha256(text.encode()).hexdigest()[:8]
