"""How a trial is relabelled: as set, or by whether a feature predicts the spread of the scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.cohort.designs import PARALLEL, TrialArrays, trial_arrays
from ketadask.cohort.relabel import BOTH, PAIR, relabel
from ketadask.inference.second_stage import move_scores
from ketadask.kernels.maxt import TIE
from ketadask.kernels.modifiers import is_distinct, studentised
from ketadask.kernels.ridge import standardise

if TYPE_CHECKING:
    import xarray as xr

AUTO = "auto"
SPREAD_LEVEL, _RELABELLINGS, _BLOCK = 0.05, 99, 1_000


@dataclass(frozen=True)
class NullChoice:
    """The method of the relabelled trials, and why ``auto`` chose it ('' if it did not)."""

    method: str = PAIR[0]
    reason: str = ""


def choose_null(
    method: str, units: xr.Dataset, *, seed: int, trial: TrialArrays | None = None
) -> NullChoice:
    """Return the method, where ``auto`` stands for one that holds its level.

    ``trial`` is that of the units, where it is at hand.

    Exchanged features alone suffice where the scores have the same spread everywhere. Where a
    feature predicts the spread, few people with large scores make a persona, and arms are
    randomised again, too. In parallel trials of 60 people with a spread of exp(.7 x), 8.5 % and
    9.8 % of 400 had a claim of two and three literals with exchanged features alone, and 4.3 % and
    4.8 % by this choice; without such a spread the choice changed the verdict of 0 to 0.5 %, and
    power by at most 2 percentage points.

    Every predictor of an outcome with two values predicts its spread. In parallel trials of 60
    people, 13 % of 1,000 had a claim of three literals though nobody responded to the treatment
    (``python -m tests.benchmarks.validity error --kinds response``); with randomised arms, 3 % of
    200.
    """
    if method != AUTO:
        return NullChoice(method)
    trial = trial_arrays(units) if trial is None else trial
    if trial.design == PARALLEL and len(np.unique(trial.outcome[np.isfinite(trial.outcome)])) <= 2:
        return NullChoice(
            BOTH, "the spread of an outcome with two values depends on its predictors"
        )
    p = spread_p(units, seed=seed, trial=trial)
    if p <= SPREAD_LEVEL:
        return NullChoice(BOTH, f"a feature predicts the spread of the scores (p = {p:.2f})")
    return NullChoice()


def spread_p(
    units: xr.Dataset,
    *,
    seed: int,
    relabellings: int = _RELABELLINGS,
    trial: TrialArrays | None = None,
) -> float:
    """Return the p that no feature predicts the distance of the scores from their mean.

    The largest t of all features is compared with that of relabelled trials, in which participants
    exchange their features.
    """
    trial = trial_arrays(units) if trial is None else trial
    has_clusters = not is_distinct(trial.cluster)
    matrix = units["value"].transpose(nm.UNIT, nm.FEATURE).values
    orders = [relabel(trial, seed=seed, index=index)[0] for index in range(relabellings)]
    largest = np.zeros(1 + relabellings)
    for start in range(0, matrix.shape[1], _BLOCK):
        values = standardise(matrix[:, start : start + _BLOCK])
        squares = values**2
        for index, order in enumerate([None, *orders]):
            score, cluster = move_scores(trial, order)
            distance = np.abs(score - score.mean())
            deviation = distance - distance.mean()
            t = studentised(values, squares, deviation, cluster if has_clusters else None)
            largest[index] = max(largest[index], np.abs(t).max(initial=0.0))
    n_as_large = int((largest[1:] >= largest[0] * (1 - TIE)).sum())
    return (1 + n_as_large) / (1 + relabellings)
