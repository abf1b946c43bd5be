"""The people of a stretch: age, sex, body, brain volumes, traits, and who holds the persona."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ketadask.simulate.scale_models import DOMAINS
from ketadask.simulate.trial import PERSONA, STRETCH
from ketadask.simulate.volumes import draw_brains, in_mm3, regions

_POOL = 4
_MEN = 0.4
AGE_MEAN, AGE_SD = 35.2, 10.0
# Crying (BDI item 10): shares of depressed adults scoring 0, at most 1, at most 2, as quantiles.
_CRYING = np.array([-0.47, 0.25, 0.9])


@dataclass(frozen=True, eq=False)
class People:
    """(participant,) arrays; volume (participant, region), domain (participant, domain)."""

    age: np.ndarray
    male: np.ndarray
    bmi: np.ndarray
    volume: np.ndarray
    severity: np.ndarray
    domain: np.ndarray
    crying: np.ndarray
    member: np.ndarray


def draw_people(
    rng: np.random.Generator, planned: np.ndarray, site: np.ndarray, scanner: np.ndarray
) -> People:
    """Draw people so that those planned as members hold the persona and the others do not.

    A pool four times as large is drawn and people are taken from it in order, so that everything
    but the share of members is as in the population. A scanner displaces what is measured and not
    the brain, and the persona is one of brains.

    Parameters
    ----------
    planned
        (participant,) bool.
    site
        (participant,) code of the site.
    scanner
        (site, region) displacement of the volumes in standard units.
    """
    n = _POOL * STRETCH
    male = rng.random(n) < _MEN
    age = np.clip(np.round(18 + rng.gamma(2.9, 6.0, n)), 18, 66)
    bmi = np.clip(np.round(26.4 * np.exp(0.19 * rng.standard_normal(n)), 2), 16, 55)
    severity = rng.standard_normal(n)
    domain = rng.standard_normal((n, len(DOMAINS)))
    mood = 0.4 * severity - 0.3 * (male - _MEN) + 0.9 * rng.standard_normal(n)
    crying = np.searchsorted(_CRYING, mood)
    place = np.tile(site, _POOL)
    brains = draw_brains(rng, male)
    volume, true = in_mm3(brains + scanner[place]), in_mm3(brains)
    traits = {p.feature: true[:, regions().column(p.feature)] for p in PERSONA[:2]}
    traits["bdi_10"] = crying
    holds = np.logical_and.reduce([p.holds(traits[p.feature]) for p in PERSONA])
    chosen = _choose(planned, site, holds, place)
    return People(
        age[chosen],
        male[chosen],
        bmi[chosen],
        volume[chosen],
        severity[chosen],
        domain[chosen],
        crying[chosen],
        holds[chosen],
    )


def _choose(
    planned: np.ndarray, site: np.ndarray, holds: np.ndarray, place: np.ndarray
) -> np.ndarray:
    """Return for every participant a row of the pool with the planned membership and its site."""
    chosen = np.full(len(planned), -1)
    for code in np.unique(site):
        for wanted in (True, False):
            slots = np.flatnonzero((site == code) & (planned == wanted))
            rows = np.flatnonzero((place == code) & (holds == wanted))[: len(slots)]
            chosen[slots[: len(rows)]] = rows
    # A small site may find too few members in the pool: it then has fewer.
    short = np.flatnonzero(chosen < 0)
    if short.size:
        free = np.setdiff1d(np.arange(len(place)), chosen)
        for slot in short:
            row = free[place[free] == site[slot]][0]
            chosen[slot] = row
            free = free[free != row]
    return chosen
