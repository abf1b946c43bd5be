"""Performance of predictions: balanced accuracy, its parts, AUC, calibration, net benefit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, ndtri
from scipy.stats import rankdata

from ketadask import names as nm
from ketadask.kernels.resampling import wilson
from ketadask.kernels.roc import auc

if TYPE_CHECKING:
    import pandas as pd

_BOOTSTRAPS = 2_000
_RIDGE = 1e-9
THRESHOLDS = tuple(round(0.05 * k, 2) for k in range(1, 20))


def performance(
    label: np.ndarray,
    prediction: np.ndarray,
    score: np.ndarray,
    participant: np.ndarray | None = None,
    *,
    site: np.ndarray | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, float]:
    """Return sensitivity, specificity, balanced accuracy and AUC with intervals.

    All are computed within sites: responders are compared with non-responders of their own site,
    and the sites are averaged with the weights of Mantel and Haenszel, n1 n0 / (n1 + n0), the same
    for every measure. So a model that only knows the site, and noise under every cross-validation
    scheme, have expectation one half. Pooled over sites they do not: where sites are left out in
    turn, a label rare in one site is frequent in its training set, which draws noise below one
    half; where sites share folds, their response rates can be predicted, which draws it above. The
    pooled accuracy is ``bac_pooled``; with one site both are the same.

    Sensitivity and specificity have Wilson's interval at their effective sample size, balanced
    accuracy the interval of their mean (Zou & Donner 2008, 10.1002/sim.3095), AUC DeLong's on the
    logit scale. Where participants have several cases all intervals are percentiles of a bootstrap
    over participants. They are conditional on the predictions: they ignore that models of
    different folds share cases.

    Labels and predictions are 0 or 1; ``score`` is larger where response is more likely.

    Examples
    --------
    >>> measures = performance(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), np.arange(4.0))
    >>> measures["sensitivity"], measures["specificity"], measures["bac"], measures["auc"]
    (1.0, 0.5, 0.75, 1.0)

    Two sites, and a model that knows only the site:

    >>> site = np.repeat([0, 1], 50)
    >>> label = np.concatenate([np.arange(50) < 40, np.arange(50) < 10]).astype(int)
    >>> measures = performance(label, 1 - site, 1.0 - site, site=site)
    >>> measures["bac"], measures["bac_pooled"], measures["auc"]
    (0.5, 0.8, 0.5)
    """
    label, prediction, score = (np.asarray(values) for values in (label, prediction, score))
    site = np.zeros(len(label)) if site is None else np.asarray(site)
    estimates = point_estimates(label, prediction, score, site)
    if participant is not None and len(np.unique(participant)) < len(label):
        bounds = _bootstrap(label, prediction, score, site, np.asarray(participant), seed, level)
    else:
        se, sp = (_wilson_within(label, prediction, site, k, level) for k in (1, 0))
        bounds = {"sensitivity": se, "specificity": sp, "bac": _mean_interval(estimates, se, sp)}
        bounds["auc"] = list(delong(score, label, level, site=site)[1:])
    measures = {"n": float(len(label)), "n_response": float((label == 1).sum())}
    for name, value in estimates.items():
        measures |= {name: value, f"{name}_low": bounds[name][0], f"{name}_high": bounds[name][1]}
    return measures | {"bac_pooled": pooled_accuracy(label, prediction)}


def point_estimates(
    label: np.ndarray, prediction: np.ndarray, score: np.ndarray, site: np.ndarray
) -> dict[str, float]:
    """Return the measures within sites, without intervals."""
    rows, weight = within_sites(label, site)
    recalls = [
        _mean(weight, [(prediction[r][label[r] == k] == k).mean() for r in rows])
        if (label == k).any()
        else math.nan
        for k in (1, 0)
    ]
    return {
        "sensitivity": recalls[0],
        "specificity": recalls[1],
        "bac": (recalls[0] + recalls[1]) / 2,
        "auc": _mean(weight, [auc(score[r], label[r]) for r in rows]),
    }


def within_sites(label: np.ndarray, site: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the rows of the sites that have both labels, and their weights, which sum to one.

    Mantel & Haenszel 1959; of proportions Greenland & Robins 1985, 10.2307/2530643. Where no site
    has both labels, all rows are one site.

    Examples
    --------
    >>> rows, weight = within_sites(np.array([0, 1, 0, 1, 1]), np.array([0, 0, 1, 1, 2]))
    >>> [row.tolist() for row in rows], weight.tolist()
    ([[0, 1], [2, 3]], [0.5, 0.5])
    """
    rows = [np.flatnonzero(site == name) for name in np.unique(site)]
    rows = [row for row in rows if 0 < label[row].sum() < len(row)]
    if not rows:
        return [np.arange(len(label))], np.ones(1)
    weight = np.array([label[r].sum() * (1 - label[r]).sum() / len(r) for r in rows])
    return rows, weight / weight.sum()


