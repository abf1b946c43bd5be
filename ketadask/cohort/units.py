"""From a cohort of cases to the search matrix: one unit per row, one score per unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.cohort.case_arrays import (
    CaseArrays,
    case_arrays,
    check_both_arms,
    check_pairs,
    codes,
)
from ketadask.cohort.designs import CROSSOVER, DESIGNS, PARALLEL, starts_active, trial_scores
from ketadask.kernels.scores import cross_fitted
from ketadask.schema.cohort import Cohort, dataset_of
from ketadask.schema.datasets import COHORT, UNITS
from ketadask.schema.errors import InputError, nearest
from ketadask.schema.tables import EXCLUSIONS

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

ENDPOINTS = ("improvement", "response", "percent")
BASELINES = ("mean", "first")
ADJUSTMENTS = ("none", "ridge")
FOLDS = 5


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
        ``pooled``: a unit is a case. ``crossover``: a unit is a participant observed on both arms.
        ``parallel``: a unit is a participant in the first period, the only one that is a parallel
        comparison. `design_exclusions` lists the other cases.
    endpoint
        ``improvement``; ``response`` (0 or 1); ``percent``: improvement in percent of baseline.
    baseline
        In ``crossover``, whether the value of a feature is the ``mean`` of the values before both
        infusions or the one before the ``first``.
    adjust
        In ``parallel``, expected outcomes are the means of each trial and site (``none``) or a
        cross-fitted prediction from all features (``ridge``).
    within_arm
        In ``parallel``, whether relabellings exchange features within arm only.

    Returns
    -------
    Dataset that keeps the contract of units.
    """
    for option, value, valid in (
        ("design", design, DESIGNS),
        ("endpoint", endpoint, ENDPOINTS),
        ("baseline", baseline, BASELINES),
        ("adjust", adjust, ADJUSTMENTS),
    ):
        if value not in valid:
            raise InputError(f"unknown {option}", value=value, remedy=nearest(str(value), valid))
    import xarray as xr

    dataset = COHORT.check(dataset_of(cohort))
    cases = case_arrays(dataset, endpoint)
    unusable = cases.unusable(design, endpoint)
    rows = np.setdiff1d(np.arange(cases.y.shape[0]), np.fromiter(unusable, dtype=np.int64))
    if not rows.size:
        raise InputError(
            f"no participant can enter the {design} analysis",
            value=f"{len(unusable)} excluded cases",
            remedy="see the exclusions, or choose the design pooled",
        )
    if design == CROSSOVER:
        check_pairs(cases, rows)
        unit, arrays = cases.pairs(rows, baseline)
    else:
        unit, arrays = rows, cases.single(rows)
    check_both_arms(design, arrays["outcome"], cases.trial[unit])
    coordinates = _coordinates(design, cases, rows, unit) | {"period": arrays["period"]}
    prediction = None
    if design == PARALLEL and adjust == "ridge":
        prediction = _cross_fitted_outcomes(arrays, cases.participant[unit])
    score = trial_scores(
        design,
        arrays["outcome"],
        stratum=coordinates["stratum"],
        active_first=starts_active(coordinates["sequence"]),
        trial=codes(coordinates["trial"]),
        prediction=prediction,
    )
    about = {
        name: variable.variable
        for name, variable in dataset.coords.items()
        if variable.dims == (nm.FEATURE,)
    }
    matrix = xr.Dataset(
        {
            "value": ((nm.UNIT, nm.FEATURE), arrays["value"]),
            "score": (nm.UNIT, score),
            "outcome": ((nm.UNIT, nm.ARM), arrays["outcome"]),
        },
        coords={
            nm.ARM: list(nm.ARMS),
            **{name: (nm.UNIT, values) for name, values in coordinates.items()},
            **about,
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
    excluded_keys = set(zip(before["participant"], before["period"], strict=True))
    rows = [
        (str(cases.name[u]), int(cases.period[u]), reason)
        for u, reason in sorted(cases.unusable(design, endpoint).items())
        if not excluded_keys & {(str(cases.name[u]), 0), (str(cases.name[u]), int(cases.period[u]))}
    ]
    after = pd.DataFrame(rows, columns=list(EXCLUSIONS.columns))
    return pd.concat([before, after], ignore_index=True) if rows else before


def _coordinates(
    design: str, cases: CaseArrays, rows: np.ndarray, unit: np.ndarray
) -> dict[str, np.ndarray]:
    """Describe the units by the participants of all their cases ``rows``."""
    descriptions = cases.of_participants(rows)
    pattern, sequence, responder = (part[np.searchsorted(rows, unit)] for part in descriptions)
    trial, site = cases.trial[unit], cases.site[unit]
    return {
        nm.PARTICIPANT: cases.name[unit],
        "stratum": codes(trial, site) if design == PARALLEL else codes(trial, pattern),
        "split_stratum": codes(starts_active(sequence), responder, trial),
        "sequence": sequence,
        "trial": trial,
        "site": site,
    }


def _cross_fitted_outcomes(arrays: dict[str, np.ndarray], participant: np.ndarray) -> np.ndarray:
    """Return expected outcomes (unit, 2), cross-fitted over folds of participants."""
    people = np.unique(participant, return_inverse=True)[1]
    count = int(people.max()) + 1
    stream = np.random.SeedSequence(0, spawn_key=(nm.STREAM_CROSS_FIT, 0))
    fold = (np.random.default_rng(stream).permutation(count) % FOLDS)[people]
    active = np.isfinite(arrays["outcome"][:, 0])
    y = np.where(active, arrays["outcome"][:, 0], arrays["outcome"][:, 1])
    return cross_fitted(arrays["value"], y, active, fold)
