"""What a predictor learns from: regional volumes, covariates, sites and labels of cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.cohort.outcomes import improvement
from ketadask.schema.errors import InputError, nearest
from ketadask.sources.regions import ETIV

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

COVARIATES = ("age", "sex", ETIV)


@dataclass(frozen=True, eq=False)
class ClassifierData:
    """Cases of one cohort, one row each.

    Parameters
    ----------
    value
        (case, region) volumes, NaN where missing.
    region
        Names of the columns.
    label
        (case,) 1 response, 0 none; -1 where it is not known.
    participant, site
        (case,) texts.
    covariate, covariate_names
        (case, covariate) numbers whose linear part is removed from the volumes, and their names.
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
        """Return the cases of these rows (numbers or a mask)."""
        return replace(
            self,
            value=self.value[rows],
            label=self.label[rows],
            participant=self.participant[rows],
            site=self.site[rows],
            covariate=self.covariate[rows],
        )

    def labelled(self, label: np.ndarray) -> ClassifierData:
        """Return the same cases with other labels."""
        return replace(self, label=np.asarray(label, dtype=np.int8))


def build_classifier_data(
    value: np.ndarray,
    label: np.ndarray,
    *,
    region: Sequence[str] | None = None,
    participant: Sequence[Any] | None = None,
    site: Sequence[Any] | None = None,
    covariate: np.ndarray | None = None,
    covariate_names: Sequence[str] = (),
) -> ClassifierData:
    """Return cases from bare arrays; what is not given is numbered, or the same for all.

    Examples
    --------
    >>> made = cases(np.zeros((4, 3)), np.array([0, 1, 0, 1]))
    >>> len(made), made.region[0], str(made.site[0])
    (4, 'region-1', '1')
    """
    value = np.asarray(value, dtype=np.float64)
    count, width = value.shape
    covariate = np.empty((count, 0)) if covariate is None else np.asarray(covariate, dtype=float)
    names = tuple(covariate_names) or tuple(f"covariate-{j}" for j in range(covariate.shape[1]))
    who = [f"{i:06d}" for i in range(count)] if participant is None else participant
    where = ["1"] * count if site is None else site
    wrong = np.setdiff1d(np.asarray(label), (-1, 0, 1))
    if wrong.size:
        raise InputError(
            "a label is 0, 1 or -1 where unknown",
            where="label",
            value=wrong[0].item(),
            remedy="code response as 1 and its absence as 0",
        )
    return ClassifierData(
        value=value,
        region=tuple(region or (f"region-{j + 1}" for j in range(width))),
        label=np.asarray(label, dtype=np.int8),
        participant=np.asarray(who).astype(str),
        site=np.asarray(where).astype(str),
        covariate=covariate,
        covariate_names=names,
    )


def classifier_data(
    cohort: xr.Dataset,
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
        Dataset that keeps `schema.COHORT`.
    covariates
        Features that are removed from the volumes, not learnt from.
    threshold
        Share of the baseline that must be gone; the cohort's own response if not given.
    trials
        Trials the cases come from; all if not given.
    """
    chosen = (cohort[nm.ARM] == arm) & cohort["response"].notnull()
    if trials is not None:
        chosen &= cohort["trial"].isin(list(trials))
    rows = np.flatnonzero(chosen.values)
    part = cohort.isel({nm.CASE: rows})
    response = part["response"].values
    if threshold is not None:
        response = improvement(part["baseline"].values, part["followup"].values, threshold)[2]
    known = {str(name): j for j, name in enumerate(part[nm.FEATURE].values)}
    _known(covariates, known)
    volumes = [
        j
        for j, (name, family) in enumerate(
            zip(part[nm.FEATURE].values, part["family"].values, strict=True)
        )
        if family == nm.VOLUME and str(name) not in covariates
    ]
    if not volumes:
        raise InputError(
            "the cohort has no volumes to predict from",
            where="features.families",
            remedy="add volume to the families, and the tables of FreeSurfer to the data",
        )
    value = part["value"].transpose(nm.CASE, nm.FEATURE).values
    names = part[nm.FEATURE].values
    return build_classifier_data(
        value[:, volumes],
        response,
        region=[str(names[j]) for j in volumes],
        participant=part[nm.PARTICIPANT].values,
        site=_sites(part, several=len(np.unique(cohort["trial"].values.astype(str))) > 1),
        covariate=value[:, [known[name] for name in covariates]],
        covariate_names=covariates,
    )


def _sites(part: xr.Dataset, *, several: bool) -> np.ndarray:
    """Return the site of every case; in a cohort of several trials, those of each are its own."""
    site = part["site"].values.astype(str)
    if not several:
        return site
    trial = part["trial"].values.astype(str)
    return np.array([f"{a}/{b}" for a, b in zip(trial, site, strict=True)])


def classifier_data_from_volumes(
    volumes: xr.Dataset,
    people: pd.DataFrame,
    label: str,
    *,
    covariates: Sequence[str] = COVARIATES,
) -> ClassifierData:
    """Return cases from volumes (participant, region) and a table of participants.

    Parameters
    ----------
    volumes
        As `open_volumes` gives them.
    people
        A row per participant: participant, optionally site, the covariates that are no region,
        and the column ``label`` with 0 or 1; rows with a missing label are left out.
    """
    rows = people.dropna(subset=[label]).set_index(nm.PARTICIPANT)
    both = [name for name in volumes[nm.PARTICIPANT].values.astype(str) if name in rows.index]
    if not both:
        raise InputError(
            "no participant has volumes and a label",
            where=label,
            remedy="name participants alike in the volume tables and in the table of people",
        )
    rows, part = rows.loc[both], volumes.sel({nm.PARTICIPANT: both})
    table = part[nm.VOLUME].transpose(nm.PARTICIPANT, nm.REGION).values
    names = [str(name) for name in part[nm.REGION].values]
    known = {name: table[:, j] for j, name in enumerate(names)}
    known |= {str(c): rows[c].to_numpy() for c in rows.columns if rows[c].dtype.kind in "fiub"}
    _known(covariates, known)
    kept = [j for j, name in enumerate(names) if name not in covariates]
    return build_classifier_data(
        table[:, kept],
        rows[label].to_numpy(),
        region=[names[j] for j in kept],
        participant=both,
        site=rows.get("site"),
        covariate=np.array([known[name] for name in covariates], dtype=float).T.reshape(
            len(both), -1
        ),
        covariate_names=covariates,
    )


def _known(covariates: Sequence[str], known: Any) -> None:
    for name in covariates:
        if name not in known:
            raise InputError(
                "no such covariate",
                where="covariates",
                value=name,
                remedy=nearest(name, list(known)),
            )