def _mean(weight: np.ndarray, fractions: Sequence[float]) -> float:
    """Return the weighted mean of fractions, at most one in spite of rounding."""
    return float(np.minimum(weight @ np.asarray(fractions), 1.0))


def pooled_accuracy(label: np.ndarray, prediction: np.ndarray) -> float:
    """Return balanced accuracy, ignoring sites."""
    recalls = [
        (prediction[label == k] == k).mean() if (label == k).any() else math.nan for k in (0, 1)
    ]
    return float(np.mean(recalls))


def _wilson_within(
    label: np.ndarray, prediction: np.ndarray, site: np.ndarray, target: int, level: float
) -> list[float]:
    """Return Wilson's interval of a weighted mean of recalls, at its effective sample size."""
    rows, weight = within_sites(label, site)
    count = np.array([(label[r] == target).sum() for r in rows], dtype=np.float64)
    if not count.all():
        hits = int((prediction[label == target] == target).sum())
        low, high = wilson(hits, int(count.sum()), level)
        return [float(low), float(high)]
    recall = _mean(weight, [(prediction[r][label[r] == target] == target).mean() for r in rows])
    size = 1 / float((weight**2 / count).sum())
    low, high = wilson(np.asarray(recall * size), np.asarray(size), level)
    return [min(float(low), recall), max(float(high), recall)]


def _mean_interval(estimates: dict[str, float], se: list[float], sp: list[float]) -> list[float]:
    """Return the interval of the mean of sensitivity and specificity from theirs."""
    sensitivity, specificity = estimates["sensitivity"], estimates["specificity"]
    down = math.hypot(sensitivity - se[0], specificity - sp[0]) / 2
    up = math.hypot(se[1] - sensitivity, sp[1] - specificity) / 2
    return [estimates["bac"] - down, estimates["bac"] + up]


def _bootstrap(
    label: np.ndarray,
    prediction: np.ndarray,
    score: np.ndarray,
    site: np.ndarray,
    participant: np.ndarray,
    seed: int,
    level: float,
) -> dict[str, list[float]]:
    address = np.random.SeedSequence(seed, spawn_key=(nm.STREAM_FOLD, 0, 0, 0, 1))
    rng = np.random.default_rng(address)
    people, of_case = np.unique(participant, return_inverse=True)
    rows = [np.flatnonzero(of_case == k) for k in range(len(people))]
    estimates: dict[str, list[float]] = {}
    for _ in range(_BOOTSTRAPS):
        resample = np.concatenate([rows[k] for k in rng.integers(len(people), size=len(people))])
        draw = point_estimates(
            label[resample], prediction[resample], score[resample], site[resample]
        )
        for name, value in draw.items():
            estimates.setdefault(name, []).append(value)
    return {name: _quantiles(np.array(values), level) for name, values in estimates.items()}


def _quantiles(values: np.ndarray, level: float) -> list[float]:
    """Return the outer quantiles; NaN where all values are, as of cases of one label."""
    if np.isnan(values).all():
        return [math.nan, math.nan]
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return [float(low), float(high)]


