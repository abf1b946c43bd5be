"""Power: the level without an effect, certainty with a large one, the same numbers anywhere."""

import dask
import numpy as np
import pandas as pd
import pytest

from ketadask.inference.notebook import power
from ketadask.inference.power import (
    DESIGNS,
    Scenario,
    build_scenarios,
    power_block,
    simulate_problem,
    summarise_power,
)
from ketadask.schema.errors import InputError
from ketadask.search.persona_search import PersonaSearch

SEARCH = PersonaSearch(1, cuts=3)
SMALL = {"participants": 40, "features": 4, "literals": 1}


@pytest.mark.parametrize("design", DESIGNS)
def test_without_an_effect_power_is_the_level(design):
    row = power(SEARCH, simulations=800, effect=0.0, design=design, **SMALL).iloc[0]
    # The critical value is estimated from as many relabellings: twice the binomial variance.
    assert abs(row["power"] - 0.05) < 3 * np.sqrt(2 * 0.05 * 0.95 / 800)


def test_power_grows_with_effect_and_pairs_count_in_both_analyses():
    table = power(
        SEARCH, simulations=100, effect=[0.5, 1.2, 4.0], design=["crossover", "pooled"], **SMALL
    )
    power_of = table.set_index(["design", "effect"])["power"]
    for design in ("crossover", "pooled"):
        assert power_of[design].is_monotonic_increasing
        assert power_of[design, 4.0] == 1.0
    # The two cases of a participant are one cluster of t: pooled uses the pairs, too.
    assert power_of["crossover", 1.2] == pytest.approx(power_of["pooled", 1.2], abs=0.2)
    last = table[table["effect"] == 4.0]
    assert (last["recovered"] > 0.9).all()
    assert (last["right"] > 0.9).all()
    assert table["units"].tolist() == [40, 80, 40, 80, 40, 80]


@pytest.mark.parametrize("design", DESIGNS)
def test_a_simulated_study_keeps_its_scenario(design):
    scenario = Scenario(design, participants=4000, features=6, effect=1.5, prevalence=0.3)
    problem, inside = simulate_problem(scenario, SEARCH, seed=1, index=0)
    trial, literals = problem.trial, problem.literals
    assert len(np.unique(trial.participant)) == 4000
    assert inside.mean() == pytest.approx(0.3, abs=0.03)
    gain = trial.score[inside].mean() - trial.score[~inside].mean()
    assert gain == pytest.approx(1.5, abs=0.15)
    assert np.nanstd(trial.outcome[~inside]) == pytest.approx(1.0, abs=0.05)
    assert len(literals.feature_names) == 6
    counts = np.bincount(literals.feature)
    assert counts.tolist() == [6, 8, 6, 8, 6, 8]  # 3 cuts, or between 5 levels; both directions


def test_blocks_and_schedulers_change_nothing():
    expected = power_block(Scenario(**SMALL), SEARCH, (0, 11), seed=3)
    parts = [power_block(Scenario(**SMALL), SEARCH, block, seed=3) for block in [(0, 4), (5, 11)]]
    joined = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(joined, expected, check_exact=True)
    tables = []
    for scheduler in ("synchronous", "threads"):
        with dask.config.set(scheduler=scheduler):
            tables.append(power(SEARCH, simulations=30, effect=1.5, **SMALL))
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_the_critical_value_gives_the_level():
    studies = power_block(Scenario(**SMALL), SEARCH, (0, 38), seed=3)
    row = summarise_power(Scenario(**SMALL), [studies[20:], studies[:20]], 0.05)
    null = np.sort(studies["value_null"])
    assert row["critical_value"] == null[-2]  # p = 2 / 40 just above it
    assert row["power"] == (studies["value"] > null[-2]).mean()
    few = summarise_power(Scenario(**SMALL), [studies[:10]], 0.05)
    assert (few["critical_value"], few["power"]) == (np.inf, 0.0)


def test_all_combinations():
    scenarios = build_scenarios(participants=[30, 60], effect=1.0, design=["pooled", "crossover"])
    assert [(s.participants, s.design) for s in scenarios] == [
        (30, "pooled"), (30, "crossover"), (60, "pooled"), (60, "crossover"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"desing": "pooled"}, "unknown setting of power, found 'desing'; did you mean 'design'"),
        ({"design": "cross"}, "unknown design, found 'cross'; did you mean 'crossover'"),
        ({"prevalence": 1.5}, "prevalence must lie between 0 and 1, found 1.5"),
        ({"correlation": -0.5}, "must be at least 0 and below 1, found -0.5"),
        ({"participants": 3}, "participants: a simulated study needs 4 .*, found 3"),
        ({"features": 2}, "literals: the true persona needs 1 to 4 of the features, found 3"),
    ],
)
def test_messages(choice, message):
    with pytest.raises(InputError, match=message):
        build_scenarios(**choice)
