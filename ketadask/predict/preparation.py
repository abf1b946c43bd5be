"""Preparation of volumes for a classifier: fitted to the training set, applied unchanged."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ketadask.cohort.harmonise import Sites, fit_sites
from ketadask.predict.classifier_data import ClassifierData


@dataclass(frozen=True)
class PreparationSettings:
    """Steps between volumes and classifier.

    Missing values become the median; the linear part of the covariates is removed; sites are
    brought to a common mean and spread (`harmonise`); every region gets mean 0 and variance 1.
    ``unseen_site`` controls harmonisation of sites that are not in the training set: ``own`` uses
    the mean and spread of their own volumes, without outcomes; ``as-is`` leaves them unchanged.
    """

    harmonise: bool = False
    unseen_site: str = "own"


@dataclass(frozen=True, eq=False)
class Preparation:
    """A fitted preparation: plain arrays, one entry per region, covariate or site."""

    fill: np.ndarray
    covariate_fill: np.ndarray
    covariate_mean: np.ndarray
    slope: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    sites: Sites | None = None
    unseen_site: str = "own"

    def apply(self, cases: ClassifierData) -> np.ndarray:
        """Return (case, region) prepared volumes."""
        return np.asarray((self._before_scaling(cases) - self.mean) / self.scale)

    def _before_scaling(self, cases: ClassifierData) -> np.ndarray:
        value = _fill_missing(cases.value, self.fill)
        if len(self.covariate_mean):
            covariate = _fill_missing(cases.covariate, self.covariate_fill) - self.covariate_mean
            value = value - covariate @ self.slope
        if self.sites is not None:
            value = self.sites.apply(value, cases.site, own=self.unseen_site == "own")
        return value


def fit_preparation(cases: ClassifierData, settings: PreparationSettings) -> Preparation:
    """Fit a preparation to the cases of a training set; labels are not used."""
    fill, covariate_fill = _medians(cases.value), _medians(cases.covariate)
    width = cases.value.shape[1]
    value = _fill_missing(cases.value, fill)
    covariate = _fill_missing(cases.covariate, covariate_fill)
    covariate_mean = covariate.mean(axis=0)
    preparation = Preparation(
        fill=fill,
        covariate_fill=covariate_fill,
        covariate_mean=covariate_mean,
        slope=_slopes(value, covariate - covariate_mean, cases.site, settings.harmonise),
        mean=np.zeros(width),
        scale=np.ones(width),
        unseen_site=settings.unseen_site,
    )
    if settings.harmonise:
        sites = fit_sites(preparation._before_scaling(cases), cases.site)
        preparation = replace(preparation, sites=sites)
    value = preparation._before_scaling(cases)
    mean, variance = value.mean(axis=0), value.var(axis=0)
    return replace(preparation, mean=mean, scale=_scale(mean, variance, len(value)))


def _scale(mean: np.ndarray, variance: np.ndarray, count: int) -> np.ndarray:
    """Return standard deviations; 1 where only rounding varies."""
    rounding = np.finfo(float).eps
    constant = variance <= count * rounding * variance + (count * mean * rounding) ** 2
    return np.where(constant, 1.0, np.sqrt(variance))


def _slopes(
    value: np.ndarray, covariate: np.ndarray, site: np.ndarray, within_site: bool
) -> np.ndarray:
    """Return (covariate, region) least-squares slopes, within sites if ``within_site``."""
    if not covariate.shape[1]:
        return np.zeros((0, value.shape[1]))
    groups = np.unique(site, return_inverse=True)[1] if within_site else np.zeros(len(value), int)
    level = np.eye(groups.max() + 1)[groups]
    design = np.column_stack([covariate, level])
    return np.asarray(np.linalg.lstsq(design, value, rcond=None)[0][: covariate.shape[1]])


def _medians(table: np.ndarray) -> np.ndarray:
    """Return the median of every column; 0 where all values are missing."""
    missing = np.isnan(table)
    if not missing.any():
        return np.median(table, axis=0) if table.shape[1] else np.zeros(0)
    medians = np.zeros(table.shape[1])
    present = ~missing.all(axis=0)
    medians[present] = np.nanmedian(table[:, present], axis=0)
    return medians


def _fill_missing(table: np.ndarray, fill: np.ndarray) -> np.ndarray:
    missing = np.isnan(table)
    return np.where(missing, fill, table) if missing.any() else table
