"""Null, adjustment, strata and levels of a study, from its settings and its search matrix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ketadask.config.study import StudySettings

if TYPE_CHECKING:
    import xarray as xr

    from ketadask.cohort.design_facts import ScoreFacts
    from ketadask.cohort.designs import TrialArrays
    from ketadask.inference.null_method import NullChoice
    from ketadask.report.comparison import ComparisonFacts


Levels = tuple[float, float | None]


def persona_levels(
    settings: StudySettings, relabellings: int | None = None, *, has_values: bool = True
) -> Levels:
    """Return the levels of personas and of the linear modifier, None where it is not tested.

    ``relabellings`` is the number of relabelled trials, by default all that are planned;
    ``has_values`` says whether the features are there to test (see `alpha_levels`).
    """
    from ketadask.inference.companion import alpha_levels

    verdict = settings.verdict
    count = settings.null.relabellings if relabellings is None else relabellings
    return alpha_levels(verdict.alpha, verdict.linear_share, count, has_values=has_values)


def comparison_of(
    settings: StudySettings,
    units: xr.Dataset,
    trial: TrialArrays,
    facts: ScoreFacts,
    levels: Levels,
    null: NullChoice,
) -> ComparisonFacts:
    """Return what the verdicts of a study compare, and whether its sites differ in benefit.

    ``levels`` are those of `persona_levels`, ``null`` that of `choose_null`.
    """
    from ketadask.cohort.designs import PARALLEL
    from ketadask.inference.site_effects import site_effects, sites_differ_p
    from ketadask.report.comparison import ComparisonFacts

    alpha, linear_alpha = levels
    p = sites_differ_p(site_effects(units)) if facts.n_sites > 1 else math.nan
    return ComparisonFacts(
        design=settings.design.kind,
        method=null.method,
        method_reason=null.reason,
        statistic=settings.null.statistic,
        candidates=settings.null.candidates,
        adjust=facts.adjust,
        r2=facts.r2 if facts.adjust == "ridge" else None,
        n_features=facts.n_features,
        n_trials=len(np.unique(trial.trial)),
        n_sites=facts.n_sites,
        n_levels=facts.n_levels,
        within_arm=settings.design.within_arm and settings.design.kind == PARALLEL,
        cluster=settings.design.cluster,
        n_clusters=facts.n_clusters if settings.design.cluster else None,
        sites_p=None if math.isnan(p) else p,
        alpha=alpha,
        linear_alpha=linear_alpha,
    )
