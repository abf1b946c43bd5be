"""The endpoint of each case: one number of which more is better, whatever the direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.cohort.endpoints import (
    AREA,
    MIXED_MODEL,
    OF_BASELINE,
    RATE,
    SLOPE,
    SURVIVAL,
    Outcome,
)
from ketadask.kernels.repeated import expected_courses, mean_level, slope
from ketadask.kernels.scores import percent_improvement
from ketadask.kernels.survival import pseudo_observations, rate_contributions
from ketadask.schema.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


def improvement(
    baseline: np.ndarray, followup: np.ndarray, threshold: float, direction: str = "lower"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return improvement, percent improvement and response per case.

    Improvement is baseline minus follow-up, or follow-up minus baseline where higher values are
    better; percent is of the baseline, NaN where that is not above 0; response is 1 where
    improvement is positive and reaches ``threshold`` of the baseline.

    Examples
    --------
    >>> [part.tolist() for part in improvement(np.array([30.0]), np.array([18.0]), 0.4)]
    [[12.0], [40.0], [1.0]]
    """
    points = baseline - followup if direction == "lower" else followup - baseline
    # 0.56 * 25 is 14.000000000000002 in floating point, and 14 of 25 points reach it.
    is_response = (points >= threshold * baseline - 1e-9) & (points > 0)
    return points, percent_improvement(points, baseline), is_response.astype(np.float64)


def case_endpoints(
    cases: pd.DataFrame, outcome: Outcome, courses: pd.DataFrame, group: np.ndarray
) -> Mapping[str, np.ndarray]:
    """Return improvement, percent and response of the cases, and other endpoints as ``endpoint``.

    Parameters
    ----------
    cases
        participant, period, and baseline and followup, which may be missing; event or exposure.
    outcome
        The outcome, with a direction.
    courses
        As `outcome_courses` returns them.
    group
        (case,) codes of trial, arm and period, within which models are fitted.
    """
    baseline, followup = (cases[name].to_numpy(np.float64) for name in ("baseline", "followup"))
    direction = outcome.require_direction()
    points, percent, response = improvement(
        baseline, followup, outcome.response_threshold, direction
    )
    arrays = {"improvement": points, "percent": percent, "response": response}
    if outcome.endpoint in OF_BASELINE:
        return arrays
    sign = 1.0 if direction == "higher" else -1.0
    if outcome.endpoint == "remission":
        is_below = outcome.below is not None
        limit = outcome.below if is_below else outcome.above
        arrays["endpoint"] = (followup < limit if is_below else followup > limit).astype(float)
        arrays["response"] = arrays["endpoint"]
    elif outcome.endpoint == "binary":
        _check_cells(cases, outcome.name, ~np.isin(followup, (0, 1)), followup, "0 or 1")
        arrays["endpoint"] = followup if sign > 0 else 1.0 - followup
        arrays["response"] = arrays["endpoint"]
    elif outcome.endpoint == SURVIVAL:
        arrays["endpoint"] = _survival(cases, outcome, group)
    elif outcome.endpoint == RATE:
        arrays["endpoint"] = sign * _rates(cases, outcome, group)
    elif outcome.endpoint == MIXED_MODEL:
        arrays["endpoint"] = _model_improvement(cases, outcome, courses, group)
    elif outcome.endpoint in (AREA, SLOPE):
        arrays["endpoint"] = _course_summaries(cases, outcome, courses)
    else:
        arrays["endpoint"] = sign * followup
    return arrays


def with_horizon(outcome: Outcome, cases: pd.DataFrame, group: np.ndarray) -> Outcome:
    """Return the outcome with the horizon of a time to event: the shortest follow-up of a group."""
    if outcome.endpoint != SURVIVAL or not len(cases):
        return outcome
    longest = cases["followup"].groupby(group).max()
    if outcome.horizon is None:
        return replace(outcome, horizon=float(longest.min()))
    if not 0 < outcome.horizon <= longest.min():
        raise InputError(
            "no participant of an arm was followed to the horizon",
            where="outcome.horizon",
            value=outcome.horizon,
            remedy=f"give at most {longest.min():g}",
        )
    return outcome


def censoring_text(cases: pd.DataFrame, outcome: Outcome) -> str:
    """Return the numbers of events and of censored cases by kind; empty for other endpoints."""
    if outcome.endpoint != SURVIVAL or outcome.horizon is None:
        return ""
    event, time = cases["event"].to_numpy(), cases["followup"].to_numpy()
    is_late = time >= outcome.horizon
    is_own, is_other = ((event == kind) & (time <= outcome.horizon) for kind in (1, 2))
    rest = ~is_own & ~is_other
    return (
        f"; {is_own.sum():,} events, {is_other.sum():,} competing events, "
        f"{(rest & is_late).sum():,} followed to the horizon (administrative censoring), "
        f"{(rest & ~is_late).sum():,} censored before"
    )


