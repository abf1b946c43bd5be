"""Power, assurance, participants and cost of the next trial of a persona, in four designs.

The difference in benefit is the shrunken one, and its uncertainty that of the interval corrected
for the search: what the discovery trial shows without correction would plan too small a trial.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from ketadask import names as nm
from ketadask.kernels.sample_size import agreement, smallest_size, t_test_power
from ketadask.kernels.two_stage import InterimRule, TwoStageTrials, simulate_two_stage
from ketadask.schema.errors import InputError

ALL_COMERS, STRATIFIED, ENRICHED, TWO_STAGE = "all comers", "stratified", "enriched", "two-stage"
QUESTIONS = {
    ALL_COMERS: "benefit of all",
    STRATIFIED: "benefit inside minus outside",
    ENRICHED: "benefit inside",
    TWO_STAGE: "benefit inside, or of all",
}
FORMULA_DESIGNS = (ALL_COMERS, STRATIFIED, ENRICHED)
DRAWS = 1_000
"""Draws of the effect that assurance averages over."""
_Z95 = float(norm.isf(0.025))


@dataclass(frozen=True)
class PersonaEffect:
    """The effect of a persona on benefit, as the discovery trial left it.

    Parameters
    ----------
    difference, difference_se
        Benefit inside minus outside, shrunken, and its standard error: the corrected interval's.
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
    difference_se: float
    benefit: float
    benefit_se: float
    prevalence: float
    prevalence_low: float
    prevalence_high: float
    sd: float
    groups: int = 2
    literals: int = 2

    def diluted(self, reliability: float) -> PersonaEffect:
        """Return the effect where features measured again correlate ``reliability``."""
        if not 0 < reliability <= 1:
            raise InputError(
                "the reliability of features must be above 0 and at most 1", value=reliability
            )
        factor = agreement(self.prevalence, self.literals, reliability)
        return PersonaEffect(
            **vars(self)
            | {
                "difference": factor * self.difference,
                "difference_se": factor * self.difference_se,
            }
        )

    def estimate(self) -> EffectDraws:
        """Return the estimate as a single draw."""
        one = np.ones(1)
        return EffectDraws.of(
            self.difference * one, self.benefit * one, self.prevalence * one, self.prevalence
        )

    def draws(self, count: int, *, seed: int) -> EffectDraws:
        """Return effects from normal distributions, the prevalence from a beta distribution.

        Draws from ``SeedSequence(seed, spawn_key=(names.STREAM_POWER, 0))`` alone.
        """
        stream = np.random.SeedSequence(seed, spawn_key=(nm.STREAM_POWER, 0))
        rng = np.random.default_rng(stream)
        difference = rng.normal(self.difference, self.difference_se, count)
        benefit = rng.normal(self.benefit, self.benefit_se, count)
        spread = (self.prevalence_high - self.prevalence_low) / (2 * _Z95)
        p = self.prevalence
        total = p * (1 - p) / spread**2 - 1 if spread > 0 else 0.0
        prevalence = rng.beta(p * total, (1 - p) * total, count) if total > 0 else np.full(count, p)
        return EffectDraws.of(difference, benefit, np.clip(prevalence, 0.005, 0.995), p)


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
        return self.inside - self.outside

    @property
    def overall(self) -> np.ndarray:
        """Mean benefit of all."""
        return self.prevalence * self.inside + (1 - self.prevalence) * self.outside


