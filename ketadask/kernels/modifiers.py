"""Linear modifiers of the benefit: the association of each feature with the scores."""

from __future__ import annotations

import numpy as np


def linear_modifiers(
    value: np.ndarray, score: np.ndarray, cluster: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the studentised association of each feature with the scores, and the correlation.

    Parameters
    ----------
    value
        (unit, feature) standardised: mean 0; missing values are 0.
    score
        (unit,) scores.
    cluster
        (unit,) equal codes are one participant or family; every unit its own by default.

    Returns
    -------
    ``t`` and ``correlation`` (feature,). t is the sum of products with the centred scores over the
    root of the sum of its squares by cluster: the score test of no association that allows for
    unequal spread. A plain correlation takes the spread of the scores to be the same for all values
    of the feature. 0 where a feature or the scores are constant.

    Examples
    --------
    >>> x = np.array([[-1.0], [-1.0], [1.0], [1.0]])
    >>> t, correlation = linear_modifiers(x, np.array([0.0, 1.0, 1.0, 2.0]))
    >>> t.round(3), correlation.round(3)
    (array([1.414]), array([0.707]))
    """
    centred, squares = score - score.mean(), value**2
    t = studentised(value, squares, centred, None if is_distinct(cluster) else cluster)
    return t, _ratio(centred @ value, (centred @ centred) * squares.sum(axis=0))


def is_distinct(codes: np.ndarray | None) -> bool:
    """Return whether no code appears twice.

    Examples
    --------
    >>> is_distinct(np.array([2, 0, 1])), is_distinct(np.array([2, 0, 2]))
    (True, False)
    """
    if codes is None:
        return True
    in_order = np.sort(codes)  # faster than the distinct codes of `numpy.unique`
    return bool((in_order[1:] != in_order[:-1]).all())


def studentised(
    value: np.ndarray, squares: np.ndarray, centred: np.ndarray, cluster: np.ndarray | None
) -> np.ndarray:
    """Return ``t`` of `linear_modifiers`; every unit is its own cluster where there is none.

    ``squares`` are those of ``value``, and ``centred`` are scores of mean 0.
    """
    if cluster is None:
        return _ratio(centred @ value, (centred**2) @ squares)
    codes = np.unique(cluster, return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    first = np.flatnonzero(np.diff(codes[order], prepend=-1))
    products = value[order] * centred[order, None]
    return _ratio(centred @ value, (np.add.reduceat(products, first, axis=0) ** 2).sum(axis=0))


def _ratio(total: np.ndarray, square: np.ndarray) -> np.ndarray:
    """``total / sqrt(square)``, 0 where that is undefined."""
    is_valid = square > 0.0
    return np.asarray(np.where(is_valid, total / np.sqrt(np.where(is_valid, square, 1.0)), 0.0))
