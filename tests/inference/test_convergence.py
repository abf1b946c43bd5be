"""Convergence: the recurrence that the verdicts will show, and when it is known well enough."""

import numpy as np
import pytest

from ketadask.cohort.splits import HoldoutSplit
from ketadask.inference.evaluation import PersonaSet, evaluate_block
from ketadask.inference.interim import Convergence, interim_counts
from ketadask.inference.stability import passes, summarise
from ketadask.search.block import search_block
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.thresholds import GateThresholds
from tests.inference.small_problems import make_problem

SEARCH, GATES = PersonaSearch(1, cuts=1, keep=1, min_support=4), GateThresholds()


@pytest.fixture(scope="module")
def searched():
    problem = make_problem(n=60, planted=2.0)
    splitter = HoldoutSplit(60, seed=2)
    tables, _ = search_block(problem, SEARCH, splitter, 0, 59, gates=GATES)
    return problem, splitter, tables["searches"]


def followed(searched, *ranges):
    problem, splitter, searches = searched
    found = {p: PersonaSearch(1, cuts=1, keep=9, min_support=4).solve(problem, polarity=p)
             for p in SEARCH.polarities}  # fmt: skip
    made = Convergence.of_best(found, problem, SEARCH, splitter, GATES, "heterogeneity")
    assert made.personas.ids.tolist() == [each.ids[0].tolist() for each in found.values()]
    for numbers in ranges:
        made.add(searches, numbers)
    return made


def test_recurrence_is_that_of_the_verdicts_whatever_the_blocks(searched):
    problem, splitter, searches = searched
    whole, some = followed(searched, (0, 59)), followed(searched, (40, 59), (0, 7), (8, 39))
    rows = evaluate_block(
        problem, whole.personas, splitter, searches, (0, 59), search=SEARCH, gates=GATES
    )
    table = summarise(rows, whole.personas, use="heterogeneity")
    np.testing.assert_array_equal(whole.hits, table["hits"])
    np.testing.assert_array_equal(whole.hits, some.hits)
    assert whole.splits == some.splits == 60
    assert whole.hits.max() > 20
    # To pass the gate is not enough: another was the best of its split.
    gate = passes(rows, "train", "heterogeneity").reshape(60, -1).sum(axis=0)
    assert (whole.hits < gate).any()


def test_it_is_settled_when_the_interval_is_narrow_and_not_before():
    personas = PersonaSet(
        np.zeros((2, 4), dtype=np.int32), np.array(["favourable", "unfavourable"])
    )
    made = Convergence(None, None, None, None, "published", personas)
    assert made.reach == np.inf
    made.splits, made.hits = 100, np.array([99, 30])
    assert made.widest[0] == 0.3
    more = made.more(0.03)
    for splits, settled in ((100 + more, True), (99 + more, False)):
        made.splits, made.hits = splits, np.array([splits, 0.3 * splits])
        assert made.settled(0.03) == settled
    assert "settled to within 3%" in line_at(made, 4000)
    assert "more settle it to within 3%; no verdict waits for them" in line_at(made, 50)


def line_at(made, splits):
    made.splits, made.hits = splits, np.array([splits, splits // 2])
    return made.line()


def test_without_personas_there_is_nothing_to_wait_for():
    none = PersonaSet(np.zeros((0, 4), dtype=np.int32), np.array([], dtype=str))
    made = Convergence(None, None, None, None, "published", none)
    made.add(None, (0, 9))
    assert made.settled()
    assert "no persona is admissible" in made.line()


def test_looks_double_and_end_with_all():
    assert interim_counts(100) == [100]
    assert interim_counts(801) == [100, 200, 400, 800, 801]
