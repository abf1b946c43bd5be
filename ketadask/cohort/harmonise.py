"""Volumes of several sites brought to one mean and spread per region, without any outcome.

ComBat (Johnson, Li & Rabinovic 2007, Biostatistics 8:118-127; for volumes Fortin et al. 2018,
NeuroImage 167:104-120): y = alpha + x beta + gamma_site + delta_site e per region. Shift gamma and
spread delta of a site are shrunken towards what all its regions have in common. `combat` brings a
whole cohort to one site; `fit_sites` fits the same to a train part, and what it returns can be
applied to others, from sites that were not there, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.features.feature_table import FeatureTable
from ketadask.schema.errors import InputError

NONE, SITE = "none", "site"
_ROUNDS, _CLOSE = 1_000, 1e-10


def harmonise(table: FeatureTable, people: pd.DataFrame) -> FeatureTable:
    """Return features of a table, one row per participant, as if all came from one site.

    What goes with age and sex stays. Sites are those of ``people``, named within their trial.

    Parameters
    ----------
    table
        Features shared by both periods.
    people
        What ``read_participants`` returns.
    """
    person = people.set_index(nm.PARTICIPANT).loc[table.values.index.get_level_values(0)]
    site = (person["trial"].astype(str) + " " + person["site"].astype(str)).to_numpy(dtype=str)
    made = combat(table.values.to_numpy(dtype=np.float64), site, _covariates(person))
    values = pd.DataFrame(made, index=table.values.index, columns=table.values.columns)
    return FeatureTable(values, table.about, table.dropped)


def _covariates(person: pd.DataFrame) -> np.ndarray:
    """Return age and sex (participant, 2), the mean where missing, without what is constant."""
    columns = person[["age", "sex"]].to_numpy(dtype=np.float64)
    known = columns[:, ~np.isnan(columns).all(axis=0)]
    filled = np.where(np.isnan(known), np.nanmean(known, axis=0) if known.size else 0.0, known)
    return filled[:, np.ptp(filled, axis=0) > 0] if filled.size else filled


def combat(value: np.ndarray, site: np.ndarray, covariates: np.ndarray) -> np.ndarray:
    """Return values (row, region) with the location and scale of their sites taken out.

    A site of one row has no spread: only its shift is taken out. One site changes nothing.

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
    >>> made = combat(value, site, np.empty((60, 0)))
    >>> bool(abs(made[:30].mean() - made[30:].mean()) < 0.1)
    True
    """
    names, group = np.unique(site, return_inverse=True)
    if len(names) < 2 or not value.size:
        return value
    member = (group[:, None] == np.arange(len(names))).astype(np.float64)
    centred = covariates - covariates.mean(axis=0)
    if np.linalg.matrix_rank(np.column_stack((member, centred))) < len(names) + centred.shape[1]:
        raise InputError(
            "age or sex cannot be told from the site",
            where="features.harmonise",
            remedy="leave it at none, or join the sites",
        )
    standard, width, kept = _standardised(value, member, centred)
    for k in range(len(names)):
        rows = group == k
        shift, spread = _shrunken(standard[rows])
        standard[rows] = (standard[rows] - shift) / spread
    return standard * width + kept


@dataclass(frozen=True, eq=False)
class Sites:
    """Shift and spread of the sites of a train part, to be taken out of any cases.

    Parameters
    ----------
    name
        (site,) names.
    centre, width
        (region,) mean over the train part, and standard deviation within its sites.
    shift, spread
        (site, region) in units of ``width``.
    """

    name: np.ndarray
    centre: np.ndarray
    width: np.ndarray
    shift: np.ndarray
    spread: np.ndarray

    def apply(self, value: np.ndarray, site: np.ndarray, *, own: bool = True) -> np.ndarray:
        """Return values (row, region) as if all came from one site.

        A site that was not fitted is brought there by its own values, which takes no outcome, or
        left as it is where ``own`` is False or it has one row only.
        """
        z = (value - self.centre) / self.width
        known = {str(name): k for k, name in enumerate(self.name)}
        for name in np.unique(site):
            rows = site == name
            if str(name) in known:
                k = known[str(name)]
                z[rows] = (z[rows] - self.shift[k]) / self.spread[k]
            elif own and rows.sum() > 1:
                shift, spread = _shrunken(z[rows])
                z[rows] = (z[rows] - shift) / spread
        return z * self.width + self.centre


def fit_sites(value: np.ndarray, site: np.ndarray) -> Sites:
    """Fit shift and spread of the sites of a train part, from which covariates have been taken.

    On the train part itself ``fit_sites(value, site).apply(value, site)`` is `combat` without
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
    >>> made = fit_sites(value, site)
    >>> bool(np.allclose(made.apply(value, site), combat(value, site, np.empty((60, 0)))))
    True
    """
    names, group = np.unique(site, return_inverse=True)
    member = (group[:, None] == np.arange(len(names))).astype(np.float64)
    standard, width, kept = _standardised(value, member, np.empty((len(value), 0)))
    shrunken = [_shrunken(standard[group == k]) for k in range(len(names))]
    return Sites(
        name=names.astype(str),
        centre=kept[0],
        width=width,
        shift=np.stack([shift for shift, _ in shrunken]),
        spread=np.stack([spread for _, spread in shrunken]),
    )


def _standardised(
    value: np.ndarray, member: np.ndarray, centred: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return standardised values, their width, and what is put back: mean and covariates."""
    design = np.column_stack((member, centred))
    sites = member.shape[1]
    if not np.isnan(value).any():
        effects = np.linalg.lstsq(design, value, rcond=None)[0]
        kept = member.mean(axis=0) @ effects[:sites] + centred @ effects[sites:]
        width = np.sqrt(((value - design @ effects) ** 2).mean(axis=0))
        width = np.where(width > 0, width, 1.0)
        return (value - kept) / width, width, kept
    standard, width = np.full_like(value, np.nan), np.ones(value.shape[1])
    kept = np.zeros_like(value)
    for j, column in enumerate(value.T):
        seen = ~np.isnan(column)
        if not seen.any():
            continue
        effects = np.linalg.lstsq(design[seen], column[seen], rcond=None)[0]
        share = member[seen].mean(axis=0)
        kept[:, j] = share @ effects[:sites] + centred @ effects[sites:]
        residual = column[seen] - design[seen] @ effects
        width[j] = np.sqrt((residual**2).mean()) or 1.0
        standard[:, j] = (column - kept[:, j]) / width[j]
    return standard, width, kept


