"""Inference from many overlapping splits: intervals, p-values, error bounds of selection."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri, stdtrit

Interval = tuple[np.ndarray, np.ndarray, np.ndarray]


def wilson(
    successes: np.ndarray | int, trials: np.ndarray | int, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Return the score interval of a proportion (Wilson 1927, 10.1080/01621459.1927.10502953).

    Arrays broadcast; without trials the interval is (0, 1).

    Examples
    --------
    >>> low, high = wilson(8, 10)
    >>> round(float(low), 4), round(float(high), 4)
    (0.4902, 0.9433)
    """
    k, n = np.broadcast_arrays(np.asarray(successes, float), np.asarray(trials, float))
    z = ndtri(0.5 + level / 2.0)
    is_known = n > 0
    safe = np.where(is_known, n, 1.0)
    rate = k / safe
    centre = (rate + z * z / (2.0 * safe)) / (1.0 + z * z / safe)
    reach = z * np.sqrt(rate * (1.0 - rate) / safe + (z / (2.0 * safe)) ** 2)
    reach = reach / (1.0 + z * z / safe)
    # At the ends the interval is closed by definition, whatever rounding says.
    low = np.where(is_known & (k > 0), np.maximum(centre - reach, 0.0), 0.0)
    high = np.where(is_known & (k < n), np.minimum(centre + reach, 1.0), 1.0)
    return low, high


def t_interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """Return the mean of independent values with Student's interval, (mean, low, high).

    NaN where undefined: the mean of nothing, the bounds of fewer than two values.

    Examples
    --------
    >>> [round(x, 3) for x in t_interval(np.array([1.0, 2.0, 3.0, 4.0]))]
    [2.5, 0.446, 4.554]
    """
    values = np.asarray(values, dtype=np.float64)
    n = values.shape[0]
    if n == 0:
        return math.nan, math.nan, math.nan
    mean = float(np.mean(values))
    if n == 1:
        return mean, math.nan, math.nan
    reach = float(stdtrit(n - 1, 0.5 + level / 2.0) * np.std(values, ddof=1) / math.sqrt(n))
    return mean, mean - reach, mean + reach


def nadeau_bengio(
    values: np.ndarray, n_train: float, n_holdout: float, level: float = 0.95
) -> Interval:
    """Return the mean over random splits with an interval that allows for their overlap.

    The variance of the mean is (1 / J + n_holdout / n_train) times the variance of the J values;
    t with J - 1 degrees of freedom (Nadeau & Bengio 2003, 10.1023/A:1024068626366, section 3.2).

    Parameters
    ----------
    values
        (..., split) one number per split, measured on its holdout side.
    n_train, n_holdout
        Sizes of the two sides.
    level
        Level of the interval.

    Returns
    -------
    Mean, low, high, each (...); the bounds are NaN with fewer than two splits.

    Examples
    --------
    >>> mean, low, high = nadeau_bengio(np.array([1.0, 2.0, 3.0, 4.0]), 30, 30)
    >>> round(float(mean), 3), round(float(low), 3), round(float(high), 3)
    (2.5, -2.093, 7.093)
    """
    values = np.asarray(values, dtype=np.float64)
    splits = values.shape[-1]
    if splits == 0:
        nothing = np.full(values.shape[:-1], np.nan)
        return nothing, nothing, nothing
    mean = np.mean(values, axis=-1)
    if splits == 1:
        return mean, np.full(mean.shape, np.nan), np.full(mean.shape, np.nan)
    variance = (1.0 / splits + n_holdout / n_train) * np.var(values, axis=-1, ddof=1)
    reach = stdtrit(splits - 1, 0.5 + level / 2.0) * np.sqrt(variance)
    return mean, mean - reach, mean + reach


def twice_mean(p: np.ndarray) -> np.ndarray:
    """Return 2 x mean of dependent p-values (..., split), itself a p-value.

    Vovk & Wang 2020, 10.1093/biomet/asaa027 (arXiv:1212.4966); the mean alone is not.

    Examples
    --------
    >>> float(twice_mean(np.array([0.01, 0.03])))
    0.04
    """
    return np.asarray(np.minimum(1.0, 2.0 * np.mean(np.asarray(p, dtype=np.float64), axis=-1)))


