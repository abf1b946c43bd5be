"""The cases of a cohort as arrays: which of them a design can use, and how they pair up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.cohort.endpoints import BINARY_ENDPOINTS, OF_BASELINE
from ketadask.kernels.scores import percent_improvement
from ketadask.schema.errors import InputError, nearest

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class CaseArrays:
    """Cases of a cohort as plain arrays, all (case,) but ``value``, which is (case, feature)."""

    name: np.ndarray
    participant: np.ndarray
    active: np.ndarray
    period: np.ndarray
    sequence: np.ndarray
    trial: np.ndarray
    site: np.ndarray
    cluster: np.ndarray
    y: np.ndarray
    response: np.ndarray
    value: np.ndarray

    def unusable(self, design: str, endpoint: str) -> dict[int, str]:
        """Return the reason for each case that ``design`` cannot use, by case."""
        finite = np.isfinite(self.y)
        why = ", because its baseline is not above 0" if endpoint in OF_BASELINE[1:] else ""
        reasons = {int(u): f"no {endpoint}{why}" for u in np.flatnonzero(~finite)}
        if design == "parallel" and finite.any():
            for u in np.flatnonzero(finite & (self.period > self.period.min())):
                reasons[int(u)] = "a later period is not a parallel comparison"
        if design == "crossover":
            count = self.participant.max() + 1
            for arm, on_arm in ((nm.ACTIVE, self.active), (nm.CONTROL, ~self.active)):
                has = np.bincount(self.participant[finite & on_arm], minlength=count) > 0
                for u in np.flatnonzero(finite & ~has[self.participant]):
                    reasons[int(u)] = f"no {endpoint} on {arm}, so no pair"
        return reasons

    def of_participants(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Describe the participants of the cases ``rows``, each (row,).

        Returns
        -------
        Pattern of the observed periods and arms, as ``1a2c``; sequence of arms, from the periods
        where both arms were observed and from ``sequence`` otherwise; whether the participant ever
        responded.
        """
        order = rows[np.lexsort((self.period[rows], self.participant[rows]))]
        patterns: dict[int, str] = {}
        sequences: dict[int, str] = {}
        responders: dict[int, bool] = {}
        for u in order.tolist():
            who = int(self.participant[u])
            arm = nm.ACTIVE if self.active[u] else nm.CONTROL
            patterns[who] = patterns.get(who, "") + f"{self.period[u]}{arm[0]}"
            responders[who] = responders.get(who, False) or bool(self.response[u] > 0)
            sequences[who] = f"{sequences[who]}-{arm}" if who in sequences else arm
        for u in order.tolist():
            who = int(self.participant[u])
            planned_sequence = str(self.sequence[u])
            if "-" not in sequences[who] and planned_sequence.startswith(nm.ARMS):
                sequences[who] = planned_sequence
        people = self.participant[rows].tolist()
        return (
            np.array([patterns[who] for who in people]),
            np.array([sequences[who] for who in people]),
            np.array([responders[who] for who in people], dtype=bool),
        )

    def single(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return one unit per case of ``rows``: value, outcome, response, period."""
        per_arm = np.full((2, rows.size, 2), np.nan)
        cells = np.arange(rows.size), np.where(self.active[rows], 0, 1)
        for values, own in zip(per_arm, (self.y, self.response), strict=True):
            values[cells] = own[rows]
        outcome, response = per_arm
        return {
            "value": self.value[rows],
            "outcome": outcome,
            "response": response,
            "period": self.period[rows],
        }

    def pairs(self, rows: np.ndarray, baseline: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the case on active of each pair, and one unit per pair as ``single`` does.

        The mean of two baselines skips missing values.
        """
        active = rows[self.active[rows]]
        control = rows[~self.active[rows]]
        active = active[np.argsort(self.participant[active], kind="stable")]
        control = control[np.argsort(self.participant[control], kind="stable")]
        on_active, on_control = self.value[active], self.value[control]
        if baseline == "first":
            earlier = self.period[active] < self.period[control]
            value = np.where(earlier[:, None], on_active, on_control)
        else:
            half = 0.5 * (on_active + on_control)
            value = np.where(np.isnan(on_active), on_control, half)
            value = np.where(np.isnan(on_control), on_active, value)
        return active, {
            "value": value,
            "outcome": np.column_stack((self.y[active], self.y[control])),
            "response": np.column_stack((self.response[active], self.response[control])),
            "period": self.period[active],
        }


def case_arrays(cohort: xr.Dataset, endpoint: str) -> CaseArrays:
    """Return the cases of a cohort; raise where some contradict each other."""
    arm, name, trial = (_text(cohort[key]) for key in (nm.ARM, nm.PARTICIPANT, "trial"))
    unknown = np.flatnonzero(~np.isin(arm, nm.ARMS))
    if unknown.size:
        raise InputError(
            "unknown arm",
            where=f"case of {name[unknown[0]]}",
            value=str(arm[unknown[0]]),
            remedy="use active or control",
        )
    participant = np.unique(name, return_inverse=True)[1]
    period = cohort["period"].values.astype(np.int64)
    _check_unique(name, participant, period, "period")
    first = np.unique(participant, return_index=True)[1]
    if (trial != trial[first][participant]).any():
        raise InputError(
            "a participant belongs to two trials",
            value=str(name[trial != trial[first][participant]][0]),
            remedy="give different people different participant ids",
        )
    cluster = _text(cohort["cluster"]) if "cluster" in cohort.coords else name
    cluster = np.where(cluster == "", name, cluster)
    _, first, member = np.unique(cluster, return_index=True, return_inverse=True)
    if (trial != trial[first][member]).any():
        raise InputError(
            "a cluster has participants of two trials",
            where="design.cluster",
            value=str(cluster[trial != trial[first][member]][0]),
            remedy="give clusters of different trials different names",
        )
    return CaseArrays(
        name=name,
        participant=participant,
        active=arm == nm.ACTIVE,
        period=period,
        sequence=_text(cohort["sequence"]),
        trial=trial,
        site=_text(cohort["site"]),
        cluster=cluster,
        y=_endpoint(cohort, endpoint),
        response=_response(cohort),
        value=np.asarray(cohort["value"].values, dtype=np.float64),
    )


def check_pairs(cases: CaseArrays, rows: np.ndarray) -> None:
    """Raise where a participant has two usable cases on one arm, which no pair can hold."""
    _check_unique(cases.name[rows], cases.participant[rows], cases.active[rows].astype(int), "arm")


def _check_unique(name: np.ndarray, participant: np.ndarray, key: np.ndarray, word: str) -> None:
    pairs = np.column_stack((participant, key))
    _, first, count = np.unique(pairs, axis=0, return_index=True, return_counts=True)
    if (count > 1).any():
        raise InputError(
            f"a participant has two cases of the same {word}",
            value=str(name[first[np.flatnonzero(count > 1)[0]]]),
            remedy=f"keep one case per participant and {word}",
        )


def endpoint_of(cohort: xr.Dataset, endpoint: str | None) -> str:
    """Return the endpoint to analyse: by default that of the cohort; raise where it has none."""
    own = str(cohort.attrs.get("endpoint", OF_BASELINE[0]))
    if endpoint not in (None, own, *OF_BASELINE):
        remedy = nearest(str(endpoint), dict.fromkeys((*OF_BASELINE, own)))
        raise InputError("unknown endpoint", value=endpoint, remedy=remedy)
    return endpoint or own


def _endpoint(cohort: xr.Dataset, endpoint: str) -> np.ndarray:
    """Return (case,) the endpoint; NaN where it is relative to a baseline that is not above 0."""
    if endpoint not in OF_BASELINE:
        return np.asarray(cohort["endpoint"].values, dtype=np.float64)
    improvement = cohort["improvement"].values.astype(np.float64)
    baseline = cohort["baseline"].values.astype(np.float64)
    if endpoint == "response":
        return _response(cohort)
    return percent_improvement(improvement, baseline) if endpoint == "percent" else improvement


def _response(cohort: xr.Dataset) -> np.ndarray:
    """Return (case,) whether it responded, 0 or 1; NaN where that cannot be known."""
    response = cohort["response"].values.astype(np.float64)
    if cohort.attrs.get("endpoint") in BINARY_ENDPOINTS[1:]:
        return np.where(np.isfinite(cohort["endpoint"].values), response, np.nan)
    is_known = np.isfinite(cohort["improvement"].values) & (cohort["baseline"].values > 0)
    return np.where(is_known, response, np.nan)


def _text(values: Any) -> np.ndarray:
    """Return labels as fixed-width text, '' where there is none."""
    import pandas as pd

    raw = np.asarray(values.values, dtype=object)
    return np.where(pd.isnull(raw), "", raw).astype(str)


def check_both_arms(
    design: str, outcome: np.ndarray, trial: np.ndarray, *, remedy: str | None = None
) -> None:
    """Raise where a trial lacks an arm: it then has no scores."""
    for name in np.unique(trial):
        on_arm = np.isfinite(outcome[trial == name]).any(axis=0)
        if not on_arm.all():
            lacking = " or ".join(
                a for a, any_of in zip(nm.ARMS, on_arm, strict=True) if not any_of
            )
            raise InputError(
                f"the {design} analysis needs both arms in every trial",
                where=f"trial {name or 'without a name'}",
                value=f"no outcome on {lacking}",
                remedy=remedy or "exclude this trial, or check its column of arms",
            )


def check_outcomes(design: str, outcome: np.ndarray, name: np.ndarray, trial: np.ndarray) -> None:
    """Raise where a unit of a search matrix has too few or too many outcomes for its design.

    Parameters
    ----------
    design
        ``pooled``, ``crossover`` or ``parallel``.
    outcome
        (unit, 2) endpoint on active, on control; NaN where not observed.
    name, trial
        (unit,) participant and trial.
    """
    remedy = "remove the units of this trial, or fill the outcomes of that arm"
    check_both_arms(design, outcome, trial, remedy=remedy)
    n_outcomes = 2 if design == "crossover" else 1
    count = np.isfinite(outcome).sum(axis=1)
    wrong = np.flatnonzero(count != n_outcomes)
    if wrong.size:
        u = int(wrong[0])
        raise InputError(
            f"a unit of the {design} analysis needs an outcome on "
            + ("both arms" if n_outcomes == 2 else "exactly one arm"),
            where=f"outcome of participant {name[u]}, trial {trial[u] or 'without a name'}",
            value=[float(y) for y in outcome[u]],
            remedy="remove this unit, or fill its outcome"
            if count[u] < n_outcomes
            else "write NaN where it was not observed, or choose the design crossover",
        )


def codes(*columns: np.ndarray) -> np.ndarray:
    """Number the distinct rows of some columns 0, 1, ... in sorted order.

    Examples
    --------
    >>> codes(np.array(["b", "a", "b"]), np.array([1, 1, 2]))
    array([1, 0, 2])
    """
    code = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        names, part = np.unique(column, return_inverse=True)
        code = np.unique(code * len(names) + part.reshape(-1), return_inverse=True)[1].reshape(-1)
    return code.astype(np.int64)
