"""Power and size of a trial that tests one mean score: the only formula of a sample size.

A score is one number per participant whose mean is the benefit: the difference of a crossover, or
the outcome weighted by arm. With two arms of equal size its standard deviation is twice that of the
outcome within arms.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import nctdtr, ndtr
from scipy.stats import multivariate_normal, norm, t

LARGEST = 1_000_000
_NORMAL_FROM = 20_000


def t_test_power(
    effect: np.ndarray | float,
    se: np.ndarray | float,
    df: np.ndarray | float,
    *,
    alpha: float = 0.05,
    sides: int = 1,
    inflation: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Return the power of a t test, claims in the true direction only; arrays broadcast.

    Parameters
    ----------
    effect, se, df
        True mean or difference, its standard error and the degrees of freedom; without any, the
        power is 0.
    alpha, sides
        Level, and 1 or 2 sides.
    inflation
        Standard error that the test uses, over the true one.

    Examples
    --------
    >>> float(t_test_power(0.5, 2 / 170.1**0.5, 168.1, sides=2).round(3))
    0.9
    """
    effect, se, df, inflation = np.broadcast_arrays(
        *(np.asarray(values, float) for values in (effect, se, df, inflation))
    )
    is_possible = (df > 0) & (se > 0)
    ratio = np.divide(effect, se, out=np.zeros(effect.shape), where=is_possible)
    degrees = np.where(is_possible, df, 1.0)
    critical = t.isf(alpha / sides, degrees) * inflation
    exact = 1.0 - nctdtr(np.minimum(degrees, _NORMAL_FROM), np.clip(ratio, -30, 30), critical)
    power = np.where(degrees > _NORMAL_FROM, ndtr(ratio - critical), exact)
    return np.where(is_possible, power, 0.0)


def smallest_size(power_of: Callable[[int], float], power: float, *, step: int = 1) -> float:
    """Return the smallest multiple of ``step`` with the power; NaN if ``LARGEST`` has not.

    ``power_of`` is the power at a size, and grows with it.

    Examples
    --------
    >>> smallest_size(lambda n: n / 100, 0.805, step=2)
    82.0
    """
    high = 1
    while power_of(high * step) < power:
        if high * step > LARGEST:
            return float("nan")
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(middle * step) >= power else (middle, high)
    return float(high * step)


def agreement(prevalence: float, literals: int, reliability: float) -> float:
    """Return the correlation of membership measured twice: the part of a difference that remains.

    If the features measured again correlate ``reliability`` with the first measurement, the
    difference between the new inside and the new outside is this fraction of the former one.

    Notes
    -----
    Each of ``literals`` independent normal features holds for ``prevalence**(1 / literals)`` of the
    people. With J the probability to be inside twice, those inside the second time are inside the
    first time with J / p, those outside with (p - J) / (1 - p), and the difference of the two is
    ``(J - p^2) / (p (1 - p))``, the phi coefficient.

    Examples
    --------
    >>> round(agreement(0.5, 1, 0.8), 3)  # 2 / pi * arcsin(0.8)
    0.59
    """
    if reliability >= 1:
        return 1.0
    cut = norm.ppf(prevalence ** (1 / literals))
    covariance = [[1.0, reliability], [reliability, 1.0]]
    both = float(multivariate_normal.cdf([cut, cut], cov=covariance)) ** literals
    return (both - prevalence**2) / (prevalence * (1 - prevalence))
