"""From outcomes and arms to one score per unit, whose mean over a set is the set's benefit."""

from __future__ import annotations

import numpy as np


def percent_improvement(improvement: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Return improvements in percent of their baselines, NaN where there is none above 0.

    Examples
    --------
    >>> percent_improvement(np.array([12.0, 3.0]), np.array([30.0, 0.0]))
    array([40., nan])
    """
    positive_baseline = np.where(np.asarray(baseline) > 0, baseline, np.nan)
    return np.asarray(100.0 * np.asarray(improvement) / positive_baseline)


def pooled_score(outcome: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Score cases one by one: ``(a - q) / (q (1 - q)) (y - mean y)``, q the fraction on active.

    The mean of the scores is the difference of the arms' means.

    Parameters
    ----------
    outcome
        (unit,) endpoint, larger is better.
    active
        (unit,) True on the active arm.

    Returns
    -------
    (unit,) scores, NaN where an arm is absent.

    Examples
    --------
    >>> pooled_score(np.array([5.0, 3.0, 1.0, 0.0]), np.array([True, True, False, False]))
    array([5.5, 1.5, 2.5, 4.5])
    """
    active = np.asarray(active, dtype=bool)
    y = np.asarray(outcome, dtype=np.float64)
    fraction = float(np.mean(active)) if active.size else 0.0
    if fraction in (0.0, 1.0):
        return np.full(y.shape, np.nan)
    return np.where(active, 1.0 / fraction, -1.0 / (1.0 - fraction)) * (y - np.mean(y))


def period_effect(difference: np.ndarray, active_first: np.ndarray) -> float:
    """Return half the difference between the sequences' means of (active - control).

    Zero if only one sequence exists, as it cannot be estimated then (Senn 2002, Cross-over
    Trials in Clinical Research, chapter 3).

    Examples
    --------
    >>> period_effect(np.array([5.0, 7.0, 2.0, 4.0]), np.array([True, True, False, False]))
    1.5
    """
    first = np.asarray(active_first, dtype=bool)
    if first.all() or not first.any():
        return 0.0
    return float(np.mean(difference[first]) - np.mean(difference[~first])) / 2.0


def crossover_score(
    active_outcome: np.ndarray, control_outcome: np.ndarray, active_first: np.ndarray
) -> np.ndarray:
    """Score participants with both arms: their difference without the period effect.

    Parameters
    ----------
    active_outcome, control_outcome
        (unit,) endpoint on each arm.
    active_first
        (unit,) True where the active arm came first.

    Returns
    -------
    (unit,) scores; where both sequences exist they have equal means.

    Examples
    --------
    >>> crossover_score(np.array([5.0, 7.0, 2.0, 4.0]), np.zeros(4),
    ...                 np.array([True, True, False, False]))
    array([3.5, 5.5, 3.5, 5.5])
    """
    difference = np.asarray(active_outcome, dtype=np.float64) - control_outcome
    effect = period_effect(difference, active_first)
    score = difference - np.where(np.asarray(active_first, dtype=bool), effect, -effect)
    return np.asarray(score)


def parallel_score(
    outcome: np.ndarray,
    active: np.ndarray,
    stratum: np.ndarray,
    prediction: np.ndarray | None = None,
) -> np.ndarray:
    """Score participants of a parallel trial by augmented inverse probability.

    ``m1 - m0 + a (y - m1) / q - (1 - a) (y - m0) / (1 - q)`` with q the fraction on active in the
    stratum and m1, m0 the expected outcomes on each arm: the stratum's means, or a prediction
    (Robins, Rotnitzky & Zhao 1994, 10.1080/01621459.1994.10476818). With the stratum's means the
    mean score of a stratum is exactly the difference of its arms' means.

    Parameters
    ----------
    outcome
        (unit,) endpoint, larger is better; 0 and 1 for a response.
    active
        (unit,) True on the active arm.
    stratum
        (unit,) strata of the randomisation; one that lacks an arm borrows fraction and means
        from all units.
    prediction
        (unit, 2) expected outcome on active and on control, predicted without the unit itself.

    Returns
    -------
    (unit,) scores, NaN where an arm is absent everywhere.

    Examples
    --------
    >>> parallel_score(np.array([5.0, 3.0, 1.0, 0.0]), np.array([True, True, False, False]),
    ...                np.zeros(4))
    array([5.5, 1.5, 2.5, 4.5])
    """
    active = np.asarray(active, dtype=bool)
    y = np.asarray(outcome, dtype=np.float64)
    if active.all() or not active.any():
        return np.full(y.shape, np.nan)
    _, code = np.unique(stratum, return_inverse=True)
    n = np.bincount(code).astype(np.float64)
    n_active = np.bincount(code, weights=active)
    lacking = (n_active == 0) | (n_active == n)
    q = np.where(lacking, np.mean(active), n_active / n)[code]
    if prediction is None:
        has_both = ~lacking
        means = []
        for arm, size in ((active, n_active), (~active, n - n_active)):
            total = np.bincount(code, weights=np.where(arm, y, 0.0))
            mean = np.full(n.shape, np.mean(y[arm]))
            mean[has_both] = total[has_both] / size[has_both]
            means.append(mean[code])
        m1, m0 = means
    else:
        m1, m0 = prediction[:, 0], prediction[:, 1]
    return np.asarray(m1 - m0 + np.where(active, (y - m1) / q, -(y - m0) / (1.0 - q)))


def cross_fitted(
    X: np.ndarray,
    outcome: np.ndarray,
    active: np.ndarray,
    fold: np.ndarray,
    penalties: tuple[float, ...] = (1.0, 10.0, 100.0, 1000.0),
) -> np.ndarray:
    """Predict each unit's outcome on both arms by ridge regressions of the other folds.

    One ridge per arm on standardised features, missing values set to the mean, the penalty chosen
    by generalised cross-validation (Golub, Heath & Wahba 1979, 10.1080/00401706.1979.10489751).

    Parameters
    ----------
    X
        (unit, feature), NaN where missing.
    outcome
        (unit,) endpoint.
    active
        (unit,) True on the active arm.
    fold
        (unit,) fold of the unit; participants must not straddle folds.
    penalties
        Ridge penalties to choose from.

    Returns
    -------
    (unit, 2) expected outcome on active, on control; predicted without the unit's own fold.

    Examples
    --------
    >>> x = np.arange(40.0)
    >>> arm = np.arange(40) % 2 == 0
    >>> predicted = cross_fitted(x[:, None], x + 3.0 * arm, arm, np.arange(40) // 2 % 4, (1e-9,))
    >>> bool(np.allclose(predicted[:, 0] - predicted[:, 1], 3.0))
    True
    """
    active = np.asarray(active, dtype=bool)
    y = np.asarray(outcome, dtype=np.float64)
    prediction = np.empty((y.shape[0], 2))
    for test_fold in np.unique(fold):
        out = fold == test_fold
        for column, arm in enumerate((active, ~active)):
            fit = ~out & arm
            if not fit.any():
                fit = arm if arm.any() else np.ones_like(arm)
            prediction[out, column] = _ridge(X[fit], y[fit], X[out], penalties)
    return prediction


def _ridge(
    X: np.ndarray, y: np.ndarray, new: np.ndarray, penalties: tuple[float, ...]
) -> np.ndarray:
    """Fit on (X, y), predict ``new``; the penalty is the one of least generalised error."""
    observed = np.isfinite(X)
    count = np.maximum(observed.sum(axis=0), 1)
    centre = np.where(observed, X, 0.0).sum(axis=0) / count
    Z = np.where(observed, X - centre, 0.0)
    spread = np.sqrt((Z * Z).sum(axis=0) / count)
    scale = np.where(spread > 1e-12 * (1.0 + np.abs(centre)), spread, np.inf)
    mean = float(np.mean(y))
    U, d, Vt = np.linalg.svd(Z / scale, full_matrices=False)
    Uy = U.T @ (y - mean)
    best, coefficients = np.inf, np.zeros(Vt.shape[1])
    for penalty in penalties:
        shrink = d * d / (d * d + penalty)
        residual = y - mean - U @ (shrink * Uy)
        free = max(y.shape[0] - 1.0 - float(shrink.sum()), 1e-9)
        error = float(residual @ residual) / free**2
        if error < best:
            best, coefficients = error, Vt.T @ (d / (d * d + penalty) * Uy)
    Z_new = np.where(np.isfinite(new), new - centre, 0.0) / scale
    return mean + Z_new @ coefficients
