"""The cases of a cohort as arrays: which of them a design can use, and how they pair up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.kernels.scores import percent_improvement
from ketadask.schema.errors import InputError

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
    y: np.ndarray
    response: np.ndarray
    value: np.ndarray

    def unusable(self, design: str, endpoint: str) -> dict[int, str]:
        """Return why each case that ``design`` cannot use is left out, by case."""
        reasons = {int(u): f"no {endpoint}" for u in np.flatnonzero(~np.isfinite(self.y))}
        seen = np.isfinite(self.y)
        if design == "parallel" and seen.any():
            earliest = self.period.min()
            for u in np.flatnonzero(seen & (self.period > earliest)):
                reasons[int(u)] = "a later period is no parallel comparison"
        if design == "crossover":
            count = self.participant.max() + 1
            for arm, side in ((nm.ACTIVE, self.active), (nm.CONTROL, ~self.active)):
                has = np.bincount(self.participant[seen & side], minlength=count) > 0
                for u in np.flatnonzero(seen & ~has[self.participant]):
                    reasons[int(u)] = f"no {endpoint} on {arm}, so no pair"
        return reasons

    def of_participants(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Describe the participants behind ``rows``, each (row,).

        Returns
        -------
        Pattern of the periods and arms seen, as ``1a2c``; sequence of arms, from the periods where
        both arms were seen and as given otherwise; whether the participant ever responded.
        """
        order = rows[np.lexsort((self.period[rows], self.participant[rows]))]
        pattern: dict[int, str] = {}
        sequence: dict[int, str] = {}
        responded: dict[int, bool] = {}
        for u in order.tolist():
            who = int(self.participant[u])
            arm = nm.ACTIVE if self.active[u] else nm.CONTROL
            pattern[who] = pattern.get(who, "") + f"{self.period[u]}{arm[0]}"
            responded[who] = responded.get(who, False) or bool(self.response[u] > 0)
            sequence[who] = f"{sequence[who]}-{arm}" if who in sequence else arm
        for u in order.tolist():
            who = int(self.participant[u])
            given = str(self.sequence[u])
            if "-" not in sequence[who] and given.startswith(nm.ARMS):
                sequence[who] = given
        people = self.participant[rows].tolist()
        return (
            np.array([pattern[p] for p in people]),
            np.array([sequence[p] for p in people]),
            np.array([responded[p] for p in people], dtype=bool),
        )

    def single(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return one unit per case of ``rows``: value, outcome, period."""
        outcome = np.full((rows.size, 2), np.nan)
        outcome[np.arange(rows.size), np.where(self.active[rows], 0, 1)] = self.y[rows]
        return {"value": self.value[rows], "outcome": outcome, "period": self.period[rows]}

    def paired(self, rows: np.ndarray, baseline: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the case on active of each pair, and one unit per pair as ``single`` does.

        Missing values are left out of the mean of two baselines, not spread by it.
        """
        active = rows[self.active[rows]]
        control = rows[~self.active[rows]]
        active = active[np.argsort(self.participant[active], kind="stable")]
        control = control[np.argsort(self.participant[control], kind="stable")]
        on_active, on_control = self.value[active], self.value[control]
        earlier = self.period[active] < self.period[control]
        if baseline == "first":
            value = np.where(earlier[:, None], on_active, on_control)
        else:
            half = 0.5 * (on_active + on_control)
            value = np.where(np.isnan(on_active), on_control, half)
            value = np.where(np.isnan(on_control), on_active, value)
        outcome = np.column_stack((self.y[active], self.y[control]))
        return active, {"value": value, "outcome": outcome, "period": self.period[active]}


def case_arrays(cohort: xr.Dataset, endpoint: str) -> CaseArrays:
    """Read the cases of a cohort, or say which of them contradict each other."""
    arm = _text(cohort[nm.ARM])
    unknown = ~np.isin(arm, nm.ARMS)
    name = _text(cohort[nm.PARTICIPANT])
    if unknown.any():
        u = int(np.flatnonzero(unknown)[0])
        raise InputError(
            "unknown arm",
            where=f"case of {name[u]}",
            value=str(arm[u]),
            remedy="use active or control",
        )
    codes = np.unique(name, return_inverse=True)[1]
    period = cohort["period"].values.astype(np.int64)
    trial = _text(cohort["trial"])
    _once(name, codes, period, "period")
    first = np.unique(codes, return_index=True)[1]
    moved = trial != trial[first][codes] if codes.size else np.zeros(0, dtype=bool)
    if moved.any():
        raise InputError(
            "a participant belongs to two trials",
            value=str(name[np.flatnonzero(moved)[0]]),
            remedy="give different people different participant ids",
        )
    return CaseArrays(
        name=name,
        participant=codes,
        active=arm == nm.ACTIVE,
        period=period,
        sequence=_text(cohort["sequence"]),
        trial=trial,
        site=_text(cohort["site"]),
        y=_endpoint(cohort, endpoint),
        response=np.nan_to_num(cohort["response"].values.astype(np.float64)),
        value=np.asarray(cohort["value"].values, dtype=np.float64),
    )


def one_case_per_arm(cases: CaseArrays, rows: np.ndarray) -> None:
    """Say who has two usable cases on one arm, which no pair can hold."""
    _once(cases.name[rows], cases.participant[rows], cases.active[rows].astype(int), "arm")


def _once(name: np.ndarray, codes: np.ndarray, key: np.ndarray, what: str) -> None:
    pairs = np.column_stack((codes, key))
    _, first, count = np.unique(pairs, axis=0, return_index=True, return_counts=True)
    if (count > 1).any():
        raise InputError(
            f"a participant has two cases of the same {what}",
            value=str(name[first[np.flatnonzero(count > 1)[0]]]),
            remedy=f"keep one case per participant and {what}",
        )


def _endpoint(cohort: xr.Dataset, endpoint: str) -> np.ndarray:
    improvement = cohort["improvement"].values.astype(np.float64)
    if endpoint == "response":
        response = cohort["response"].values.astype(np.float64)
        return np.where(np.isfinite(improvement), response, np.nan)
    if endpoint == "percent":
        return percent_improvement(improvement, cohort["baseline"].values.astype(np.float64))
    return improvement


def _text(values: Any) -> np.ndarray:
    """Return labels as fixed-width text, '' where there is none."""
    import pandas as pd

    raw = np.asarray(values.values, dtype=object)
    return np.where(pd.isnull(raw), "", raw).astype(str)


def check_both_arms(
    design: str, outcome: np.ndarray, trial: np.ndarray, *, remedy: str | None = None
) -> None:
    """Say which trial lacks an arm, without which it has no scores."""
    for name in np.unique(trial):
        seen = np.isfinite(outcome[trial == name]).any(axis=0)
        if not seen.all():
            there = [arm for arm, any_of in zip(nm.ARMS, seen, strict=True) if any_of]
            lacking = " or ".join(arm for arm in nm.ARMS if arm not in there)
            raise InputError(
                f"the {design} analysis needs both arms in every trial",
                where=f"trial {name or 'without a name'}",
                value=f"{f'only {there[0]}, ' if there else ''}nobody on {lacking}",
                remedy=remedy or "leave this trial out, or check its column of arms",
            )


def check_outcomes(design: str, outcome: np.ndarray, name: np.ndarray, trial: np.ndarray) -> None:
    """Say which unit of a search matrix lacks the outcomes its design needs, or has too many.

    Parameters
    ----------
    design
        ``pooled``, ``crossover`` or ``parallel``.
    outcome
        (unit, 2) endpoint on active, on control; NaN where not seen.
    name, trial
        (unit,) participant and trial.
    """
    check_both_arms(
        design,
        outcome,
        trial,
        remedy="leave the units of this trial out, or fill the outcomes of that arm",
    )
    wanted = 2 if design == "crossover" else 1
    count = np.isfinite(outcome).sum(axis=1)
    off = np.flatnonzero(count != wanted)
    if off.size:
        u = int(off[0])
        raise InputError(
            f"a unit of the {design} analysis has an outcome on "
            + ("both arms" if wanted == 2 else "one arm"),
            where=f"outcome of participant {name[u]}, trial {trial[u] or 'without a name'}",
            value=[float(y) for y in outcome[u]],
            remedy="leave this unit out, or fill its outcome"
            if count[u] < wanted
            else "write NaN where it was not seen, or choose the design crossover",
        )


def codes(*columns: np.ndarray) -> np.ndarray:
    """Number the distinct rows of some columns 0, 1, ... in sorted order.

    Examples
    --------
    >>> codes(np.array(["b", "a", "b"]), np.array([1, 1, 2]))
    array([1, 0, 2])
    """
    each = [np.unique(column, return_inverse=True)[1] for column in columns]
    rows = np.unique(np.column_stack(each), axis=0, return_inverse=True)[1]
    return rows.reshape(-1).astype(np.int64)
