"""Expected gain from enrichment, against numbers computed by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.power import NormalIndPower

from ketadask.cohort.splits import HoldoutSplit
from ketadask.inference.enrolment import (
    enrichment,
    enrolment_block,
    outcome_sigma,
    participants_to_detect,
)
from tests.inference.small_problems import make_problem

COLUMNS = ["split", "polarity", "rank", "literal_1", "literal_2", "literal_3", "literal_4"]


def test_the_best_training_persona_is_tried_on_the_holdout():
    problem, splitter = make_problem(n=20), HoldoutSplit(3, seed=2)
    hits = pd.DataFrame(
        [
            (0, "favourable", 1, 0, -1, -1, -1),
            (0, "favourable", 2, 3, -1, -1, -1),
            (0, "unfavourable", 1, 7, -1, -1, -1),
            (2, "unfavourable", 1, 0, -1, -1, -1),
        ],
        columns=COLUMNS,
    )
    table = enrolment_block(problem, splitter, hits, (0, 2))
    trial = problem.trial
    train = splitter.mask(0, trial.participant, trial.split_stratum)
    inside = problem.literals.holds[0] & ~train
    # Scores of the holdout alone: its own period effect is removed.
    difference, first = trial.outcome[:, 0] - trial.outcome[:, 1], trial.active_first
    half = (difference[~train & first].mean() - difference[~train & ~first].mean()) / 2
    score = difference - np.where(first, half, -half)
    assert table["enrolled"].tolist() == [inside.sum(), 0, 0]
    assert table["benefit_enrolled"][0] == pytest.approx(score[inside].mean())
    assert table["benefit"][0] == pytest.approx(score[~train].mean())
    assert table["benefit_enrolled"][1:].isna().all()
    assert table["n_train"].tolist() == [10] * 3
    parts = [enrolment_block(problem, splitter, hits, block) for block in [(1, 2), (0, 0)]]
    joined = pd.concat(parts).sort_values("split", ignore_index=True)
    pd.testing.assert_frame_equal(joined, table, check_exact=True)


def test_gain_interval_and_sample_sizes():
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "split": np.arange(30),
            "n_train": 20,
            "n_holdout": 10,
            "enrolled": 4,
            "benefit": rng.normal(2, 0.5, 30),
            "benefit_enrolled": rng.normal(3, 1, 30),
        }
    )
    table.loc[7, ["enrolled", "benefit_enrolled"]] = [0, np.nan]
    summary = enrichment(table.sample(frac=1, random_state=0), 4.0, crossover=True)
    gain = (table["benefit_enrolled"] - table["benefit"]).fillna(0.0)
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


@pytest.mark.parametrize("benefit", [0.5, 2.0, 7.0])
def test_sample_size_is_that_of_statsmodels(benefit):
    normal = NormalIndPower()
    per_arm = normal.solve_power(benefit / 5.0, alpha=0.05, power=0.8)
    assert participants_to_detect(benefit, 5.0, crossover=False) == 2 * np.ceil(per_arm)
    single = NormalIndPower().solve_power(benefit / 5.0, alpha=0.05, power=0.8, ratio=0)
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
