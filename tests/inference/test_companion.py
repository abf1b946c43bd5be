"""The companion of the search: linear modifiers and spread over the same relabelled trials."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ketadask.cohort.relabel import relabel
from ketadask.inference.companion import (
    alpha_levels,
    companion_block,
    companion_p,
    companion_summary,
)
from ketadask.kernels.modifiers import linear_modifiers
from ketadask.kernels.ridge import standardise
from tests.inference.small_problems import make_problem, make_trial

B = 39


def problem_of(design="crossover", n=60, seed=0, features=5, slope=0.0, spread=0.0):
    """Return a trial whose benefit, or its spread, grows with the first feature."""
    rng = np.random.default_rng([seed, 4])
    values = standardise(rng.normal(size=(n, features)))
    trial = make_trial(design, n, seed, slope * values[:, 0])
    if spread:
        noise = rng.normal(size=n) * np.exp(spread * values[:, 0])
        trial = replace(trial, score=noise)
    names = tuple(f"x{k}" for k in range(features))
    return replace(make_problem(design, n, seed=seed), trial=trial, values=values.astype("f4"),
                   value_names=names)  # fmt: skip


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
@pytest.mark.parametrize("method", ["features", "arms"])
def test_the_table_is_that_of_permuted_features(design, method):
    problem = problem_of(design)
    table = companion_block(problem, (2, 3), seed=5, method=method)
    for index, row in zip((2, 3), table.to_dict("records"), strict=True):
        rows, trial = relabel(problem.trial, seed=5, index=index, method=method)
        scores = {"linear": trial.score, "spread": np.abs(trial.score - trial.score.mean())}
        for measure, score in scores.items():
            t, _ = linear_modifiers(problem.values[rows], score, trial.cluster)
            assert row[measure] == pytest.approx(np.abs(t).max(), rel=1e-5)


def test_a_linear_modifier_and_a_predictable_spread_are_found():
    slope, spread = problem_of(slope=2.0), problem_of(spread=1.0, n=120)
    for problem, measure in ((slope, "linear"), (spread, "spread")):
        table = companion_block(problem, (0, B - 1), seed=1)
        summary = companion_summary(problem, table, 0.025)
        assert summary[measure]["feature"] == "x0"
        assert summary[measure]["p"] == 1 / (B + 1)
        assert summary["linear"]["supported"] == (measure == "linear")
        assert summary["linear"]["alpha"] == 0.025
    assert companion_summary(slope, table, None)["linear"]["supported"] is False


def test_the_larger_p_of_two_methods_counts():
    table = pd.DataFrame(
        {"relabelling": [0, 1, 0, 1], "method": ["features", "features", "arms", "arms"],
         "linear": [1.0, 2.0, 3.0, 4.0]}
    )  # fmt: skip
    assert companion_p(table, "linear", 2.5) == 1.0
    assert companion_p(table[:2], "linear", 2.5) == pytest.approx(1 / 3)
    assert companion_p(table[:2], "linear", 2.0) == pytest.approx(2 / 3)


def test_without_values_nothing_is_tested():
    problem = make_problem()
    table = companion_block(problem, (0, 1), seed=1)
    assert table[["linear", "spread"]].isna().all(axis=None)
    assert companion_summary(problem, table, 0.01) == {}
    assert alpha_levels(0.05, 0.2, 999, has_values=False) == (0.05, None)


def test_the_levels_add_up_and_can_be_reached():
    for alpha in (0.01, 0.05, 0.1):
        for share in (0.1, 0.2, 0.5):
            for count in (19, 99, 199, 999):
                personas, linear = alpha_levels(alpha, share, count)
                assert personas + (linear or 0.0) == pytest.approx(alpha)
                assert linear is None or 1 / (count + 1) <= linear * (1 + 1e-9)


def test_unequal_spread_keeps_the_level():
    """A correlation would not: its variance in the trial is not that of a permutation."""
    claims, trials = 0, 200
    for seed in range(trials):
        problem = problem_of(seed=seed, spread=0.7, features=3)
        table = companion_block(problem, (0, 18), seed=seed)
        claims += companion_summary(problem, table, 0.05)["linear"]["p"] <= 0.05
    _, high = stats.binom.interval(0.99, trials, 0.05)
    assert claims <= high


def test_relabelled_trials_without_an_association_are_no_evidence():
    """A study may be continued with more memory than its first relabelled trials had."""
    table = pd.DataFrame({"relabelling": [0, 1, 2], "method": "features", "linear": [1.0, 1, 1]})
    assert companion_p(table, "linear", 2.0) == 1 / 4
    assert companion_p(table.assign(linear=np.nan), "linear", 2.0) == 1.0
    assert companion_p(table.assign(linear=[1.0, np.nan, 1.0]), "linear", 2.0) == 2 / 4
