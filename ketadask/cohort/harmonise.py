"""Volumes of several sites brought to one mean and spread per region, without any outcome.

ComBat (Johnson, Li & Rabinovic 2007, Biostatistics 8:118-127; for volumes Fortin et al. 2018,
NeuroImage 167:104-120): y = alpha + x beta + gamma_site + delta_site e per region. Shift gamma and
spread delta of a site are shrunk towards the mean over its regions. `combat` harmonises a whole
cohort; `fit_sites` fits a training set, and its result applies to any cases, also of other sites.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.features.feature_table import FeatureTable
from ketadask.schema.errors import InputError

NONE, SITE = "none", "site"
_MAX_ITERATIONS, _TOLERANCE = 1_000, 1e-10


def harmonise(table: FeatureTable, people: pd.DataFrame) -> FeatureTable:
    """Return the features of a table, one row per participant, without differences of the sites.

    Linear effects of age and sex are kept. Sites are those of ``people``, named within their trial.

    Parameters
    ----------
    table
        Features shared by both periods.
    people
        Table of `Participants`.
    """
    person = people.set_index(nm.PARTICIPANT).loc[table.values.index.get_level_values(0)]
    covariates = site_covariates(person).to_numpy()
    value = combat(table.values.to_numpy(dtype=np.float64), trial_sites(person), covariates)
    values = pd.DataFrame(value, index=table.values.index, columns=table.values.columns)
    return FeatureTable(values, table.about, table.dropped)


def trial_sites(person: pd.DataFrame) -> np.ndarray:
    """Return the site of every row, named within its trial."""
    return (person["trial"].astype(str) + " " + person["site"].astype(str)).to_numpy(dtype=str)


def site_covariates(person: pd.DataFrame) -> pd.DataFrame:
    """Return age and sex, the mean where missing, without constant columns."""
    columns = person[["age", "sex"]].astype(np.float64).dropna(axis=1, how="all")
    complete = columns.fillna(columns.mean())
    varies = np.ptp(complete.to_numpy(), axis=0) > 0
    return pd.DataFrame(complete[complete.columns[varies]])


def combat(value: np.ndarray, site: np.ndarray, covariates: np.ndarray) -> np.ndarray:
    """Return values (row, region) without the shift and spread of their sites.

    A site of one row has no spread: only its shift is removed. One site changes nothing.

    Parameters
    ----------
    value
        (row, region), NaN where missing; it stays missing.
    site
        (row,) names.
    covariates
        (row, covariate) whose linear effect is kept.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> value, site = rng.normal(size=(60, 5)), np.repeat(["a", "b"], 30)
    >>> value[30:] = 3 * value[30:] + 10
    >>> result = combat(value, site, np.empty((60, 0)))
    >>> bool(abs(result[:30].mean() - result[30:].mean()) < 0.1)
    True
    """
    fit = fit_combat(value, site, covariates)
    if fit is None:
        return value
    standard = (fit.standard - fit.shift[fit.group]) / fit.spread[fit.group]
    return np.asarray(standard * fit.width + fit.location)


@dataclass(frozen=True, eq=False)
class SiteFit:
    """What `combat` fits to some rows.

    Parameters
    ----------
    names, group
        Names of the sites, and (row,) the index of its site.
    standard, location
        (row, region) standardised values, and mean plus covariate effects.
    width
        (region,) standard deviation within the sites.
    shift, spread
        (site, region) in units of ``width``.
    """

    names: np.ndarray
    group: np.ndarray
    standard: np.ndarray
    location: np.ndarray
    width: np.ndarray
    shift: np.ndarray
    spread: np.ndarray


def fit_combat(value: np.ndarray, site: np.ndarray, covariates: np.ndarray) -> SiteFit | None:
    """Fit shift and spread of the sites as `combat` does; None with one site or no values."""
    names, group = np.unique(site, return_inverse=True)
    if len(names) < 2 or not value.size:
        return None
    member = (group[:, None] == np.arange(len(names))).astype(np.float64)
    centred_covariates = covariates - covariates.mean(axis=0)
    if (
        np.linalg.matrix_rank(np.column_stack((member, centred_covariates)))
        < len(names) + centred_covariates.shape[1]
    ):
        raise InputError(
            "age or sex is confounded with site",
            where="features.harmonise",
            remedy="set it to none, or join the sites",
        )
    standard, width, location = _standardise(value, member, centred_covariates)
    shift, spread = zip(*(_posterior(standard[group == k]) for k in range(len(names))), strict=True)
    return SiteFit(names, group, standard, location, width, np.stack(shift), np.stack(spread))


@dataclass(frozen=True, eq=False)
class Sites:
    """Shift and spread of the sites of a training set, to be removed from any cases.

    Parameters
    ----------
    name
        (site,) names.
    centre, width
        (region,) mean over the training set, and standard deviation within its sites.
    shift, spread
        (site, region) in units of ``width``.
    """

    name: np.ndarray
    centre: np.ndarray
    width: np.ndarray
    shift: np.ndarray
    spread: np.ndarray

    def apply(self, value: np.ndarray, site: np.ndarray, *, own: bool = True) -> np.ndarray:
        """Return values (row, region) without differences of the sites.

        A site outside the training set is harmonised by its own values, which needs no outcome;
        it is unchanged where ``own`` is False or it has one row only.
        """
        z = (value - self.centre) / self.width
        index = {str(name): k for k, name in enumerate(self.name)}
        for name in np.unique(site):
            rows = site == name
            if str(name) in index:
                k = index[str(name)]
                z[rows] = (z[rows] - self.shift[k]) / self.spread[k]
            elif own and rows.sum() > 1:
                shift, spread = _posterior(z[rows])
                z[rows] = (z[rows] - shift) / spread
        return np.asarray(z * self.width + self.centre)


def fit_sites(value: np.ndarray, site: np.ndarray) -> Sites:
    """Fit shift and spread of the sites of a training set without covariate effects.

    On the training set, ``fit_sites(value, site).apply(value, site)`` is `combat` without
    covariates.

    Parameters
    ----------
    value
        (row, region), nothing missing.
    site
        (row,) names; one is enough.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> value, site = rng.normal(size=(60, 5)), np.repeat(["a", "b"], 30)
    >>> value[30:] = 3 * value[30:] + 10
    >>> sites = fit_sites(value, site)
    >>> bool(np.allclose(sites.apply(value, site), combat(value, site, np.empty((60, 0)))))
    True
    """
    names, group = np.unique(site, return_inverse=True)
    member = (group[:, None] == np.arange(len(names))).astype(np.float64)
    standard, width, location = _standardise(value, member, np.empty((len(value), 0)))
    shift, spread = zip(*(_posterior(standard[group == k]) for k in range(len(names))), strict=True)
    return Sites(
        name=names.astype(str),
        centre=location[0],
        width=width,
        shift=np.stack(shift),
        spread=np.stack(spread),
    )


def _standardise(
    value: np.ndarray, member: np.ndarray, centred_covariates: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return standardised values, their width, and mean plus covariate effects (row, region)."""
    design = np.column_stack((member, centred_covariates))
    sites = member.shape[1]
    if not np.isnan(value).any():
        effects = np.linalg.lstsq(design, value, rcond=None)[0]
        location = member.mean(axis=0) @ effects[:sites] + centred_covariates @ effects[sites:]
        width = np.sqrt(((value - design @ effects) ** 2).mean(axis=0))
        width = np.where(width > 0, width, 1.0)
        return (value - location) / width, width, location
    standard, width = np.full_like(value, np.nan), np.ones(value.shape[1])
    location = np.zeros_like(value)
    for j, column in enumerate(value.T):
        present = ~np.isnan(column)
        if not present.any():
            continue
        effects = np.linalg.lstsq(design[present], column[present], rcond=None)[0]
        fraction = member[present].mean(axis=0)
        location[:, j] = fraction @ effects[:sites] + centred_covariates @ effects[sites:]
        residual = column[present] - design[present] @ effects
        width[j] = np.sqrt((residual**2).mean()) or 1.0
        standard[:, j] = (column - location[:, j]) / width[j]
    return standard, width, location


