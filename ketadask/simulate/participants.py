"""The participants of a block: age, sex, body, brain volumes, traits, and persona membership."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ketadask.simulate.scale_models import DOMAINS
from ketadask.simulate.trial import BLOCK_SIZE, PERSONA, SECOND_PERSONA, PlantedLiteral
from ketadask.simulate.volumes import draw_brains, in_mm3, regions

_POOL = 4
_MEN = 0.4
AGE_MEAN, AGE_SD = 35.2, 10.0
# Crying (BDI item 10): fractions of depressed adults scoring 0, at most 1, at most 2, as quantiles.
_CRYING = np.array([-0.47, 0.25, 0.9])
# Cardiovascular symptoms (HAM-A item 9): fractions scoring 0, at most 1, at most 2, as quantiles.
_CARDIOVASCULAR = np.array([-0.84, 0.3, 1.3])


@dataclass(frozen=True, eq=False)
class People:
    """(participant,) arrays; volume (participant, region), domain (participant, domain).

    ``cardiovascular`` is -1 where no second persona is planted, whose members are ``second``.
    """

    age: np.ndarray
    male: np.ndarray
    bmi: np.ndarray
    volume: np.ndarray
    severity: np.ndarray
    domain: np.ndarray
    crying: np.ndarray
    member: np.ndarray
    cardiovascular: np.ndarray
    second: np.ndarray


def draw_people(
    rng: np.random.Generator,
    is_member: np.ndarray,
    site: np.ndarray,
    scanner: np.ndarray,
    *,
    of_volumes: bool = True,
) -> People:
    """Draw participants so that exactly the planned members match the persona.

    Participants are taken in order from a pool four times as large, so that only the prevalence of
    members differs from the population. A scanner displaces measured volumes, not the brain, and
    the persona is defined by the brain.

    Parameters
    ----------
    is_member
        (participant,) bool: the planned members.
    site
        (participant,) code of the site.
    scanner
        (site, region) displacement of the volumes in standard units.
    of_volumes
        Whether the persona is of volumes; otherwise the planned members are like the others.
    """
    n = _POOL * BLOCK_SIZE
    male = rng.random(n) < _MEN
    age = np.clip(np.round(18 + rng.gamma(2.9, 6.0, n)), 18, 66)
    bmi = np.clip(np.round(26.4 * np.exp(0.19 * rng.standard_normal(n)), 2), 16, 55)
    severity = rng.standard_normal(n)
    domain = rng.standard_normal((n, len(DOMAINS)))
    mood = 0.4 * severity - 0.3 * (male - _MEN) + 0.9 * rng.standard_normal(n)
    crying = np.searchsorted(_CRYING, mood)
    pool_site = np.tile(site, _POOL)
    brains = draw_brains(rng, male)
    volume, true = in_mm3(brains + scanner[pool_site]), in_mm3(brains)
    traits = {p.feature: true[:, regions().column(p.feature)] for p in PERSONA[:2]}
    traits["bdi_10"] = crying
    holds = np.logical_and.reduce([p.holds(traits[p.feature]) for p in PERSONA])
    if not of_volumes:
        holds = np.tile(is_member, _POOL)
    pool_rows = _choose(is_member, site, holds, pool_site)
    return People(
        age[pool_rows],
        male[pool_rows],
        bmi[pool_rows],
        volume[pool_rows],
        severity[pool_rows],
        domain[pool_rows],
        crying[pool_rows],
        holds[pool_rows],
        np.full(len(pool_rows), -1),
        np.zeros(len(pool_rows), dtype=bool),
    )


def plant_second_persona(rng: np.random.Generator, people: People) -> People:
    """Return the participants with cardiovascular symptoms and members of the second persona."""
    anxiety = 0.4 * people.severity + 0.9 * rng.standard_normal(len(people.age))
    symptom = np.searchsorted(_CARDIOVASCULAR, anxiety)
    volumes = [people.volume[:, regions().column(p.feature)] for p in SECOND_PERSONA[:2]]
    holds = map(PlantedLiteral.holds, SECOND_PERSONA, (*volumes, symptom))
    return replace(people, cardiovascular=symptom, second=np.logical_and.reduce([*holds]))


def _choose(
    is_member: np.ndarray, site: np.ndarray, holds: np.ndarray, pool_site: np.ndarray
) -> np.ndarray:
    """Return for every participant a row of the pool with the planned membership and its site."""
    pool_rows = np.full(len(is_member), -1)
    for code in np.unique(site):
        for membership in (True, False):
            slots = np.flatnonzero((site == code) & (is_member == membership))
            rows = np.flatnonzero((pool_site == code) & (holds == membership))[: len(slots)]
            pool_rows[slots[: len(rows)]] = rows
    # Where the pool has too few members for a small site, the site has fewer.
    short = np.flatnonzero(pool_rows < 0)
    if short.size:
        free = np.setdiff1d(np.arange(len(pool_site)), pool_rows)
        for slot in short:
            row = free[pool_site[free] == site[slot]][0]
            pool_rows[slot] = row
            free = free[free != row]
    return pool_rows
