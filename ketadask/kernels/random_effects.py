"""Random-effects summary of several trials, and the prediction interval of a further trial.

The effect of trial i is normal around a mean with variance se_i^2 + tau^2; tau^2 is the variance of
the true effects. DerSimonian & Kacker 2007, 10.1016/j.cct.2006.04.004, compare its estimators;
Paule & Mandel's is recommended by Veroniki et al. 2016, 10.1002/jrsm.1164.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, stdtrit

_ROUNDS, _CLOSE = 200, 1e-14
_ROUNDING = 8.0 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class RandomEffects:
    """Summary of k trials; NaN where they are too few.

    Attributes
    ----------
    trials
        k, the trials with an effect and a standard error above zero.
    weight
        (trial,) weight of each trial in the mean, as a fraction; 0 for a trial that is not counted.
    effect, se, low, high
        Mean of the true effects, its standard error and interval (from 2 trials on).
    prediction_low, prediction_high
        Where the true effect of a further trial is expected (from 3 trials on).
    tau2
        Variance of the true effects.
    cochran_q, cochran_p, i2
        Cochran's Q, its p where all true effects are the same, and the fraction of the variance
        between the effects that is not due to chance.
    """

    trials: int
    weight: np.ndarray
    effect: float = math.nan
    se: float = math.nan
    low: float = math.nan
    high: float = math.nan
    prediction_low: float = math.nan
    prediction_high: float = math.nan
    tau2: float = math.nan
    cochran_q: float = math.nan
    cochran_p: float = math.nan
    i2: float = math.nan


def random_effects(
    effect: np.ndarray, se: np.ndarray, *, level: float = 0.95, floor: bool = True
) -> RandomEffects:
    """Return the random-effects summary of trials.

    tau^2 after Paule & Mandel, the interval after Hartung & Knapp: the standard error of the mean
    is multiplied by sqrt(q), q = sum w_i (y_i - mean)^2 / (k - 1), and compared with t of k - 1
    degrees of freedom. With this tau^2, q is 1 wherever tau^2 > 0 and below 1 only where
    tau^2 = 0, that is, where the trials agree better than expected by chance. The interval
    would then be shorter than that of a common effect, which few trials cannot justify:
    ``floor`` raises q to 1 there (Roever, Knapp & Friede 2015, 10.1186/s12874-015-0091-1).

    Parameters
    ----------
    effect, se
        (trial,) effects and their standard errors. A trial whose effect is missing, or whose
        standard error is missing or zero, is not counted.
    level
        Level of the intervals.
    floor
        Whether the interval is at least as long as that of a common effect.

    Examples
    --------
    >>> summary = random_effects(np.array([4.0, 6.0, 9.0, 5.0]), np.array([1.0, 1.0, 1.0, 2.0]))
    >>> round(summary.effect, 2), round(summary.low, 2), round(summary.high, 2)
    (6.11, 2.55, 9.68)

    References
    ----------
    Paule & Mandel 1982, J Res Natl Bur Stand 87:377-385; Hartung & Knapp 2001,
    10.1002/sim.1009; I^2: Higgins & Thompson 2002, 10.1002/sim.1186.
    """
    y, s = np.asarray(effect, dtype=np.float64), np.asarray(se, dtype=np.float64)
    is_counted = np.isfinite(y) & np.isfinite(s) & (s > 0)
    weight = np.zeros(y.shape)
    y, variance = y[is_counted], s[is_counted] ** 2
    k = int(is_counted.sum())
    if k == 0:
        return RandomEffects(0, weight)
    tau2 = paule_mandel(y, variance) if k > 1 else 0.0
    w = 1.0 / (variance + tau2)
    weight[is_counted] = w / w.sum()
    mean, spread = float(w @ y / w.sum()), float(1.0 / w.sum())
    if k == 1:
        return RandomEffects(1, weight, mean, math.sqrt(spread))
    scale = float(w @ (y - mean) ** 2) / (k - 1)
    wide = math.sqrt(spread * (max(1.0, scale) if floor else scale))
    reach = float(stdtrit(k - 1, 0.5 + level / 2.0)) * wide
    q, _ = _scatter(y, variance, 0.0)
    return RandomEffects(
        k,
        weight,
        mean,
        wide,
        mean - reach,
        mean + reach,
        *prediction_interval(mean, wide, tau2, k, level),
        tau2=tau2,
        cochran_q=q,
        cochran_p=float(chdtrc(k - 1, q)),
        i2=max(0.0, (q - (k - 1)) / q) if q > 0 else 0.0,
    )


def paule_mandel(effect: np.ndarray, variance: np.ndarray) -> float:
    """Return the variance of the true effects at which their scatter equals its expectation.

    The root of sum w_i (y_i - mean)^2 = k - 1, w_i = 1 / (variance_i + tau^2), or 0 where the
    scatter is smaller already. The left side falls and is convex in tau^2, so that Newton's steps
    from zero never overshoot (DerSimonian & Kacker 2007, 10.1016/j.cct.2006.04.004).

    Examples
    --------
    >>> round(paule_mandel(np.array([0.0, 2.0]), np.array([1.0, 1.0])), 6)
    1.0
    """
    tau2, expected = 0.0, effect.shape[0] - 1
    for _ in range(_ROUNDS):
        scatter, slope = _scatter(effect, variance, tau2)
        if scatter <= expected or slope <= 0.0:
            break
        step = (scatter - expected) / slope
        tau2 += step
        if step <= _CLOSE * (tau2 + float(variance.min())):
            break
    return tau2


def _scatter(effect: np.ndarray, variance: np.ndarray, tau2: float) -> tuple[float, float]:
    """Weighted sum of squares around the weighted mean, and how fast it falls with ``tau2``."""
    w = 1.0 / (variance + tau2)
    squares = (effect - w @ effect / w.sum()) ** 2
    return float(w @ squares), float((w * w) @ squares)


def prediction_interval(
    mean: float, se: float, tau2: float, trials: int, level: float = 0.95
) -> tuple[float, float]:
    """Return where the true effect of a further trial is expected.

    mean +- t sqrt(tau^2 + se^2), t of k - 2 degrees of freedom; NaN with fewer than 3 trials.
    With few trials tau^2, and so this interval, is imprecise.

    Examples
    --------
    >>> low, high = prediction_interval(-0.3341, 0.0764, 0.02825, 10)
    >>> round(low, 2), round(high, 2)
    (-0.76, 0.09)

    References
    ----------
    Higgins, Thompson & Spiegelhalter 2009, 10.1111/j.1467-985X.2008.00552.x, equation 12; with
    the standard error of Hartung & Knapp: Partlett & Riley 2017, 10.1002/sim.7140.
    """
    if trials < 3:
        return math.nan, math.nan
    reach = float(stdtrit(trials - 2, 0.5 + level / 2.0)) * math.sqrt(tau2 + se * se)
    return mean - reach, mean + reach


@dataclass(frozen=True)
class Difference:
    """Mean inside minus mean outside, with interval; NaN where undefined."""

    effect: float
    se: float
    low: float
    high: float


def difference(
    score: np.ndarray, inside: np.ndarray, participant: np.ndarray, level: float = 0.95
) -> Difference:
    """Return the mean score inside minus that outside, with its interval.

    The influence of a unit is its distance from the mean of its side over the size of the side.
    Influences are summed within participants, whose units are dependent, and those of a side of G
    participants are multiplied by sqrt(G / (G - 1)). With one unit per participant this is Welch's
    interval (1947, 10.1093/biomet/34.1-2.28), degrees of freedom included.

    Parameters
    ----------
    score
        (unit,) scores of one trial.
    inside
        bool (unit,).
    participant
        (unit,) equal codes are the same participant.

    Returns
    -------
    All NaN where a side has fewer than two participants; the standard error is NaN where
    no score differs from its side's mean by more than rounding.

    Examples
    --------
    >>> result = difference(np.array([5.0, 7.0, 1.0, 2.0, 3.0]), np.arange(5) < 2, np.arange(5))
    >>> result.effect, round(result.se, 4)
    (4.0, 1.1547)
    """
    person = np.unique(participant, return_inverse=True)[1]
    pulls, means, sizes = [], [], []
    for side in (inside, ~inside):
        people = np.unique(person[side]).size
        if people < 2:
            return Difference(*[math.nan] * 4)
        values = score[side]
        means.append(float(values.mean()))
        sizes.append(people - 1)
        own = (values - means[-1]) / values.size * math.sqrt(people / (people - 1))
        pulls.append(np.bincount(person[side], weights=own, minlength=int(person.max()) + 1))
    effect = means[0] - means[1]
    variance = float(((pulls[0] - pulls[1]) ** 2).sum())
    if variance <= (_ROUNDING * float(np.abs(score).max())) ** 2:
        return Difference(effect, math.nan, math.nan, math.nan)
    parts = [float((pull**2).sum()) for pull in pulls]
    freedom = sum(parts) ** 2 / sum(p * p / n for p, n in zip(parts, sizes, strict=True))
    se = math.sqrt(variance)
    reach = float(stdtrit(freedom, 0.5 + level / 2.0)) * se
    return Difference(effect, se, effect - reach, effect + reach)