def twice_median(p: np.ndarray) -> np.ndarray:
    """Return 2 x median of dependent p-values (..., split), itself a p-value.

    The quantile aggregation of Meinshausen, Meier & Buhlmann (2009) at gamma = 1/2; with an even
    number of splits the median is the mean of the middle two, which is never smaller.

    Examples
    --------
    >>> float(twice_median(np.array([0.01, 0.02, 0.9])))
    0.04
    """
    return np.asarray(np.minimum(1.0, 2.0 * np.median(np.asarray(p, dtype=np.float64), axis=-1)))


def quantile_aggregate(p: np.ndarray, gamma_min: float = 0.05) -> np.ndarray:
    """Return the adaptive quantile aggregation of dependent p-values (..., split).

    min(1, (1 - log gamma_min) inf over gamma in (gamma_min, 1) of q_gamma(p) / gamma), q_gamma
    the empirical quantile; the factor adjusts for the choice of gamma (Meinshausen, Meier &
    Buhlmann 2009, 10.1198/jasa.2009.tm08647, equation 2.3). Since q_gamma is a step function the
    infimum is the least p_(k) n / k over the order statistics with k / n above gamma_min.

    Examples
    --------
    >>> float(quantile_aggregate(np.full(20, 0.001)).round(6))
    0.003996
    """
    p_sorted = np.sort(np.asarray(p, dtype=np.float64), axis=-1)
    n = p_sorted.shape[-1]
    # 0.29 * 100 is 28.999...: round what is whole to nine digits.
    first = min(math.floor(gamma_min * n + 1e-9), n - 1)
    candidates = p_sorted[..., first:] * (n / np.arange(first + 1, n + 1))
    smallest = np.min(candidates, axis=-1)
    return np.asarray(np.minimum(1.0, (1.0 - math.log(gamma_min)) * smallest))


def meinshausen_buhlmann_bound(n_selected: float, features: int, threshold: float) -> float:
    """Bound the expected number of falsely selected features: q^2 / ((2 pi - 1) p).

    Meinshausen & Buhlmann 2010, 10.1111/j.1467-9868.2010.00740.x, theorem 1; it assumes random
    halves, exchangeable noise features and a procedure no worse than guessing.

    Parameters
    ----------
    n_selected
        Mean number of features q that a split selects.
    features
        Number of features p.
    threshold
        Frequency pi from which a feature counts as selected; at 1/2 and below the
        bound is p.

    Examples
    --------
    >>> meinshausen_buhlmann_bound(10, 100, 0.6)
    5.0
    """
    if threshold <= 0.5:
        return float(features)
    # 2 x 0.6 - 1 is 0.2 only up to rounding; the bound should not show it.
    return round(n_selected * n_selected / (round(2.0 * threshold - 1.0, 12) * features), 12)


def shah_samworth_bound(n_selected: float, features: int, threshold: float, pairs: int) -> float:
    """Bound the expected number of selected features that are selected no more often than average.

    For complementary pairs, with unimodal distributions of the simultaneous selection (Shah &
    Samworth 2013, 10.1111/j.1467-9868.2011.01034.x, theorem 2); outside the theorem's range of
    thresholds their theorem 1, which assumes nothing.

    Parameters
    ----------
    n_selected
        Mean number of features q that a half selects.
    features
        Number of features p.
    threshold
        Frequency tau over all halves from which a feature counts as selected; at 1/2 and below
        the bound is p.
    pairs
        Number of complementary pairs B. Frequencies are multiples of 1 / (2 B), so a threshold
        counts as the next multiple above.

    Examples
    --------
    >>> round(shah_samworth_bound(10, 100, 0.6, 50), 6)
    2.631579
    """
    halves = 2 * pairs
    tau = min(math.ceil(threshold * halves - 1e-9) / halves, 1.0)
    if tau <= 0.5:
        return float(features)
    theta = n_selected / features
    lowest = 0.5 + min(theta**2, 1.0 / halves + 0.75 * theta**2)
    constant = 1.0 / (2.0 * tau - 1.0)
    # Theorem 2 holds for tau of at least 1/2 + 1/B and theta of at most 1 / sqrt(3).
    if theta <= 1.0 / math.sqrt(3.0) and tau >= 0.5 + 2.0 / halves - 1e-12 and tau > lowest:
        if tau <= 0.75:
            constant = 1.0 / (2.0 * (2.0 * tau - 1.0 - 1.0 / halves))
        else:
            constant = 4.0 * (1.0 - tau + 1.0 / halves) / (1.0 + 1.0 / pairs)
    return theta * n_selected * constant
