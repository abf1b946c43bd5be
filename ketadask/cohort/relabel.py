"""Relabel a trial under the null that the benefit does not depend on the features."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ketadask import names as nm
from ketadask.cohort.case_arrays import codes
from ketadask.cohort.designs import CROSSOVER, PARALLEL, TrialArrays
from ketadask.schema.errors import InputError, nearest

METHODS = ("features", "arms", "no-effect")
BOTH, PAIR = "both", METHODS[:2]


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
        ``features``: participants exchange their features within stratum, period by period, and
        clusters with clusters of the same size and strata; arms, outcomes and scores do not change.
        ``arms``: arms are randomised again under a constant effect, y* = y - t a + t a*, t the
        estimated overall effect of the trial and site; within participants observed on both arms,
        within trial and site elsewhere; for clusters as one, if every cluster has one sequence.
        ``no-effect``: the same with t = 0.

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
        exchange = _exchange(trial)
        block = exchange.block
        return np.asarray((np.bincount(block)[block] == 1)[exchange.cluster])
    if trial.design == CROSSOVER:
        return np.zeros(trial.score.shape[0], dtype=bool)
    single, member, block = _arm_blocks(trial)
    active = np.bincount(block, weights=_first_of(trial.arm[single] == 1, member))
    mask = np.zeros(trial.score.shape[0], dtype=bool)
    mask[single] = ((active == 0) | (active == np.bincount(block)))[block][member]
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
    if method == "features" and len(np.unique(trial.cluster)) < len(np.unique(trial.participant)):
        remedy = f"clusters exchange with clusters of the same size and strata only; {remedy}"
    raise InputError(
        "all participants are alone in their stratum, so every relabelled trial equals the trial",
        where=where,
        value=method,
        remedy=f"{len(np.unique(trial.stratum))} strata for {len(np.unique(trial.participant))} "
        f"participants; {remedy}",
    )


@dataclass(frozen=True, eq=False)
class _Exchange:
    """Participants and clusters in the order in which they exchange features.

    Parameters
    ----------
    order
        Units by cluster, within it by kind of participant, participant and period.
    first, size
        (cluster,) position in ``order`` of the first unit of each cluster, and number of units.
    block
        (cluster,) code of what a cluster consists of: clusters of one block may exchange.
    by_block
        (cluster,) clusters in the order of their blocks.
    cluster
        (unit,) code of the cluster.
    """

    order: np.ndarray
    first: np.ndarray
    size: np.ndarray
    block: np.ndarray
    by_block: np.ndarray
    cluster: np.ndarray


@lru_cache(maxsize=1)
def _exchange(trial: TrialArrays) -> _Exchange:
    """Return who may exchange with whom, the same for all relabellings of a trial.

    A participant's kind is stratum, number of units and, within arm, the arm. Clusters exchange
    with clusters of as many participants of the same kinds.
    """
    who, cluster = codes(trial.participant), codes(trial.cluster)
    keys = [trial.stratum, np.bincount(who)[who], *([trial.arm] if trial.within_arm else [])]
    kind = codes(*keys)
    order = np.lexsort((trial.period, who, kind, cluster))
    size = np.bincount(cluster)
    first = np.cumsum(size) - size
    if (size == size[0]).all():
        block = codes(*kind[order].reshape(size.size, -1).T)
    else:
        patterns = [tuple(kinds.tolist()) for kinds in np.split(kind[order], first[1:])]
        code_by_pattern = {pattern: code for code, pattern in enumerate(sorted(set(patterns)))}
        block = np.array([code_by_pattern[pattern] for pattern in patterns], dtype=np.int64)
    return _Exchange(order, first, size, block, np.argsort(block, kind="stable"), cluster)


def _randomisation_unit(trial: TrialArrays) -> np.ndarray:
    """Return (unit,) codes of what was randomised as one.

    That is the cluster where the participants of every cluster have the same sequence of arms;
    else the participant.
    """
    cluster, who = codes(trial.cluster), codes(trial.participant)
    n_first = np.bincount(cluster, weights=trial.active_first)
    is_uniform = ((n_first == 0) | (n_first == np.bincount(cluster))).all()
    return cluster if is_uniform else who


def _arm_blocks(trial: TrialArrays) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what can permute arms: units of participants observed on one arm only.

    Returns
    -------
    The units; (unit,) code of what has one arm together; (code,) block that permutes arms.
    """
    active, who = trial.arm == 1, codes(trial.participant)
    both = np.bincount(who, weights=active)[who] * np.bincount(who, weights=~active)[who] > 0
    single = np.flatnonzero(~both)
    keys = [trial.levels()[single]]
    if trial.design != PARALLEL:
        keys.append(trial.period[single])
    site_period = codes(*keys)
    member = codes(_randomisation_unit(trial)[single], active[single], site_period)
    first = np.unique(member, return_index=True)[1]
    return single, member, codes(site_period[first], np.bincount(member))


