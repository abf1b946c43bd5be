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


def performance(
    label: np.ndarray,
    predicted: np.ndarray,
    score: np.ndarray,
    participant: np.ndarray | None = None,
    *,
    site: np.ndarray | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> Measured:
    """Return sensitivity, specificity, balanced accuracy and AUC with intervals.

    All of them are taken within sites: responders are compared with non-responders of their own
    site, and the sites are averaged with the weights of Mantel and Haenszel, n1 n0 / (n1 + n0), the
    same for every measure. So a model that only knows which site somebody comes from, and noise
    in every frame, have an expectation of one half. Pooled over sites they do not: where sites are
    left out in turn, whoever is rare in one is frequent in its train part, which draws noise below
    one half; and where sites share folds, their shares of responders can be learnt, which draws it
    above. The pooled accuracy is ``bac_pooled``; with one site, or none given, both are the same.

    Sensitivity and specificity have Wilson's interval at their effective numbers, balanced accuracy
    the one made of both (Zou & Donner 2008, 10.1002/sim.3095), AUC DeLong's on the logit scale.
    Where participants have several cases all intervals are percentiles of a bootstrap over
    participants. They take the predictions as given: that models of different folds share cases
    is not in them.

    Parameters
    ----------
    label, predicted
        (case,) 0 or 1.
    score
        (case,) any number that is larger where response is likelier.
    participant, site
        (case,) who, and from where.

    Examples
    --------
    >>> made = measured(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), np.arange(4.0))
    >>> made["sensitivity"], made["specificity"], made["bac"], made["auc"]
    (1.0, 0.5, 0.75, 1.0)

    Two sites, and a model that knows nothing but these:

    >>> site = np.repeat([0, 1], 50)
    >>> label = np.concatenate([np.arange(50) < 40, np.arange(50) < 10]).astype(int)
    >>> made = measured(label, 1 - site, 1.0 - site, site=site)
    >>> made["bac"], made["bac_pooled"], made["auc"]
    (0.5, 0.8, 0.5)
    """
    label, predicted, score = (np.asarray(each) for each in (label, predicted, score))
    where = np.zeros(len(label)) if site is None else np.asarray(site)
    told = {"n": float(len(label)), "n_response": float((label == 1).sum())}
    found = points(label, predicted, score, where)
    if participant is not None and len(np.unique(participant)) < len(label):
        bounds = _bootstrap(label, predicted, score, where, np.asarray(participant), seed, level)
    else:
        se, sp = (_wilson_within(label, predicted, where, k, level) for k in (1, 0))
        bounds = {"sensitivity": se, "specificity": sp, "bac": _joined(found, se, sp)}
        bounds["auc"] = list(delong(score, label, level, site=where)[1:])
    for name, value in found.items():
        told |= {name: value, f"{name}_low": bounds[name][0], f"{name}_high": bounds[name][1]}
    return told | {"bac_pooled": pooled_accuracy(label, predicted)}


def points(
    label: np.ndarray, predicted: np.ndarray, score: np.ndarray, site: np.ndarray
) -> Measured:
    """Return the measures within sites, without intervals."""
    rows, weight = within_sites(label, site)
    recalls = [
        _mean(weight, [(predicted[r][label[r] == k] == k).mean() for r in rows])
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
    rows = [each for each in rows if 0 < label[each].sum() < len(each)]
    if not rows:
        return [np.arange(len(label))], np.ones(1)
    weight = np.array([label[r].sum() * (1 - label[r]).sum() / len(r) for r in rows])
    return rows, weight / weight.sum()


def _mean(weight: np.ndarray, shares: list[float]) -> float:
    """Return the weighted mean of shares, which rounding must not carry above one."""
    return float(np.minimum(weight @ shares, 1.0))


def pooled_accuracy(label: np.ndarray, predicted: np.ndarray) -> float:
    """Return balanced accuracy without regard to sites."""
    recalls = [(predicted[label == k] == k).mean() if (label == k).any() else math.nan
               for k in (0, 1)]  # fmt: skip
    return float(np.mean(recalls))


def _wilson_within(
    label: np.ndarray, predicted: np.ndarray, site: np.ndarray, wanted: int, level: float
) -> list[float]:
    """Return Wilson's interval of a weighted mean of proportions, at its effective number."""
    rows, weight = within_sites(label, site)
    count = np.array([(label[r] == wanted).sum() for r in rows], dtype=np.float64)
    if not count.all():
        low, high = wilson(
            int((predicted[label == wanted] == wanted).sum()), int(count.sum()), level
        )
        return [float(low), float(high)]
    share = _mean(weight, [(predicted[r][label[r] == wanted] == wanted).mean() for r in rows])
    number = 1 / float((weight**2 / count).sum())
    low, high = wilson(share * number, number, level)
    return [min(float(low), share), max(float(high), share)]


def _joined(found: Measured, se: list[float], sp: list[float]) -> list[float]:
    """Return the interval of a mean of two proportions from theirs."""
    down = math.hypot(found["sensitivity"] - se[0], found["specificity"] - sp[0]) / 2
    up = math.hypot(se[1] - found["sensitivity"], sp[1] - found["specificity"]) / 2
    return [found["bac"] - down, found["bac"] + up]


def _bootstrap(
    label: np.ndarray,
    predicted: np.ndarray,
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
    drawn = []
    for _ in range(_DRAWS):
        chosen = np.concatenate([rows[k] for k in rng.integers(len(people), size=len(people))])
        made = points(label[chosen], predicted[chosen], score[chosen], site[chosen])
        drawn.append(list(made.values()))
    return {
        name: _edges(column, level) for name, column in zip(_POINTS, np.array(drawn).T, strict=True)
    }


def _edges(drawn: np.ndarray, level: float) -> list[float]:
    """Return the quantiles of what is known; NaN where nothing is, as of cases of one label."""
    if np.isnan(drawn).all():
        return [math.nan, math.nan]
    return np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2]).tolist()


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


def delong(
    score: np.ndarray, label: np.ndarray, level: float = 0.95, *, site: np.ndarray | None = None
) -> tuple[float, float, float]:
    """Return AUC with its interval (DeLong, DeLong & Clarke-Pearson 1988, 10.2307/2531595).

    The interval is made on the logit scale, so it stays within 0 and 1; where the AUC is 0 or 1
    it is the one that half a wrong pair more or less would give. With sites it is the weighted
    mean of the areas within them.

    Examples
    --------
    >>> [round(x, 3) for x in delong(np.arange(8.0), np.array([0, 0, 1, 0, 1, 0, 1, 1]))]
    [0.812, 0.329, 0.975]
    """
    score, label = np.asarray(score), np.asarray(label)
    rows, weight = within_sites(label, np.zeros(len(label)) if site is None else np.asarray(site))
    made = [_area(score[r], label[r]) for r in rows]
    area = _mean(weight, [each[0] for each in made])
    pairs = sum(each[2] for each in made)
    if math.isnan(area) or not pairs or min((label == 1).sum(), (label == 0).sum()) < 2:
        return area, 0.0, 1.0
    half = 0.5 / pairs
    inside = min(max(area, half), 1 - half)
    variance = float(weight**2 @ [each[1] for each in made])
    variance = max(variance, inside * (1 - inside) / pairs)
    reach = float(ndtri(0.5 + level / 2)) * math.sqrt(variance) / (inside * (1 - inside))
    middle = math.log(inside / (1 - inside))
    low_end, high_end = float(expit(middle - reach)), float(expit(middle + reach))
    return area, min(low_end, area), max(high_end, area)


def _area(score: np.ndarray, label: np.ndarray) -> tuple[float, float, int]:
    """Return the AUC of one site, its variance, and the number of pairs.

    Where one label has a single case, its share of the variance is taken to be the largest there
    is, a quarter.
    """
    high, low = score[label == 1], score[label == 0]
    m, n = len(high), len(low)
    ranks = rankdata(np.concatenate([high, low]))
    parts = ((ranks[:m] - rankdata(high)) / max(n, 1), (ranks[m:] - rankdata(low)) / max(m, 1))
    spread = [each.var(ddof=1) / len(each) if len(each) > 1 else 0.25 for each in parts]
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
