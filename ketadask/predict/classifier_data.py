"""The data of a classifier: regional volumes, covariates, sites and labels of cases."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.cohort.case_endpoints import improvement
from ketadask.schema.cohort import Cohort, dataset_of
from ketadask.schema.errors import InputError, nearest
from ketadask.sources.region_names import UNITS
from ketadask.sources.regions import ETIV

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

COVARIATES = ("age", "sex", ETIV)


@dataclass(frozen=True, eq=False)
class ClassifierData:
    """Cases of one cohort, a row each.

    Parameters
    ----------
    value
        (case, region) volumes, NaN where missing.
    region
        Names of the columns.
    label
        (case,) 1 response, 0 none; -1 where unknown.
    participant, site
        (case,) texts.
    covariate, covariate_names
        (case, covariate) values whose linear part is removed from the volumes, and their names.
    """

    value: np.ndarray
    region: tuple[str, ...]
    label: np.ndarray
    participant: np.ndarray
    site: np.ndarray
    covariate: np.ndarray
    covariate_names: tuple[str, ...] = ()

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        from ketadask.store.fingerprints import fingerprint

        return (fingerprint(self),)

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: np.ndarray) -> ClassifierData:
        """Return the cases of these rows (an index array or a mask)."""
        return replace(
            self,
            value=self.value[rows],
            label=self.label[rows],
            participant=self.participant[rows],
            site=self.site[rows],
            covariate=self.covariate[rows],
        )

    def with_labels(self, label: np.ndarray) -> ClassifierData:
        """Return the same cases with other labels."""
        return replace(self, label=np.asarray(label, dtype=np.int8))


def build_classifier_data(
    value: np.ndarray,
    label: np.ndarray,
    *,
    region: Sequence[str] | None = None,
    participant: Sequence[Any] | np.ndarray | None = None,
    site: Sequence[Any] | np.ndarray | pd.Series | None = None,
    covariate: np.ndarray | None = None,
    covariate_names: Sequence[str] = (),
) -> ClassifierData:
    """Return cases from bare arrays; defaults: names by number, one site, no covariates.

    Examples
    --------
    >>> cases = build_classifier_data(np.zeros((4, 3)), np.array([0, 1, 0, 1]))
    >>> len(cases), cases.region[0], str(cases.site[0])
    (4, 'region-1', '1')
    """
    value = np.asarray(value, dtype=np.float64)
    count, width = value.shape
    covariate = np.empty((count, 0)) if covariate is None else np.asarray(covariate, dtype=float)
    names = tuple(covariate_names) or tuple(f"covariate-{j}" for j in range(covariate.shape[1]))
    if participant is None:
        participant = [f"{i:06d}" for i in range(count)]
    invalid = np.setdiff1d(np.asarray(label), (-1, 0, 1))
    if invalid.size:
        raise InputError(
            "a label must be 0, 1, or -1 where unknown",
            where="label",
            value=invalid[0].item(),
            remedy="code response as 1 and its absence as 0",
        )
    return ClassifierData(
        value=value,
        region=tuple(region or (f"region-{j + 1}" for j in range(width))),
        label=np.asarray(label, dtype=np.int8),
        participant=np.asarray(participant).astype(str),
        site=np.asarray(["1"] * count if site is None else site).astype(str),
        covariate=covariate,
        covariate_names=names,
    )


def classifier_data(
    cohort: Cohort | xr.Dataset,
    *,
    arm: str = nm.ACTIVE,
    covariates: Sequence[str] = COVARIATES,
    threshold: float | None = None,
    trials: Sequence[str] | None = None,
) -> ClassifierData:
    """Return the cases of one arm of a cohort: volumes as features, response as label.

    Parameters
    ----------
    cohort
        A cohort, or its dataset, which keeps `schema.COHORT`.
    covariates
        Features whose linear part is removed from the volumes.
    threshold
        Minimum relative improvement of a responder; default: the response of the cohort.
    trials
        Trials of the cases; default: all.
    """
    cohort = dataset_of(cohort)
    rows_mask = (cohort[nm.ARM] == arm) & cohort["response"].notnull()
    if trials is not None:
        rows_mask &= cohort["trial"].isin(list(trials))
    part = cohort.isel({nm.CASE: np.flatnonzero(rows_mask.values)})
    response = part["response"].values
    if threshold is not None:
        direction = str(cohort.attrs.get("direction", "lower"))
        scores = part["baseline"].values, part["followup"].values
        response = improvement(*scores, threshold, direction)[2]
    names = [str(name) for name in part[nm.FEATURE].values]
    column = {name: j for j, name in enumerate(names)}
    _check_covariates(covariates, column)
    volumes = [
        j
        for j, (name, modality) in enumerate(zip(names, part["modality"].values, strict=True))
        if modality in UNITS and name not in covariates
    ]
    if not volumes:
        raise InputError(
            "the cohort has no regions of the brain to predict from",
            where="features.modalities",
            remedy="add volume, thickness, ... to the modalities, and their tables to the data",
        )
    value = part["value"].transpose(nm.CASE, nm.FEATURE).values
    return build_classifier_data(
        value[:, volumes],
        response,
        region=[names[j] for j in volumes],
        participant=part[nm.PARTICIPANT].values,
        site=_sites(part, n_trials=len(np.unique(cohort["trial"].values.astype(str)))),
        covariate=value[:, [column[name] for name in covariates]],
        covariate_names=covariates,
    )


def _sites(part: xr.Dataset, *, n_trials: int) -> np.ndarray:
    """Return the site of every case; in a cohort of several trials, each trial has its own."""
    site = part["site"].values.astype(str)
    if n_trials < 2:
        return site
    trial = part["trial"].values.astype(str)
    return np.array([f"{a}/{b}" for a, b in zip(trial, site, strict=True)])


def classifier_data_from_volumes(
    volumes: xr.Dataset,
    participants: pd.DataFrame,
    label: str,
    *,
    covariates: Sequence[str] = COVARIATES,
) -> ClassifierData:
    """Return cases from volumes (participant, region) and a table of participants.

    Parameters
    ----------
    volumes
        As `open_volumes` returns them, or `open_regions` of one session.
    participants
        A row per participant: participant, optionally site, the covariates that are not regions,
        and the column ``label`` with 0 or 1; rows with a missing label are excluded.
    """
    rows = participants.dropna(subset=[label]).set_index(nm.PARTICIPANT)
    both = [name for name in volumes[nm.PARTICIPANT].values.astype(str) if name in rows.index]
    if not both:
        raise InputError(
            "no participant has both volumes and a label",
            where=label,
            remedy="use the same participant names in the volume tables and the participants table",
        )
    rows, part = rows.loc[both], volumes.sel({nm.PARTICIPANT: both})
    measure = part.attrs.get("measure", nm.VOLUME)
    table = part[measure].transpose(nm.PARTICIPANT, nm.REGION).values
    names = [str(name) for name in part[nm.REGION].values]
    column = {name: table[:, j] for j, name in enumerate(names)}
    column |= {str(c): rows[c].to_numpy() for c in rows.columns if rows[c].dtype.kind in "fiub"}
    _check_covariates(covariates, column)
    regions = [j for j, name in enumerate(names) if name not in covariates]
    covariate = np.array([column[name] for name in covariates], dtype=float)
    return build_classifier_data(
        table[:, regions],
        rows[label].to_numpy(),
        region=[names[j] for j in regions],
        participant=both,
        site=rows.get("site"),
        covariate=covariate.T.reshape(len(both), -1),
        covariate_names=covariates,
    )


def _check_covariates(covariates: Sequence[str], names: Collection[str]) -> None:
    for name in covariates:
        if name not in names:
            raise InputError(
                "unknown covariate", where="covariates", value=name, remedy=nearest(name, names)
            )
