"""The method before scores were adjusted, sites entered and t was studentised, for comparison.

Scores: the deviation from the mean of the trial (pooled), the difference of the arms without the
period effect (crossover), the deviation from the mean of the arm of the site (parallel);
relabelling within trial and sequence, in parallel within trial and site; the statistic is the
largest Q.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ketadask.cohort.case_arrays import codes
from ketadask.cohort.designs import CROSSOVER, PARALLEL, POOLED, TrialArrays
from ketadask.search.problem import SearchProblem


def former_problem(problem: SearchProblem, site: np.ndarray) -> SearchProblem:
    """Return the problem with the scores and the strata of the former method."""
    trial = problem.trial
    if trial.design == PARALLEL:
        level = stratum = codes(trial.trial, site)
    else:
        who = codes(trial.participant)
        pattern = trial.active_first if trial.design == CROSSOVER else _pattern(trial, who)
        level, stratum = trial.trial, codes(trial.trial, pattern)
    score = np.empty(len(stratum))
    for code in np.unique(level):
        own = level == code
        score[own] = _scores(trial.design, trial.outcome[own], trial.active_first[own])
    size, total = np.bincount(codes(trial.trial)), np.bincount(codes(trial.trial), weights=score)
    score += score.mean() - (total / size)[codes(trial.trial)]
    return replace(
        problem, trial=replace(trial, score=score, stratum=stratum, cluster=trial.participant)
    )


def _pattern(trial: TrialArrays, who: np.ndarray) -> np.ndarray:
    """(unit,) sequence, and whether both periods were observed."""
    arm = np.bincount(who, weights=trial.arm * 2.0**trial.period)[who]
    return codes(np.bincount(who)[who], arm, np.bincount(who, weights=trial.period)[who])


def _scores(design: str, outcome: np.ndarray, active_first: np.ndarray) -> np.ndarray:
    if design == CROSSOVER:
        difference = outcome[:, 0] - outcome[:, 1]
        if active_first.all() or not active_first.any():
            return difference
        half = (difference[active_first].mean() - difference[~active_first].mean()) / 2
        return difference - np.where(active_first, half, -half)
    active = np.isfinite(outcome[:, 0])
    y = np.where(active, outcome[:, 0], outcome[:, 1])
    q = active.mean()
    weight = np.where(active, 1 / q, -1 / (1 - q))
    if design == POOLED:
        return weight * (y - y.mean())
    mean = np.where(active, y[active].mean(), y[~active].mean())
    return y[active].mean() - y[~active].mean() + weight * (y - mean)
