"""Null, adjustment and strata of a study, from its settings and its search matrix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.config.study import StudySettings

if TYPE_CHECKING:
    import xarray as xr

    from ketadask.report.comparison import ComparisonFacts


def comparison_of(settings: StudySettings, units: xr.Dataset) -> ComparisonFacts:
    """Return what the verdicts of a study compare, and whether its sites differ in benefit."""
    from ketadask.cohort.designs import PARALLEL
    from ketadask.inference.site_effects import site_effects, sites_differ_p
    from ketadask.report.comparison import ComparisonFacts

    trials, sites = (units[name].to_numpy().astype(str).tolist() for name in ("trial", "site"))
    n_trials, n_sites = len(set(trials)), len(set(zip(trials, sites, strict=True)))
    p = sites_differ_p(site_effects(units)) if n_sites > 1 else math.nan
    return ComparisonFacts(
        design=settings.design.kind,
        method=settings.null.method,
        adjust=settings.design.adjust if settings.design.kind == PARALLEL else "none",
        n_features=units.sizes[nm.FEATURE],
        n_trials=n_trials,
        n_sites=n_sites,
        n_levels=n_sites if settings.design.kind == PARALLEL else n_trials,
        n_strata=len(np.unique(units["stratum"].to_numpy())),
        within_arm=settings.design.within_arm and settings.design.kind == PARALLEL,
        sites_p=None if math.isnan(p) else p,
    )
