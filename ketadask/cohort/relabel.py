"""Redraw a trial under the null that the benefit does not depend on the features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ketadask import names as nm
from ketadask.cohort.case_arrays import codes
from ketadask.cohort.designs import CROSSOVER, PARALLEL, TrialArrays
from ketadask.kernels.scores import period_effect
from ketadask.schema.errors import InputError, nearest

HOWS = ("features", "arms", "no-effect")


def relabel(
    trial: TrialArrays, *, seed: int, index: int, method: str = "features"
) -> tuple[np.ndarray, TrialArrays]:
    """Return relabelled trial number ``index``: whose features each unit gets, and its scores.

    Draws from ``SeedSequence(seed, spawn_key=(names.STREAM_RELABELLING, index))`` only.

    Parameters
    ----------
    trial
        The trial as it was.
    seed, index
        Address of the relabelling.
    method
        ``features``: whole participants exchange their features within stratum, period by
        period; arms, outcomes and scores stay. ``arms``: arms are randomised again under a
        constant effect, y* = y - t a + t a*, t the trial's estimated overall effect; within
        participant where both arms were seen, within stratum elsewhere. ``no-effect``: the same
        with t = 0.

    Returns
    -------
    rows
        (unit,) int64 permutation: unit u gets the features of unit ``rows[u]``.
    relabelled
        The trial with its new outcomes and scores.

    Notes
    -----
    In ``crossover`` arms are exchanged by flipping the sign of (difference - period effect - t)
    with the sequences held as they were. In ``pooled`` the arms of single cases are permuted
    among the single cases of the same trial and period. In ``parallel`` they are permuted within
    stratum; expected outcomes of an adjusted score follow the constant effect and are not fitted
    again. Westfall & Young 1993; Ding, Feller & Miratrix 2016, 10.1111/rssb.12124.

    Examples
    --------
    >>> y = np.array([[9.0, 2.0], [4.0, 3.0], [8.0, 1.0]])
    >>> same = np.zeros(3, dtype=np.int64)
    >>> trial = Trial("crossover", y, np.arange(3), same, same, same + 1, same == 0, same,
    ...               y[:, 0] - y[:, 1])
    >>> rows, relabelled = relabel(trial, seed=7, index=0)
    >>> sorted(rows.tolist()), relabelled.score.tolist()
    ([0, 1, 2], [7.0, 1.0, 7.0])
    """
    if method not in HOWS:
        raise InputError("unknown relabelling", value=method, remedy=nearest(str(method), HOWS))
    stream = np.random.SeedSequence(seed, spawn_key=(nm.STREAM_RELABELLING, index))
    rng = np.random.default_rng(stream)
    if method == "features":
        return _exchanged_blocks(trial, rng), trial
    unchanged = np.arange(trial.score.shape[0], dtype=np.int64)
    effect = overall_effect(trial) if method == "arms" else np.zeros(trial.score.shape[0])
    if trial.design == CROSSOVER:
        return unchanged, _flipped(trial, effect, rng)
    return unchanged, _randomised(trial, effect, rng)


def overall_effect(trial: TrialArrays) -> np.ndarray:
    """Return (unit,) the estimated overall effect of the unit's trial: its mean score."""
    own = codes(trial.trial)
    score = trial.scores(level=False)
    return (np.bincount(own, weights=score) / np.bincount(own))[own]


def unexchangeable_mask(trial: TrialArrays, method: str = "features") -> np.ndarray:
    """Return bool (unit,): units with nobody to exchange with, the same in every relabelling.

    Examples
    --------
    >>> same = np.zeros(3, dtype=np.int64)
    >>> trial = Trial("crossover", np.ones((3, 2)), np.arange(3), np.array([0, 0, 1]), same,
    ...               same + 1, same == 0, same, np.ones(3))
    >>> alone(trial), alone(trial, "arms")
    (array([False, False,  True]), array([False, False, False]))
    """
    if method == "features":
        who = codes(trial.participant)
        order = np.lexsort((trial.period, who))
        block = _blocks(trial, order, np.bincount(who))
        return (np.bincount(block)[block] == 1)[who]
    if trial.design == CROSSOVER:
        return np.zeros(trial.score.shape[0], dtype=bool)
    single, place = _places(trial)
    active = np.bincount(place, weights=trial.arm[single] == 1)
    told = np.zeros(trial.score.shape[0], dtype=bool)
    told[single] = ((active == 0) | (active == np.bincount(place)))[place]
    return told


