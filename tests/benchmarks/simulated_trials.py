"""Simulated trials as cohorts: kinds without any persona, and kinds with a planted one.

A kind is a value. Its trials depend on the kind, the design, the size, the seed and the index only.
Outcomes are in standard deviations of the outcome within an arm, unless a kind changes it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import xarray as xr
from scipy.stats import norm

from ketadask import names as nm
from ketadask.cohort.designs import CROSSOVER, DESIGNS, PARALLEL, POOLED
from ketadask.kernels.repeated import expected_courses
from ketadask.kernels.survival import pseudo_observations, rate_contributions

PERIOD_EFFECT = 0.7
LEVELS = (-1.0, -0.3, 0.3, 1.0)
ITEMS, PREVALENCE = 17, 0.35
PAIRED = (CROSSOVER, POOLED)


@dataclass(frozen=True)
class TrialKind:
    """A kind of trial.

    Parameters
    ----------
    name
        Text of the tables; addresses the draws.
    designs
        Designs in which it makes sense.
    noise
        ``normal``, ``t3`` or ``lognormal``.
    overall
        Benefit of all participants.
    active_spread
        Standard deviation of the noise on active, relative to control.
    spread
        The noise is multiplied by exp(spread x), x the first feature.
    benefit_spread
        The benefit of a participant varies with standard deviation exp(benefit_spread x) - 0.5.
    prognosis, n_prognostic, curved
        Standard deviation of the expected outcome, the number of features behind it, and whether
        it is curved in them (squares and products).
    baseline
        Correlation of the outcome with the total of the baseline scale, whose items are features.
    own_baseline
        Whether that scale is rated before each period.
    carry_over
        Fraction of the first period's change that remains at the second baseline.
    allocation
        Fraction on active, or one per site.
    sites, site_benefit, site_features
        Fractions of participants; steps of the benefit and of the features from site to site.
    trials
        Whether the sites are trials.
    pairs
        Whether participants come in pairs with equal features, arms and outcomes.
    correlation
        Correlation between the features.
    binary
        Whether the outcome is 0 or 1; ``rare``: whether features are binary, 22 % ones.
    missing, drop_out
        Fraction of missing values, more where values are high; of missing cases, more where the
        first feature is high on active.
    within_arm
        Whether a relabelling exchanges features within arm.
    literals, linear, effect
        Literals of the planted persona; whether the benefit is linear in the first feature
        instead; the benefit of the persona, or of one standard deviation.
    first_baseline
        Whether a crossover uses the values before the first infusion.
    measure
        What of the outcome is recorded, in ``parallel``: ``survival`` or ``competing``, a time to
        event of which the benefit is the log hazard ratio, 30 % censored; ``rate``, counts per time
        at risk; ``visits``, four visits of which 25 % of the later ones are missed.
    """

    name: str
    designs: tuple[str, ...] = DESIGNS
    noise: str = "normal"
    overall: float = 0.8
    active_spread: float = 1.0
    spread: float = 0.0
    benefit_spread: float = 0.0
    prognosis: float = 0.0
    n_prognostic: int = 12
    curved: bool = False
    baseline: float = 0.0
    own_baseline: bool = False
    carry_over: float = 0.0
    allocation: float | tuple[float, ...] = 0.5
    sites: tuple[float, ...] = (1.0,)
    site_benefit: float = 0.0
    site_features: float = 0.0
    trials: bool = False
    pairs: bool = False
    correlation: float = 0.0
    binary: bool = False
    rare: bool = False
    missing: float = 0.0
    drop_out: float = 0.0
    within_arm: bool = False
    literals: int = 0
    linear: bool = False
    effect: float = 0.0
    first_baseline: bool = False
    measure: str = ""

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class SimulatedCases:
    """Cases of a trial; all (case,) but ``value`` (case, feature).

    ``benefit`` is the expected benefit given features and site, ``inside`` the planted persona.
    """

    design: str
    participant: np.ndarray
    period: np.ndarray
    active: np.ndarray
    active_first: np.ndarray
    site: np.ndarray
    trial: np.ndarray
    cluster: np.ndarray
    y: np.ndarray
    value: np.ndarray
    benefit: np.ndarray
    inside: np.ndarray

    def cohort(self) -> xr.Dataset:
        """Return the cases as a cohort, which keeps its contract."""
        absent = np.full(len(self.y), np.nan)
        first = np.where(self.active_first, 0, 1)
        clusters = {}
        if (self.cluster != self.participant).any():
            clusters = {"cluster": (nm.CASE, _labels("c", self.cluster))}
        return xr.Dataset(
            {
                "value": ((nm.CASE, nm.FEATURE), self.value),
                "baseline": (nm.CASE, absent),
                "followup": (nm.CASE, absent),
                "improvement": (nm.CASE, self.y),
                "response": (nm.CASE, (self.y > 0).astype(float)),
            },
            coords={
                nm.PARTICIPANT: (nm.CASE, _labels("p", self.participant)),
                "period": (nm.CASE, self.period + 1),
                nm.ARM: (nm.CASE, np.array(nm.ARMS)[np.where(self.active, 0, 1)]),
                "sequence": (nm.CASE, np.array(["active-control", "control-active"])[first]),
                "trial": (nm.CASE, _labels("t", self.trial)),
                "site": (nm.CASE, _labels("s", self.site)),
                **clusters,
                **_about(self.value.shape[1]),
            },
            attrs={"outcome": "simulated", "day": 1, "response_threshold": 0.5},
        )


def _labels(prefix: str, code: np.ndarray) -> np.ndarray:
    return _label_list(prefix, 1 + int(code.max()))[code]


@cache
def _label_list(prefix: str, count: int) -> np.ndarray:
    return np.array([f"{prefix}{k:04d}" for k in range(count)])


@cache
def _about(features: int) -> dict[str, tuple[str, np.ndarray]]:
    text = {"modality": "simulated", "kind": "continuous", "measurement_unit": "", "label": ""}
    about = {name: (nm.FEATURE, np.full(features, word)) for name, word in text.items()}
    return {nm.FEATURE: (nm.FEATURE, _label_list("x", features)), **about}


def simulate_cases(
    kind: TrialKind, design: str, participants: int, features: int, *, seed: int, index: int
) -> SimulatedCases:
    """Return trial ``index`` of a kind."""
    address = zlib.crc32(f"{kind.name} {design} {participants} {features}".encode())
    stream = np.random.SeedSequence(seed, spawn_key=(nm.STREAM_SIMULATION, address, index))
    rng = np.random.default_rng(stream)
    n = participants // 2 if kind.pairs else participants
    site = _sites(kind, n, rng)
    active = _arms(kind, design, site, rng)
    latent = _latent(kind, n, features, site, rng)
    benefit, inside = _benefit(kind, latent, site)
    noise = _noise(kind, latent, active, rng)
    value = latent.copy()
    if kind.baseline:
        y = _change(kind, value, active, benefit, noise, rng)
    else:
        y = noise + _prognosis(kind, latent)
        y += benefit * active + PERIOD_EFFECT * np.array([0, 1])
    if kind.binary:
        y = (y > 0.4).astype(np.float64)
        benefit = np.full(benefit.shape, np.nan)
    if kind.measure:
        y = np.repeat(_measured(kind, (y - noise)[:, 0], noise[:, 0], active[:, 0], rng), 2, axis=1)
        benefit = np.full(benefit.shape, np.nan)
    _code_values(kind, value, rng)
    who, period = _observed(kind, design, latent, active, rng)
    cases = (who, period)
    cluster = who
    if kind.pairs:
        who, period = np.concatenate([who, who + n]), np.tile(period, 2)
        cluster, cases = who % n, (who % n, period)
    return SimulatedCases(
        design, who, period, active[cases], active[cluster, 0],
        np.zeros_like(who) if kind.trials else site[cluster],
        site[cluster] if kind.trials else np.zeros_like(who),
        cluster, y[cases], value[cases], benefit[cases], inside[cluster],
    )  # fmt: skip


def _sites(kind: TrialKind, n: int, rng: np.random.Generator) -> np.ndarray:
    """(participant,) site, the fractions kept as well as whole people allow."""
    edges = np.cumsum(kind.sites) / sum(kind.sites)
    return np.searchsorted(edges, (rng.permutation(n) + 0.5) / n)


def _arms(kind: TrialKind, design: str, site: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(participant, period) on active; in ``parallel`` of the fraction of the site."""
    n = len(site)
    fraction = np.broadcast_to(kind.allocation, (len(kind.sites),))
    first = np.zeros(n, dtype=bool)
    for code in range(len(kind.sites)):
        own = np.flatnonzero(site == code)
        rate = fraction[code] if design == PARALLEL else 0.5
        first[own] = (rng.permutation(len(own)) + 0.5) / max(len(own), 1) < rate
    return np.stack([first, ~first], axis=1)


