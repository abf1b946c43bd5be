"""From a cohort of cases to the search matrix: one unit per row, one score per unit."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.cohort.case_arrays import (
    CaseArrays,
    case_arrays,
    check_both_arms,
    check_outcomes,
    codes,
    one_case_per_arm,
)
from ketadask.kernels.scores import cross_fitted, crossover_score, parallel_score, pooled_score
from ketadask.schema.cohort import Cohort, dataset_of
from ketadask.schema.datasets import COHORT, UNITS
from ketadask.schema.errors import InputError, nearest
from ketadask.schema.tables import EXCLUSIONS

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

POOLED, CROSSOVER, PARALLEL = "pooled", "crossover", "parallel"
DESIGNS = (POOLED, CROSSOVER, PARALLEL)
ENDPOINTS = ("improvement", "response", "percent")
BASELINES = ("mean", "first")
ADJUSTMENTS = ("none", "ridge")
FOLDS = 5


@dataclass(frozen=True, eq=False)
class TrialArrays:
    """The arrays of a trial that travel to workers, features left out.

    Parameters
    ----------
    design
        ``pooled``, ``crossover`` or ``parallel``.
    outcome
        (unit, 2) endpoint on active, on control; NaN where the unit was not seen on that arm.
    participant
        (unit,) equal codes are the same participant.
    stratum
        (unit,) stratum of the relabelling.
    split_stratum
        (unit,) stratum of the splits: sequence, response and trial.
    period
        (unit,) period of the unit's case; in ``crossover`` that of its active arm.
    active_first
        (unit,) True where the participant's sequence begins with active.
    trial
        (unit,) code of the trial.
    score
        (unit,) mean over a set estimates its treatment benefit.
    prediction
        (unit, 2) expected outcomes behind an adjusted ``parallel`` score, cross-fitted on all.
    within_arm
        Whether a relabelling exchanges features between participants of the same arm only.
    """

    design: str
    outcome: np.ndarray
    participant: np.ndarray
    stratum: np.ndarray
    split_stratum: np.ndarray
    period: np.ndarray
    active_first: np.ndarray
    trial: np.ndarray
    score: np.ndarray
    prediction: np.ndarray | None = None
    within_arm: bool = False

    @property
    def paired(self) -> bool:
        """Whether a unit carries both arms."""
        return self.design == CROSSOVER

    @property
    def arm(self) -> np.ndarray:
        """(unit,) int8: 1 active, 0 control, -1 for both."""
        if self.paired:
            return np.full(self.outcome.shape[0], -1, dtype=np.int8)
        return np.isfinite(self.outcome[:, 0]).astype(np.int8)

    def scores(self, side: np.ndarray | None = None, *, level: bool = True) -> np.ndarray:
        """Return the scores of the units of a side, made as if there were no others.

        Means, shares of the arms, period effects and the level of the trials are those of the
        side alone, so that neither side of a split carries outcomes of the other. Only expected
        outcomes of an adjusted score stay as they were cross-fitted on all units, the unit's own
        fold left out.

        Parameters
        ----------
        side
            bool (unit,): units on this side; all by default, which gives ``score``.
        level
            As in `trial_scores`.

        Returns
        -------
        (unit,) scores; NaN off the side, and where the side lacks an arm of the unit's trial.

        Examples
        --------
        >>> y = np.array([[9.0, 2.0], [4.0, 3.0], [8.0, 1.0]])
        >>> same = np.zeros(3, dtype=np.int64)
        >>> trial = Trial("crossover", y, np.arange(3), same, same, same + 1,
        ...               np.array([True, True, False]), same, np.array([6.0, 0.0, 8.0]))
        >>> trial.scores(np.array([True, False, True]))
        array([ 7., nan,  7.])
        """
        own = np.arange(len(self.outcome)) if side is None else np.flatnonzero(side)
        made = np.full(len(self.outcome), np.nan)
        made[own] = trial_scores(
            self.design,
            self.outcome[own],
            stratum=self.stratum[own],
            active_first=self.active_first[own],
            trial=self.trial[own],
            prediction=None if self.prediction is None else self.prediction[own],
            level=level,
        )
        return made

    def __repr__(self) -> str:
        """Say what kind of trial, and how large."""
        people = len(np.unique(self.participant))
        return f"<Trial: {self.design}, {len(self.score)} units of {people} participants>"

    def __dask_tokenize__(self) -> tuple[str, str]:
        digest = hashlib.blake2b(f"{self.design} {self.within_arm}".encode(), digest_size=16)
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                digest.update(f"{name} {value.dtype.str} {value.shape}".encode())
                digest.update(np.ascontiguousarray(value).tobytes())
        return "ketadask.cohort.designs.TrialArrays", digest.hexdigest()


def trial_scores(
    design: str,
    outcome: np.ndarray,
    *,
    stratum: np.ndarray,
    active_first: np.ndarray,
    trial: np.ndarray,
    prediction: np.ndarray | None = None,
    level: bool = True,
) -> np.ndarray:
    """Return the scores of each trial by its design's own formula, trials one by one.

    Trials whose overall benefit differs are brought to the same mean: what differs between trials
    is no difference between their participants, and a feature that tells the trials apart would
    pass for one that tells who benefits (Fisher et al. 2017, 10.1136/bmj.j573).

    Parameters
    ----------
    design
        ``pooled``, ``crossover`` or ``parallel``.
    outcome
        (unit, 2) endpoint on active, on control; NaN where not seen.
    stratum, active_first, trial, prediction
        As in ``Trial``.
    level
        Whether trials are brought to the same mean; the mean of all scores stays.

    Returns
    -------
    (unit,) scores, NaN where a trial lacks an arm.

    Examples
    --------
    >>> trial_scores("crossover", np.array([[9.0, 2.0], [4.0, 3.0]]), stratum=np.zeros(2),
    ...              active_first=np.array([True, False]), trial=np.zeros(2))
    array([4., 4.])
    """
    score = np.empty(outcome.shape[0])
    for code in np.unique(trial):
        own = trial == code
        y = outcome[own]
        active = np.isfinite(y[:, 0])
        seen = np.where(active, y[:, 0], y[:, 1])
        if design == CROSSOVER:
            score[own] = crossover_score(y[:, 0], y[:, 1], active_first[own])
        elif design == POOLED:
            score[own] = pooled_score(seen, active)
        else:
            expected = None if prediction is None else prediction[own]
            score[own] = parallel_score(seen, active, stratum[own], expected)
    if level:
        made = np.isfinite(score)
        score[made] = _levelled(score[made], trial[made])
    return score


def _levelled(score: np.ndarray, trial: np.ndarray) -> np.ndarray:
    trial = np.unique(trial, return_inverse=True)[1]
    size = np.bincount(trial)
    if size.size < 2:
        return score
    return score + score.mean() - (np.bincount(trial, weights=score) / size)[trial]


def trial_arrays(units: xr.Dataset) -> TrialArrays:
    """Return the arrays of a units dataset that splits, gates and relabellings need.

    Scores must be those of the design: sides and relabelled trials have theirs made anew.
    """
    UNITS.check(units)
    design = str(units.attrs["design"])
    if design not in DESIGNS:
        raise InputError("unknown design", value=design, remedy=nearest(design, DESIGNS))
    arms = tuple(str(arm) for arm in units[nm.ARM].values)
    if arms != nm.ARMS:
        raise InputError("unknown arms", where=nm.ARM, value=arms, remedy=f"use {nm.ARMS}")
    outcome = np.ascontiguousarray(units["outcome"].values, dtype=np.float64)
    check_outcomes(design, outcome, units[nm.PARTICIPANT].values, units["trial"].values)
    trial = TrialArrays(
        design=design,
        outcome=outcome,
        participant=codes(units[nm.PARTICIPANT].values),
        stratum=units["stratum"].values.astype(np.int64),
        split_stratum=units["split_stratum"].values.astype(np.int64),
        period=units["period"].values.astype(np.int64),
        active_first=_starts_active(units["sequence"].values),
        trial=codes(units["trial"].values),
        score=np.ascontiguousarray(units["score"].values, dtype=np.float64),
        prediction=units["prediction"].values if "prediction" in units else None,
        within_arm=bool(units.attrs.get("within_arm", 0)),
    )
    made = trial.scores()
    off = ~np.isclose(made, trial.score, rtol=1e-9, atol=1e-9 * np.abs(made).max(initial=0.0))
    if off.any():
        raise InputError(
            f"score of {off.sum()} units is not what their outcomes give by the {trial.design} "
            "design",
            where="score",
            value=float(trial.score[off][0]),
            remedy=f"{float(made[off][0]):.6g} it would be; make the matrix by kd.units, or search "
            "scores of your own with kd.top_personas",
        )
    return trial


def score_units(
    cohort: Cohort | xr.Dataset,
    *,
    design: str = CROSSOVER,
    endpoint: str = "improvement",
    baseline: str = "mean",
    adjust: str = "none",
    within_arm: bool = False,
) -> xr.Dataset:
    """Return the search matrix of a cohort: features, outcomes and one score per unit.

    Parameters
    ----------
    cohort
        What ``assemble`` returns, or a dataset that keeps the cohort's contract.
    design
        ``pooled``: a unit is a case. ``crossover``: a unit is a participant seen on both arms;
        the others are listed as excluded. ``parallel``: a unit is a participant; of several
        periods the first is taken, the only one that is a parallel comparison.
    endpoint
        ``improvement``; ``response`` (0 or 1); ``percent``: improvement in percent of baseline.
    baseline
        In ``crossover``, a feature measured before each infusion enters as the ``mean`` of the
        measured ones or as that of the ``first`` period.
    adjust
        In ``parallel``, expected outcomes are the means of each trial and site (``none``) or a
        cross-fitted prediction from all features (``ridge``).
    within_arm
        In ``parallel``, whether relabellings exchange features within arm only.

    Returns
    -------
    Dataset that keeps the contract of units. `design_exclusions` lists who is not among them.
    """
    for what, value, valid in (
        ("design", design, DESIGNS),
        ("endpoint", endpoint, ENDPOINTS),
        ("baseline", baseline, BASELINES),
        ("adjust", adjust, ADJUSTMENTS),
    ):
        if value not in valid:
            raise InputError(f"unknown {what}", value=value, remedy=nearest(str(value), valid))
    import xarray as xr

    dataset = COHORT.check(dataset_of(cohort))
    cases = case_arrays(dataset, endpoint)
    unusable = cases.unusable(design, endpoint)
    rows = np.setdiff1d(np.arange(cases.y.shape[0]), np.fromiter(unusable, dtype=np.int64))
    if not rows.size:
        raise InputError(
            f"no participant can enter the {design} analysis",
            value=f"{len(unusable)} cases left out",
            remedy="see the exclusions, or choose the design pooled",
        )
    if design == CROSSOVER:
        one_case_per_arm(cases, rows)
        shown, made = cases.paired(rows, baseline)
    else:
        shown, made = rows, cases.single(rows)
    check_both_arms(design, made["outcome"], cases.trial[shown])
    coordinates = _coordinates(design, cases, rows, shown) | {"period": made["period"]}
    prediction = None
    if design == PARALLEL and adjust == "ridge":
        prediction = _predicted(made, cases.participant[shown])
    score = trial_scores(
        design,
        made["outcome"],
        stratum=coordinates["stratum"],
        active_first=_starts_active(coordinates["sequence"]),
        trial=codes(coordinates["trial"]),
        prediction=prediction,
    )
    of_features = [name for name in dataset.coords if dataset[name].dims == (nm.FEATURE,)]
    matrix = xr.Dataset(
        {
            "value": ((nm.UNIT, nm.FEATURE), made["value"]),
            "score": (nm.UNIT, score),
            "outcome": ((nm.UNIT, nm.ARM), made["outcome"]),
        },
        coords={
            nm.ARM: list(nm.ARMS),
            **{name: (nm.UNIT, values) for name, values in coordinates.items()},
            **{name: dataset[name].variable for name in of_features},
        },
        attrs={
            **dataset.attrs,
            "design": design,
            "endpoint": endpoint,
            "within_arm": int(within_arm and design == PARALLEL),
        },
    )
    if prediction is not None:
        matrix["prediction"] = ((nm.UNIT, nm.ARM), prediction)
    return UNITS.check(matrix)


def search_matrix(data: Cohort | xr.Dataset, design: str = CROSSOVER) -> xr.Dataset:
    """Return the search matrix of a cohort by its ``design``, or a search matrix as it is."""
    dataset = dataset_of(data)
    if set(COHORT.variables) <= set(dataset.data_vars):
        return score_units(dataset, design=design)
    return dataset


def design_exclusions(
    cohort: Cohort, *, design: str = CROSSOVER, endpoint: str = "improvement"
) -> pd.DataFrame:
    """Return the exclusions of a cohort, and the cases that the design cannot use.

    Returns
    -------
    Table that keeps ``schema.tables.EXCLUSIONS``: participant, period (0 for all), reason.
    """
    import pandas as pd

    cases = case_arrays(cohort.dataset, endpoint)
    before = cohort.exclusions
    excluded = set(zip(before["participant"], before["period"], strict=True))
    rows = [
        (str(cases.name[u]), int(cases.period[u]), reason)
        for u, reason in sorted(cases.unusable(design, endpoint).items())
        if not excluded & {(str(cases.name[u]), 0), (str(cases.name[u]), int(cases.period[u]))}
    ]
    after = pd.DataFrame(rows, columns=list(EXCLUSIONS.columns))
    return pd.concat([before, after], ignore_index=True) if rows else before


def _coordinates(
    design: str, cases: CaseArrays, rows: np.ndarray, shown: np.ndarray
) -> dict[str, np.ndarray]:
    """Describe the units by the participants behind all their cases ``rows``."""
    described = cases.of_participants(rows)
    pattern, sequence, responded = (part[np.searchsorted(rows, shown)] for part in described)
    trial, site = cases.trial[shown], cases.site[shown]
    return {
        nm.PARTICIPANT: cases.name[shown],
        "stratum": codes(trial, site) if design == PARALLEL else codes(trial, pattern),
        "split_stratum": codes(_starts_active(sequence), responded, trial),
        "sequence": sequence,
        "trial": trial,
        "site": site,
    }


def _starts_active(sequence: np.ndarray) -> np.ndarray:
    return np.char.startswith(np.asarray(sequence).astype(str), nm.ACTIVE)


def _predicted(made: dict[str, np.ndarray], participant: np.ndarray) -> np.ndarray:
    """Cross-fit expected outcomes over participants in a fixed random order of folds."""
    people = np.unique(participant, return_inverse=True)[1]
    count = int(people.max()) + 1
    stream = np.random.SeedSequence(0, spawn_key=(nm.STREAM_CROSS_FIT, 0))
    fold = (np.random.default_rng(stream).permutation(count) % FOLDS)[people]
    active = np.isfinite(made["outcome"][:, 0])
    y = np.where(active, made["outcome"][:, 0], made["outcome"][:, 1])
    return cross_fitted(made["value"], y, active, fold)
