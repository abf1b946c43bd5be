"""Adjustments of volumes with the parameters of the discovery trial, for other participants."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import BaseModel, ConfigDict, Field

from ketadask import names as nm
from ketadask.cohort.harmonise import NONE, SITE, fit_combat, site_covariates, trial_sites
from ketadask.features.feature_table import FeatureTable
from ketadask.features.volumes import RAW, RESIDUAL, volume_features
from ketadask.pipeline.executor import load
from ketadask.sources.regions import ETIV


class Record(BaseModel):
    """A part of a persona's file: strict types, no unknown keys, immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class HeadSizeAdjustment(Record):
    """Least squares of a volume on intracranial volume, as in `residual_volumes`."""

    slope: float = Field(description="mm3 of the region per mm3 of intracranial volume")
    mean: float = Field(description="mean intracranial volume of the discovery trial, in mm3")

    def apply(self, value: np.ndarray, table: pd.DataFrame) -> np.ndarray:
        """Return values as at the mean head size; NaN where the head size is missing."""
        return np.asarray(value - self.slope * (table_column(table, ETIV) - self.mean))


class SiteAdjustment(Record):
    """Shift and spread of the sites of the discovery trial, as in `harmonise`."""

    mean: float = Field(description="mean over the discovery trial")
    width: float = Field(description="standard deviation within its sites")
    effects: Mapping[str, float] = Field(description="effect of age and sex, per unit of each")
    covariate_means: Mapping[str, float] = Field(description="age and sex that stand for missing")
    shifts: Mapping[str, float] = Field(description="shift of each site, in widths")
    spreads: Mapping[str, float] = Field(description="spread of each site, as a factor")

    def apply(self, value: np.ndarray, table: pd.DataFrame) -> np.ndarray:
        """Return values without the differences of the sites; NaN at sites not at discovery."""
        location = np.full(len(table), self.mean)
        for name, effect in self.effects.items():
            covariate = table_column(table, name)
            mean = self.covariate_means[name]
            location += effect * (np.where(np.isnan(covariate), mean, covariate) - mean)
        site = table_sites(table)
        shift, spread = (
            np.array([values.get(name, np.nan) for name in site])
            for values in (self.shifts, self.spreads)
        )
        return np.asarray(
            ((value - location) / self.width - shift) / spread * self.width + location
        )


def table_column(table: pd.DataFrame, name: str) -> np.ndarray:
    """Return a column as numbers; NaN where the table has no such column.

    A level of a text that nobody has, ``site = Bonn``, is 0 where the text has another level.
    """
    if name not in table:
        text, sign, _ = name.partition(nm.LEVEL_SIGN)
        levels = [other for other in table if sign and str(other).startswith(text + sign)]
        has_level = table[levels].notna().any(axis=1).to_numpy()
        return np.where(has_level, 0.0, np.nan)
    return pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=np.float64)


def table_sites(table: pd.DataFrame) -> np.ndarray:
    """Return the site of every row, named within its trial; 1 where there is no column."""
    return trial_sites(pd.DataFrame({"trial": "1", "site": "1"} | dict(table.items())))


def fit_head_size(volume: np.ndarray, head: np.ndarray) -> HeadSizeAdjustment:
    """Fit a volume to intracranial volume over the participants who have both.

    Examples
    --------
    >>> fit_head_size(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 30.0]))
    HeadSizeAdjustment(slope=0.1, mean=20.0)
    """
    both = np.isfinite(volume) & np.isfinite(head)
    distance = head[both] - head[both].mean()
    squares = float(distance @ distance)
    slope = float(distance @ volume[both]) / squares if squares > 0 else 0.0
    return HeadSizeAdjustment(slope=slope, mean=float(head[both].mean()))


def fit_site_adjustments(
    table: FeatureTable, people: pd.DataFrame, names: list[str]
) -> dict[str, SiteAdjustment]:
    """Return the parameters with which `harmonise` treats some features; none with one site."""
    person = people.set_index(nm.PARTICIPANT).loc[table.values.index.get_level_values(0)]
    covariates = site_covariates(person)
    value = table.values.to_numpy(dtype=np.float64)
    fit = fit_combat(value, trial_sites(person), covariates.to_numpy())
    if fit is None:
        return {}
    means = covariates.mean()
    design = np.column_stack((np.ones(len(covariates)), covariates - means))
    adjustments = {}
    for name in names:
        j = list(table.values.columns).index(name)
        effects = np.linalg.lstsq(design, fit.location[:, j], rcond=None)[0]
        adjustments[name] = SiteAdjustment(
            mean=float(effects[0]),
            width=float(fit.width[j]),
            effects=dict(zip(covariates.columns, effects[1:].tolist(), strict=True)),
            covariate_means={str(key): float(value) for key, value in means.items()},
            shifts=dict(zip(fit.names.tolist(), fit.shift[:, j].tolist(), strict=True)),
            spreads=dict(zip(fit.names.tolist(), fit.spread[:, j].tolist(), strict=True)),
        )
    return adjustments


def fit_adjustments(
    names: list[str],
    images: xr.Dataset,
    people: pd.DataFrame,
    *,
    volumes: str = RAW,
    asymmetry: bool = False,
    harmonise: str = NONE,
) -> dict[str, dict[str, HeadSizeAdjustment | SiteAdjustment]]:
    """Return the adjustments ``head_size`` and ``sites`` of volumes, by the name of the feature.

    Parameters
    ----------
    names
        Volumes and asymmetries.
    images
        What ``open_volumes`` returns.
    people
        Table of the participants of the study.
    volumes, asymmetry, harmonise
        As in ``assemble``.
    """
    own = np.isin(images[nm.PARTICIPANT].values, people[nm.PARTICIPANT].to_numpy(dtype=str))
    images = load(images.isel({nm.PARTICIPANT: own}))
    raw = images[nm.VOLUME].transpose(nm.PARTICIPANT, nm.REGION).to_pandas()
    adjustments: dict[str, dict[str, HeadSizeAdjustment | SiteAdjustment]] = {
        name: {} for name in names
    }
    for name in names:
        if volumes == RESIDUAL and name in raw and name != ETIV:
            head = raw[ETIV].to_numpy()
            adjustments[name]["head_size"] = fit_head_size(raw[name].to_numpy(), head)
    if harmonise == SITE:
        table = volume_features(images, method=volumes, asymmetry=asymmetry)
        own_names = [name for name in names if name in table.values]
        for name, sites in fit_site_adjustments(table, people, own_names).items():
            adjustments[name]["sites"] = sites
    return adjustments
