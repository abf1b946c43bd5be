"""Cut points of many features at once, without the outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ketadask.kernels.settings import LiteralSettings

LEVELS = 8
_DIGITS = range(-6, 13)


class CutPoints(NamedTuple):
    """Cuts by feature, then from low to high.

    Attributes
    ----------
    feature
        int (cut,): row of the feature.
    below, above
        float64 (cut,): the values of the data that a cut separates; equal for a given cut.
    point
        float64 (cut,): the cut, see `shortest_between`.
    is_integer
        bool (feature,): whether all values are whole numbers.
    """

    feature: np.ndarray
    below: np.ndarray
    above: np.ndarray
    point: np.ndarray
    is_integer: np.ndarray


def cut_features(
    columns: np.ndarray,
    settings: LiteralSettings,
    own_points: Mapping[int, Sequence[float]] | None = None,
) -> CutPoints:
    """Cut every feature between all of its few values, or at inner quantiles.

    Parameters
    ----------
    columns
        float64 (feature, unit); cuts ignore what is not finite.
    own_points
        Cut points of some rows; they replace the others.

    Examples
    --------
    >>> cut_features(np.array([[0.0, 1.0, 3.0], [2.0, 2.0, np.nan]]), LiteralSettings()).point
    array([0., 1.])
    """
    finite = np.isfinite(columns)
    is_integer = ((columns == np.floor(columns)) | ~finite).all(axis=1)
    # Zero is added to have one zero only: -0.0 becomes 0.0.
    values = np.sort(np.where(finite, columns, np.nan) + 0.0, axis=1)
    ends = np.zeros(columns.shape, dtype=bool)  # the last of equal values, but for the largest
    ends[:, :-1] = values[:, :-1] < values[:, 1:]
    most = np.where(is_integer, max(LEVELS, settings.whole_levels), LEVELS)
    many = np.flatnonzero(ends.sum(axis=1) >= most)
    ends[many] = _quantile_ends(ends[many], finite[many].sum(axis=1), settings.cuts)
    for row in own_points or {}:
        ends[row] = False
    feature, rank = np.nonzero(ends)
    below = values[feature, rank]
    above = values[feature, (rank + 1) % max(1, columns.shape[1])]
    for row, points in (own_points or {}).items():
        at = np.searchsorted(feature, row)
        feature = np.insert(feature, at, [row] * len(points))
        below, above = (np.insert(x, at, sorted(points)) for x in (below, above))
    return CutPoints(feature, below, above, shortest_between(below, above), is_integer)


def _quantile_ends(ends: np.ndarray, count: np.ndarray, cuts: int) -> np.ndarray:
    """Return which of the ``ends`` are at inner quantiles of the first ``count`` values."""
    n_rows, n_units = ends.shape
    # The quantiles of `numpy.quantile` with method "inverted_cdf".
    quantiles = np.arange(1, cuts + 1) / (cuts + 1)
    ranks = np.ceil(count[:, None] * quantiles - 1).astype(np.int64).clip(min=0)
    places = np.where(ends, np.arange(n_units), n_units)
    next_end = np.minimum.accumulate(places[:, ::-1], axis=1)[:, ::-1]
    selection = np.zeros((n_rows, n_units + 1), dtype=bool)
    np.put_along_axis(selection, np.take_along_axis(next_end, ranks, axis=1), True, axis=1)
    return selection[:, :n_units]


def shortest_between(below: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Return the shortest decimal numbers c with below <= c < above, ``below`` if there are none.

    Examples
    --------
    >>> shortest_between(np.array([453.36871, 2.0]), np.array([454.102, 3.0]))
    array([454.,   2.])
    """
    points = np.array(below, dtype=np.float64)
    left = np.flatnonzero(points < above)
    for digits in _DIGITS:
        power = 10.0**digits
        with np.errstate(over="ignore"):
            multiple = np.ceil(points[left] * power)
        cut = multiple / power + 0.0
        fits = (points[left] <= cut) & (cut < above[left])
        # A whole number of at most 12 digits over a power of ten has at most 12 digits.
        for i in (
            np.flatnonzero(fits) if digits < 0 else np.flatnonzero(fits & (abs(multiple) >= 1e12))
        ):
            fits[i] = float(f"{cut[i]:.12g}") == cut[i]
        points[left[fits]] = cut[fits]
        left = left[~fits]
        if not left.size:
            break
    return points


def neighbours_text(below: float, above: float, cut: float) -> str:
    """Return both values of the data beside a rounded cut as text; nothing for another cut.

    The values have as many digits as they need to stay on their sides of the cut, at least five.

    Examples
    --------
    >>> neighbours_text(49.823004, 50.0, 49.9), neighbours_text(2.0, 3.0, 2.0)
    ('49.823 | 50', '')
    """
    if cut == below:
        return ""
    for digits in range(5, 18):
        texts = f"{below:.{digits}g}", f"{above:.{digits}g}"
        if float(texts[0]) < cut < float(texts[1]):
            break
    if "e" in texts[0] or "e" in texts[1]:
        return " | ".join(np.format_float_positional(float(text), trim="-") for text in texts)
    return f"{texts[0]} | {texts[1]}"
