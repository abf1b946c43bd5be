"""Relabel a trial under the null that the benefit does not depend on the features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ketadask import names as nm
from ketadask.cohort.case_arrays import codes
from ketadask.cohort.designs import CROSSOVER, PARALLEL, TrialArrays
from ketadask.schema.errors import InputError, nearest

METHODS = ("features", "arms", "no-effect")


def relabel(
    trial: TrialArrays, *, seed: int, index: int, method: str = "features"
) -> tuple[np.ndarray, TrialArrays]:
    """Return one relabelled trial: whose features each unit gets, and its scores.

    Draws from ``SeedSequence(seed, spawn_key=(names.STREAM_RELABELLING, index))`` only.

    Parameters
    ----------
    trial
        The trial as observed.
    seed, index
        Address of the relabelling.
    method
        ``features``: participants exchange their features within stratum, period by period; arms,
        outcomes and scores do not change. ``arms``: arms are randomised again under a constant
        effect, y* = y - t a + t a*, t the estimated overall effect of the trial and site; within
        participants observed on both arms, within trial and site elsewhere. ``no-effect``: the
        same with t = 0.

    Returns
    -------
    rows
        (unit,) int64 permutation: unit u gets the features of unit ``rows[u]``.
    relabelled
        The trial with its new outcomes and scores.

    Notes
    -----
    In ``crossover`` the sign of (difference - period effect - t) flips and the sequences do not
    change. In ``pooled`` the arms of single cases are permuted among the single cases of the same
    site and period. In ``parallel`` they are permuted within site. With new arms, adjusted scores
    are fitted again. Westfall & Young 1993; Ding, Feller & Miratrix 2016, 10.1111/rssb.12124.

    Examples
    --------
    >>> y = np.array([[9.0, 2.0], [4.0, 3.0], [8.0, 1.0]])
    >>> same = np.zeros(3, dtype=np.int64)
    >>> trial = TrialArrays("crossover", y, np.arange(3), same, same, same + 1, same == 0, same)
    >>> rows, relabelled = relabel(trial, seed=7, index=0)
    >>> sorted(rows.tolist()), relabelled.score.tolist()
    ([0, 1, 2], [7.0, 1.0, 7.0])
    """
    if method not in METHODS:
        raise InputError("unknown relabelling", value=method, remedy=nearest(str(method), METHODS))
    stream = np.random.SeedSequence(seed, spawn_key=(nm.STREAM_RELABELLING, index))
    rng = np.random.default_rng(stream)
    if method == "features":
        return _exchange_features(trial, rng), trial
    rows = np.arange(trial.score.shape[0], dtype=np.int64)
    effect = trial.level_effects() if method == "arms" else np.zeros(trial.score.shape[0])
    if trial.design == CROSSOVER:
        return rows, _flip_differences(trial, effect, rng)
    return rows, _randomise_arms(trial, effect, rng)


def unexchangeable_mask(trial: TrialArrays, method: str = "features") -> np.ndarray:
    """Return bool (unit,): units that are the same in every relabelling, alone in their stratum.

    Examples
    --------
    >>> same = np.zeros(3, dtype=np.int64)
    >>> trial = TrialArrays("crossover", np.ones((3, 2)), np.arange(3), np.array([0, 0, 1]), same,
    ...                      same + 1, same == 0, same)
    >>> unexchangeable_mask(trial), unexchangeable_mask(trial, "arms")
    (array([False, False,  True]), array([False, False, False]))
    """
    if method == "features":
        who = codes(trial.participant)
        order = np.lexsort((trial.period, who))
        block = _feature_blocks(trial, order, np.bincount(who))
        return np.asarray((np.bincount(block)[block] == 1)[who])
    if trial.design == CROSSOVER:
        return np.zeros(trial.score.shape[0], dtype=bool)
    single, block = _arm_blocks(trial)
    active = np.bincount(block, weights=trial.arm[single] == 1)
    mask = np.zeros(trial.score.shape[0], dtype=bool)
    mask[single] = ((active == 0) | (active == np.bincount(block)))[block]
    return mask


def check_exchange(trial: TrialArrays, method: str, *, where: str = "method") -> int:
    """Return the number of unexchangeable units; raise where all are, as every p would be 1.

    ``where`` names the key of ``method``.
    """
    mask = unexchangeable_mask(trial, method)
    if not mask.all():
        return int(mask.sum())
    remedy = "give small sites one name in the column site"
    if method != "features":
        remedy = "exchange features instead (features)"
    elif trial.design != PARALLEL:
        remedy = "randomise arms instead (arms)"
    elif trial.within_arm:
        remedy = f"exchange across arms (design.within_arm: false), or {remedy}"
    raise InputError(
        "all participants are alone in their stratum, so every relabelled trial equals the trial",
        where=where,
        value=method,
        remedy=f"{len(np.unique(trial.stratum))} strata for {len(np.unique(trial.participant))} "
        f"participants; {remedy}",
    )


def _feature_blocks(trial: TrialArrays, order: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return (participant,) the block within which participants may exchange features.

    ``order`` sorts units by participant.
    """
    first = order[np.cumsum(size) - size]
    keys = [trial.stratum[first], size]
    if trial.within_arm:
        keys.append(trial.arm[first])
    return codes(*keys)


