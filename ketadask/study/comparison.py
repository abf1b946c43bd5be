"""Null, adjustment and strata of a study, from its settings and its search matrix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ketadask.config.study import StudySettings

if TYPE_CHECKING:
    import xarray as xr

    from ketadask.cohort.designs import TrialArrays
    from ketadask.report.comparison import ComparisonFacts


def comparison_of(
    settings: StudySettings, units: xr.Dataset, trial: TrialArrays
) -> ComparisonFacts:
    """Return what the verdicts of a study compare, and whether its sites differ in benefit."""
    from ketadask.cohort.design_facts import score_facts
    from ketadask.cohort.designs import PARALLEL
    from ketadask.inference.companion import alpha_levels
    from ketadask.inference.site_effects import site_effects, sites_differ_p
    from ketadask.report.comparison import ComparisonFacts

    facts, verdict, null = score_facts(units, trial), settings.verdict, settings.null
    alpha, linear_alpha = alpha_levels(verdict.alpha, verdict.linear_share, null.relabellings)
    p = sites_differ_p(site_effects(units)) if facts.n_sites > 1 else math.nan
    return ComparisonFacts(
        design=settings.design.kind,
        method=settings.null.method,
        statistic=settings.null.statistic,
        candidates=settings.null.candidates,
        adjust=facts.adjust,
        r2=facts.r2 if facts.adjust == "ridge" else None,
        n_features=facts.n_features,
        n_trials=len(np.unique(trial.trial)),
        n_sites=facts.n_sites,
        n_levels=facts.n_levels,
        n_strata=facts.n_strata,
        within_arm=settings.design.within_arm and settings.design.kind == PARALLEL,
        cluster=settings.design.cluster,
        n_clusters=facts.n_clusters if settings.design.cluster else None,
        sites_p=None if math.isnan(p) else p,
        alpha=alpha,
        linear_alpha=linear_alpha,
    )
