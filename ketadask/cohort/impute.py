"""Missing features replaced by the typical value of a site, without outcomes."""

from __future__ import annotations

import numpy as np


def impute(value: np.ndarray, level: np.ndarray, is_ordinal: np.ndarray) -> tuple[np.ndarray, int]:
    """Replace missing values by the median of their site level; ordinal ones by its mode.

    Participants exchange features within their level only, so the result is the same before and
    after a relabelling. Where a level has no value of a feature, all levels count.

    Parameters
    ----------
    value
        (unit, feature), NaN where missing.
    level
        (unit,) codes of the site levels.
    is_ordinal
        (feature,) whether a feature is ordinal; of equally frequent values the lowest counts.

    Returns
    -------
    Values without NaN, except of features without any value, and the number of imputed cells.

    Examples
    --------
    >>> value = np.array([[1.0], [3.0], [np.nan], [9.0], [np.nan]])
    >>> impute(value, np.array([0, 0, 0, 1, 1]), np.array([False]))[0].ravel()
    array([1., 3., 2., 9., 9.])
    """
    complete = value.copy()
    for feature in np.flatnonzero(np.isnan(value).any(axis=0)):
        column, typical = value[:, feature], _mode if is_ordinal[feature] else np.median
        has_value = np.isfinite(column)
        if not has_value.any():
            continue
        for one in np.unique(level[~has_value]):
            own = level == one
            source = column[own & has_value] if (own & has_value).any() else column[has_value]
            complete[own & ~has_value, feature] = typical(source)
    return complete, int(np.isnan(value).sum() - np.isnan(complete).sum())


def _mode(values: np.ndarray) -> float:
    levels, counts = np.unique(values, return_counts=True)
    return float(levels[np.argmax(counts)])
