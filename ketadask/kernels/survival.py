"""Time to event and counts as one number per unit, by pseudo-observations and linearisation."""

from __future__ import annotations

import numpy as np

CENSORED, EVENT, COMPETING = 0, 1, 2


def restricted_mean(time: np.ndarray, event: np.ndarray, horizon: float) -> float:
    """Return the mean time without the event up to the horizon.

    Without competing events it is the area under the Kaplan-Meier curve; with them, the horizon
    minus the area under the Aalen-Johansen estimate of the event's cumulative incidence.

    Parameters
    ----------
    time
        (unit,) time of the event, or of the last observation.
    event
        (unit,) 0 censored, 1 the event, 2 a competing event.
    horizon
        End of the period that counts.

    Examples
    --------
    >>> restricted_mean(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 0, 1, 0]), 4.0)
    2.875
    """
    return _mean_without_event(*_risk_sets(time, event, horizon), horizon)


def pseudo_observations(time: np.ndarray, event: np.ndarray, horizon: float) -> np.ndarray:
    """Return (unit,) jackknife pseudo-observations of `restricted_mean`.

    Their mean is the restricted mean; without censoring, each is the unit's own time up to the
    horizon (Andersen, Klein & Rosthoj 2003, 10.1093/biomet/90.1.15).

    Examples
    --------
    >>> pseudo_observations(np.array([1.0, 2.0, 5.0]), np.array([1, 1, 1]), 4.0).round(12).tolist()
    [1.0, 2.0, 4.0]
    """
    times, at_risk, events, competing = _risk_sets(time, event, horizon)
    n_units = len(time)
    total = n_units * _mean_without_event(times, at_risk, events, competing, horizon)
    values = np.full(n_units, total)
    for u in range(n_units):
        is_own = times == time[u]
        without = (
            at_risk - (times <= time[u]),
            events - is_own * (event[u] == EVENT),
            competing - is_own * (event[u] == COMPETING),
        )
        values[u] -= (n_units - 1) * _mean_without_event(times, *without, horizon)
    return values


def rate_contributions(count: np.ndarray, exposure: np.ndarray) -> np.ndarray:
    """Return (unit,) contributions to the rate of events per time at risk, whose mean is the rate.

    They are the rate plus its influence function, (count - rate x exposure) / mean exposure.

    Examples
    --------
    >>> rate_contributions(np.array([2.0, 0.0]), np.array([1.0, 3.0])).tolist()
    [1.25, -0.25]
    """
    rate = count.sum() / exposure.sum()
    return np.asarray(rate + (count - rate * exposure) / exposure.mean())


def _risk_sets(
    time: np.ndarray, event: np.ndarray, horizon: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the times of any event, and the units at risk, with the event and with another."""
    times = np.unique(time[(event != CENSORED) & (time <= horizon)])
    at_risk = len(time) - np.searchsorted(np.sort(time), times, side="left")
    events, competing = (
        np.bincount(np.searchsorted(times, own), minlength=times.size)
        for own in (time[(event == kind) & (time <= horizon)] for kind in (EVENT, COMPETING))
    )
    return times, at_risk, events, competing


def _mean_without_event(
    times: np.ndarray,
    at_risk: np.ndarray,
    events: np.ndarray,
    competing: np.ndarray,
    horizon: float,
) -> float:
    n = np.maximum(at_risk, 1)
    free = np.cumprod(1.0 - (events + competing) / n)
    before = np.concatenate(([1.0], free[:-1])) if times.size else free
    return float(horizon - (before * events / n * (horizon - times)).sum())
