"""Expected gain from enrichment, against numbers computed by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower, TTestPower

from ketadask.inference.enrolment import (
    enrichment,
    outcome_sigma,
    participants_to_detect,
)


def test_gain_interval_and_sample_sizes():
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "split": np.arange(30),
            "polarity": "favourable",
            "n_train": 20,
            "n_holdout": 10,
            "inside": 4,
            "benefit": rng.normal(2, 0.5, 30),
            "benefit_inside": rng.normal(3, 1, 30),
        }
    )
    table.loc[7, ["inside", "benefit_inside"]] = [0, np.nan]
    other = table.assign(polarity="unfavourable", benefit_inside=9.0)
    both = pd.concat([table, other]).sample(frac=1, random_state=0)
    summary = enrichment(both, 4.0, crossover=True)
    gain = (table["benefit_inside"] - table["benefit"]).fillna(0.0)
    half = stats.t.ppf(0.975, 29) * np.sqrt((1 / 30 + 0.5) * gain.var())
    assert summary["gain"] == pytest.approx(gain.mean())
    assert summary["gain_low"] == pytest.approx(gain.mean() - half)
    assert summary["gain_high"] == pytest.approx(gain.mean() + half)
    assert summary["share_enrolled"] == pytest.approx(29 * 0.4 / 30)
    assert summary["splits_empty"] == 1
    benefit = table["benefit"].mean()
    assert summary["n_all"] == participants_to_detect(benefit, 4.0, crossover=True)
    assert summary["n_enriched"] == participants_to_detect(
        benefit + gain.mean(), 4.0, crossover=True
    )
    assert summary["n_screened"] == np.ceil(summary["n_enriched"] / summary["share_enrolled"])
    half = stats.t.ppf(0.975, 29) * np.sqrt((1 / 30 + 0.5) * table["benefit"].var())
    for end, mean in (("low", benefit + half), ("high", benefit - half)):
        assert summary[f"n_all_{end}"] == participants_to_detect(mean, 4.0, crossover=True)
    assert summary["n_all_low"] < summary["n_all"] < summary["n_all_high"]
    assert summary["n_screened_low"] < summary["n_screened"] < summary["n_screened_high"]


def test_a_benefit_that_may_be_none_has_no_largest_sample_size():
    table = pd.DataFrame(
        {"split": np.arange(4), "polarity": "favourable", "n_train": 10, "n_holdout": 10,
         "inside": 5, "benefit": [-1.0, 0.0, 1.0, 2.0], "benefit_inside": [1.0, 2.0, 3.0, 4.0]}
    )  # fmt: skip
    summary = enrichment(table, 1.0, crossover=False)
    assert summary["n_all"] > summary["n_all_low"]
    assert np.isnan(summary["n_all_high"])


@pytest.mark.parametrize("benefit", [0.5, 2.0, 7.0])
def test_sample_size_is_that_of_statsmodels(benefit):
    per_arm = TTestIndPower().solve_power(benefit / 5.0, alpha=0.05, power=0.8)
    assert participants_to_detect(benefit, 5.0, crossover=False) == 2 * np.ceil(per_arm)
    single = TTestPower().solve_power(benefit / 5.0, alpha=0.05, power=0.8)
    assert participants_to_detect(benefit, 5.0, crossover=True) == np.ceil(single)


@pytest.mark.parametrize(("benefit", "crossover"), [(0.0, True), (-1.0, False)])
def test_without_benefit_there_is_no_sample_size(benefit, crossover):
    assert np.isnan(participants_to_detect(benefit, 1.0, crossover=crossover))


def test_sigma_of_the_planned_trial():
    outcome = np.random.default_rng(2).normal(size=(12, 2))
    expected = (outcome[:, 0] - outcome[:, 1]).std(ddof=1)
    assert outcome_sigma(outcome, crossover=True) == pytest.approx(expected)
    outcome[:6, 1], outcome[6:, 0] = np.nan, np.nan
    pooled_sd = np.sqrt((outcome[:6, 0].var(ddof=1) + outcome[6:, 1].var(ddof=1)) / 2)
    assert outcome_sigma(outcome, crossover=False) == pytest.approx(pooled_sd)
