"""What a plan of the next trial assumes: the persona's effect, and the conduct of the trial.

The difference in benefit is the shrunken one, and its uncertainty allows for the support that the
persona needed to be locked: what the discovery trial shows without correction would plan too small
a trial.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import norm

from ketadask import names as nm
from ketadask.cohort.designs import CROSSOVER
from ketadask.kernels.sample_size import agreement
from ketadask.kernels.two_stage import InterimRule
from ketadask.schema.errors import InputError

if TYPE_CHECKING:
    from ketadask.search.persona import Persona

_Z95 = float(norm.isf(0.025))


@dataclass(frozen=True)
class PersonaEffect:
    """The effect of a persona on benefit, as the discovery trial left it.

    Parameters
    ----------
    difference
        Benefit inside minus outside, shrunken.
    observed, observed_se, threshold
        The same as observed, its standard error, and the smallest one that would have been
        supported; minus infinity where nothing was selected.
    benefit, benefit_se
        Mean benefit of all, and its standard error.
    prevalence, prevalence_low, prevalence_high
        Fraction of people inside and its 95 % interval.
    sd
        Standard deviation of the scores within the two sides.
    groups
        2 for two arms, 1 for the paired differences of a crossover.
    literals
        Number of features.
    """

    difference: float
    observed: float
    observed_se: float
    benefit: float
    benefit_se: float
    prevalence: float
    prevalence_low: float
    prevalence_high: float
    sd: float
    threshold: float = -np.inf
    groups: int = 2
    literals: int = 2

    def with_reliability(self, reliability: float) -> PersonaEffect:
        """Return the effect where features measured again correlate ``reliability``."""
        if not 0 < reliability <= 1:
            raise InputError(
                "out of range", where="reliability", value=reliability,
                remedy="choose a value above 0 and at most 1",
            )  # fmt: skip
        factor = agreement(self.prevalence, self.literals, reliability)
        names = ("difference", "observed", "observed_se", "threshold")
        return replace(self, **{name: factor * getattr(self, name) for name in names})

    def estimate(self) -> EffectDraws:
        """Return the estimate as a single draw."""
        one = np.ones(1)
        return EffectDraws.of(
            self.difference * one, self.benefit * one, self.prevalence * one, self.prevalence
        )

    def draws(self, count: int, *, seed: int) -> EffectDraws:
        """Return differences of `selected_effects`, normal benefits and prevalences from a beta.

        Draws from ``SeedSequence(seed, spawn_key=(names.STREAM_POWER, 0))`` alone.
        """
        stream = np.random.SeedSequence(seed, spawn_key=(nm.STREAM_POWER, 0))
        rng = np.random.default_rng(stream)
        difference = selected_effects(
            rng.random(count), self.observed, self.observed_se, self.threshold
        )
        benefit = rng.normal(self.benefit, self.benefit_se, count)
        spread = (self.prevalence_high - self.prevalence_low) / (2 * _Z95)
        p = self.prevalence
        total = p * (1 - p) / spread**2 - 1 if spread > 0 else 0.0
        prevalence = rng.beta(p * total, (1 - p) * total, count) if total > 0 else np.full(count, p)
        return EffectDraws.of(difference, benefit, np.clip(prevalence, 0.005, 0.995), p)


def selected_effects(
    quantile: np.ndarray, observed: float, se: float, threshold: float
) -> np.ndarray:
    """Return quantiles of an effect that was reported because its estimate reached a threshold.

    The posterior distribution of an effect with a uniform prior from 0 upwards, and the likelihood
    of the estimate given that it is at least ``threshold`` (Zhong & Prentice 2008,
    10.1093/biostatistics/kxn001): smaller effects close to the threshold, the estimate far above.

    Examples
    --------
    >>> middle = np.array([0.5])
    >>> [float(selected_effects(middle, 10.0, 2.0, c).round(1)[0]) for c in (-np.inf, 7.0, 9.5)]
    [10.0, 9.2, 4.8]
    """
    effect = np.linspace(0.0, max(observed, 0.0) + 6 * se, 2_001)
    log = norm.logpdf(observed, effect, se) - norm.logsf(threshold, effect, se)
    weight = np.cumsum(np.exp(log - log.max()))
    return np.asarray(np.interp(quantile, weight / weight[-1], effect))


@dataclass(frozen=True, eq=False)
class EffectDraws:
    """Possible truths; all (draw,): benefit inside and outside, and the prevalence."""

    inside: np.ndarray
    outside: np.ndarray
    prevalence: np.ndarray

    @classmethod
    def of(
        cls, difference: np.ndarray, benefit: np.ndarray, prevalence: np.ndarray, at: float
    ) -> EffectDraws:
        """Return the draws of a difference and a mean benefit at the discovery's prevalence."""
        return cls(benefit + (1 - at) * difference, benefit - at * difference, prevalence)

    @property
    def difference(self) -> np.ndarray:
        """Benefit inside minus outside."""
        return np.asarray(self.inside - self.outside)

    @property
    def overall(self) -> np.ndarray:
        """Mean benefit of all."""
        return np.asarray(self.prevalence * self.inside + (1 - self.prevalence) * self.outside)