def _posterior(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return posterior shift and spread (region,) of the standardised values of one site."""
    present = ~np.isnan(z)
    regions = present.any(axis=0)
    n, values = present.sum(axis=0)[regions], np.where(present, z, 0.0)
    total, squares = values.sum(axis=0)[regions], (values[:, regions] ** 2).sum(axis=0)
    mean = total / n
    prior = mean.mean()
    between = mean.var(ddof=1) if regions.sum() > 1 else 0.0
    shift, spread = np.zeros(z.shape[1]), np.ones(z.shape[1])
    if (n < 2).any():
        shift[regions] = (n * between * mean + prior) / (n * between + 1.0)
        return shift, spread
    variance = (squares - n * mean**2) / (n - 1)
    centre, variation = variance.mean(), variance.var(ddof=1) if regions.sum() > 1 else 0.0
    if variation <= 0 or between <= 0:  # one region, or regions that agree: no shrinkage
        shift[regions], spread[regions] = mean, np.sqrt(np.where(variance > 0, variance, 1.0))
        return shift, spread
    shape, rate = 2 + centre**2 / variation, centre + centre**3 / variation
    location, scale = mean, variance
    for _ in range(_MAX_ITERATIONS):
        before = location, scale
        location = (n * between * mean + scale * prior) / (n * between + scale)
        residual = squares - 2 * location * total + n * location**2
        scale = (rate + residual / 2) / (n / 2 + shape - 1)
        change = max(np.abs(location - before[0]).max(), np.abs(scale - before[1]).max())
        if change < _TOLERANCE:
            break
    shift[regions], spread[regions] = location, np.sqrt(scale)
    return shift, spread
