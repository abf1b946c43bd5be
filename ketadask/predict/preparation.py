"""What is fitted before a classifier, on the train part alone, and applied unchanged afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ketadask.cohort.harmonise import Sites, fit_sites
from ketadask.predict.classifier_data import ClassifierData


@dataclass(frozen=True)
class Preparing:
    """What is done to volumes before they are learnt from, in this order.

    Missing values become the median; the linear part of the covariates is removed; sites are
    brought to a common mean and spread (`harmonise`); every region gets mean 0 and variance 1.
    ``unseen`` says what harmonisation does at a site that was not there to be fitted: ``own`` takes
    that site's mean and spread from its own volumes, which needs no outcome, ``as-is`` nothing.
    """

    harmonise: bool = False
    unseen: str = "own"


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
    unseen: str = "own"

    def apply(self, cases: ClassifierData) -> np.ndarray:
        """Return (case, region) prepared volumes."""
        return (self._before_scaling(cases) - self.mean) / self.scale

    def _before_scaling(self, cases: ClassifierData) -> np.ndarray:
        value = _filled(cases.value, self.fill)
        if len(self.covariate_mean):
            covariate = _filled(cases.covariate, self.covariate_fill) - self.covariate_mean
            value = value - covariate @ self.slope
        if self.sites is not None:
            value = self.sites.apply(value, cases.site, own=self.unseen == "own")
        return value


def fit_preparation(cases: ClassifierData, preparing: Preparing) -> Preparation:
    """Fit a preparation to the cases of a train part; labels play no part."""
    fill, covariate_fill = _medians(cases.value), _medians(cases.covariate)
    width = cases.value.shape[1]
    value = _filled(cases.value, fill)
    covariate = _filled(cases.covariate, covariate_fill)
    covariate_mean = covariate.mean(axis=0)
    made = Preparation(
        fill=fill,
        covariate_fill=covariate_fill,
        covariate_mean=covariate_mean,
        slope=_slopes(value, covariate - covariate_mean, cases.site, preparing.harmonise),
        mean=np.zeros(width),
        scale=np.ones(width),
        unseen=preparing.unseen,
    )
    if preparing.harmonise:
        made = replace(made, sites=fit_sites(made._before_scaling(cases), cases.site))
    value = made._before_scaling(cases)
    mean, variance = value.mean(axis=0), value.var(axis=0)
    return replace(made, mean=mean, scale=_scale(mean, variance, len(value)))


def _scale(mean: np.ndarray, variance: np.ndarray, count: int) -> np.ndarray:
    """Return standard deviations; 1 where rounding is all that varies."""
    rounding = np.finfo(float).eps
    constant = variance <= count * rounding * variance + (count * mean * rounding) ** 2
    return np.where(constant, 1.0, np.sqrt(variance))


def _slopes(
    value: np.ndarray, covariate: np.ndarray, site: np.ndarray, within_site: bool
) -> np.ndarray:
    """Return (covariate, region) least-squares slopes, within sites where these differ."""
    if not covariate.shape[1]:
        return np.zeros((0, value.shape[1]))
    groups = np.unique(site, return_inverse=True)[1] if within_site else np.zeros(len(value), int)
    level = np.eye(groups.max() + 1)[groups]
    design = np.column_stack([covariate, level])
    return np.linalg.lstsq(design, value, rcond=None)[0][: covariate.shape[1]]


def _medians(table: np.ndarray) -> np.ndarray:
    """Return the median of every column; 0 where nothing was seen."""
    missing = np.isnan(table)
    if not missing.any():
        return np.median(table, axis=0) if table.shape[1] else np.zeros(0)
    made = np.zeros(table.shape[1])
    seen = ~missing.all(axis=0)
    made[seen] = np.nanmedian(table[:, seen], axis=0)
    return made


def _filled(table: np.ndarray, fill: np.ndarray) -> np.ndarray:
    missing = np.isnan(table)
    return np.where(missing, fill, table) if missing.any() else table