@dataclass(frozen=True)
class TrialAssumptions:
    """What a plan assumes beside the effect.

    Parameters
    ----------
    alpha, power
        One-sided level, as that of `confirm_personas`, and power at the estimate.
    drop_out
        Fraction of the randomised without outcome.
    reliability
        Correlation of a feature with its value as measured at discovery, in the same people. 1
        where the next trial measures as well as the discovery did: errors like those of the
        discovery have diluted its difference already.
    inside_fraction
        Fraction inside of those randomised in the stratified design; None randomises everybody.
    screening_cost, visit_cost, visits
        Cost of one person's features, of one visit, and visits per randomised participant.
    people_per_month, follow_up_months
        People who can be screened, or randomised without screening, per month; months from the
        last randomisation to the last outcome.
    interim
        Rule of the two-stage design; its level is that of the plan.
    """

    alpha: float = 0.025
    power: float = 0.8
    drop_out: float = 0.1
    reliability: float = 1.0
    inside_fraction: float | None = None
    screening_cost: float = 0.0
    visit_cost: float = 0.0
    visits: int = 1
    people_per_month: float = 10.0
    follow_up_months: float = 1.0
    interim: InterimRule = field(default_factory=InterimRule)

    def __post_init__(self) -> None:
        interim, none = self.interim, -1e-9
        within = {
            "alpha": (self.alpha, 0, 0.5),
            "power": (self.power, 0, 1),
            "drop_out": (self.drop_out, none, 0.95),
            "first_stage": (interim.fraction, 0, 1),
            "futility": (interim.futility, 0, 1 - none),
            "enrichment": (interim.enrichment, none, 1 - none),
            "interim_alpha": (interim.interim_alpha, none, self.alpha),
        }
        if self.inside_fraction is not None:
            within["inside_fraction"] = (self.inside_fraction, 0, 1)
        for name, (value, low, high) in within.items():
            if not low < value < high:
                raise InputError(
                    "out of range", where=name, value=value,
                    remedy=f"choose a value between {max(low, 0):g} and {high:g}",
                )  # fmt: skip
        for name in ("screening_cost", "visit_cost", "visits", "follow_up_months"):
            if getattr(self, name) < 0:
                raise InputError(
                    "is negative", where=name, value=getattr(self, name), remedy="use 0 or more"
                )
        if self.people_per_month <= 0:
            raise InputError(
                "not positive", where="people_per_month", value=self.people_per_month,
                remedy="give the people who can be screened in a month",
            )  # fmt: skip

    @property
    def interim_at_alpha(self) -> InterimRule:
        """The interim rule at the level of the plan."""
        return InterimRule(**vars(self.interim) | {"alpha": self.alpha})

    def sides_fraction(self, prevalence: Any) -> Any:
        """Return the fraction inside of those in the stratified design."""
        return prevalence if self.inside_fraction is None else self.inside_fraction


def persona_effect(persona: Persona) -> PersonaEffect:
    """Return the effect of a locked persona; of an unfavourable one, that of the people outside.

    The next trial has the design of the discovery; for pooled cases, two arms.

    Notes
    -----
    The threshold is the reach of the corrected interval; a persona locked anyway counts as one that
    has just reached it.

    Selection inflates the difference and leaves too small a variance within the sides. The variance
    of all scores is not selected: what the shrunken difference does not explain of it remains
    within the sides. In simulated crossovers of 60 people the variance within the sides of a fresh
    trial was 21 % larger than that of the discovery (60 programmes).
    """
    discovery = persona.discovery
    limits = discovery.difference_low, discovery.difference_high, discovery.difference_shrunken
    if any(value is None for value in limits):
        raise InputError(
            "the persona has no interval corrected for the search, so its effect is unknown",
            where=f"persona {persona.persona}",
            remedy="lock a persona that the study ranks, from a run with more relabelled trials",
        )
    low, high, shrunken = (float(value) for value in limits if value is not None)
    count = discovery.inside + discovery.outside
    benefit = (
        discovery.inside * discovery.benefit_inside + discovery.outside * discovery.benefit_outside
    ) / count
    prevalence = (discovery.prevalence, discovery.prevalence_low, discovery.prevalence_high)
    if persona.polarity == nm.UNFAVOURABLE:
        prevalence = (1 - prevalence[0], 1 - prevalence[2], 1 - prevalence[1])
    observed = persona.sign * discovery.difference
    between = discovery.prevalence * (1 - discovery.prevalence)
    variance = discovery.score_sd**2 + between * (discovery.difference**2 - shrunken**2)
    return PersonaEffect(
        difference=persona.sign * shrunken,
        observed=observed,
        observed_se=discovery.score_sd * np.sqrt(1 / discovery.inside + 1 / discovery.outside),
        threshold=min((high - low) / 2, observed),
        benefit=benefit,
        benefit_se=np.sqrt(variance / count),
        prevalence=prevalence[0],
        prevalence_low=prevalence[1],
        prevalence_high=prevalence[2],
        sd=float(np.sqrt(variance)),
        groups=1 if persona.design == CROSSOVER else 2,
        literals=len(persona.literals),
    )
