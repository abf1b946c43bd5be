"""The receiver operating characteristic (ROC) curve and the area under it."""

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


def roc_curve(score: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rates for falling thresholds; ties change both at once.

    Examples
    --------
    >>> false, true = roc_curve(np.array([3.0, 2.0, 1.0]), np.array([1, 0, 1]))
    >>> false.tolist(), true.tolist()
    ([0.0, 0.0, 1.0, 1.0], [0.0, 0.5, 0.5, 1.0])
    """
    order = np.argsort(-score, kind="stable")
    score, label = score[order], label[order]
    ends = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    positive, negative = max((label == 1).sum(), 1), max((label == 0).sum(), 1)
    true = np.concatenate([[0.0], np.cumsum(label == 1)[ends] / positive])
    false = np.concatenate([[0.0], np.cumsum(label == 0)[ends] / negative])
    return false, true
