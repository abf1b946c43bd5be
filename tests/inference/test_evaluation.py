"""Personas on every split, against the search and the gates of each split."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ketadask.cohort.splits import HoldoutSplit
from ketadask.inference.evaluation import PersonaSet, evaluate_block
from ketadask.kernels.blocks import PackedRows
from ketadask.kernels.gates import gates as gate_statistics
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.thresholds import GateThresholds
from tests.inference.small_problems import BruteSearch, make_problem, persona_set


def search_splits(problem, search, splitter, n):
    trial, rows, results = problem.trial, [], {}
    for split in range(n):
        train = splitter.train_mask(split, trial)
        for polarity in search.polarities:
            result = search.solve(problem, polarity=polarity, train=train)
            last = result.q[-1] if len(result.q) == search.keep else -np.inf
            rows.append((split, polarity, last))
            results[split, polarity] = result
    return pd.DataFrame(rows, columns=["split", "polarity", "q_last"]), results


def evaluate(problem, search, splitter, searches, personas, block):
    return evaluate_block(
        problem, personas, splitter, searches, block, search=search, gates=GateThresholds()
    )


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
@pytest.mark.parametrize("keep", [3, 500])
@pytest.mark.parametrize("exact", [False, True])
def test_kept_personas_are_those_of_the_search_of_the_split(design, keep, exact):
    problem = make_problem(design, n=26, features=3, seed=4, planted=2.0)
    splitter, ids = HoldoutSplit(6, seed=1), BruteSearch().all_candidates(problem)
    search = PersonaSearch(2, min_support=4, min_per_arm=1, keep=keep)
    search = search if exact else BruteSearch(keep=keep)
    searches, results = search_splits(problem, search, splitter, 6)
    polarities = np.repeat(["favourable", "unfavourable"], len(ids))
    personas = PersonaSet(np.vstack([ids, ids]), polarities)
    table = evaluate(problem, search, splitter, searches, personas, (0, 5))
    covers, trial = problem.literals.conjunction(ids), problem.trial
    for (split, polarity), result in results.items():
        train = splitter.mask(split, trial.participant, trial.split_stratum)
        expected = {c.tobytes() for c in problem.literals.conjunction(result.ids)[:, train]}
        mine = table[(table["split"] == split) & (polarities[table["persona"]] == polarity)]
        among_best = {c.tobytes() for c in covers[mine["kept"]][:, train]}
        if keep == 500:
            assert among_best == expected
        else:  # covers whose Q ties with the last one count too
            assert expected <= among_best
            assert mine["q"][mine["kept"]].min() >= result.q[-1]
        q_of = dict(zip(map(tuple, ids), mine["q"], strict=True))
        assert [q_of[tuple(row)] for row in result.ids] == result.q.tolist()


@pytest.mark.parametrize("design", ["crossover", "pooled"])
def test_gates_are_those_of_the_two_sides(design):
    problem = make_problem(design, n=30, features=3, seed=2, planted=3.0)
    search, splitter = BruteSearch(), HoldoutSplit(4, seed=3)
    searches, _ = search_splits(problem, search, splitter, 4)
    ids = np.array([[0, -1, -1, -1], [0, 5, -1, -1], [2, 9, -1, -1]])
    personas = PersonaSet(ids, np.array(["favourable", "unfavourable", "favourable"]))
    table = evaluate(problem, search, splitter, searches, personas, (1, 3))
    assert table["split"].tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert table["persona"].tolist() == [0, 1, 2] * 3
    trial, cover, sign = problem.trial, problem.literals.conjunction(ids), personas.sign
    for split in (1, 2, 3):
        rows = table[table["split"] == split]
        train = splitter.mask(split, trial.participant, trial.split_stratum)
        for side, units in (("train", train), ("holdout", ~train)):
            card = gate_statistics(
                cover[:, units], trial.outcome[units], trial.participant[units], trial.has_pairs
            )
            expected = {
                "p": card["p"],
                "d": card["d"],
                "interaction_p": card["interaction_p"],
                "support": cover[:, units].sum(axis=1),
                "n": np.full(3, units.sum()),
                "published": (card["p"] < 0.05) & (sign * card["d"] > 0.5),
                "heterogeneity": (card["interaction_p"] < 0.05) & (sign * card["interaction"] > 0),
            }
            for name, values in expected.items():
                assert rows[f"{name}_{side}"].tolist() == values.tolist(), name


def test_blocks_change_nothing():
    problem, search, splitter = make_problem(), BruteSearch(), HoldoutSplit(9, seed=3)
    searches, _ = search_splits(problem, search, splitter, 9)
    personas = persona_set(problem, search)
    expected, *parts = (
        evaluate(problem, search, splitter, searches, personas, block)
        for block in [(0, 8), (0, 0), (1, 5), (6, 8)]
    )
    joined = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(expected, joined, check_exact=True)


def test_a_persona_of_all_training_units_is_not_kept():
    """The search never returns it, for any number of personas; its arms may well differ."""
    problem, splitter = make_problem(n=24), HoldoutSplit(1, seed=1)
    holds = problem.literals.holds.copy()
    holds[0] = splitter.mask(0, problem.trial.participant, problem.trial.split_stratum)
    problem = replace(problem, literals=replace(problem.literals, rows=PackedRows.of(holds)))
    search = PersonaSearch(1, min_support=4, keep=500)
    searches, results = search_splits(problem, search, splitter, 1)
    assert 0 not in results[0, "favourable"].ids[:, 0]
    personas = PersonaSet(np.array([[0, -1, -1, -1]]), np.array(["favourable"]))
    table = evaluate(problem, search, splitter, searches, personas, (0, 0))
    assert table["support_train"].tolist() == table["n_train"].tolist()
    assert table["kept"].tolist() == [False]


def test_a_split_without_a_search_keeps_no_persona():
    problem, search, splitter = make_problem(), BruteSearch(), HoldoutSplit(2, seed=3)
    searches, _ = search_splits(problem, search, splitter, 1)
    table = evaluate(problem, search, splitter, searches, persona_set(problem, search), (0, 1))
    assert table["kept"][table["split"] == 0].any()
    assert not table["kept"][table["split"] == 1].any()
