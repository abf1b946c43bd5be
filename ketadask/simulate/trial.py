"""The trial: sequences of infusions, missing visits and improvement.

All is drawn in fixed blocks of ``BLOCK_SIZE`` participants, block k from
SeedSequence(seed, spawn_key=(names.STREAM_SIMULATION, k)): participant 1,000 is the same person in
a study of 1,001 and of 50,000.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass

import numpy as np

from ketadask import names as nm

# A multiple of 2 (sequences), 11 (one participant in eleven has one arm only) and 20 (seven members
# in twenty).
BLOCK_SIZE = 220
_SINGLE, _TWENTY, _MEMBERS = 11, 20, 7

FOLLOW_UPS = (1, 3, 7, 10)
DAY = 7
MISSING_RATE = 0.04

# Points of improvement on the MADRS per follow-up, chosen after the published courses: ketamine
# peaks on the first day, the persona's members keep their benefit for a week.
_CONTROL = np.array([2.0, 2.0, 1.5, 1.5])
_ACTIVE = np.array([7.0, 5.0, 3.0, 2.0])
_EXTRA = np.array([0.85, 1.0, 1.0, 0.7])
_SECOND_PERIOD = -1.5
_PERSON, _PERIOD, _VISIT = 3.0, 4.6, 3.4
SPREAD = 7.0
"""Standard deviation, in points, that the planted effects are multiples of."""

_COMPARE = {"<=": operator.le, ">": operator.gt}


@dataclass(frozen=True)
class PlantedLiteral:
    """One planted literal, for example ``bdi_10 > 0``."""

    feature: str
    op: str
    cut: float

    def holds(self, value: np.ndarray) -> np.ndarray:
        """Return for every value whether the literal covers it."""
        return np.asarray(_COMPARE[self.op](value, self.cut))


# The features of the first persona of Geraci et al. 2025 (10.1038/s41746-025-02143-7). Each literal
# holds in about two thirds of adults: with the published cuts (4533.7 and 12663.9 mm3) the second
# volume would say almost nothing beyond the first, and no search could tell that it belongs.
PERSONA = (
    PlantedLiteral("wm-lh-posteriorcingulate", "<=", 4680.0),
    PlantedLiteral("wm-rh-inferiorparietal", "<=", 11980.0),
    PlantedLiteral("bdi_10", ">", 0.0),
)
# The second persona of the same paper, with its cuts; two in five adults match it.
SECOND_PERSONA = (
    PlantedLiteral("lh_isthmuscingulate_volume", ">", 2504.0),
    PlantedLiteral("rh_lingual_volume", ">", 6804.0),
    PlantedLiteral("hama_9", ">", 0.0),
)
# Slow alpha and a steep spectrum; each holds in about three fifths of adults.
MEG_PERSONA = (
    PlantedLiteral("meg_peak_all", "<=", 10.2),
    PlantedLiteral("meg_exponent_all", ">", 0.95),
)
PERSONAS = {nm.VOLUME: PERSONA, nm.MEG: MEG_PERSONA}
PROGNOSTIC = "age"


@dataclass(frozen=True, eq=False)
class SimulatedDesign:
    """Plan of one block: (participant,) arrays.

    ``gap`` is 0 where nothing is missing, 1 without the second infusion, 2 and 3 where day 7 of the
    first or the second period is missing.
    """

    active_first: np.ndarray
    member: np.ndarray
    gap: np.ndarray
    attendance: np.ndarray


def generator(seed: int, *address: int) -> np.random.Generator:
    """Return the random generator of one address of the simulation."""
    key = (nm.STREAM_SIMULATION, *address)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def draw_design(rng: np.random.Generator) -> SimulatedDesign:
    """Draw the design of one block of participants.

    Sequences are balanced in pairs, members in twenties and within sequence, and one participant
    in eleven gives one usable arm only, so that 33 participants give 63 cases.

    Examples
    --------
    >>> design = draw_design(np.random.default_rng(0))
    >>> int(design.active_first.sum()), int(design.member.sum()), int((design.gap[:33] > 0).sum())
    (110, 77, 3)
    """
    first = rng.permuted(np.tile([True, False], (BLOCK_SIZE // 2, 1)), axis=1).ravel()
    member = np.zeros(BLOCK_SIZE, bool)
    for start in range(0, BLOCK_SIZE, _TWENTY):
        block = np.arange(start, start + _TWENTY)
        among_active = _MEMBERS // 2 + rng.integers(2)
        for group, count in ((first, among_active), (~first, _MEMBERS - among_active)):
            member[rng.permutation(block[group[block]])[:count]] = True
    gap = np.zeros(BLOCK_SIZE, np.int8)
    starts = np.arange(0, BLOCK_SIZE, _SINGLE)
    gap[starts + rng.integers(_SINGLE, size=len(starts))] = rng.choice(
        [1, 2, 3], p=[0.5, 0.25, 0.25], size=len(starts)
    )
    attendance = rng.random((BLOCK_SIZE, 2, len(FOLLOW_UPS))) >= MISSING_RATE
    return SimulatedDesign(first, member, gap, attendance)


def visits(design: SimulatedDesign, missing_visits: bool) -> np.ndarray:
    """Return attendance, bool (participant, period, visit); visit 0 is the baseline."""
    attendance = np.ones((len(design.gap), 2, 1 + len(FOLLOW_UPS)), bool)
    if not missing_visits:
        return attendance
    attendance[:, :, 1:] = design.attendance
    day = 1 + FOLLOW_UPS.index(DAY)
    attendance[:, :, day] = True
    attendance[design.gap == 1, 1] = False
    attendance[design.gap == 2, 0, day] = False
    attendance[design.gap == 3, 1, day] = False
    return attendance


def draw_improvement(
    rng: np.random.Generator,
    design: SimulatedDesign,
    prognosis: np.ndarray,
    *,
    effect: np.ndarray,
    prognostic: float,
    overall: np.ndarray,
    placebo: np.ndarray,
) -> np.ndarray:
    """Draw the improvement of all participants in points; positive is better.

    Parameters
    ----------
    design
        Design of the block.
    prognosis
        (participant,) standardised; its effect is the same on both arms.
    effect, prognostic
        In units of ``SPREAD``: extra benefit on active (participant,), loss per unit of prognosis.
    overall, placebo
        (participant,) points added on active, and on both arms (differences between trials).

    Returns
    -------
    numpy.ndarray
        (participant, period, follow-up).
    """
    n, days = len(effect), len(FOLLOW_UPS)
    active = np.stack([design.active_first, ~design.active_first], axis=1)[:, :, None]
    course = np.where(active, _ACTIVE + overall[:, None, None], _CONTROL)
    course = course + active * (effect * SPREAD)[:, None, None] * _EXTRA
    course = course + placebo[:, None, None]
    course[:, 1] += _SECOND_PERIOD
    course -= (prognostic * SPREAD * prognosis)[:, None, None]
    course += _PERSON * rng.standard_normal((n, 1, 1))
    course += _PERIOD * rng.standard_normal((n, 2, 1))
    return np.asarray(course + _VISIT * rng.standard_normal((n, 2, days)))
