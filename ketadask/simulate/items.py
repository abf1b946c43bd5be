"""Items of a rating scale that add up to a given total."""

from __future__ import annotations

import numpy as np


def allocate(total: np.ndarray, leaning: np.ndarray, maxima: np.ndarray) -> np.ndarray:
    """Share a total score among items, the items people lean to first.

    Every item is a ladder of equal steps from 0 to its maximum; the ``total`` lowest steps are
    taken, a ladder standing lower the more a person leans to the item.

    Parameters
    ----------
    total
        (row,) whole numbers between 0 and ``maxima.sum()``.
    leaning
        (row, item) how readily the person scores on the item, in units of the item's range.
    maxima
        (item,) largest value of each item.

    Returns
    -------
    numpy.ndarray
        (row, item) int64 between 0 and ``maxima``; rows add up to ``total``.

    Examples
    --------
    >>> allocate(np.array([4, 9]), np.array([[0.6, 0.0], [0.0, 0.0]]), np.array([6, 6]))
    array([[4, 0],
           [5, 4]])
    """
    item = np.repeat(np.arange(len(maxima)), maxima)
    step = np.concatenate([np.arange(m) for m in maxima])
    height = (step + 0.5) / maxima[item] - leaning[:, item]
    order = np.argsort(height, axis=1, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.broadcast_to(np.arange(len(item)), order.shape), axis=1)
    taken = place < total[:, None]
    return np.add.reduceat(taken, np.concatenate([[0], np.cumsum(maxima)[:-1]]), axis=1, dtype=int)
