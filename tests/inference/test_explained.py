"""Votes of training hits on units of the holdout, and accuracy by coverage."""

import numpy as np
import pandas as pd

from ketadask.cohort.splits import HoldoutSplit
from ketadask.inference.explained import Votes, count_votes, explained_units, risk_coverage
from tests.inference.small_problems import make_problem

COLUMNS = ["split", "polarity", "literal_1", "literal_2", "literal_3", "literal_4"]
ROWS = [
    (0, "favourable", 0, -1),
    (0, "favourable", 0, 5),
    (0, "unfavourable", 3, -1),
    (1, "favourable", 8, -1),
    (3, "unfavourable", 8, -1),
]


def hits_of(rows):
    return pd.DataFrame([(s, p, a, b, -1, -1) for s, p, a, b in rows], columns=COLUMNS)


def test_votes_are_counts_over_splits():
    problem, splitter = make_problem(n=20), HoldoutSplit(4, seed=2)
    hits, hit = hits_of(ROWS), np.array([True, True, True, True, False])
    votes = count_votes(problem, splitter, hits, hit, (0, 3))
    holds, trial = problem.literals.holds, problem.trial
    up, down, n_held_out = np.zeros((3, 20), int)
    for split in range(4):
        train = splitter.mask(split, trial.participant, trial.split_stratum)
        for u in np.flatnonzero(~train):
            n_held_out[u] += 1
            if split == 0:
                one = (int(holds[0, u]) + int(holds[0, u] and holds[5, u])) / 2
                other = float(holds[3, u])
                up[u] += one >= 0.5 and one > other
                down[u] += other >= 0.5 and other > one
            elif split == 1:
                up[u] += holds[8, u]
    assert votes.n_held_out.tolist() == n_held_out.tolist()
    assert votes.favourable.tolist() == up.tolist()
    assert votes.unfavourable.tolist() == down.tolist()
    assert min(up.sum(), down.sum()) > 0


def test_contradictory_hits_cast_no_vote():
    problem, splitter = make_problem(n=20), HoldoutSplit(1, seed=2)
    hits = hits_of([(0, "favourable", 0, -1), (0, "unfavourable", 0, -1)])
    votes = count_votes(problem, splitter, hits, np.ones(2, bool), (0, 0))
    assert (problem.literals.holds[0] & (votes.n_held_out > 0)).any()
    assert not votes.favourable.any()
    assert not votes.unfavourable.any()


def test_votes_add_up_over_blocks():
    problem, splitter = make_problem(n=20), HoldoutSplit(4, seed=2)
    hits, hit = hits_of(ROWS), np.ones(5, bool)
    expected, late, early = (
        count_votes(problem, splitter, hits, hit, block) for block in [(0, 3), (1, 3), (0, 0)]
    )
    for name, values in vars(late + early).items():
        assert values.tolist() == getattr(expected, name).tolist()


def test_labels_of_units():
    votes = Votes(np.array([10, 10, 10, 0]), np.array([6, 5, 0, 0]), np.array([0, 4, 9, 0]))
    labels = ["favourable", "unexplained", "unfavourable", "unexplained"]
    assert explained_units(votes, 0.5).tolist() == labels
    assert explained_units(votes, 0.95).tolist() == ["unexplained"] * 4


def test_risk_coverage_by_hand():
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


def test_without_votes_the_curve_is_empty():
    none = np.zeros(5, int)
    assert len(risk_coverage(Votes(none + 3, none, none), np.arange(5.0))) == 0
