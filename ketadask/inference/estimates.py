"""Benefit differences of personas, with intervals that allow for their selection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ketadask.inference.null import critical_value
from ketadask.inference.second_stage import SEARCH_Q, STUDENTISED, persona_sides
from ketadask.kernels.contrast import contrast
from ketadask.kernels.q_statistic import HETEROGENEITY

if TYPE_CHECKING:
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem

LEVEL = 0.95
SHRINKAGE_POWER = 5.0
CORRECTED = ("difference_low", "difference_high", "difference_shrunken")


def benefit_differences(
    problem: SearchProblem,
    search: PersonaSearch,
    ids: np.ndarray,
    maxima: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    """Return the benefit difference of each persona, inside minus outside, with its interval.

    Parameters
    ----------
    ids
        Literal indices (persona, 4).
    maxima
        By statistic, that of the verdicts first, (method, B) its largest value in each relabelled
        trial.

    Returns
    -------
    Columns ``outside`` and ``unknown`` (units), ``difference``, ``difference_low``,
    ``difference_high``, ``difference_shrunken``.

    Notes
    -----
    The interval is D -/+ c se, c the 95 % point of the largest statistic over the relabelled
    trials: it allows for the choice of the personas. Of t and of Q, whose se is
    sigma sqrt(n / (k m)), the wider interval counts: where the spread of the outcome differs
    between units each alone covers too rarely. The shrunken difference is D max(0, 1 - (m / t)^5),
    m the root mean square of the largest statistic. The power 5 balances two biases in simulated
    trials: without heterogeneity a sixth of the bias of D remains, and large differences are
    underestimated by a tenth (``python -m tests.benchmarks.validity coverage``). Both are missing
    with too few relabelled trials and for the objective ``effect``, which compares with zero.
    """
    trial = problem.trial
    inside, outside = persona_sides(problem, ids)
    result = contrast(inside, trial.score, outside=outside, cluster=trial.cluster)
    k, m = inside.sum(axis=1), np.maximum(outside.sum(axis=1), 1)
    equal_spread = np.std(trial.score, ddof=1) * np.sqrt((k + m) / (k * m))
    se = {STUDENTISED: result.se, SEARCH_Q: equal_spread}
    reach = np.fmax.reduce([_critical(maxima[name]) * se[name] for name in maxima])
    if search.objective != HETEROGENEITY:
        reach = np.full(len(ids), np.nan)
    statistic = next(iter(maxima))
    finite = np.where(np.isfinite(maxima[statistic]), maxima[statistic], 0.0)
    largest = float(np.sqrt((finite**2).mean(axis=1).max()))
    value = np.maximum(np.abs(result.difference / se[statistic]), 1e-300)
    shrinkage = np.maximum(0.0, 1.0 - np.minimum(largest / value, 1.0) ** SHRINKAGE_POWER)
    return pd.DataFrame(
        {
            "outside": result.outside,
            "unknown": (~(inside | outside)).sum(axis=1),
            "difference": result.difference,
            "difference_low": result.difference - reach,
            "difference_high": result.difference + reach,
            "difference_shrunken": result.difference * np.where(np.isnan(reach), np.nan, shrinkage),
        }
    )


def _critical(maxima: np.ndarray) -> float:
    """Return the critical value of a statistic; NaN where there is none."""
    critical = critical_value(maxima, 1 - LEVEL)
    return np.nan if critical is None or not np.isfinite(critical) else critical
