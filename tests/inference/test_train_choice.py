"""Figures of the best training persona on its own holdout, against numbers computed by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ketadask.cohort.splits import HoldoutSplit
from ketadask.inference.train_choice import choice_block, hits_by_split, summarise_choice
from tests.inference.small_problems import BruteSearch, make_problem

COLUMNS = ["split", "polarity", "rank", "literal_1", "literal_2", "literal_3", "literal_4"]
COLUMNS += ["heterogeneity_train"]


def test_the_best_training_persona_is_tried_on_the_holdout():
    problem, splitter = make_problem(n=20), HoldoutSplit(3, seed=2)
    hits = pd.DataFrame(
        [
            (0, "favourable", 1, 0, -1, -1, -1, True),
            (0, "favourable", 2, 3, -1, -1, -1, True),
            (0, "unfavourable", 1, 7, -1, -1, -1, True),
            (2, "unfavourable", 1, 0, -1, -1, -1, False),
        ],
        columns=COLUMNS,
    )
    gate = "heterogeneity"
    table = choice_block(problem, splitter, hits, (0, 2), gate=gate)
    assert list(zip(table["split"], table["polarity"], strict=True))[:2] == [
        (0, "favourable"),
        (0, "unfavourable"),
    ]
    assert table["hits"].tolist() == [2, 1, 0, 0, 0, 0]
    assert hits_by_split(table).tolist() == [3, 0, 0]
    trial = problem.trial
    train = splitter.mask(0, trial.participant, trial.split_stratum)
    inside = problem.literals.holds[0] & ~train
    outside = ~problem.literals.holds[0] & ~train
    # Scores of the holdout alone: its own period effect is removed.
    difference, first = trial.outcome[:, 0] - trial.outcome[:, 1], trial.active_first
    half = (difference[~train & first].mean() - difference[~train & ~first].mean()) / 2
    score = difference - np.where(first, half, -half)
    row = table.iloc[0]
    assert (row["inside"], row["outside"]) == (inside.sum(), outside.sum())
    assert row["benefit_inside"] == pytest.approx(score[inside].mean())
    assert row["benefit_outside"] == pytest.approx(score[outside].mean())
    assert row["benefit"] == pytest.approx(score[~train].mean())
    active, control = trial.outcome[inside].T
    pooled = np.sqrt((active.var(ddof=1) + control.var(ddof=1)) / 2)
    assert row["d"] == pytest.approx((active.mean() - control.mean()) / pooled)
    empty = table.iloc[[2, 3, 4]]
    assert empty[["benefit_inside", "benefit_outside", "d"]].isna().all(axis=None)
    assert table["n_train"].tolist() == [10] * 6
    parts = [choice_block(problem, splitter, hits, block, gate=gate) for block in [(1, 2), (0, 0)]]
    joined = pd.concat(parts).sort_values(["split", "polarity"], ignore_index=True)
    pd.testing.assert_frame_equal(joined, table, check_exact=True)


def test_the_summary_is_a_mean_with_nadeau_and_bengios_interval():
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "split": np.arange(20),
            "polarity": "favourable",
            "n_train": 30,
            "n_holdout": 15,
            "benefit_inside": rng.normal(3, 1, 20),
            "benefit_outside": rng.normal(1, 1, 20),
            "d": rng.normal(0.5, 0.3, 20),
        }
    )
    table.loc[3, ["benefit_inside", "d"]] = np.nan
    summary = summarise_choice(table.sample(frac=1, random_state=0))
    assert list(summary) == ["favourable"]
    numbers, rows = summary["favourable"], table.drop(index=3)
    assert (numbers["splits"], numbers["splits_empty"]) == (19, 1)
    for name, values in (
        ("difference", rows["benefit_inside"] - rows["benefit_outside"]),
        ("d", rows["d"]),
    ):
        half = stats.t.ppf(0.975, 18) * np.sqrt((1 / 19 + 0.5) * values.var())
        expected = [values.mean(), values.mean() - half, values.mean() + half]
        ends = [numbers[name], numbers[f"{name}_low"], numbers[f"{name}_high"]]
        assert ends == pytest.approx(expected)


def test_without_any_effect_the_figures_are_about_zero():
    """The average holdout d of the persona that all data chose was 1.23 in such trials."""
    search, figures = BruteSearch(keep=1), []
    for seed in range(12):
        problem, splitter = make_problem("parallel", n=60, seed=seed), HoldoutSplit(10, seed=seed)
        rows = []
        for split in range(10):
            train = splitter.train_mask(split, problem.trial)
            result = search.solve(problem, polarity="favourable", train=train)
            rows.append((split, "favourable", 1, *result.ids[0], True))
        hits = pd.DataFrame(rows, columns=COLUMNS)
        table = choice_block(problem, splitter, hits, (0, 9), gate="heterogeneity")
        figures.append(summarise_choice(table)["favourable"]["difference"])
    assert abs(np.mean(figures)) < 3 * stats.sem(figures)