def _survival(cases: pd.DataFrame, outcome: Outcome, group: np.ndarray) -> np.ndarray:
    """Return (case,) pseudo-observations of the restricted mean of their group."""
    time, event = cases["followup"].to_numpy(np.float64), cases["event"].to_numpy(np.float64)
    _check_cells(cases, outcome.event, ~np.isin(event, (0, 1, 2)), event, "0, 1 or 2")
    _check_cells(cases, outcome.name, time < 0, time, "a time of 0 or more")
    y, horizon = np.empty(len(cases)), float(outcome.horizon or 0.0)
    for code in np.unique(group):
        own = group == code
        y[own] = pseudo_observations(time[own], event[own].astype(np.int64), horizon)
    return y if outcome.direction == "higher" else horizon - y


def _rates(cases: pd.DataFrame, outcome: Outcome, group: np.ndarray) -> np.ndarray:
    """Return (case,) contributions to the rate of their group."""
    count, exposure = (cases[key].to_numpy(np.float64) for key in ("followup", "exposure"))
    _check_cells(cases, outcome.name, count < 0, count, "a count of 0 or more")
    _check_cells(cases, outcome.exposure, exposure <= 0, exposure, "a time at risk above 0")
    y = np.empty(len(cases))
    for code in np.unique(group):
        y[group == code] = rate_contributions(count[group == code], exposure[group == code])
    return y


def _course_summaries(cases: pd.DataFrame, outcome: Outcome, courses: pd.DataFrame) -> np.ndarray:
    """Return (case,) mean improvement up to the day, or the slope in the better direction."""
    keys = [nm.PARTICIPANT, "period"]
    last = float(outcome.day or 0) + outcome.window
    visits = courses[courses["day"] <= last].groupby(keys)
    y = np.empty(len(cases))
    sign = -1.0 if outcome.direction == "lower" else 1.0
    baselines = cases["baseline"].to_numpy(np.float64)
    for u, key in enumerate(zip(*(cases[name] for name in keys), strict=True)):
        own = visits.get_group(key)
        day, score = own["day"].to_numpy(np.float64), own["score"].to_numpy(np.float64)
        is_slope = outcome.endpoint == SLOPE
        y[u] = slope(day, score) if is_slope else mean_level(day, score) - baselines[u]
    return sign * y


def _model_improvement(
    cases: pd.DataFrame, outcome: Outcome, courses: pd.DataFrame, group: np.ndarray
) -> np.ndarray:
    """Return (case,) the expected improvement at the day given all visits of the case.

    Days at which a group has fewer than two visits are not used.
    """
    keys = [nm.PARTICIPANT, "period"]
    table = courses.pivot(index=keys, columns="day", values="score")
    y = table.reindex(list(zip(*(cases[name] for name in keys), strict=True))).to_numpy(np.float64)
    days = table.columns.to_numpy()
    counts = np.stack([np.isfinite(y[group == code]).sum(axis=0) for code in np.unique(group)])
    is_used = counts.min(axis=0) >= 2
    y, days = y[:, is_used], days[is_used]
    if outcome.day not in days:
        raise InputError(
            f"too few visits at day {outcome.day} for a model",
            where="outcome.day",
            value=outcome.day,
            remedy=f"choose one of the days {', '.join(str(d) for d in days if d > 0)}",
        )
    n_groups = len(np.unique(group))
    if len(y) - n_groups <= len(days):
        raise InputError(
            f"{len(y)} cases are too few for the covariance of {len(days)} visits",
            where="outcome.endpoint",
            remedy="choose improvement or area",
        )
    z = expected_courses(y, np.unique(group, return_inverse=True)[1])[0]
    change = z[:, list(days).index(outcome.day)] - z[:, list(days).index(0)]
    return np.asarray(change if outcome.direction == "higher" else -change)


def _check_cells(
    cases: pd.DataFrame, column: str | None, wrong: np.ndarray, values: np.ndarray, expected: str
) -> None:
    """Raise where a value of an outcome column is not what it must be."""
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"expected {expected}",
            where=f"{column} of {cases[nm.PARTICIPANT].iloc[row]}",
            value=float(values[row]),
            remedy="correct the cell, or choose another endpoint",
        )