def _shrunken(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return posterior shift and spread (region,) of the standardised values of one site."""
    seen = ~np.isnan(z)
    count = seen.sum(axis=0)
    some = count > 0
    number, total = count[some], np.where(seen, z, 0.0).sum(axis=0)[some]
    first = total / number
    squares = np.where(seen, z, 0.0)[:, some] ** 2
    prior, looseness = first.mean(), first.var(ddof=1) if some.sum() > 1 else 0.0
    shift, spread = np.zeros(z.shape[1]), np.ones(z.shape[1])
    if (number < 2).any():
        shift[some] = (number * looseness * first + prior) / (number * looseness + 1.0)
        return shift, spread
    variance = (squares.sum(axis=0) - number * first**2) / (number - 1)
    middle, varied = variance.mean(), variance.var(ddof=1) if some.sum() > 1 else 0.0
    if varied <= 0 or looseness <= 0:  # one region, or regions that agree: nothing to shrink with
        shift[some], spread[some] = first, np.sqrt(np.where(variance > 0, variance, 1.0))
        return shift, spread
    shape, rate = 2 + middle**2 / varied, middle + middle**3 / varied
    location, scale = first, variance
    for _ in range(_ROUNDS):
        before = location, scale
        location = (number * looseness * first + scale * prior) / (number * looseness + scale)
        left = squares.sum(axis=0) - 2 * location * total + number * location**2
        scale = (rate + left / 2) / (number / 2 + shape - 1)
        moved = max(np.abs(location - before[0]).max(), np.abs(scale - before[1]).max())
        if moved < _CLOSE:
            break
    shift[some], spread[some] = location, np.sqrt(scale)
    return shift, spread
