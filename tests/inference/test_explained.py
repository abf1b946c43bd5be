"""Votes of train hits on units they have never seen, and what speaking costs in accuracy."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from ketadask.cohort.splits import HoldoutSplit
from ketadask.inference.explained import Votes, auc, count_votes, explained_units, risk_coverage
from tests.inference.small_problems import make_problem

COLUMNS = ["split", "polarity", "literal_1", "literal_2", "literal_3", "literal_4"]


def hits_of(rows):
    return pd.DataFrame([(s, p, a, b, -1, -1) for s, p, a, b in rows], columns=COLUMNS)


ROWS = [
    (0, "favourable", 0, -1),
    (0, "favourable", 0, 5),
    (0, "unfavourable", 3, -1),
    (1, "favourable", 8, -1),
    (3, "unfavourable", 8, -1),
]


def test_votes_counted_one_by_one():
    problem, splitter = make_problem(n=20), HoldoutSplit(4, seed=2)
    hits, passed = hits_of(ROWS), np.array([True, True, True, True, False])
    votes = count_votes(problem, splitter, hits, passed, (0, 3))
    holds, trial = problem.literals.holds, problem.trial
    up, down, held = np.zeros((3, 20), int)
    for i in range(4):
        train = splitter.mask(i, trial.participant, trial.split_stratum)
        for u in np.flatnonzero(~train):
            held[u] += 1
            if i == 0:
                one = (int(holds[0, u]) + int(holds[0, u] and holds[5, u])) / 2
                other = float(holds[3, u])
                up[u] += one >= 0.5 and one > other
                down[u] += other >= 0.5 and other > one
            elif i == 1:
                up[u] += holds[8, u]
    assert votes.n_held_out.tolist() == held.tolist()
    assert votes.favourable.tolist() == up.tolist()
    assert votes.unfavourable.tolist() == down.tolist()
    assert min(up.sum(), down.sum()) > 0


def test_hits_that_contradict_each_other_evenly_say_nothing():
    problem, splitter = make_problem(n=20), HoldoutSplit(1, seed=2)
    hits = hits_of([(0, "favourable", 0, -1), (0, "unfavourable", 0, -1)])
    votes = count_votes(problem, splitter, hits, np.ones(2, bool), (0, 0))
    assert (problem.literals.holds[0] & (votes.n_held_out > 0)).any()
    assert not votes.favourable.any()
    assert not votes.unfavourable.any()


def test_votes_add_up_over_blocks():
    problem, splitter = make_problem(n=20), HoldoutSplit(4, seed=2)
    hits, passed = hits_of(ROWS), np.ones(5, bool)
    whole = count_votes(problem, splitter, hits, passed, (0, 3))
    late = count_votes(problem, splitter, hits, passed, (1, 3))
    early = count_votes(problem, splitter, hits, passed, (0, 0))
    joined = late + early
    for name in ("n_held_out", "favourable", "unfavourable"):
        assert getattr(joined, name).tolist() == getattr(whole, name).tolist()


def test_words_of_units():
    votes = Votes(np.array([10, 10, 10, 0]), np.array([6, 5, 0, 0]), np.array([0, 4, 9, 0]))
    words = ["favourable", "unexplained", "unfavourable", "unexplained"]
    assert explained_units(votes, 0.5).tolist() == words
    assert explained_units(votes, 0.95).tolist() == ["unexplained"] * 4


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_auc_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    value, positive = rng.integers(0, 5, 30).astype(float), rng.random(30) < 0.5
    positive[:2] = [True, False]
    assert auc(value, positive) == pytest.approx(roc_auc_score(positive, value))


def test_curve_written_out():
    votes = Votes(
        np.array([4] * 6 + [0]), np.array([4, 3, 0, 0, 1, 0, 0]), np.array([0, 0, 4, 1, 1, 0, 0])
    )
    score = np.array([3.0, -1.0, -2.0, 2.0, 0.0, 1.0, -3.0])  # mean 0
    curve = risk_coverage(votes, score)
    assert curve["tau"].tolist() == [1.0, 0.75, 0.25]
    assert curve["explained"].tolist() == [2, 3, 4]
    assert curve["coverage"].tolist() == [2 / 6, 3 / 6, 4 / 6]
    assert curve["accuracy"].tolist() == [1.0, 2 / 3, 0.5]
    assert curve["auc"].tolist() == [1.0, 1.0, 0.75]
    assert curve["difference"].tolist() == [5.0, 3.0, 1.0]


def test_nobody_voted_for_is_an_empty_curve():
    nothing = np.zeros(5, int)
    assert len(risk_coverage(Votes(nothing + 3, nothing, nothing), np.arange(5.0))) == 0
    assert np.isnan(auc(np.arange(3.0), np.ones(3, bool)))
