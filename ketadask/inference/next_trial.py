"""Power, assurance, participants and cost of the next trial of a persona, in four designs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.inference.trial_assumptions import EffectDraws, PersonaEffect, TrialAssumptions
from ketadask.kernels.contrast import MODERATION
from ketadask.kernels.sample_size import smallest_size, t_test_power
from ketadask.kernels.two_stage import TwoStageTrials, simulate_two_stage

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


def design_power(
    design: str, n: int, draws: EffectDraws, effect: PersonaEffect, trial: TrialAssumptions
) -> np.ndarray:
    """Return the power (draw,) with ``n`` outcomes, of a design that has a formula.

    Notes
    -----
    All comers: scores also vary between the sides, by ``groups p (1 - p) D^2``; the analysis does
    not know them. Stratified: the difference of two means, whose standard error in the test of a
    persona has degrees of freedom of the variance of all scores (`kernels.contrast.MODERATION`).
    Enriched: one mean.
    """
    groups, inflation = effect.groups, np.ones(1)
    if design == ALL_COMERS:
        between = groups * draws.prevalence * (1 - draws.prevalence) * draws.difference**2
        mean, variance, means = draws.overall, (effect.sd**2 + between) / n, groups
    elif design == STRATIFIED:
        part = trial.sides_fraction(draws.prevalence)
        mean, variance = draws.difference, effect.sd**2 / (n * part * (1 - part))
        inflation, means = _inflation(n, mean, effect.sd, part), 2 * groups
    else:
        mean, variance, means = draws.inside, np.asarray(effect.sd**2 / n), groups
    return t_test_power(
        mean, np.sqrt(variance), n - means,
        alpha=trial.alpha, inflation=inflation,
    )  # fmt: skip


def _inflation(n: int, difference: np.ndarray, sd: float, part: Any) -> np.ndarray:
    """Return the standard error of the contrast of two sides over the true one."""
    total = sd**2 + part * (1 - part) * difference**2
    squares = 0.0
    for count in (n * part, n * (1 - part)):
        df = np.maximum(count - 1, 0)
        squares = squares + (df * sd**2 + MODERATION * total) / (df + MODERATION) / count
    return np.asarray(np.sqrt(squares * n * part * (1 - part)) / sd)


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
        sd=effect.sd, participants=n, interim=trial.interim_at_alpha, groups=effect.groups,
    )  # fmt: skip


def two_stage_row(
    n: int, effect: PersonaEffect, trial: TrialAssumptions, *, simulations: int, seed: int
) -> dict[str, float]:
    """Return power, assurance and expected sizes of a two-stage trial with ``n`` outcomes."""
    expected_effect = effect.with_reliability(trial.reliability)
    truth = expected_effect.estimate()
    at_truth = EffectDraws(*(np.repeat(values, simulations) for values in vars(truth).values()))
    at_estimate = two_stage_trials(n, at_truth, effect, trial, seed=seed, index=2 * n)
    draws = expected_effect.draws(simulations, seed=seed)
    over_draws = two_stage_trials(n, draws, effect, trial, seed=seed, index=2 * n + 1)
    second = np.mean(at_estimate.stages == 2)
    return {
        "n": n,
        "power": float(at_estimate.claim.mean()),
        "assurance": float(over_draws.claim.mean()),
        "stop_futile": float(at_estimate.futile.mean()),
        "second_stage": float(second),
        "second_enriched": float(at_estimate.enrichment.mean()),
    }


def smallest_trial(design: str, effect: PersonaEffect, trial: TrialAssumptions) -> float:
    """Return the outcomes a design with a formula needs for the power; NaN if no size suffices."""
    truth = effect.with_reliability(trial.reliability).estimate()

    def power_of(n: int) -> float:
        return float(design_power(design, n, truth, effect, trial)[0])

    return smallest_size(power_of, trial.power, step=effect.groups)


def smallest_trials(effect: PersonaEffect, trial: TrialAssumptions) -> list[float]:
    """Return the outcomes needed by the designs with a formula."""
    return [smallest_trial(design, effect, trial) for design in FORMULA_DESIGNS]


def formula_rows(
    sizes: list[int], effect: PersonaEffect, trial: TrialAssumptions, *, seed: int
) -> pd.DataFrame:
    """Return power and assurance of the designs with a formula: design, n, power, assurance."""
    expected_effect = effect.with_reliability(trial.reliability)
    truth, draws = expected_effect.estimate(), expected_effect.draws(DRAWS, seed=seed)
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
    *, power: float, assurance: float,
    second_stage: float = 1.0, second_enriched: float = 0.0, **_: float,
) -> dict[str, Any]:  # fmt: skip
    """Return the row of one design of the plan; NaN where no size suffices."""

    def sizes(prevalence: float) -> dict[str, float]:
        return trial_sizes(
            design, n, prevalence, trial, groups=effect.groups, second_stage=second_stage,
            second_enriched=second_enriched,
        )  # fmt: skip

    screened = [
        sizes(prevalence)["screened"]
        for prevalence in (effect.prevalence_high, effect.prevalence_low)
    ]
    return {
        "design": design,
        "question": QUESTIONS[design],
        "outcomes": n,
        **sizes(effect.prevalence),
        "screened_low": min(screened),
        "screened_high": max(screened),
        "power": power,
        "assurance": assurance,
    }


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
    """Return sizes for the curves, from 1/4 of the smallest trial to 3/2 of the largest."""
    finite = [n for n in smallest if np.isfinite(n)] or [200.0]
    low, high = max(8.0, min(finite) / 4), min(max(max(finite) * 1.5, 40.0), 20_000.0)
    sizes = np.geomspace(low, high, count)
    return sorted({int(_ceil(float(n), groups)) for n in sizes})


def build_plan(
    effect: PersonaEffect,
    trial: TrialAssumptions,
    curves: pd.DataFrame,
    two_stage_curve: pd.DataFrame,
    *,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the plan, a row per design, and the curves of all designs with their sizes.

    Parameters
    ----------
    curves
        Rows of `formula_rows`.
    two_stage_curve
        Rows of `two_stage_row`, by size.
    """
    step, rows = effect.groups, []
    for design in FORMULA_DESIGNS:
        n = smallest_trial(design, effect, trial)
        rates = {"power": np.nan, "assurance": np.nan}
        if np.isfinite(n):
            exact = formula_rows([int(n)], effect, trial, seed=seed).set_index("design")
            rates = {name: exact[name].to_dict()[design] for name in rates}
        rows.append(plan_row(design, n, effect, trial, **rates))
    n = size_on_curve(two_stage_curve, trial.power, step=step)
    two_stage = {
        name: float(np.interp(n, two_stage_curve["n"], two_stage_curve[name]))
        for name in two_stage_curve.columns[1:]
    }
    rows.append(plan_row(TWO_STAGE, n, effect, trial, **two_stage))
    points = pd.concat([curves, two_stage_curve.assign(design=TWO_STAGE)], ignore_index=True)
    stages = points[["second_stage", "second_enriched"]]
    stages = stages.fillna({"second_stage": 1.0, "second_enriched": 0.0})
    sizes = [
        trial_sizes(
            design, n, effect.prevalence, trial, groups=step, second_stage=second,
            second_enriched=enriched,
        )
        for design, n, (second, enriched) in zip(
            points["design"], points["n"], stages.to_numpy(), strict=True
        )
    ]  # fmt: skip
    return pd.DataFrame(rows), points.join(pd.DataFrame(sizes))