def _arm_blocks(trial: TrialArrays) -> tuple[np.ndarray, np.ndarray]:
    """Return the units of participants observed on one arm, and the blocks that permute arms."""
    active, who = trial.arm == 1, codes(trial.participant)
    both = np.bincount(who, weights=active)[who] * np.bincount(who, weights=~active)[who] > 0
    single = np.flatnonzero(~both)
    if trial.design == PARALLEL:
        return single, codes(trial.levels()[single])
    return single, codes(trial.levels()[single], trial.period[single])


def _exchange_features(trial: TrialArrays, rng: np.random.Generator) -> np.ndarray:
    """Permute participants within stratum; the k-th period of one goes to the k-th of another."""
    who = codes(trial.participant)
    order = np.lexsort((trial.period, who))
    size = np.bincount(who)
    start = np.cumsum(size) - size
    block = _feature_blocks(trial, order, size)
    people = len(size)
    source = np.empty(people, dtype=np.int64)
    source[np.lexsort((np.arange(people), block))] = np.lexsort((rng.random(people), block))
    rows = np.empty(order.shape[0], dtype=np.int64)
    offset = np.arange(order.shape[0]) - np.repeat(start, size)
    rows[order] = order[start[source[who[order]]] + offset]
    return rows


def _flip_differences(
    trial: TrialArrays, effect: np.ndarray, rng: np.random.Generator
) -> TrialArrays:
    """Exchange the arms of random participants of a crossover; sequences do not change."""
    difference = trial.outcome[:, 0] - trial.outcome[:, 1]
    middle = (trial.outcome[:, 0] + trial.outcome[:, 1]) / 2.0
    shift = trial.cell_centres() - trial.level_effects()  # the period effect, signed by sequence
    sign = np.where(rng.random(difference.shape[0]) < 0.5, -1.0, 1.0)
    new_difference = sign * (difference - shift - effect) + effect + shift
    outcome = np.column_stack((middle + new_difference / 2.0, middle - new_difference / 2.0))
    return trial.with_outcome(outcome)


def _randomise_arms(
    trial: TrialArrays, effect: np.ndarray, rng: np.random.Generator
) -> TrialArrays:
    """Randomise arms again: exchange them within pairs, permute them among single cases."""
    old = trial.arm == 1
    who = codes(trial.participant)
    single, block = _arm_blocks(trial)
    both = np.ones(old.size, dtype=bool)
    both[single] = False
    swap = (rng.random(int(who.max()) + 1) < 0.5)[who]
    new = np.where(both & swap, ~old, old)
    new[single[np.lexsort((np.arange(single.size), block))]] = old[
        single[np.lexsort((rng.random(single.size), block))]
    ]
    y = np.where(old, trial.outcome[:, 0], trial.outcome[:, 1])
    y = y - effect * old + effect * new
    outcome = np.full(trial.outcome.shape, np.nan)
    outcome[np.arange(y.size), np.where(new, 0, 1)] = y
    # A pair changes both its arms and a single case its only one: each remains one sequence.
    first = np.where(new == old, trial.active_first, ~trial.active_first)
    return replace(trial, active_first=first, outcome=outcome, score=np.zeros(0))
