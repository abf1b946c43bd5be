"""The arrays of a trial and the scores of the three designs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ketadask import names as nm
from ketadask.cohort.case_arrays import check_outcomes, codes
from ketadask.cohort.site_levels import site_levels
from ketadask.kernels.overall import Interval, effect_interval
from ketadask.kernels.ridge import CellRidge, cell_means, cell_ridge, feature_basis, no_ridge
from ketadask.kernels.scores import (
    Regression,
    paired_effects,
    paired_scores,
    unpaired_effects,
    unpaired_scores,
)
from ketadask.schema.datasets import UNITS
from ketadask.schema.errors import InputError, nearest

if TYPE_CHECKING:
    import xarray as xr

POOLED, CROSSOVER, PARALLEL = "pooled", "crossover", "parallel"
DESIGNS = (POOLED, CROSSOVER, PARALLEL)
_N_RECENT = 4  # scores are remembered: a split is searched in both polarities


def _default() -> np.ndarray:
    """Return what stands for the default of an array of `TrialArrays`."""
    return np.zeros(0, dtype=np.int64)


class Adjustment(NamedTuple):
    """Ridge adjustment of scores: its penalty (infinite: none) and left-out R2."""

    penalty: float
    r2: float


class _Side(NamedTuple):
    """Units with scores on one side: positions, site level, cell, outcome and overall effect."""

    own: np.ndarray
    level: np.ndarray
    cell: np.ndarray
    y: np.ndarray
    active: np.ndarray
    effect: np.ndarray


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
        (unit,) mean over a set estimates its treatment benefit; by default `scores` of all units.
    site
        (unit,) code of the site within its trial, before small sites are merged; by default each
        trial is one site.
    cluster
        (unit,) equal codes are left out, exchanged and split as one; by default the participant.
    basis
        (unit, r) basis of all features, by which scores are adjusted; none by default.
    response
        (unit, 2) 1 for response, else 0, on active, on control; by default NaN, not known.
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
    score: np.ndarray = field(default_factory=_default)
    site: np.ndarray = field(default_factory=_default)
    cluster: np.ndarray = field(default_factory=_default)
    basis: np.ndarray | None = None
    response: np.ndarray = field(default_factory=_default)
    within_arm: bool = False
    _recent: dict[tuple[bytes | None, ...], np.ndarray] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Set the defaults of site, cluster, response and score."""
        n_units = len(self.outcome)
        unknown = np.full((n_units, 2), np.nan)
        defaults = {"site": self.trial, "cluster": self.participant, "response": unknown}
        for name, default in defaults.items():
            if len(getattr(self, name)) != n_units:
                object.__setattr__(self, name, default)
        if len(self.score) != n_units:
            object.__setattr__(self, "score", self.scores())

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

    @property
    def published_polarity(self) -> np.ndarray:
        """(unit,) 1 favourable as published, -1 unfavourable, 0 neither, NaN not known.

        Favourable is response on active and none on control, unfavourable the reverse. A unit with
        one arm counts by that arm: response on active, or none on control, is favourable.
        """
        active, control = self.response.T
        if self.has_pairs:
            return np.asarray(active - control)
        return np.asarray(np.where(np.isnan(active), 1.0 - 2.0 * control, 2.0 * active - 1.0))

    def with_outcome(self, outcome: np.ndarray) -> TrialArrays:
        """Return the trial with other outcomes (unit, 2), and their scores."""
        return replace(self, outcome=outcome, score=_default())

    def scores(
        self, side: np.ndarray | None = None, *, fit: np.ndarray | None = None
    ) -> np.ndarray:
        """Return scores computed from the units of one side of a split only.

        Means of the cells, fractions of the arms, merged sites, the regression on features and the
        level of the scores are those of the side, so that neither side carries outcomes of the
        other.

        Parameters
        ----------
        side
            bool (unit,): units on this side; all by default, which gives ``score``.
        fit
            bool (unit,): units whose regression coefficients are used instead of the side's own;
            for a holdout, its training set.

        Returns
        -------
        (unit,) scores; NaN on the other side, and where the side lacks an arm of the unit's trial.

        Examples
        --------
        >>> y = np.array([[9.0, 2.0], [4.0, 3.0], [8.0, 1.0]])
        >>> same = np.zeros(3, dtype=np.int64)
        >>> first = np.array([True, True, False])
        >>> trial = TrialArrays("crossover", y, np.arange(3), same, same, same + 1, first, same)
        >>> trial.score
        array([8.5, 2.5, 5.5])
        >>> trial.scores(np.array([True, False, True]))
        array([ 7., nan,  7.])
        """
        key = tuple(None if mask is None else np.asarray(mask).tobytes() for mask in (side, fit))
        scores = self._recent.get(key)
        if scores is None:
            scores = self._compute_scores(side, fit)
            if len(self._recent) >= _N_RECENT:
                self._recent.clear()
            self._recent[key] = scores
        return scores.copy()

    def _compute_scores(self, side: np.ndarray | None, fit: np.ndarray | None) -> np.ndarray:
        scores = np.full(len(self.outcome), np.nan)
        part = self._side(side)
        if not part.own.size:
            return scores
        regression = None
        if self.basis is not None:
            ridge = self._ridge(part if fit is None else self._side(fit))
            regression = Regression(
                self.basis[part.own] @ ridge.coefficients,
                ridge.factor if fit is None else None,
                codes(self.cluster[part.own]),
            )
        if self.has_pairs:
            first = self.active_first[part.own]
            scores[part.own] = paired_scores(part.y, first, part.cell, part.effect, regression)
        else:
            scores[part.own] = unpaired_scores(
                part.y, part.active, part.level, part.cell, part.effect, regression
            )
        return scores

    def adjustment(self, side: np.ndarray | None = None) -> Adjustment:
        """Return the penalty and left-out R2 of the regression behind `scores` of a side."""
        part = self._side(side)
        if self.basis is None or not part.own.size:
            return Adjustment(np.inf, 0.0)
        ridge = self._ridge(part)
        return Adjustment(ridge.penalty, ridge.r2)

    def levels(self) -> np.ndarray:
        """Return (unit,) codes of the site levels: sites of each trial, small ones merged."""
        return trial_levels(self.design, self.outcome, self.period, self.active_first, self.trial,
                            self.site, self.participant)  # fmt: skip

    def level_effects(self) -> np.ndarray:
        """Return (unit,) the estimated overall effect of each unit's site level."""
        return self._all_units.effect

    def overall_effect(self) -> Interval:
        """Return the overall effect with its 95 % interval, before adjustment for features."""
        part = self._all_units
        if self.has_pairs:
            return effect_interval(
                part.y,
                part.cell,
                codes(self.cluster[part.own]),
                lambda y: float(np.mean(paired_effects(y, part.level, part.cell))),
            )
        period = self.period[part.own]
        return effect_interval(
            part.y,
            part.cell,
            codes(self.cluster[part.own]),
            lambda y: float(np.mean(unpaired_effects(y, part.active, part.level, period))),
        )

    def cell_centres(self) -> np.ndarray:
        """Return (unit,) of a crossover: the mean difference of each unit's site and sequence."""
        part = self._all_units
        return cell_means(part.y, part.cell)

    @cached_property
    def _all_units(self) -> _Side:
        """All units; every relabelled trial asks for them."""
        return self._side(None)

    def _side(self, side: np.ndarray | None) -> _Side:
        """Return the units of a side whose trial has both arms there."""
        mask = np.ones(len(self.outcome), dtype=bool) if side is None else np.asarray(side)
        own = np.flatnonzero(mask)
        trial = codes(self.trial[own]) if own.size else own
        for arm in (0, 1):
            n_on_arm = np.bincount(trial, weights=np.isfinite(self.outcome[own, arm]))
            mask = mask.copy()
            mask[own[n_on_arm[trial] == 0]] = False
        own = np.flatnonzero(mask)
        if not own.size:
            return _Side(own, own, own, own, own, own)
        outcome, period, first = self.outcome[own], self.period[own], self.active_first[own]
        level = trial_levels(self.design, outcome, period, first, self.trial[own], self.site[own],
                             self.participant[own])  # fmt: skip
        cell = codes(level, *_cell_kinds(self.design, outcome, period, first))
        active = np.isfinite(outcome[:, 0])
        if self.has_pairs:
            y = outcome[:, 0] - outcome[:, 1]
            return _Side(own, level, cell, y, active, paired_effects(y, level, cell))
        y = np.where(active, outcome[:, 0], outcome[:, 1])
        return _Side(own, level, cell, y, active, unpaired_effects(y, active, level, period))

    def _ridge(self, part: _Side) -> CellRidge:
        """Regress the outcomes of a side on all features within its cells."""
        assert self.basis is not None
        if not part.own.size:
            return no_ridge(0, self.basis.shape[1])
        y = part.y
        if self.has_pairs:  # the first period minus the second
            first = self.active_first[part.own]
            y = np.where(first, y, -y)
            fraction = cell_means(first.astype(np.float64), part.level)
            if np.isin(fraction, (0.0, 1.0)).any():  # period and arm are the same there
                return no_ridge(len(y), self.basis.shape[1])
        return cell_ridge(self.basis[part.own], y, part.cell, codes(self.cluster[part.own]))

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without what is remembered: another thread may be adding to it."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return fields | {"_recent": {}}

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


