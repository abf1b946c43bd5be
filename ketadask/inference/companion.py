"""The companion of the search: single features that modify the benefit, or its spread, linearly.

A persona is a box; a benefit that changes gradually with a feature is no box, and a test of the
slope has more power for it. The same relabelled trials give the null distribution of the largest
association over all features. It takes a part of the level, so that both together keep alpha.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask.inference.null import null_block, relabel_problem, relabelling_methods
from ketadask.inference.second_stage import move_scores
from ketadask.kernels.maxt import TIE, may_reach
from ketadask.kernels.modifiers import linear_modifiers
from ketadask.schema.tables import COMPANIONS

if TYPE_CHECKING:
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.store.ranges import Range

LINEAR, SPREAD = "linear", "spread"
MEASURES = (LINEAR, SPREAD)
LINEAR_PART = 0.2
"""Part of alpha at which the linear modifier is judged."""


def null_tables(
    problem: SearchProblem,
    search: PersonaSearch,
    block: Range,
    *,
    seed: int,
    method: str,
    **settings: Any,
) -> dict[str, pd.DataFrame]:
    """Return the tables ``nulls`` and ``companions`` of a block; settings of `null_block`."""
    return {
        "nulls": null_block(problem, search, block, seed=seed, method=method, **settings),
        "companions": companion_block(problem, block, seed=seed, method=method),
    }


def companion_block(
    problem: SearchProblem, block: Range, *, seed: int, method: str = "features"
) -> pd.DataFrame:
    """Return the largest associations of the first to the last relabelled trial of ``block``.

    Keeps ``schema.COMPANIONS``: ``linear`` of the scores, ``spread`` of their distance from the
    mean; NaN where the problem has no feature values.
    """
    rows = []
    for index in range(block[0], block[1] + 1):
        for name in relabelling_methods(method):
            redrawn, order = relabel_problem(problem, index, seed=seed, method=name)
            largest = {
                measure: float(np.abs(t).max(initial=0.0)) if t is not None else np.nan
                for measure, (t, _) in _associations(redrawn, order["rows"]).items()
            }
            rows.append({"relabelling": index, "method": name, **largest})
    return COMPANIONS.check(pd.DataFrame(rows))


def companion_summary(
    problem: SearchProblem, companions: pd.DataFrame, alpha: float | None
) -> dict[str, dict[str, Any]]:
    """Return the feature with the largest association, by measure, and its p.

    Parameters
    ----------
    companions
        Table of `companion_block`.
    alpha
        Level of the linear modifier; None where it is not tested (see `alpha_levels`).

    Returns
    -------
    Per measure ``feature``, ``correlation``, ``t`` and ``p``, (b + 1) / (B + 1), the larger p with
    several methods of relabelling; of ``linear`` also ``alpha`` and ``supported``. Empty where the
    problem has no feature values.
    """
    summary: dict[str, dict[str, Any]] = {}
    for measure, (t, correlation) in _associations(problem).items():
        if t is None or not len(t):
            continue
        best = int(np.argmax(np.abs(t)))
        summary[measure] = {
            "feature": problem.value_names[best],
            "correlation": float(correlation[best]),
            "t": float(t[best]),
            "p": companion_p(companions, measure, float(np.abs(t[best]))),
        }
    if LINEAR in summary:
        is_claim = alpha is not None and summary[LINEAR]["p"] <= alpha
        summary[LINEAR] |= {"alpha": alpha, "supported": is_claim}
    return summary


def companion_p(companions: pd.DataFrame, measure: str, largest: float) -> float:
    """Return the p of the largest association of the trial; the larger one of several methods.

    A relabelled trial without an association, computed where the features took too much memory,
    counts as one that reaches it.
    """
    p = [
        (1 + int((~(rows[measure] < largest * (1 - TIE))).sum())) / (1 + len(rows))
        for _, rows in companions.groupby("method")
    ]
    return float(max(p))


def alpha_levels(
    alpha: float, linear_part: float, relabellings: int, *, has_values: bool = True
) -> tuple[float, float | None]:
    """Return the level of the personas and that of the linear modifier.

    They are ``alpha (1 - linear_part)`` and ``alpha linear_part``. Where so few relabelled trials
    cannot give a p of the latter, or the problem has no values, the personas get the whole alpha,
    and the linear modifier has none.

    Examples
    --------
    >>> alpha_levels(0.05, 0.2, 999), alpha_levels(0.05, 0.2, 39), alpha_levels(0.05, 0.0, 999)
    ((0.04, 0.01), (0.05, None), (0.05, None))
    """
    linear = round(alpha * linear_part, 12)
    if not has_values or linear_part <= 0 or may_reach(linear, relabellings) < 0:
        return alpha, None
    return round(alpha - linear, 12), linear


def _associations(
    problem: SearchProblem, rows: np.ndarray | None = None
) -> Mapping[str, tuple[Any, Any]]:
    """Return (t, correlation) of all features, by measure; (None, None) without values."""
    if problem.values is None:
        return dict.fromkeys(MEASURES, (None, None))
    score, cluster = move_scores(problem.trial, rows)
    return {
        LINEAR: linear_modifiers(problem.values, score, cluster),
        SPREAD: linear_modifiers(problem.values, np.abs(score - score.mean()), cluster),
    }
