"""Families: personas that are one finding under several names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np


def family_leaders(
    cover: np.ndarray,
    features: Sequence[frozenset[int]],
    polarity: Sequence[str] | np.ndarray,
    *,
    jaccard: float = 0.8,
    adds: Callable[[list[int], int], bool] | None = None,
) -> np.ndarray:
    """Return for each persona the index of the leader of its family.

    Personas come in order of merit, best first. Each joins the best leader before it whose cover
    has a Jaccard index of at least ``jaccard`` with its own, or whose features are the same; a
    persona without such a leader leads a family of its own. So every member resembles its leader,
    and no chain of small steps joins dissimilar personas. Personas of opposite polarity are one
    finding where each covers the complement of the other, by the same index: "these benefit more"
    and "the others benefit less" are the same claim. A persona that ``adds`` nothing to the
    leaders before it joins the one with the largest index.

    ``cover`` is bool (P, U); ``adds`` takes leaders and a persona (see `IncrementalTest`).

    Examples
    --------
    >>> cover = np.array([[1, 1, 1, 0], [0, 0, 1, 1], [1, 1, 1, 0]], dtype=bool)
    >>> sets = [frozenset({0}), frozenset({1}), frozenset({2})]
    >>> family_leaders(cover, sets, ["favourable"] * 3)
    array([0, 1, 0])
    """
    leader = np.arange(len(cover))
    leaders: list[int] = []
    for i in range(len(cover)):
        similarity = [_similarity(cover, polarity, j, i) for j in leaders]
        same = [j for j, index in zip(leaders, similarity, strict=True) if index >= jaccard]
        same += [j for j in leaders if features[j] == features[i] and polarity[j] == polarity[i]]
        if same:
            leader[i] = min(same)
        elif leaders and adds is not None and not adds(leaders, i):
            leader[i] = leaders[int(np.argmax(similarity))]
        else:
            leaders.append(i)
    return leader


def _similarity(cover: np.ndarray, polarity: Sequence[str] | np.ndarray, j: int, i: int) -> float:
    """Jaccard index of two personas; for opposite polarities, of each with the other's rest."""
    if polarity[j] == polarity[i]:
        return jaccard_index(cover[j], cover[i])
    return min(jaccard_index(cover[j], ~cover[i]), jaccard_index(~cover[j], cover[i]))


def jaccard_index(one: np.ndarray, other: np.ndarray) -> float:
    """Return the Jaccard index of two covers, 0 where both are empty.

    Examples
    --------
    >>> jaccard_index(np.array([True, True, False]), np.array([True, False, False]))
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