def trial_levels(
    design: str,
    outcome: np.ndarray,
    period: np.ndarray,
    active_first: np.ndarray,
    trial: np.ndarray,
    site: np.ndarray,
    participant: np.ndarray,
) -> np.ndarray:
    """Return (unit,) codes of the site levels of a design, arguments as in `TrialArrays`."""
    kinds = _cell_kinds(design, outcome, period, active_first)
    return site_levels(trial, site, codes(*kinds), kinds[0], participant)


def _cell_kinds(
    design: str, outcome: np.ndarray, period: np.ndarray, active_first: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Return what tells the cells of a site level apart; the first is what is compared.

    In a pooled crossover, arm and period are sequence and period, and hold for single cases too.
    """
    if design == CROSSOVER:
        return (active_first,)
    active = np.isfinite(outcome[:, 0])
    return (active, period) if design == POOLED else (active,)


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
    adjust = units.attrs.get("adjust", "none")
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
        site=codes(units["site"].values.astype(str)),
        cluster=cluster_codes(units),
        basis=None if adjust == "none" else feature_basis(units["value"].values),
        response=units["response"].values if "response" in units else _default(),
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


def cluster_codes(units: xr.Dataset) -> np.ndarray:
    """Return (unit,) codes of the clusters of a units dataset: of the participants by default."""
    return codes(units["cluster" if "cluster" in units.coords else nm.PARTICIPANT].values)


def starts_active(sequence: np.ndarray) -> np.ndarray:
    """Return whether each sequence begins with the active arm."""
    return np.char.startswith(np.asarray(sequence).astype(str), nm.ACTIVE)
