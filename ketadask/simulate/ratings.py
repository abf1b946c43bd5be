"""What the raters wrote: every scale at every visit, items adding up to their total."""

from __future__ import annotations

import numpy as np

from ketadask.simulate.participants import People
from ketadask.simulate.scale_models import INSTRUMENTS, ScaleModel
from ketadask.simulate.trial import FOLLOW_UPS

LEAST_MADRS = 20
UNREADABLE = 0.015  # share of cells
_CRYING = 9  # position of BDI item 10
_STABLE = 0.8


def draw_ratings(
    rng: np.random.Generator, people: People, improvement: np.ndarray
) -> dict[str, np.ndarray]:
    """Draw all scales of a stretch.

    Parameters
    ----------
    people
        The people rated.
    improvement
        (participant, period, follow-up) points on the MADRS.

    Returns
    -------
    dict
        Per scale (participant, period, visit, column) int64: the items, then the total; visits
        are ``Instrument.days``. -1 where a cell cannot be read.
    """
    n = len(people.age)
    state = rng.standard_normal((n, 2))
    severity = _STABLE * people.severity[:, None] + np.sqrt(1 - _STABLE**2) * state
    ratings: dict[str, np.ndarray] = {}
    share = np.zeros_like(improvement)
    for scale in INSTRUMENTS:
        baseline = _baselines(rng, scale, severity)
        if scale.name == "madrs":
            baseline = np.maximum(baseline, LEAST_MADRS)
            course = np.clip(baseline[:, :, None] - improvement, 0, scale.highest)
            share = 1 - course / baseline[:, :, None]
        else:
            noise = 0.12 * rng.standard_normal(share.shape)
            course = np.clip(baseline[:, :, None] * (1 - 0.85 * share + noise), 0, scale.highest)
        wanted = [FOLLOW_UPS.index(day) for day in scale.days[1:]]
        total = np.round(np.concatenate([baseline[:, :, None], course[:, :, wanted]], axis=2))
        ratings[scale.name] = _fill(rng, scale, people, total.astype(int))
    return ratings


def _baselines(rng: np.random.Generator, scale: ScaleModel, severity: np.ndarray) -> np.ndarray:
    """(participant, period) totals above the lowest possible, before each infusion."""
    n, own = len(severity), np.sqrt(1 - scale.severity**2)
    lasting, passing = rng.standard_normal((n, 1)), rng.standard_normal((n, 2))
    z = scale.severity * severity + own * (np.sqrt(0.75) * lasting + np.sqrt(0.25) * passing)
    if scale.skewed:
        total = scale.mean * np.exp(scale.sd * z - scale.sd**2 / 2)
    else:
        total = scale.mean + scale.sd * z
    return np.clip(np.round(total), 0, scale.highest)


def _apart(scale: ScaleModel) -> float:
    """How far the items of one person stand apart: as far as totals of a scale differ."""
    return 0.3 if scale.skewed else float(np.clip(2.2 * scale.sd / scale.highest, 0.15, 0.4))


def _fill(
    rng: np.random.Generator, scale: ScaleModel, people: People, total: np.ndarray
) -> np.ndarray:
    n, periods, days = total.shape
    items = len(scale.items)
    maxima = np.array(scale.maxima)
    apart = _apart(scale)
    lasting = 0.55 * people.domain[:, scale.domain] + 0.7 * rng.standard_normal((n, items))
    passing = 0.45 * rng.standard_normal((n, periods, days, items))
    leaning = scale.base + apart * (lasting[:, None, None, :] + passing)
    if scale.name == "bdi":
        held = _crying(rng, people.crying, total)
        others = np.arange(items) != _CRYING
        total = np.clip(total, held, held + maxima[others].sum())
        value = np.empty((n, periods, days, items), int)
        value[..., _CRYING] = held
        rest = allocate(
            (total - held).ravel(), leaning[..., others].reshape(-1, items - 1), maxima[others]
        )
        value[..., others] = rest.reshape(n, periods, days, -1)
    else:
        flat = allocate(total.ravel(), leaning.reshape(-1, items), maxima)
        value = flat.reshape(n, periods, days, items)
    value = value + scale.lowest
    total = total + scale.lowest * items
    unreadable = rng.random(value.shape) < UNREADABLE
    if scale.name == "bdi":
        unreadable[..., _CRYING] = False
    value[unreadable] = -1
    return np.concatenate([value, total[..., None]], axis=-1)


def _crying(rng: np.random.Generator, crying: np.ndarray, total: np.ndarray) -> np.ndarray:
    """(participant, period, visit): the same before both infusions, then as the scale falls."""
    held = np.broadcast_to(crying[:, None, None], total.shape).copy()
    left = total[:, :, 1:] / np.maximum(total[:, :, :1], 1)
    fallen = np.floor(held[:, :, 1:] * left + rng.random(left.shape))
    held[:, :, 1:] = np.clip(fallen, 0, 3)
    return held


def allocate(total: np.ndarray, leaning: np.ndarray, maxima: np.ndarray) -> np.ndarray:
    """Share a total score among items, the items people lean to first.

    Every item is a ladder of equal steps from 0 to its maximum; the ``total`` lowest steps are
    taken, a ladder standing lower the more a person leans to the item.

    Parameters
    ----------
    total
        (row,) whole numbers between 0 and ``maxima.sum()``.
    leaning
        (row, item) how readily the person scores on the item, in units of the item's range.
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
    height = (step + 0.5) / maxima[item] - leaning[:, item]
    order = np.argsort(height, axis=1, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.broadcast_to(np.arange(len(item)), order.shape), axis=1)
    taken = place < total[:, None]
    return np.add.reduceat(taken, np.concatenate([[0], np.cumsum(maxima)[:-1]]), axis=1, dtype=int)
