"""Resampling studies on relabelled trials: noise equals its null, a planted persona exceeds it."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ketadask.cohort.splits import HoldoutSplit
from ketadask.inference.calibration import (
    calibrated_p,
    calibration_block,
    compare_votes,
    recurrence_rates,
)
from ketadask.inference.explained import count_votes
from ketadask.inference.null import relabel_problem
from ketadask.inference.stability import passes_gate
from ketadask.search.block import search_block
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.thresholds import GateThresholds
from tests.inference.small_problems import make_problem

SEARCH = PersonaSearch(2, min_support=4, keep=6)
SPLITTER, SPLITS, GATES = HoldoutSplit(8, seed=2), 8, GateThresholds(p=0.2)
OPTIONS = {"n_splits": SPLITS, "gates": GATES, "gate": "heterogeneity", "seed": 4}


def observe(problem):
    hits = search_block(problem, SEARCH, SPLITTER, 0, SPLITS - 1, gates=GATES)[0]["hits"]
    hit = passes_gate(hits, "train", "heterogeneity")
    return hits, count_votes(problem, SPLITTER, hits, hit, (0, SPLITS - 1))


def with_relabelled_literals(problem, index, method):
    redrawn, order = relabel_problem(problem, index, seed=4, method=method)
    return replace(redrawn, literals=redrawn.literals.reorder(order["rows"]))


@pytest.mark.parametrize("method", ["features", "arms"])
def test_reordered_literals_are_the_same_search_as_reordered_rows(method):
    problem = make_problem(n=20)
    redrawn, order = relabel_problem(problem, 3, seed=4, method=method)
    one = SEARCH.solve(with_relabelled_literals(problem, 3, method), polarity="favourable")
    other = SEARCH.solve(redrawn, polarity="favourable", **order)
    assert one.q.tolist() == other.q.tolist()
    assert one.ids.tolist() == other.ids.tolist()


def test_blocks_change_nothing():
    problem = make_problem(n=24)
    expected = calibration_block(problem, SEARCH, SPLITTER, (0, 4), **OPTIONS)
    parts = [calibration_block(problem, SEARCH, SPLITTER, b, **OPTIONS) for b in [(0, 1), (2, 4)]]
    for name, table in expected.items():
        joined = pd.concat([part[name] for part in parts], ignore_index=True)
        pd.testing.assert_frame_equal(joined, table, check_exact=True)


def test_recurrence_is_a_count_over_splits():
    hits, _ = observe(make_problem(n=30, planted=2.0, seed=1))
    keys = ["polarity", *(f"literal_{k}" for k in range(1, 5))]
    rates = recurrence_rates(hits, "heterogeneity", 6)
    hit, confirmed = Counter(), Counter()
    for row in hits[(hits["split"] < 6) & hits["heterogeneity_train"]].to_dict("records"):
        key = tuple(row[name] for name in keys)
        hit[key] += 1
        confirmed[key] += row["heterogeneity_holdout"]
    assert len(rates) == len(hit)
    for row in rates.to_dict("records"):
        key = tuple(row[name] for name in keys)
        assert row["recurrence"] == hit[key] / 6
        assert row["confirmed"] == confirmed[key] / 6
    assert rates["recurrence"].is_monotonic_decreasing


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
    null = calibration_block(problem, SEARCH, SPLITTER, (0, 11), **OPTIONS)["votes"]
    return compare_votes(observe(problem)[1], problem.trial.score, null)


def test_accuracy_on_noise_equals_its_null_and_on_a_planted_persona_exceeds_it():
    noise = [explained(0.0, seed) for seed in range(8)]
    planted = [explained(3.0, seed) for seed in range(3)]
    assert all(study["auc_p"] == 1 / 13 for study in planted)
    assert all(study["accuracy"] > study["accuracy_null"] + 0.1 for study in planted)
    gap = [study["auc"] - study["auc_null"] for study in noise]
    assert abs(np.mean(gap)) < 3 * np.std(gap) / np.sqrt(len(gap)) + 0.02
    assert sum(study["auc_p"] <= 0.1 for study in noise) <= 3
    curve = planted[0]["curve"].dropna()
    assert len(curve)
    assert (curve["null_low"] <= curve["null_high"]).all()
    assert (curve["accuracy"] >= curve["null_mean"]).all()


def test_a_study_compared_with_itself_is_its_own_null():
    problem = make_problem(n=24)
    null = calibration_block(problem, SEARCH, SPLITTER, (0, 0), **OPTIONS)["votes"]
    same = with_relabelled_literals(problem, 0, "features")
    summary = compare_votes(observe(same)[1], same.trial.score, null)
    assert (summary["accuracy_p"], summary["auc_p"]) == (1.0, 1.0)
    assert summary["accuracy"] == summary["accuracy_null"]
    assert summary["curve"]["accuracy"].equals(summary["curve"]["null_mean"])
