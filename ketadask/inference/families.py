"""Families: personas that are one finding under several names."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np


def families(
    cover: np.ndarray,
    features: Sequence[frozenset[int]],
    polarity: Sequence[str],
    *,
    jaccard: float = 0.8,
) -> np.ndarray:
    """Return for each persona the place of the representative of its family.

    Personas come in order of worth, best first. Each joins the best representative before it
    whose cover overlaps with its own (Jaccard index at least ``jaccard``) or whose features are
    the same; a persona that finds none founds a family. So every member resembles the persona
    it is reported under, and no chain of small steps joins strangers.

    Parameters
    ----------
    cover
        bool (P, U), units inside each persona.
    features
        Set of features of each persona.
    polarity
        Polarity of each persona; families do not cross polarities.

    Examples
    --------
    >>> cover = np.array([[1, 1, 1, 0], [0, 0, 1, 1], [1, 1, 1, 0]], dtype=bool)
    >>> sets = [frozenset({0}), frozenset({1}), frozenset({2})]
    >>> families(cover, sets, ["favourable"] * 3)
    array([0, 1, 0])
    """
    inside = cover.astype(np.float64)
    size = inside.sum(axis=1)
    leader = np.arange(len(cover))
    founders: list[int] = []
    for i in range(len(cover)):
        before = [j for j in founders if polarity[j] == polarity[i]]
        shared = inside[before] @ inside[i]
        either = np.maximum(size[before] + size[i] - shared, 1.0)
        for j, overlap in zip(before, shared / either, strict=True):
            if overlap >= jaccard or features[j] == features[i]:
                leader[i] = j
                break
        else:
            founders.append(i)
    return leader


def persona_name(texts: Sequence[str]) -> str:
    """Return the stable id of a persona: a short hash of the texts of its literals, in any order.

    Examples
    --------
    >>> persona_name(["age <= 40", "bmi > 25"]) == persona_name(["bmi > 25", "age <= 40"])
    True
    """
    text = "\n".join(sorted(texts))
    return "P" + hashlib.sha256(text.encode()).hexdigest()[:8]