def _first_of(values: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Return (code,) the value of the first unit of each code."""
    return np.asarray(values[np.unique(code, return_index=True)[1]])


def _exchange_features(trial: TrialArrays, rng: np.random.Generator) -> np.ndarray:
    """Permute clusters of one block; the k-th unit of one gets the features of another's k-th."""
    exchange = _exchange(trial)
    order, first, size, block = exchange.order, exchange.first, exchange.size, exchange.block
    count = block.size
    source = np.empty(count, dtype=np.int64)
    source[exchange.by_block] = np.lexsort((rng.random(count), block))
    rows = np.empty(order.size, dtype=np.int64)
    offset = np.arange(order.size) - np.repeat(first, size)
    rows[order] = order[np.repeat(first[source], size) + offset]
    return rows


def _flip_differences(
    trial: TrialArrays, effect: np.ndarray, rng: np.random.Generator
) -> TrialArrays:
    """Exchange the arms of random participants of a crossover; sequences do not change."""
    difference = trial.outcome[:, 0] - trial.outcome[:, 1]
    middle = (trial.outcome[:, 0] + trial.outcome[:, 1]) / 2.0
    shift = trial.cell_centres() - trial.level_effects()  # the period effect, signed by sequence
    group = _randomisation_unit(trial)
    sign = np.where(rng.random(int(group.max()) + 1) < 0.5, -1.0, 1.0)[group]
    new_difference = sign * (difference - shift - effect) + effect + shift
    outcome = np.column_stack((middle + new_difference / 2.0, middle - new_difference / 2.0))
    return trial.with_outcome(outcome)


def _randomise_arms(
    trial: TrialArrays, effect: np.ndarray, rng: np.random.Generator
) -> TrialArrays:
    """Randomise arms again: exchange them within pairs, permute them among single cases."""
    old = trial.arm == 1
    group = _randomisation_unit(trial)
    single, member, block = _arm_blocks(trial)
    both = np.ones(old.size, dtype=bool)
    both[single] = False
    swap = (rng.random(int(group.max()) + 1) < 0.5)[group]
    new = np.where(both & swap, ~old, old)
    arm = _first_of(old[single], member)
    new_arm = np.empty_like(arm)
    new_arm[np.lexsort((np.arange(arm.size), block))] = arm[
        np.lexsort((rng.random(arm.size), block))
    ]
    new[single] = new_arm[member]
    y = np.where(old, trial.outcome[:, 0], trial.outcome[:, 1])
    y = y - effect * old + effect * new
    outcome = np.full(trial.outcome.shape, np.nan)
    outcome[np.arange(y.size), np.where(new, 0, 1)] = y
    # A pair changes both its arms and a single case its only one: each remains one sequence.
    first = np.where(new == old, trial.active_first, ~trial.active_first)
    return replace(trial, active_first=first, outcome=outcome, score=np.zeros(0))