def _latent(
    kind: TrialKind, n: int, features: int, site: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(participant, period, feature) standard normal; the second half is the same in periods."""
    constant = rng.normal(size=(n, 1, features))
    latent = np.repeat(constant, 2, axis=1)
    half = features // 2
    latent[:, :, :half] *= np.sqrt(0.7)
    latent[:, :, :half] += np.sqrt(0.3) * rng.normal(size=(n, 2, half))
    if kind.correlation:
        common = np.sqrt(kind.correlation) * rng.normal(size=(n, 1, 1))
        latent = common + np.sqrt(1 - kind.correlation) * latent
    if kind.site_features:
        latent[:, :, ::2] += kind.site_features * (site - site.mean())[:, None, None]
    return latent


def _benefit(
    kind: TrialKind, latent: np.ndarray, site: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(participant, period) expected benefit, and (participant,) the planted persona."""
    benefit = np.full(latent.shape[:2], kind.overall)
    benefit += kind.site_benefit * (site - (len(kind.sites) - 1) / 2)[:, None]
    inside = np.zeros(len(latent), dtype=bool)
    x = latent[:, 0, -4:]  # the same in both periods
    if kind.linear:
        benefit += kind.effect * x[:, :1]
        inside = x[:, 0] > 0
    elif kind.literals:
        cut = np.quantile(x, PREVALENCE ** (1 / kind.literals), axis=0)
        inside = (x <= cut)[:, : kind.literals].all(axis=1)
        benefit += kind.effect * inside[:, None]
    return benefit, inside


def _noise(
    kind: TrialKind, latent: np.ndarray, active: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(participant, period) of variance 1, correlated 0.5 within participants."""
    n = len(latent)
    if kind.noise == "t3":
        draws = rng.standard_t(3, size=(n, 3)) / np.sqrt(3)
    elif kind.noise == "lognormal":
        draws = (rng.lognormal(size=(n, 3)) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)
    else:
        draws = rng.normal(size=(n, 3))
    noise = np.sqrt(0.5) * (draws[:, :1] + draws[:, 1:])
    severity = latent[:, 0, -1]
    if kind.spread:
        noise *= np.exp(kind.spread * severity)[:, None]
    if kind.benefit_spread:
        noise += active * (np.exp(kind.benefit_spread * severity) * rng.normal(size=n))[:, None]
    return np.where(active, kind.active_spread, 1.0) * noise


def _prognosis(kind: TrialKind, latent: np.ndarray) -> np.ndarray:
    """(participant, period) expected outcome on control."""
    if not kind.prognosis:
        return np.zeros(latent.shape[:2])
    x = latent[:, :, : kind.n_prognostic]
    course = x.sum(axis=2) / np.sqrt(kind.n_prognostic)
    if kind.curved:
        course = (x[:, :, 0] ** 2 - 1 + np.sqrt(2) * x[:, :, 1] * x[:, :, 2]) / 2
    return kind.prognosis * course


def _change(
    kind: TrialKind, value: np.ndarray, active: np.ndarray, benefit: np.ndarray,
    noise: np.ndarray, rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Write items and total of the baseline scale into ``value``; return the improvement.

    Improvement correlates with the total of its own period (``own_baseline``) or of the first one.
    """
    n = len(value)
    severity = np.repeat(rng.normal(size=(n, 1)), 2, axis=1)
    weight = kind.baseline / np.sqrt(1 - kind.baseline**2)
    if kind.own_baseline:
        severity = np.sqrt(0.5) * (severity + rng.normal(size=(n, 2)))
    error = rng.normal(size=(n, 2, ITEMS))
    y = np.empty((n, 2))
    for period in (0, 1):
        if period and kind.own_baseline:
            severity[:, 1] -= kind.carry_over * (y[:, 0] - y[:, 0].mean()) / y[:, 0].std()
        items = 2.0 + 1.0 * severity[:, period, None] + 0.5 * error[:, period]
        items = np.clip(np.round(items), 0, 4)
        total = items.sum(axis=1)
        before = value[:, 0, ITEMS] if period and not kind.own_baseline else total
        if period and not kind.own_baseline:
            value[:, 1, : ITEMS + 1] = value[:, 0, : ITEMS + 1]
        else:
            value[:, period, :ITEMS], value[:, period, ITEMS] = items, total
        course = (before - before.mean()) / before.std()
        y[:, period] = weight * course + noise[:, period] + benefit[:, period] * active[:, period]
        y[:, period] += PERIOD_EFFECT * period
    return y


def _measured(
    kind: TrialKind, course: np.ndarray, noise: np.ndarray, active: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """(participant, 1) the endpoint of what is recorded, within arms as in a study."""
    n, y = len(course), np.empty((len(course), 1))
    if kind.measure == "visits":
        error = 0.7 * noise[:, None] + 0.7 * rng.normal(size=(n, 4))
        visits = np.outer(course, np.arange(4) / 3) + error
        visits[:, 1:][rng.random((n, 3)) < 0.25] = np.nan
        z = expected_courses(visits, active.astype(np.int64))[0]
        return z[:, 3:] - z[:, :1]
    time = -norm.logsf(noise) * np.exp(course)  # exponential, noise being standard normal
    end = rng.uniform(1.0, 3.5, n)
    other = rng.exponential(4.0, n) if kind.measure == "competing" else np.inf
    event = np.where(time <= np.minimum(end, other), 1, np.where(other <= end, 2, 0))
    time = np.minimum(np.minimum(time, end), other)
    exposure = rng.uniform(0.5, 2.0, n)
    count = rng.poisson(exposure * np.exp(course + 0.5 * noise)).astype(np.float64)
    for arm in (active, ~active):
        y[arm, 0] = (
            rate_contributions(count[arm], exposure[arm])
            if kind.measure == "rate"
            else pseudo_observations(time[arm], event[arm], 2.5)
        )
    return y


def _code_values(kind: TrialKind, value: np.ndarray, rng: np.random.Generator) -> None:
    """Make every other feature ordinal or binary; remove values."""
    start = ITEMS + 1 if kind.baseline else 1
    if kind.rare:
        value[:] = value > 0.77
    else:
        value[:, :, start::2] = np.digitize(value[:, :, start::2], LEVELS)
    if kind.missing:
        half = value[:, :, ::2]
        chance = kind.missing * np.where(half > 0.5, 2.0, 0.7)
        half[rng.random(half.shape) < chance] = np.nan


def _observed(
    kind: TrialKind, design: str, latent: np.ndarray, active: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(case,) participant and period of the cases of a design."""
    n = len(latent)
    periods = 1 if design == PARALLEL else 2
    who, period = np.repeat(np.arange(n), periods), np.tile(np.arange(periods), n)
    if kind.drop_out:
        high = active[who, period] & (latent[who, 0, -1] > 0)
        chance = kind.drop_out * np.where(high, 2.0, 0.7)
        stays = rng.random(len(who)) >= chance
        if periods == 2:
            stays |= period == 0
        who, period = who[stays], period[stays]
    return who, period
