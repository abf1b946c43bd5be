"""How good predictions are: balanced accuracy, its parts, AUC, calibration, net benefit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, ndtri
from scipy.stats import rankdata

from ketadask import names as nm
from ketadask.kernels.resampling import wilson

if TYPE_CHECKING:
    import pandas as pd

_DRAWS = 2_000
_RIDGE = 1e-9
THRESHOLDS = tuple(round(0.05 * k, 2) for k in range(1, 20))

Measured = dict[str, float]


def measured(
    label: np.ndarray,
    predicted: np.ndarray,
    score: np.ndarray,
    participant: np.ndarray | None = None,
    *,
    seed: int = 0,
    level: float = 0.95,
) -> Measured:
    """Return sensitivity, specificity, balanced accuracy and AUC with intervals.

    Sensitivity and specificity have Wilson's interval, balanced accuracy the one made of both
    (Zou & Donner 2008, 10.1002/sim.3095), AUC DeLong's on the logit scale. Where participants have
    several cases all intervals are percentiles of a bootstrap over participants. They take the
    predictions as given: that models of different folds share cases is not in them.

    Pooled over folds that differ in their share of responders (sites left out), balanced accuracy
    and AUC of noise lie a little below one half, because who is rare in a fold is frequent in its
    train part; the mean over folds does not have this, and permutations repeat it.

    Parameters
    ----------
    label, predicted
        (case,) 0 or 1.
    score
        (case,) any number that is larger where response is likelier.

    Examples
    --------
    >>> made = measured(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), np.arange(4.0))
    >>> made["sensitivity"], made["specificity"], made["bac"], made["auc"]
    (1.0, 0.5, 0.75, 1.0)
    """
    label, predicted = np.asarray(label), np.asarray(predicted)
    positive, negative = int((label == 1).sum()), int((label == 0).sum())
    told = {"n": float(len(label)), "n_response": float(positive)}
    found = _points(label, predicted, score)
    if participant is not None and len(np.unique(participant)) < len(label):
        bounds = _bootstrap(label, predicted, score, np.asarray(participant), seed, level)
    else:
        hits = int((predicted[label == 1] == 1).sum())
        rejections = int((predicted[label == 0] == 0).sum())
        se = [float(x) for x in wilson(hits, positive, level)]
        sp = [float(x) for x in wilson(rejections, negative, level)]
        bounds = {"sensitivity": se, "specificity": sp, "bac": _joined(found, se, sp)}
        bounds["auc"] = list(delong(score, label, level)[1:])
    for name, value in found.items():
        told |= {name: value, f"{name}_low": bounds[name][0], f"{name}_high": bounds[name][1]}
    return told


def _points(label: np.ndarray, predicted: np.ndarray, score: np.ndarray) -> Measured:
    recalls = [
        float((predicted[label == k] == k).mean()) if (label == k).any() else math.nan
        for k in (1, 0)
    ]
    return {
        "sensitivity": recalls[0],
        "specificity": recalls[1],
        "bac": (recalls[0] + recalls[1]) / 2,
        "auc": auc(score, label),
    }


def _joined(found: Measured, se: list[float], sp: list[float]) -> list[float]:
    """Return the interval of a mean of two proportions from theirs."""
    down = math.hypot(found["sensitivity"] - se[0], found["specificity"] - sp[0]) / 2
    up = math.hypot(se[1] - found["sensitivity"], sp[1] - found["specificity"]) / 2
    return [found["bac"] - down, found["bac"] + up]


def _bootstrap(
    label: np.ndarray,
    predicted: np.ndarray,
    score: np.ndarray,
    participant: np.ndarray,
    seed: int,
    level: float,
) -> dict[str, list[float]]:
    address = np.random.SeedSequence(seed, spawn_key=(nm.STREAM_FOLD, 0, 0, 0, 1))
    rng = np.random.default_rng(address)
    people, of_case = np.unique(participant, return_inverse=True)
    rows = [np.flatnonzero(of_case == k) for k in range(len(people))]
    drawn = []
    for _ in range(_DRAWS):
        chosen = np.concatenate([rows[k] for k in rng.integers(len(people), size=len(people))])
        drawn.append(list(_points(label[chosen], predicted[chosen], score[chosen]).values()))
    edges = np.nanquantile(np.array(drawn), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return {name: edges[:, j].tolist() for j, name in enumerate(_POINTS)}


_POINTS = ("sensitivity", "specificity", "bac", "auc")


def auc(score: np.ndarray, label: np.ndarray) -> float:
    """Return the chance that a responder scores higher than a non-responder; ties count half.

    Examples
    --------
    >>> auc(np.array([1.0, 2.0, 2.0, 3.0]), np.array([0, 0, 1, 1]))
    0.875
    """
    positive = int((label == 1).sum())
    negative = int((label == 0).sum())
    if not positive or not negative:
        return math.nan
    ranks = float(rankdata(score)[label == 1].sum())
    return (ranks - positive * (positive + 1) / 2) / (positive * negative)


def delong(score: np.ndarray, label: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """Return AUC with its interval (DeLong, DeLong & Clarke-Pearson 1988, 10.2307/2531595).

    The interval is made on the logit scale, so it stays within 0 and 1; where the AUC is 0 or 1
    it is the one that half a wrong pair more or less would give.

    Examples
    --------
    >>> [round(x, 3) for x in delong(np.arange(8.0), np.array([0, 0, 1, 0, 1, 0, 1, 1]))]
    [0.812, 0.329, 0.975]
    """
    high, low = np.asarray(score)[label == 1], np.asarray(score)[label == 0]
    area = auc(np.asarray(score), label)
    m, n = len(high), len(low)
    if m < 2 or n < 2:
        return area, 0.0, 1.0
    ranks = rankdata(np.concatenate([high, low]))
    wins = (ranks[:m] - rankdata(high)) / n
    losses = 1 - (ranks[m:] - rankdata(low)) / m
    variance = float(wins.var(ddof=1) / m + losses.var(ddof=1) / n)
    half = 0.5 / (m * n)
    inside = min(max(area, half), 1 - half)
    variance = max(variance, inside * (1 - inside) / (m * n))
    reach = float(ndtri(0.5 + level / 2)) * math.sqrt(variance) / (inside * (1 - inside))
    middle = math.log(inside / (1 - inside))
    low_end, high_end = float(expit(middle - reach)), float(expit(middle + reach))
    return area, min(low_end, area), max(high_end, area)


def platt(decision: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """Return slope and offset that turn decision values into probabilities of response.

    Logistic regression on smoothed targets (Platt 1999; Lin, Lin & Weng 2007).

    Examples
    --------
    >>> slope, offset = platt(np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0, 0, 1, 1]))
    >>> slope > 0, abs(round(offset, 6))
    (True, 0.0)
    """
    positive, negative = int((label == 1).sum()), int((label == 0).sum())
    target = np.where(label == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))
    unit = float(np.std(decision)) or 1.0
    design = np.column_stack([decision / unit, np.ones(len(decision))])
    beta = np.array([0.0, math.log((positive + 1) / (negative + 1))])
    for _ in range(100):
        p = expit(design @ beta)
        weight = np.maximum(p * (1 - p), 1e-12)
        hessian = design.T @ (design * weight[:, None]) + _RIDGE * np.eye(2)
        step = np.linalg.solve(hessian, design.T @ (target - p) - _RIDGE * beta)
        largest = np.abs(step).max()
        beta = beta + step * min(1.0, 5.0 / max(largest, 1e-300))
        if largest < 1e-10:
            break
    return float(beta[0] / unit), float(beta[1])


def calibration(probability: np.ndarray, label: np.ndarray, bins: int = 5) -> pd.DataFrame:
    """Return foretold and seen shares of response in bins of equal size.

    Returns
    -------
    Columns foretold, seen, seen_low, seen_high (Wilson), n; a row per bin.
    """
    import pandas as pd

    order = np.argsort(probability, kind="stable")
    rows = []
    for part in np.array_split(order, min(bins, len(order))):
        responded, count = int(label[part].sum()), len(part)
        low, high = wilson(responded, count)
        rows.append((float(probability[part].mean()), responded / count, float(low), float(high),
                     count))  # fmt: skip
    return pd.DataFrame(rows, columns=["foretold", "seen", "seen_low", "seen_high", "n"])


def decision_curve(probability: np.ndarray, label: np.ndarray) -> pd.DataFrame:
    """Return the net benefit of treating whoever is foretold to respond.

    Vickers & Elkin 2006, 10.1177/0272989X06295361: responders treated minus non-responders
    treated weighed by the odds of the threshold, per person.

    Returns
    -------
    Columns threshold, model, everybody, nobody.

    Examples
    --------
    >>> made = decision_curve(np.array([0.9, 0.1]), np.array([1, 0]))
    >>> made.loc[made["threshold"] == 0.5, ["model", "everybody"]].to_numpy().tolist()
    [[0.5, 0.0]]
    """
    import pandas as pd

    share = float(np.mean(label))
    rows = []
    for threshold in THRESHOLDS:
        treated, odds = probability >= threshold, threshold / (1 - threshold)
        gain = float((treated & (label == 1)).mean() - odds * (treated & (label == 0)).mean())
        rows.append((threshold, gain, share - odds * (1 - share), 0.0))
    return pd.DataFrame(rows, columns=["threshold", "model", "everybody", "nobody"])
