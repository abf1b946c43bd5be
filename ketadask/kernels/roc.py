"""Area under the receiver operating characteristic curve."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import rankdata


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Return the probability that a positive scores higher than a negative; ties count half.

    Parameters
    ----------
    score
        (case,) numbers, larger for cases more likely positive.
    positive
        (case,) bool, or 0 and 1. The area is NaN if all cases are of one class.

    Examples
    --------
    >>> auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([0, 0, 1, 1]))
    0.875
    """
    mask = np.asarray(positive) == 1
    n_positive = int(mask.sum())
    n_negative = mask.size - n_positive
    if not n_positive or not n_negative:
        return math.nan
    rank_sum = float(rankdata(score)[mask].sum())
    area: float = (rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)
    return area
