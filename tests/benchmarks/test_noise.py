"""Noise on the real trial: the published gate lets it through, the verdict does not."""

import numpy as np
import pytest
from scipy import stats

from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile
from ketadask.search.persona_search import PersonaSearch
from tests.benchmarks.noise import (
    BOXES,
    main,
    noise_markdown,
    noise_problem,
    noise_rows,
    random_boxes,
    real_trial,
    validated,
)
from tests.benchmarks.repeated import Bench

SEARCH = PersonaSearch(2, keep=50)


@pytest.fixture
def trial(real_data):
    return real_trial(real_data / "clinical" / "ds005917")


@pytest.fixture
def bench(tmp_path):
    with connect(Profile(kind="synchronous")) as executor:
        yield Bench(tmp_path, executor)


def test_the_trial_is_the_real_one_and_the_features_know_nothing(trial):
    assert len(trial.score) == 53
    problem = noise_problem(trial, SEARCH, features=360, seed=1, index=0)
    assert len(problem.literals.feature_names) == 360
    levels = np.bincount(problem.literals.feature)
    assert (levels[:175] == 8).all()
    assert (levels[175:] == 12).all()
    pair = np.flatnonzero(trial.participant == trial.participant[0])
    same = problem.literals.holds[:, pair[:1]] == problem.literals.holds[:, pair]
    once = problem.literals.feature >= 175
    assert same[once].all()
    assert not same[~once].all()


def test_boxes_are_three_ranges_that_hold_enough(trial):
    problem = noise_problem(trial, SEARCH, features=60, seed=1, index=3)
    ids = random_boxes(problem, 11, np.random.default_rng(0))
    assert ids.shape == (BOXES, 4)
    assert (problem.literals.conjunction(ids).sum(axis=1) >= 11).all()
    feature = problem.literals.feature[ids[:, :3]]
    assert all(len(set(row)) == 3 for row in feature.tolist())


def test_validated_means_both_sides_by_scipy(trial):
    problem = noise_problem(trial, SEARCH, features=60, seed=1, index=0)
    ids = random_boxes(problem, 11, np.random.default_rng(0))
    train = np.random.default_rng(1).permutation(53) < 27
    expected = 0
    for cover in problem.literals.conjunction(ids):
        arms = [[column[cover & side] for column in trial.outcome.T] for side in (train, ~train)]
        expected += all(passes_by_scipy(*(y[np.isfinite(y)] for y in arm)) for arm in arms)
    assert validated(problem, ids, train) == expected > 0


def passes_by_scipy(active, control):
    if min(len(active), len(control)) < 2:
        return False
    squares = sum(((y - y.mean()) ** 2).sum() for y in (active, control))
    sd = np.sqrt(squares / (len(active) + len(control) - 2))
    p = stats.ttest_ind(active, control, equal_var=False).pvalue
    return p < 0.05 and (active.mean() - control.mean()) / sd > 0.5


def test_the_gate_lets_noise_through_and_the_verdict_does_not(bench, trial):
    table = noise_rows(bench, trial, SEARCH, repetitions=12, features=60, relabellings=19)
    assert (table["boxes"] > 0).mean() >= 0.75
    assert (table["best"] > 0).mean() >= 0.5
    assert (table["p"] <= 0.05).sum() <= 3
    lines = noise_markdown(table).splitlines()
    assert len(lines) == 5
    assert "| `supported`: p adjusted for the whole search | " in lines[4]


@pytest.mark.slow
def test_the_gate_lets_noise_through_at_full_size(bench, trial):
    search = PersonaSearch(3, keep=100)
    table = noise_rows(bench, trial, search, repetitions=20, relabellings=39)
    assert (table["boxes"] > 0).mean() >= 0.9
    assert (table["p"] <= 0.05).sum() <= 4


def test_the_command(real_data, tmp_path, capsys):
    profile = tmp_path / "here.yaml"
    profile.write_text("kind: synchronous\n")
    words = ["--real", str(real_data / "clinical" / "ds005917"), "--cluster", str(profile)]
    words += ["--out", str(tmp_path), "--repetitions", "1", "--features", "30", "--literals", "1"]
    assert main([*words, "--relabellings", "19", "--design", "crossover"]) == 0
    assert "24 participants, 30 noise features, 1 repetitions" in capsys.readouterr().out
