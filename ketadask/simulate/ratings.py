"""Rating scales at every visit, items adding up to their total."""

from __future__ import annotations

import numpy as np

from ketadask.simulate.participants import People
from ketadask.simulate.scale_models import SCALE_MODELS, ScaleModel
from ketadask.simulate.trial import FOLLOW_UPS

LEAST_MADRS = 20
UNREADABLE = 0.015  # fraction of cells
_CRYING, _CARDIOVASCULAR = 9, 8  # positions of BDI item 10 and HAM-A item 9
_STABLE = 0.8


def draw_ratings(
    rng: np.random.Generator, people: People, improvement: np.ndarray
) -> dict[str, np.ndarray]:
    """Draw all scales of a block of participants.

    Parameters
    ----------
    people
        The participants rated.
    improvement
        (participant, period, follow-up) points on the MADRS.

    Returns
    -------
    dict
        Per scale (participant, period, visit, column) int64: the items, then the total; visits
        are ``ScaleModel.days``. -1 where a cell cannot be read.
    """
    n = len(people.age)
    state = rng.standard_normal((n, 2))
    severity = _STABLE * people.severity[:, None] + np.sqrt(1 - _STABLE**2) * state
    ratings: dict[str, np.ndarray] = {}
    fraction = np.zeros_like(improvement)
    for scale in SCALE_MODELS:
        baseline = _baselines(rng, scale, severity)
        if scale.name == "madrs":
            baseline = np.maximum(baseline, LEAST_MADRS)
            course = np.clip(baseline[:, :, None] - improvement, 0, scale.highest)
            fraction = 1 - course / baseline[:, :, None]
        else:
            noise = 0.12 * rng.standard_normal(fraction.shape)
            course = np.clip(baseline[:, :, None] * (1 - 0.85 * fraction + noise), 0, scale.highest)
        visits = [FOLLOW_UPS.index(day) for day in scale.days[1:]]
        total = np.round(np.concatenate([baseline[:, :, None], course[:, :, visits]], axis=2))
        ratings[scale.name] = _fill(rng, scale, people, total.astype(int))
    return ratings


def _baselines(rng: np.random.Generator, scale: ScaleModel, severity: np.ndarray) -> np.ndarray:
    """(participant, period) totals above the lowest possible, before each infusion."""
    n, own = len(severity), np.sqrt(1 - scale.severity**2)
    trait, state = rng.standard_normal((n, 1)), rng.standard_normal((n, 2))
    z = scale.severity * severity + own * (np.sqrt(0.75) * trait + np.sqrt(0.25) * state)
    if scale.is_lognormal:
        total = scale.mean * np.exp(scale.sd * z - scale.sd**2 / 2)
    else:
        total = scale.mean + scale.sd * z
    return np.asarray(np.clip(np.round(total), 0, scale.highest))


def _item_spread(scale: ScaleModel) -> float:
    """Return the spread of the items of one person, which follows that of the totals."""
    return 0.3 if scale.is_lognormal else float(np.clip(2.2 * scale.sd / scale.highest, 0.15, 0.4))


def _fill(
    rng: np.random.Generator, scale: ScaleModel, people: People, total: np.ndarray
) -> np.ndarray:
    n, periods, days = total.shape
    items = len(scale.items)
    maxima = np.array(scale.maxima)
    item_spread = _item_spread(scale)
    trait = 0.55 * people.domain[:, scale.domain] + 0.7 * rng.standard_normal((n, items))
    state = 0.45 * rng.standard_normal((n, periods, days, items))
    propensity = scale.base + item_spread * (trait[:, None, None, :] + state)
    position, trait_score = _planted_item(scale, people)
    if position is not None:
        score = _item_course(rng, trait_score, total, scale.maxima[position])
        others = np.arange(items) != position
        total = np.clip(total, score, score + maxima[others].sum())
        value = np.empty((n, periods, days, items), int)
        value[..., position] = score
        rest = allocate(
            (total - score).ravel(), propensity[..., others].reshape(-1, items - 1), maxima[others]
        )
        value[..., others] = rest.reshape(n, periods, days, -1)
    else:
        flat = allocate(total.ravel(), propensity.reshape(-1, items), maxima)
        value = flat.reshape(n, periods, days, items)
    value = value + scale.lowest
    total = total + scale.lowest * items
    unreadable = rng.random(value.shape) < UNREADABLE
    if position is not None:
        unreadable[..., position] = False
    value[unreadable] = -1
    return np.concatenate([value, total[..., None]], axis=-1)


def _planted_item(scale: ScaleModel, people: People) -> tuple[int | None, np.ndarray]:
    """Return the position of an item that a persona names, None without, and its baseline score."""
    if scale.name == "hama" and (people.cardiovascular >= 0).all():
        return _CARDIOVASCULAR, people.cardiovascular
    return _CRYING if scale.name == "bdi" else None, people.crying


def _item_course(
    rng: np.random.Generator, baseline: np.ndarray, total: np.ndarray, highest: int
) -> np.ndarray:
    """(participant, period, visit): the same before both infusions, then as the scale falls."""
    score = np.broadcast_to(baseline[:, None, None], total.shape).copy()
    left = total[:, :, 1:] / np.maximum(total[:, :, :1], 1)
    fallen = np.floor(score[:, :, 1:] * left + rng.random(left.shape))
    score[:, :, 1:] = np.clip(fallen, 0, highest)
    return score


def allocate(total: np.ndarray, propensity: np.ndarray, maxima: np.ndarray) -> np.ndarray:
    """Distribute a total score over items, first to those with the largest propensity.

    Every item has equal steps from 0 to its maximum; the ``total`` lowest steps count, and the
    steps of an item are lower the larger its propensity.

    Parameters
    ----------
    total
        (row,) whole numbers between 0 and ``maxima.sum()``.
    propensity
        (row, item) propensity of the person to score on the item, in units of the item's range.
    maxima
        (item,) largest value of each item.

    Returns
    -------
    numpy.ndarray
        (row, item) int64 between 0 and ``maxima``; rows add up to ``total``.

    Examples
    --------
    >>> allocate(np.array([4, 9]), np.array([[0.6, 0.0], [0.0, 0.0]]), np.array([6, 6]))
    array([[4, 0],
           [5, 4]])
    """
    item = np.repeat(np.arange(len(maxima)), maxima)
    step = np.concatenate([np.arange(m) for m in maxima])
    height = (step + 0.5) / maxima[item] - propensity[:, item]
    order = np.argsort(height, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(len(item)), order.shape), axis=1)
    is_step = rank < total[:, None]
    starts = np.cumsum(maxima) - maxima
    return np.add.reduceat(is_step, starts, axis=1, dtype=int)
