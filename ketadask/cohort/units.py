"""From a cohort of cases to the search matrix: one unit per row, one score per unit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.cohort.case_arrays import (
    CaseArrays,
    case_arrays,
    check_both_arms,
    check_pairs,
    codes,
    endpoint_of,
)
from ketadask.cohort.designs import (
    CROSSOVER,
    DESIGNS,
    PARALLEL,
    TrialArrays,
    starts_active,
    trial_levels,
)
from ketadask.cohort.impute import impute
from ketadask.kernels.ridge import feature_basis
from ketadask.schema.cohort import Cohort, dataset_of
from ketadask.schema.datasets import COHORT, UNITS
from ketadask.schema.errors import InputError, nearest
from ketadask.schema.tables import EXCLUSIONS

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

BASELINES = ("mean", "first")
ADJUSTMENTS = ("none", "ridge")
MISSING = ("unknown", "impute")


def score_units(
    cohort: Cohort | xr.Dataset,
    *,
    design: str = CROSSOVER,
    endpoint: str | None = None,
    baseline: str = "mean",
    adjust: str = "ridge",
    within_arm: bool = False,
    missing: str = "unknown",
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
        ``improvement``; ``response`` (0 or 1); ``percent``: improvement in percent of baseline; by
        default the endpoint of the cohort's outcome.
    baseline
        In ``crossover``, whether the value of a feature is the ``mean`` of the values before both
        infusions or the one before the ``first``.
    adjust
        Outcomes are compared with the means of their site and arm (``none``), or with a ridge
        regression on all features beside these means (``ridge``), whose penalty is the one of least
        error for participants left out; it may be infinite. In ``crossover`` the regression
        predicts the first period minus the second.
    within_arm
        In ``parallel``, whether relabellings exchange features within arm only.
    missing
        Missing features stay missing (``unknown``), or are replaced by the median of their trial
        and site (``impute``), see `impute`.

    Returns
    -------
    Dataset that keeps the contract of units.

    Examples
    --------
    >>> import ketadask as kd
    >>> scales = kd.read_phenotype(kd.simulate_study("study", participants=33), ["madrs"])
    >>> units = kd.score_units(kd.assemble(scales, outcome="madrs", day=7), design="crossover")
    >>> dict(units.sizes)
    {'unit': 30, 'feature': 14, 'arm': 2}
    """
    for option, value, valid in (
        ("design", design, DESIGNS),
        ("baseline", baseline, BASELINES),
        ("adjust", adjust, ADJUSTMENTS),
        ("missing", missing, MISSING),
    ):
        if value not in valid:
            raise InputError(f"unknown {option}", value=value, remedy=nearest(str(value), valid))
    import xarray as xr

    dataset = COHORT.check(dataset_of(cohort))
    endpoint = endpoint_of(dataset, endpoint)
    cases = case_arrays(dataset, endpoint)
    unusable = cases.unusable(design, endpoint)
    rows = np.setdiff1d(np.arange(cases.y.shape[0]), np.fromiter(unusable, dtype=np.int64))
    if not rows.size:
        raise InputError(
            f"no participant can enter the {design} analysis",
            value=f"{len(unusable)} excluded cases, most often: {_most_common(unusable)}",
            remedy="see the exclusions, or choose the design pooled",
        )
    if design == CROSSOVER:
        check_pairs(cases, rows)
        unit, arrays = cases.pairs(rows, baseline)
    else:
        unit, arrays = rows, cases.single(rows)
    check_both_arms(design, arrays["outcome"], cases.trial[unit])
    _check_spread(arrays["outcome"], endpoint)
    coordinates = _coordinates(design, cases, rows, unit, arrays)
    trial = TrialArrays(
        design,
        arrays["outcome"],
        codes(coordinates[nm.PARTICIPANT]),
        coordinates["stratum"],
        coordinates["split_stratum"],
        arrays["period"],
        starts_active(coordinates["sequence"]),
        codes(coordinates["trial"]),
        site=codes(coordinates["site"]),
        cluster=codes(cases.cluster[unit]),
    )
    matrix, n_imputations = arrays["value"], 0
    if missing == "impute":
        is_ordinal = dataset["kind"].values.astype(str) == nm.ORDINAL
        matrix, n_imputations = impute(matrix, trial.levels(), is_ordinal)
    if adjust == "ridge":
        trial = replace(trial, basis=feature_basis(matrix), score=np.zeros(0))
    about = {
        name: variable.variable
        for name, variable in dataset.coords.items()
        if variable.dims == (nm.FEATURE,)
    }
    units = xr.Dataset(
        {
            "value": ((nm.UNIT, nm.FEATURE), matrix),
            "score": (nm.UNIT, trial.score),
            "outcome": ((nm.UNIT, nm.ARM), arrays["outcome"]),
            "response": ((nm.UNIT, nm.ARM), arrays["response"]),
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
            "adjust": adjust,
            "imputed": n_imputations,
            "within_arm": int(within_arm and design == PARALLEL),
        },
    )
    return UNITS.check(units)


def _most_common(reasons: dict[int, str]) -> str:
    texts = list(reasons.values())
    return max(sorted(set(texts)), key=texts.count) if texts else "none"


def _check_spread(outcome: np.ndarray, endpoint: str) -> None:
    """Raise where all cases have the same endpoint: there is nothing to search."""
    y = outcome[np.isfinite(outcome)]
    if y.size > 1 and y.min() == y.max():
        raise InputError(
            f"the endpoint {endpoint} is {y[0]:g} in all {y.size:,} cases",
            where="outcome.endpoint",
            remedy="choose another endpoint or threshold, or check the column of the outcome",
        )


def search_matrix(data: Cohort | xr.Dataset, design: str = CROSSOVER) -> xr.Dataset:
    """Return the search matrix of a cohort by its ``design``, or a search matrix as it is."""
    dataset = dataset_of(data)
    return dataset if nm.UNIT in dataset.dims else score_units(dataset, design=design)


def design_exclusions(
    cohort: Cohort, *, design: str = CROSSOVER, endpoint: str | None = None
) -> pd.DataFrame:
    """Return the exclusions of a cohort, and the cases that the design cannot use.

    Returns
    -------
    Table that keeps ``schema.tables.EXCLUSIONS``: participant, period (0 for all), reason.
    """
    import pandas as pd

    endpoint = endpoint_of(cohort.dataset, endpoint)
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
    design: str,
    cases: CaseArrays,
    rows: np.ndarray,
    unit: np.ndarray,
    arrays: dict[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Describe the units by the participants of all their cases ``rows``."""
    descriptions = cases.of_participants(rows)
    pattern, sequence, responder = (part[np.searchsorted(rows, unit)] for part in descriptions)
    trial, site, first = cases.trial[unit], cases.site[unit], starts_active(sequence)
    level = trial_levels(
        design, arrays["outcome"], arrays["period"], first, trial, site, cases.participant[unit]
    )
    clusters = {} if (cases.cluster == cases.name).all() else {"cluster": cases.cluster[unit]}
    return {
        nm.PARTICIPANT: cases.name[unit],
        **clusters,
        "stratum": level if design == PARALLEL else codes(level, pattern),
        "split_stratum": codes(first, responder, trial),
        "sequence": sequence,
        "trial": trial,
        "site": site,
        "period": arrays["period"],
    }