def check_exchange(trial: TrialArrays, method: str, *, where: str = "method") -> int:
    """Return how many units are `alone`; an error where all are, and every p would be 1.

    ``where`` names the key that chose ``method``.
    """
    told = unexchangeable_mask(trial, method)
    if not told.all():
        return int(told.sum())
    remedy = "give small sites one name in the column site"
    if method != "features":
        remedy = "exchange features instead (features)"
    elif trial.design != PARALLEL:
        remedy = "draw the arms anew instead (arms)"
    elif trial.within_arm:
        remedy = f"exchange across arms (design.within_arm: false), or {remedy}"
    raise InputError(
        "nobody has anyone to exchange with: every relabelled trial would be the trial itself",
        where=where,
        value=method,
        remedy=f"{len(np.unique(trial.stratum))} strata for {len(np.unique(trial.participant))} "
        f"participants; {remedy}",
    )


def _blocks(trial: TrialArrays, order: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(participant,) who may exchange features with whom; ``order`` sorts units by participant."""
    first = order[np.cumsum(size) - size]
    keys = [trial.stratum[first], size]
    if trial.within_arm:
        keys.append(trial.arm[first])
    return codes(*keys)


def _places(trial: TrialArrays) -> tuple[np.ndarray, np.ndarray]:
    """Return the units of participants seen on one arm, and among which their arms are permuted."""
    was, who = trial.arm == 1, codes(trial.participant)
    both = np.bincount(who, weights=was)[who] * np.bincount(who, weights=~was)[who] > 0
    single = np.flatnonzero(~both)
    if trial.design == PARALLEL:
        return single, codes(trial.stratum[single])
    return single, codes(trial.trial[single], trial.period[single])


def _exchanged_blocks(trial: TrialArrays, rng: np.random.Generator) -> np.ndarray:
    """Permute participants within stratum; the k-th period of one goes to the k-th of another."""
    who = codes(trial.participant)
    order = np.lexsort((trial.period, who))
    size = np.bincount(who)
    start = np.cumsum(size) - size
    block = _blocks(trial, order, size)
    people = size.shape[0]
    source = np.empty(people, dtype=np.int64)
    source[np.lexsort((np.arange(people), block))] = np.lexsort((rng.random(people), block))
    rows = np.empty(order.shape[0], dtype=np.int64)
    place = np.arange(order.shape[0]) - np.repeat(start, size)
    rows[order] = order[start[source[who[order]]] + place]
    return rows


def _flipped(trial: TrialArrays, effect: np.ndarray, rng: np.random.Generator) -> TrialArrays:
    """Exchange the arms of random participants of a crossover, sequences held as they were."""
    difference = trial.outcome[:, 0] - trial.outcome[:, 1]
    middle = (trial.outcome[:, 0] + trial.outcome[:, 1]) / 2.0
    shift = np.empty(difference.shape[0])
    for code in np.unique(trial.trial):
        own = trial.trial == code
        half = period_effect(difference[own], trial.active_first[own])
        shift[own] = np.where(trial.active_first[own], half, -half)
    sign = np.where(rng.random(difference.shape[0]) < 0.5, -1.0, 1.0)
    redrawn = sign * (difference - shift - effect) + effect + shift
    return _rescored(trial, np.column_stack((middle + redrawn / 2.0, middle - redrawn / 2.0)))


def _randomised(trial: TrialArrays, effect: np.ndarray, rng: np.random.Generator) -> TrialArrays:
    """Give arms anew: exchanged within pairs, permuted among single cases."""
    was = trial.arm == 1
    who = codes(trial.participant)
    single, place = _places(trial)
    both = np.ones(was.size, dtype=bool)
    both[single] = False
    swap = (rng.random(int(who.max()) + 1) < 0.5)[who]
    now = np.where(both & swap, ~was, was)
    now[single[np.lexsort((np.arange(single.size), place))]] = was[
        single[np.lexsort((rng.random(single.size), place))]
    ]
    y = np.where(was, trial.outcome[:, 0], trial.outcome[:, 1])
    y = y - effect * was + effect * now
    outcome = np.full(trial.outcome.shape, np.nan)
    outcome[np.arange(y.size), np.where(now, 0, 1)] = y
    prediction = trial.prediction
    if prediction is not None:
        share = _share(trial)
        base = share * (prediction[:, 0] - effect) + (1.0 - share) * prediction[:, 1]
        prediction = np.column_stack((base + effect, base))
    # A pair changes both its arms and a single case its only one: each stays one sequence.
    first = np.where(now == was, trial.active_first, ~trial.active_first)
    return _rescored(replace(trial, active_first=first, prediction=prediction), outcome)


def _share(trial: TrialArrays) -> np.ndarray:
    own = codes(trial.trial)
    return (np.bincount(own, weights=trial.arm) / np.bincount(own))[own]


def _rescored(trial: TrialArrays, outcome: np.ndarray) -> TrialArrays:
    moved = replace(trial, outcome=outcome)
    return replace(moved, score=moved.scores())
