"""The arrays of a trial and the scores of the three designs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.cohort.case_arrays import check_outcomes, codes
from ketadask.kernels.scores import crossover_score, parallel_score, pooled_score
from ketadask.schema.datasets import UNITS
from ketadask.schema.errors import InputError, nearest

if TYPE_CHECKING:
    import xarray as xr

POOLED, CROSSOVER, PARALLEL = "pooled", "crossover", "parallel"
DESIGNS = (POOLED, CROSSOVER, PARALLEL)


@dataclass(frozen=True, eq=False)
class TrialArrays:
    """The arrays of a trial that travel to workers, features left out.

    Parameters
    ----------
    design
        ``pooled``, ``crossover`` or ``parallel``.
    outcome
        (unit, 2) endpoint on active, on control; NaN where not observed.
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
    def has_pairs(self) -> bool:
        """Whether a unit carries both arms."""
        return self.design == CROSSOVER

    @property
    def arm(self) -> np.ndarray:
        """(unit,) int8: 1 active, 0 control, -1 for both."""
        if self.has_pairs:
            return np.full(self.outcome.shape[0], -1, dtype=np.int8)
        return np.asarray(np.isfinite(self.outcome[:, 0]).astype(np.int8))

    def scores(self, side: np.ndarray | None = None, *, level: bool = True) -> np.ndarray:
        """Return scores computed from the units of one side of a split only.

        Means, fractions of the arms, period effects and the level of the trials are those of the
        side, so that neither side of a split carries outcomes of the other. Only the expected
        outcomes of an adjusted score are those cross-fitted on all units.

        Parameters
        ----------
        side
            bool (unit,): units on this side; all by default, which gives ``score``.
        level
            As in `trial_scores`.

        Returns
        -------
        (unit,) scores; NaN on the other side, and where the side lacks an arm of the unit's trial.

        Examples
        --------
        >>> y = np.array([[9.0, 2.0], [4.0, 3.0], [8.0, 1.0]])
        >>> same = np.zeros(3, dtype=np.int64)
        >>> trial = TrialArrays("crossover", y, np.arange(3), same, same, same + 1,
        ...                     np.array([True, True, False]), same, np.array([6.0, 0.0, 8.0]))
        >>> trial.scores(np.array([True, False, True]))
        array([ 7., nan,  7.])
        """
        own = np.arange(len(self.outcome)) if side is None else np.flatnonzero(side)
        scores = np.full(len(self.outcome), np.nan)
        scores[own] = trial_scores(
            self.design,
            self.outcome[own],
            stratum=self.stratum[own],
            active_first=self.active_first[own],
            trial=self.trial[own],
            prediction=None if self.prediction is None else self.prediction[own],
            level=level,
        )
        return scores

    def __repr__(self) -> str:
        people = len(np.unique(self.participant))
        return f"<TrialArrays: {self.design}, {len(self.score)} units of {people} participants>"

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
    """Return the scores of each trial by the formula of the design, one trial at a time.

    Scores of all trials get the same mean: otherwise a feature that differs between trials would
    seem to predict who benefits (Fisher et al. 2017, 10.1136/bmj.j573).

    Parameters
    ----------
    design
        ``pooled``, ``crossover`` or ``parallel``.
    outcome
        (unit, 2) endpoint on active, on control; NaN where not observed.
    stratum, active_first, trial, prediction
        As in `TrialArrays`.
    level
        Whether trials get the same mean; the mean of all scores does not change.

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
        y_own = np.where(active, y[:, 0], y[:, 1])
        if design == CROSSOVER:
            score[own] = crossover_score(y[:, 0], y[:, 1], active_first[own])
        elif design == POOLED:
            score[own] = pooled_score(y_own, active)
        else:
            expectation = None if prediction is None else prediction[own]
            score[own] = parallel_score(y_own, active, stratum[own], expectation)
    if level:
        finite = np.isfinite(score)
        score[finite] = _same_mean(score[finite], trial[finite])
    return score


def _same_mean(score: np.ndarray, trial: np.ndarray) -> np.ndarray:
    trial = np.unique(trial, return_inverse=True)[1]
    size = np.bincount(trial)
    if size.size < 2:
        return score
    return np.asarray(score + score.mean() - (np.bincount(trial, weights=score) / size)[trial])


def trial_arrays(units: xr.Dataset) -> TrialArrays:
    """Return the arrays of a units dataset that splits, gates and relabellings need.

    Its scores must be those of the design, which are computed again for splits and relabellings.
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
        active_first=starts_active(units["sequence"].values),
        trial=codes(units["trial"].values),
        score=np.ascontiguousarray(units["score"].values, dtype=np.float64),
        prediction=units["prediction"].values if "prediction" in units else None,
        within_arm=bool(units.attrs.get("within_arm", 0)),
    )
    score = trial.scores()
    wrong = ~np.isclose(score, trial.score, rtol=1e-9, atol=1e-9 * np.abs(score).max(initial=0.0))
    if wrong.any():
        raise InputError(
            f"the scores of {wrong.sum()} units differ from those of the {trial.design} design",
            where="score",
            value=float(trial.score[wrong][0]),
            remedy=f"expected {float(score[wrong][0]):.6g}; compute the matrix with "
            "kd.score_units, or search your own scores with kd.top_personas",
        )
    return trial


def starts_active(sequence: np.ndarray) -> np.ndarray:
    """Return whether each sequence begins with the active arm."""
    return np.char.startswith(np.asarray(sequence).astype(str), nm.ACTIVE)
