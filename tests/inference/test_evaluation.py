"""Chosen personas on every split, against the search and the gates asked one by one."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ketadask.cohort.splits import HoldoutSplit
from ketadask.inference.evaluation import PersonaSet, evaluate_block
from ketadask.kernels.blocks import PackedRows
from ketadask.kernels.gates import gates as compare
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.thresholds import GateThresholds
from tests.inference.small_problems import BruteSearch, make_problem


def searches_of(problem, search, splitter, n):
    trial, rows, lists = problem.trial, [], {}
    for i in range(n):
        train = splitter.mask(i, trial.participant, trial.split_stratum, trial.trial)
        for polarity in search.polarities:
            found = search.solve(problem, polarity=polarity, train=train)
            last = found.q[-1] if len(found.q) == search.keep else -np.inf
            rows.append((i, polarity, last))
            lists[i, polarity] = found
    return pd.DataFrame(rows, columns=["split", "polarity", "q_last"]), lists


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
@pytest.mark.parametrize("keep", [3, 500])
@pytest.mark.parametrize("exact", [False, True])
def test_kept_means_found_by_the_search_of_that_split(design, keep, exact):
    problem = make_problem(design, n=26, features=3, seed=4, planted=2.0)
    splitter, every = HoldoutSplit(6, seed=1), BruteSearch().all_candidates(problem)
    search = PersonaSearch(2, min_support=4, min_per_arm=1, keep=keep)
    search = search if exact else BruteSearch(keep=keep)
    searches, lists = searches_of(problem, search, splitter, 6)
    personas = PersonaSet(
        np.vstack([every, every]), np.repeat(["favourable", "unfavourable"], len(every))
    )
    table = evaluate_block(
        problem, personas, splitter, searches, (0, 5), search=search, gates=GateThresholds()
    )
    covers = problem.literals.conjunction(every)
    trial = problem.trial
    for i in range(6):
        train = splitter.mask(i, trial.participant, trial.split_stratum)
        for polarity in search.polarities:
            found = lists[i, polarity]
            known = {c.tobytes() for c in problem.literals.conjunction(found.ids)[:, train]}
            mine = table[(table["split"] == i) & (personas.polarity[table["persona"]] == polarity)]
            held = {c.tobytes() for c in covers[mine["kept"]][:, train]}
            if keep == 500:
                assert held == known
            else:  # covers whose Q ties with the last one count too
                assert known <= held
                assert mine["q"][mine["kept"]].min() >= found.q[-1]
            by_name = dict(zip(map(tuple, every), mine["q"], strict=True))
            assert [by_name[tuple(row)] for row in found.ids] == found.q.tolist()


@pytest.mark.parametrize("design", ["crossover", "pooled"])
def test_gates_are_those_of_the_two_sides(design):
    problem = make_problem(design, n=30, features=3, seed=2, planted=3.0)
    search, splitter = BruteSearch(), HoldoutSplit(4, seed=3)
    searches, _ = searches_of(problem, search, splitter, 4)
    ids = np.array([[0, -1, -1, -1], [0, 5, -1, -1], [2, 9, -1, -1]])
    personas = PersonaSet(ids, np.array(["favourable", "unfavourable", "favourable"]))
    table = evaluate_block(
        problem, personas, splitter, searches, (1, 3), search=search, gates=GateThresholds()
    )
    assert table["split"].tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert table["persona"].tolist() == [0, 1, 2] * 3
    trial, cover = problem.trial, problem.literals.conjunction(ids)
    for i in (1, 2, 3):
        rows = table[table["split"] == i]
        train = splitter.mask(i, trial.participant, trial.split_stratum)
        for side, units in (("train", train), ("holdout", ~train)):
            made = compare(
                cover[:, units], trial.outcome[units], trial.participant[units], trial.paired
            )
            assert rows[f"p_{side}"].tolist() == made["p"].tolist()
            assert rows[f"d_{side}"].tolist() == made["d"].tolist()
            assert rows[f"interaction_p_{side}"].tolist() == made["interaction_p"].tolist()
            assert rows[f"support_{side}"].tolist() == cover[:, units].sum(axis=1).tolist()
            assert set(rows[f"n_{side}"]) == {units.sum()}
            sign = np.array([1, -1, 1])
            published = (made["p"] < 0.05) & (sign * made["d"] > 0.5)
            assert rows[f"published_{side}"].tolist() == published.tolist()
            more = (made["interaction_p"] < 0.05) & (sign * made["interaction"] > 0)
            assert rows[f"heterogeneity_{side}"].tolist() == more.tolist()


def test_blocks_change_nothing():
    problem, search, splitter = make_problem(), BruteSearch(), HoldoutSplit(9, seed=3)
    searches, _ = searches_of(problem, search, splitter, 9)
    personas = PersonaSet.of({p: search.solve(problem, polarity=p) for p in search.polarities})
    given = {"search": search, "gates": GateThresholds()}
    whole = evaluate_block(problem, personas, splitter, searches, (0, 8), **given)
    joined = pd.concat(
        [
            evaluate_block(problem, personas, splitter, searches, each, **given)
            for each in [(0, 0), (1, 5), (6, 8)]
        ],
        ignore_index=True,
    )
    pd.testing.assert_frame_equal(whole, joined, check_exact=True)


def test_a_persona_that_holds_all_of_train_is_not_kept():
    """The search never names it, however short its list; its arms may well differ."""
    problem, splitter = make_problem(n=24), HoldoutSplit(1, seed=1)
    trial = problem.trial
    train = splitter.mask(0, trial.participant, trial.split_stratum)
    holds = problem.literals.holds.copy()
    holds[0] = train
    literals = replace(problem.literals, rows=PackedRows.of(holds))
    problem = replace(problem, literals=literals)
    search = PersonaSearch(1, min_support=4, keep=500)
    searches, lists = searches_of(problem, search, splitter, 1)
    assert 0 not in lists[0, "favourable"].ids[:, 0]
    personas = PersonaSet(np.array([[0, -1, -1, -1]]), np.array(["favourable"]))
    table = evaluate_block(
        problem, personas, splitter, searches, (0, 0), search=search, gates=GateThresholds()
    )
    assert table["support_train"].tolist() == table["n_train"].tolist()
    assert table["kept"].tolist() == [False]


def test_a_split_without_a_search_keeps_nobody():
    problem, search, splitter = make_problem(), BruteSearch(), HoldoutSplit(2, seed=3)
    searches, _ = searches_of(problem, search, splitter, 1)
    personas = PersonaSet.of({p: search.solve(problem, polarity=p) for p in search.polarities})
    table = evaluate_block(
        problem, personas, splitter, searches, (0, 1), search=search, gates=GateThresholds()
    )
    assert table["kept"][table["split"] == 0].any()
    assert not table["kept"][table["split"] == 1].any()
