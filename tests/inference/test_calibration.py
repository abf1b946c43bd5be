"""Resampling studies on relabelled trials: noise equals its null, a planted persona exceeds it."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ketadask.cohort.relabel import relabel
from ketadask.cohort.splits import HoldoutSplit
from ketadask.inference.calibration import (
    calibrated_p,
    calibration_block,
    explained_against_null,
    recurrent,
    relabelled_problem,
)
from ketadask.inference.explained import count_votes
from ketadask.inference.stability import passes
from ketadask.search.block import search_block
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.thresholds import GateThresholds
from tests.inference.small_problems import make_problem

SEARCH = PersonaSearch(2, min_support=4, keep=6)
SPLITTER, SPLITS, GATES = HoldoutSplit(8, seed=2), 8, GateThresholds(p=0.2)
GIVEN = {"n_splits": SPLITS, "gates": GATES, "use": "heterogeneity", "seed": 4}


def observed(problem):
    hits = search_block(problem, SEARCH, SPLITTER, 0, SPLITS - 1, gates=GATES)[0]["hits"]
    passed = passes(hits, "train", "heterogeneity")
    return hits, count_votes(problem, SPLITTER, hits, passed, (0, SPLITS - 1))


@pytest.mark.parametrize("how", ["features", "arms"])
def test_a_relabelled_problem_is_the_relabelled_trial(how):
    problem = make_problem(n=20)
    rows, trial = relabel(problem.trial, seed=4, index=3, method=how)
    made = relabelled_problem(problem, seed=4, index=3, method=how)
    assert made.trial.score.tolist() == trial.score.tolist()
    assert (made.literals.holds == problem.literals.holds[:, rows]).all()
    one = SEARCH.solve(made, polarity="favourable")
    other = SEARCH.solve(replace(problem, trial=trial), polarity="favourable", rows=rows)
    assert one.q.tolist() == other.q.tolist()
    assert one.ids.tolist() == other.ids.tolist()


def test_blocks_change_nothing():
    problem = make_problem(n=24)
    whole = calibration_block(problem, SEARCH, SPLITTER, (0, 4), **GIVEN)
    some = [
        calibration_block(problem, SEARCH, SPLITTER, each, **GIVEN) for each in [(0, 1), (2, 4)]
    ]
    for name, table in whole.items():
        joined = pd.concat([each[name] for each in some], ignore_index=True)
        pd.testing.assert_frame_equal(joined, table, check_exact=True)


def test_recurrence_counted_one_by_one():
    hits, _ = observed(make_problem(n=30, planted=2.0, seed=1))
    ids = [f"literal_{k}" for k in range(1, 5)]
    made = recurrent(hits, "heterogeneity", 6)
    hit, confirmed = Counter(), Counter()
    for _, row in hits[hits["split"] < 6].iterrows():
        if row["heterogeneity_train"]:
            key = (row["polarity"], *row[ids])
            hit[key] += 1
            confirmed[key] += row["heterogeneity_holdout"]
    assert len(made) == len(hit)
    for _, row in made.iterrows():
        key = (row["polarity"], *row[ids])
        assert row["recurrence"] == hit[key] / 6
        assert row["confirmed"] == confirmed[key] / 6
    assert made["recurrence"].is_monotonic_decreasing


def test_p_of_recurrence():
    null = pd.DataFrame(
        {
            "relabelling": [0, 0, 1, 1, 2, 2],
            "polarity": ["favourable", "unfavourable"] * 3,
            "recurrence": [0.1, 0.4, 0.2, 0.1, 0.0, 0.0],
        }
    )
    rates = pd.DataFrame({"recurrence": [0.5, 0.4, 0.15]})
    assert calibrated_p(rates, null).tolist() == [1 / 4, 2 / 4, 3 / 4]


def explained(planted, seed):
    problem = make_problem(n=40, features=3, planted=planted, seed=seed)
    null = calibration_block(problem, SEARCH, SPLITTER, (0, 11), **GIVEN)["votes"]
    return explained_against_null(observed(problem)[1], problem.trial.score, null)


def test_accuracy_on_noise_equals_its_null_and_on_a_planted_persona_exceeds_it():
    noise = [explained(0.0, seed) for seed in range(8)]
    planted = [explained(3.0, seed) for seed in range(3)]
    assert all(each["auc_p"] == 1 / 13 for each in planted)
    assert all(each["accuracy"] > each["accuracy_null"] + 0.1 for each in planted)
    gap = [each["auc"] - each["auc_null"] for each in noise]
    assert abs(np.mean(gap)) < 3 * np.std(gap) / np.sqrt(len(gap)) + 0.02
    assert sum(each["auc_p"] <= 0.1 for each in noise) <= 3
    curve = planted[0]["curve"]
    reached = curve.dropna()
    assert len(reached)
    assert (reached["null_low"] <= reached["null_high"]).all()
    assert (reached["accuracy"] >= reached["null_mean"]).all()


def test_a_study_compared_with_itself_is_its_own_null():
    problem = make_problem(n=24)
    null = calibration_block(problem, SEARCH, SPLITTER, (0, 0), **GIVEN)["votes"]
    same = relabelled_problem(problem, seed=4, index=0, method="features")
    made = explained_against_null(observed(same)[1], same.trial.score, null)
    assert (made["accuracy_p"], made["auc_p"]) == (1.0, 1.0)
    assert made["accuracy"] == made["accuracy_null"]
    assert made["curve"]["accuracy"].equals(made["curve"]["null_mean"])
