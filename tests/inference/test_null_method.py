"""Arms are randomised again, too, where exchanged features alone would mislead."""

from __future__ import annotations

import numpy as np
import pytest

from ketadask.inference.null_method import AUTO, NullChoice, choose_null, spread_p
from tests.benchmarks.error_rates import persona_search, problem_of
from tests.benchmarks.null_kinds import NULL_KINDS
from tests.benchmarks.simulated_trials import simulate_cases

KINDS = {kind.name: kind for kind in NULL_KINDS}


def units_of(name, index=0, design="parallel"):
    cases = simulate_cases(KINDS[name], design, 60, 20, seed=7, index=index)
    return problem_of(cases, KINDS[name], persona_search(2))[1]


def test_a_method_that_is_set_is_kept():
    units = units_of("outcome spread exp(.7 x)")
    assert choose_null("features", units, seed=7) == NullChoice("features")
    assert choose_null("arms", units, seed=7) == NullChoice("arms")


def test_a_predictable_spread_adds_randomised_arms():
    choices = [
        choose_null(AUTO, units_of("outcome spread exp(.7 x)", index), seed=index)
        for index in range(20)
    ]
    assert sum(choice.method == "both" for choice in choices) >= 12
    assert all(bool(choice.reason) == (choice.method == "both") for choice in choices)
    without = [spread_p(units_of("normal", index), seed=index) for index in range(20)]
    assert sum(p <= 0.05 for p in without) <= 4


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
def test_the_p_of_the_spread_is_that_of_its_definition(design):
    units = units_of("normal", 3, design)
    from ketadask.cohort.designs import trial_arrays
    from ketadask.cohort.relabel import relabel

    trial, value = trial_arrays(units), units["value"].transpose("unit", "feature").values
    distance = np.abs(trial.score - trial.score.mean())
    distance = distance - distance.mean()

    def largest(rows):
        best = 0.0
        for column in (value - value.mean(axis=0))[rows].T:
            products = np.bincount(
                np.unique(trial.cluster, return_inverse=True)[1], weights=column * distance
            )
            best = max(best, abs(products.sum()) / np.sqrt((products**2).sum()))
        return best

    null = [
        largest(relabel(trial, seed=5, index=index, method="features")[0]) for index in range(19)
    ]
    observed = largest(np.arange(len(distance)))
    p = (1 + sum(each >= observed * (1 - 1e-9) for each in null)) / 20
    assert spread_p(units, seed=5, relabellings=19) == p


def test_a_binary_endpoint_of_a_parallel_trial_adds_randomised_arms():
    units = units_of("binary endpoint")
    assert choose_null(AUTO, units, seed=7).method == "both"