@dataclass(frozen=True)
class TrialAssumptions:
    """What a plan assumes beside the effect.

    Parameters
    ----------
    alpha, sides, power
        Level, sides of the test, and power at the estimate.
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

    alpha: float = 0.05
    sides: int = 1
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
        within = {"alpha": (0, 0.5), "power": (0, 1), "drop_out": (-1e-9, 0.95)}
        within |= {"inside_fraction": (0, 1)} if self.inside_fraction is not None else {}
        for name, (low, high) in within.items():
            if not low < getattr(self, name) < high:
                raise InputError(
                    "out of range", where=name, value=getattr(self, name),
                    remedy=f"choose a value between {max(low, 0):g} and {high:g}",
                )  # fmt: skip
        if self.people_per_month <= 0:
            raise InputError("must be positive", where="people_per_month")
        if self.sides not in (1, 2):
            raise InputError("a test has 1 or 2 sides", where="sides", value=self.sides)

    @property
    def rule(self) -> InterimRule:
        """The interim rule at the one-sided level of the plan."""
        return InterimRule(**vars(self.interim) | {"alpha": self.alpha / self.sides})

    def sides_fraction(self, prevalence: Any) -> Any:
        """Return the fraction inside of those in the stratified design."""
        return prevalence if self.inside_fraction is None else self.inside_fraction


def design_power(
    design: str, n: int, draws: EffectDraws, effect: PersonaEffect, trial: TrialAssumptions
) -> np.ndarray:
    """Return the power (draw,) with ``n`` outcomes, of a design that has a formula.

    Notes
    -----
    All comers: scores also vary between the sides, by ``groups p (1 - p) D^2``; the analysis does
    not know them. Stratified: the difference of two means. Enriched: one mean.
    """
    groups = effect.groups
    if design == ALL_COMERS:
        between = groups * draws.prevalence * (1 - draws.prevalence) * draws.difference**2
        mean, variance, means = draws.overall, (effect.sd**2 + between) / n, groups
    elif design == STRATIFIED:
        part = trial.sides_fraction(draws.prevalence)
        mean, variance = draws.difference, effect.sd**2 / (n * part * (1 - part))
        means = 2 * groups
    else:
        mean, variance, means = draws.inside, np.asarray(effect.sd**2 / n), groups
    return t_test_power(mean, np.sqrt(variance), n - means, alpha=trial.alpha, sides=trial.sides)


def two_stage_trials(
    n: int, draws: EffectDraws, effect: PersonaEffect, trial: TrialAssumptions,
    *, seed: int, index: int,
) -> TwoStageTrials:  # fmt: skip
    """Simulate one two-stage trial with ``n`` outcomes for each draw.

    Draws from ``SeedSequence(seed, spawn_key=(names.STREAM_POWER, 1, index))`` alone.
    """
    stream = np.random.SeedSequence(seed, spawn_key=(nm.STREAM_POWER, 1, index))
    return simulate_two_stage(
        np.random.default_rng(stream),
        inside=draws.inside, outside=draws.outside, prevalence=draws.prevalence,
        sd=effect.sd, participants=n, rule=trial.rule, groups=effect.groups,
    )  # fmt: skip


def two_stage_row(
    n: int, effect: PersonaEffect, trial: TrialAssumptions, *, simulations: int, seed: int
) -> dict[str, float]:
    """Return power, assurance and expected sizes of a two-stage trial with ``n`` outcomes."""
    diluted = effect.diluted(trial.reliability)
    truth = diluted.estimate()
    fixed = EffectDraws(*(np.repeat(values, simulations) for values in vars(truth).values()))
    at_estimate = two_stage_trials(n, fixed, effect, trial, seed=seed, index=2 * n)
    draws = diluted.draws(simulations, seed=seed)
    averaged = two_stage_trials(n, draws, effect, trial, seed=seed, index=2 * n + 1)
    second = np.mean(at_estimate.stages == 2)
    return {
        "n": n,
        "power": float(at_estimate.claim.mean()),
        "assurance": float(averaged.claim.mean()),
        "stop_futile": float(at_estimate.futile.mean()),
        "second_stage": float(second),
        "second_enriched": float(at_estimate.enrichment.mean()),
    }


def smallest_trial(design: str, effect: PersonaEffect, trial: TrialAssumptions) -> float:
    """Return the outcomes a design with a formula needs for the power; NaN if no size suffices."""
    truth = effect.diluted(trial.reliability).estimate()

    def power_of(n: int) -> float:
        return float(design_power(design, n, truth, effect, trial)[0])

    return smallest_size(power_of, trial.power, step=effect.groups)


def formula_rows(
    sizes: list[int], effect: PersonaEffect, trial: TrialAssumptions, *, seed: int
) -> pd.DataFrame:
    """Return power and assurance of the designs with a formula: design, n, power, assurance."""
    diluted = effect.diluted(trial.reliability)
    truth, draws = diluted.estimate(), diluted.draws(DRAWS, seed=seed)
    return pd.DataFrame(
        {
            "design": design,
            "n": n,
            "power": float(design_power(design, n, truth, effect, trial)[0]),
            "assurance": float(design_power(design, n, draws, effect, trial).mean()),
        }
        for design in FORMULA_DESIGNS
        for n in sizes
    )


def trial_sizes(
    design: str,
    n: float,
    prevalence: float,
    trial: TrialAssumptions,
    *,
    groups: int = 2,
    second_stage: float = 1.0,
    second_enriched: float = 0.0,
) -> dict[str, float]:
    """Return people to screen and to randomise, cost and months for ``n`` outcomes.

    A two-stage trial has expected sizes: ``second_stage`` is the probability of its second stage,
    ``second_enriched`` that of one with participants inside only.
    """
    randomised = _ceil(n / (1 - trial.drop_out), groups)
    most = {"randomised_most": randomised, "screened_most": 0.0}
    if design == ALL_COMERS:
        screened = 0.0
    elif design == STRATIFIED:
        part = trial.sides_fraction(prevalence)
        screened = randomised * max(part / prevalence, (1 - part) / (1 - prevalence))
    elif design == ENRICHED:
        screened = randomised / prevalence
    else:
        first = trial.interim.fraction * randomised
        rest = randomised - first
        most["screened_most"] = _ceil(first + rest / prevalence)
        screened = first + rest * (second_stage - second_enriched + second_enriched / prevalence)
        randomised = first + rest * second_stage
    screened, randomised = _ceil(screened), _ceil(randomised)
    cost = screened * trial.screening_cost + randomised * trial.visits * trial.visit_cost
    months = max(screened, randomised) / trial.people_per_month + trial.follow_up_months
    most["screened_most"] = max(most["screened_most"], screened)
    return {
        "randomised": randomised, "screened": screened, "cost": cost, "months": months, **most
    }  # fmt: skip


def _ceil(value: float, step: int = 1) -> float:
    """Return the next multiple of ``step``; products like 100 / (1 - .1) * .9 do not round up."""
    return float(np.ceil(round(value / step, 6)) * step) if np.isfinite(value) else float("nan")


def plan_row(
    design: str, n: float, effect: PersonaEffect, trial: TrialAssumptions,
    *, power: float, assurance: float, limit: float, **stages: float,
) -> dict[str, Any]:  # fmt: skip
    """Return the row of one design of the plan.

    ``limit`` is the assurance of a trial of any size: the probability that there is an effect.
    """
    ends = [
        trial_sizes(design, n, p, trial, groups=effect.groups, **stages)["screened"]
        for p in (effect.prevalence_high, effect.prevalence_low)
    ]
    sizes = trial_sizes(design, n, effect.prevalence, trial, groups=effect.groups, **stages)
    return {
        "design": design, "question": QUESTIONS[design], "outcomes": n, **sizes,
        "screened_low": ends[0], "screened_high": ends[1],
        "power": power, "assurance": assurance, "assurance_limit": limit,
    }  # fmt: skip


def assurance_limit(design: str, effect: PersonaEffect, *, seed: int) -> float:
    """Return the probability that what a design tests is positive, over the effect's uncertainty.

    No trial of this design has a larger assurance.
    """
    draws = effect.draws(DRAWS, seed=seed)
    tested = {
        ALL_COMERS: draws.overall > 0,
        STRATIFIED: draws.difference > 0,
        ENRICHED: draws.inside > 0,
        TWO_STAGE: (draws.inside > 0) | (draws.overall > 0),
    }
    return float(tested[design].mean())


def size_on_curve(curve: pd.DataFrame, power: float, *, step: int = 1) -> float:
    """Return the size at which a simulated curve (columns n, power) reaches the power; else NaN.

    Straight lines join the points of the curve, which may fall by chance but not by design.

    Examples
    --------
    >>> size_on_curve(pd.DataFrame({"n": [10, 20, 40], "power": [0.5, 0.7, 0.9]}), 0.8, step=2)
    30.0
    """
    rate = np.maximum.accumulate(curve["power"].to_numpy())
    if rate[-1] < power:
        return float("nan")
    steps, first = np.unique(rate[::-1], return_index=True)
    sizes = curve["n"].to_numpy()[::-1][first]
    return _ceil(float(np.interp(power, steps, sizes)), step)


def curve_sizes(smallest: list[float], count: int = 24, *, groups: int = 2) -> list[int]:
    """Return sizes for the curves, from a tenth of the smallest trial to twice the largest."""
    finite = [n for n in smallest if np.isfinite(n)] or [200.0]
    low, high = max(8.0, min(finite) / 4), min(max(max(finite) * 1.5, 40.0), 20_000.0)
    sizes = np.geomspace(low, high, count)
    return sorted({int(_ceil(float(n), groups)) for n in sizes})
