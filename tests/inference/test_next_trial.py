"""The plan of the next trial, against simulated participants and published results."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t, ttest_1samp, ttest_ind

from ketadask.inference.next_trial import (
    ALL_COMERS,
    ENRICHED,
    FORMULA_DESIGNS,
    STRATIFIED,
    TWO_STAGE,
    design_power,
    formula_rows,
    size_on_curve,
    smallest_trial,
    trial_sizes,
    two_stage_row,
)
from ketadask.inference.trial_assumptions import (
    PersonaEffect,
    TrialAssumptions,
    selected_effects,
)
from ketadask.kernels.two_stage import InterimRule
from ketadask.schema.errors import InputError

EFFECT = PersonaEffect(
    difference=8.0, observed=8.0, observed_se=3.0, benefit=3.0, benefit_se=1.0, prevalence=0.35,
    prevalence_low=0.25, prevalence_high=0.46, sd=14.0, literals=2,
)  # fmt: skip


def simulate_p(design, n, effect, repeats, rng):
    """Return one-sided p of the t test of each design in simulated participants."""
    inside, outside = 3.0 + 0.65 * 8.0, 3.0 - 0.35 * 8.0
    p = np.empty(repeats)
    for k in range(repeats):
        count = {ALL_COMERS: rng.binomial(n, 0.35), STRATIFIED: round(0.35 * n), ENRICHED: n}
        member = np.arange(n) < count[design]
        benefit = np.where(member, inside, outside)
        if effect.groups == 1:
            score = benefit + effect.sd * rng.normal(size=n)
            test = (
                ttest_ind(score[member], score[~member], alternative="greater")
                if design == STRATIFIED
                else ttest_1samp(score, 0, alternative="greater")
            )
            p[k] = test.pvalue
            continue
        arm = np.empty(n, dtype=bool)
        for side in (member, ~member):
            arm[side] = rng.permutation(side.sum()) % 2 == 0
        y = arm * benefit + effect.sd / 2 * rng.normal(size=n)
        if design != STRATIFIED:
            p[k] = ttest_ind(y[arm], y[~arm], alternative="greater").pvalue
            continue
        cells = [y[s & a] for s in (member, ~member) for a in (arm, ~arm)]
        means = [cell.mean() for cell in cells]
        pooled = sum(((c - c.mean()) ** 2).sum() for c in cells) / (n - 4)
        se = np.sqrt(pooled * sum(1 / c.size for c in cells))
        p[k] = t.sf((means[0] - means[1] - means[2] + means[3]) / se, n - 4)
    return p


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("design", FORMULA_DESIGNS)
def test_formulas_agree_with_simulated_participants(design, groups):
    effect = replace(EFFECT, groups=groups)
    n = {ALL_COMERS: 100, STRATIFIED: 80, ENRICHED: 20}[design]
    power = design_power(design, n, effect.estimate(), effect, TrialAssumptions())[0]
    p = simulate_p(design, n, effect, 1_200, np.random.default_rng(groups))
    assert (p <= 0.025).mean() == pytest.approx(
        power, abs=3.3 * np.sqrt(power * (1 - power) / 1200)
    )


def test_interaction_as_in_the_simulations_of_brookes():
    # Brookes et al. 2004 (10.1016/j.jclinepi.2003.08.009): a trial with 80 % power for the overall
    # effect has 29 % for an interaction of the same size, which needs four times the participants.
    effect = replace(EFFECT, difference=1.0, benefit=1.0, prevalence=0.5, sd=20.0)
    trial = TrialAssumptions()
    n = smallest_trial(ALL_COMERS, effect, trial)
    power = design_power(STRATIFIED, int(n), effect.estimate(), effect, trial)[0]
    assert power == pytest.approx(0.29, abs=0.005)
    assert smallest_trial(STRATIFIED, effect, trial) / n == pytest.approx(4, abs=0.01)


@pytest.mark.parametrize("prevalence", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("ratio", [0.0, 0.5])
def test_enrichment_as_in_the_formula_of_simon_and_maitournam(prevalence, ratio):
    # Simon and Maitournam 2004 (10.1158/1078-0432.CCR-04-0496): an untargeted trial needs
    # 1 / (p + (1 - p) r)^2 times the participants of a targeted one, r the effect outside over that
    # inside.
    expected = 1 / (prevalence + (1 - prevalence) * ratio) ** 2
    benefit = prevalence + (1 - prevalence) * ratio
    effect = replace(EFFECT, difference=1 - ratio, benefit=benefit, prevalence=prevalence, sd=30.0)
    trial = TrialAssumptions()
    sizes = [smallest_trial(design, effect, trial) for design in (ALL_COMERS, ENRICHED)]
    assert sizes[0] / sizes[1] == pytest.approx(expected, rel=0.005)


def test_assurance_is_that_of_the_normal_formula():
    # O'Hagan, Stevens and Campbell 2005 (10.1002/pst.175): Phi((d - z s) / sqrt(s^2 + tau^2)).
    effect = replace(EFFECT, benefit_se=0.0, prevalence_low=0.35, prevalence_high=0.35)
    n, trial = 2_000, TrialAssumptions()
    row = formula_rows([n], effect, trial, seed=3).set_index("design").loc[STRATIFIED]
    se = effect.sd / np.sqrt(n * 0.35 * 0.65)
    expected = norm.cdf((8.0 - norm.isf(0.025) * se) / np.hypot(se, 3.0))
    assert row["assurance"] == pytest.approx(expected, abs=0.02)
    assert row["assurance"] < 1
    assert row["power"] > 0.999


@pytest.mark.parametrize("estimate", [5.1, 6.0, 8.0])
def test_selected_effects_are_those_of_trials_that_reached_the_threshold(estimate):
    # Effects from 0 upwards alike; of each only estimates above the threshold are seen, and as
    # many of every effect, as the likelihood is that of a trial known to have reached it.
    rng, threshold = np.random.default_rng(4), 5.0
    effect = np.repeat(np.linspace(0, 14, 281), 20_000)
    tail = norm.sf(threshold - effect)
    estimates = effect + norm.isf(tail * rng.random(effect.size))
    near = effect[np.abs(estimates - estimate) < 0.02]
    quantiles = selected_effects(np.array([0.1, 0.5, 0.9]), estimate, 1.0, threshold)
    assert near.size > 8_000
    np.testing.assert_allclose(quantiles, np.quantile(near, [0.1, 0.5, 0.9]), atol=0.1)


def test_measurement_error_and_prevalence_cost_participants():
    trial = TrialAssumptions()
    sizes = [
        smallest_trial(STRATIFIED, EFFECT, replace(trial, reliability=r)) for r in (1.0, 0.9, 0.7)
    ]
    assert sizes[0] < sizes[1] < sizes[2]
    assert smallest_trial(STRATIFIED, EFFECT, replace(trial, inside_fraction=0.5)) < sizes[0]
    assert np.isnan(smallest_trial(STRATIFIED, replace(EFFECT, difference=0.0), trial))
    with pytest.raises(InputError, match="reliability"):
        EFFECT.with_reliability(0.0)


def test_people_cost_and_months_by_hand():
    trial = TrialAssumptions(
        drop_out=0.2, screening_cost=100, visit_cost=50, visits=4, people_per_month=5,
        follow_up_months=2,
    )  # fmt: skip
    sizes = trial_sizes(ENRICHED, 80, 0.25, trial)
    assert (sizes["randomised"], sizes["screened"]) == (100, 400)
    assert sizes["cost"] == 400 * 100 + 100 * 4 * 50
    assert sizes["months"] == 400 / 5 + 2
    everybody = trial_sizes(ALL_COMERS, 80, 0.25, trial)
    assert (everybody["screened"], everybody["cost"], everybody["months"]) == (0, 20_000, 22)
    assert trial_sizes(STRATIFIED, 80, 0.25, trial)["screened"] == 100
    half = trial_sizes(STRATIFIED, 80, 0.25, replace(trial, inside_fraction=0.5))
    assert half["screened"] == 200
    stages = {"second_stage": 0.8, "second_enriched": 0.3}
    adaptive = trial_sizes(TWO_STAGE, 80, 0.25, trial, **stages)
    assert adaptive["randomised"] == 50 + 0.8 * 50
    assert adaptive["screened"] == 50 + 50 * (0.5 + 0.3 * 4)
    assert (adaptive["randomised_most"], adaptive["screened_most"]) == (100, 250)


def test_two_stage_trials_find_the_persona_and_stop_without_one():
    trial = TrialAssumptions(interim=InterimRule(fraction=0.4))
    row = two_stage_row(60, EFFECT, trial, simulations=4_000, seed=1)
    assert row == two_stage_row(60, EFFECT, trial, simulations=4_000, seed=1)
    assert 0.9 > row["power"] > row["assurance"] > 0.5
    assert 0.3 < row["second_enriched"] < row["second_stage"]
    null = replace(EFFECT, difference=0.0, benefit=0.0)
    row = two_stage_row(60, null, trial, simulations=20_000, seed=1)
    assert row["power"] <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / 20_000)
    assert row["stop_futile"] == pytest.approx(0.5, abs=0.02)


def test_the_size_of_a_simulated_curve():
    curve = pd.DataFrame({"n": [10, 20, 40, 80], "power": [0.5, 0.7, 0.69, 0.9]})
    assert size_on_curve(curve, 0.8, step=2) == 60
    assert np.isnan(size_on_curve(curve, 0.95))


@pytest.mark.parametrize(
    ("name", "value"),
    [("alpha", 0.7), ("drop_out", 1.0), ("people_per_month", 0), ("visits", -1)],
)
def test_impossible_assumptions_name_their_key(name, value):
    with pytest.raises(InputError, match=name):
        TrialAssumptions(**{name: value})


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (InterimRule(fraction=1.0), "first_stage"),
        (InterimRule(futility=0.0), "futility"),
        (InterimRule(interim_alpha=0.025), "interim_alpha: .*between 0 and 0.025"),
    ],
)
def test_impossible_interim_rules_name_their_key(rule, name):
    with pytest.raises(InputError, match=name):
        TrialAssumptions(interim=rule)