def delong(
    score: np.ndarray, label: np.ndarray, level: float = 0.95, *, site: np.ndarray | None = None
) -> tuple[float, float, float]:
    """Return AUC with its interval (DeLong, DeLong & Clarke-Pearson 1988, 10.2307/2531595).

    The interval is computed on the logit scale, so it stays within 0 and 1; for an AUC of 0 or 1 it
    is that of an AUC half a discordant pair away. With sites it is the weighted mean of the areas
    within them.

    Examples
    --------
    >>> [round(x, 3) for x in delong(np.arange(8.0), np.array([0, 0, 1, 0, 1, 0, 1, 1]))]
    [0.812, 0.329, 0.975]
    """
    score, label = np.asarray(score), np.asarray(label)
    rows, weight = within_sites(label, np.zeros(len(label)) if site is None else np.asarray(site))
    areas, variances, n_pairs = zip(*(_area(score[r], label[r]) for r in rows), strict=True)
    area, pairs = _mean(weight, areas), sum(n_pairs)
    if math.isnan(area) or not pairs or min((label == 1).sum(), (label == 0).sum()) < 2:
        return area, 0.0, 1.0
    half = 0.5 / pairs
    inside = min(max(area, half), 1 - half)
    variance = max(float(weight**2 @ np.asarray(variances)), inside * (1 - inside) / pairs)
    reach = float(ndtri(0.5 + level / 2)) * math.sqrt(variance) / (inside * (1 - inside))
    middle = math.log(inside / (1 - inside))
    low, high = float(expit(middle - reach)), float(expit(middle + reach))
    return area, min(low, area), max(high, area)


def _area(score: np.ndarray, label: np.ndarray) -> tuple[float, float, int]:
    """Return the AUC of one site, its variance, and the number of pairs.

    A label with a single case contributes the largest possible variance, a quarter.
    """
    high, low = score[label == 1], score[label == 0]
    m, n = len(high), len(low)
    ranks = rankdata(np.concatenate([high, low]))
    parts = ((ranks[:m] - rankdata(high)) / max(n, 1), (ranks[m:] - rankdata(low)) / max(m, 1))
    spread = [part.var(ddof=1) / len(part) if len(part) > 1 else 0.25 for part in parts]
    return auc(score, label), float(sum(spread)), m * n


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


def calibration_curve(probability: np.ndarray, label: np.ndarray, bins: int = 5) -> pd.DataFrame:
    """Return predicted and observed response rates, with Wilson interval, in bins of equal size."""
    import pandas as pd

    order = np.argsort(probability, kind="stable")
    rows = []
    for part in np.array_split(order, min(bins, len(order))):
        responders, count = int(label[part].sum()), len(part)
        low, high = wilson(responders, count)
        predicted_rate = float(probability[part].mean())
        rows.append((predicted_rate, responders / count, float(low), float(high), count))
    columns = ["predicted", "observed", "observed_low", "observed_high", "n"]
    return pd.DataFrame(rows, columns=columns)


def decision_curve(probability: np.ndarray, label: np.ndarray) -> pd.DataFrame:
    """Return the net benefit of treating the predicted responders.

    Vickers & Elkin 2006, 10.1177/0272989X06295361: responders treated minus non-responders
    treated weighted by the odds of the threshold, per participant.

    Examples
    --------
    >>> table = decision_curve(np.array([0.9, 0.1]), np.array([1, 0]))
    >>> table.loc[table["threshold"] == 0.5, ["model", "treat_all"]].to_numpy().tolist()
    [[0.5, 0.0]]
    """
    import pandas as pd

    prevalence = float(np.mean(label))
    rows = []
    for threshold in THRESHOLDS:
        positive, odds = probability >= threshold, threshold / (1 - threshold)
        gain = float((positive & (label == 1)).mean() - odds * (positive & (label == 0)).mean())
        rows.append((threshold, gain, prevalence - odds * (1 - prevalence), 0.0))
    return pd.DataFrame(rows, columns=["threshold", "model", "treat_all", "treat_none"])
