"""Interim analyses: the recurrence of the verdicts, its precision, and final verdicts."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketadask.cohort.splits import HoldoutSplit
from ketadask.inference.evaluation import PersonaSet, evaluate_block
from ketadask.inference.interim import Convergence, interim_counts, is_verdict_final
from ketadask.inference.second_stage import persona_contrast
from ketadask.inference.stability import passes_gate, summarise_personas
from ketadask.inference.verdicts import verdict_labels
from ketadask.search.block import search_block
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.thresholds import GateThresholds
from tests.inference.small_problems import make_problem, solve_all

SEARCH, GATES = PersonaSearch(1, cuts=1, keep=1, min_support=4), GateThresholds()


def test_recurrence_is_that_of_the_verdicts_for_any_blocks():
    problem, splitter = make_problem(n=60, planted=2.0), HoldoutSplit(60, seed=2)
    searches = search_block(problem, SEARCH, splitter, 0, 59, gates=GATES)[0]["searches"]
    results = solve_all(problem, PersonaSearch(1, cuts=1, keep=9, min_support=4))
    counts = []
    for blocks in ([(0, 59)], [(40, 59), (0, 7), (8, 39)]):
        convergence = Convergence.of_best(
            results, problem, SEARCH, splitter, GATES, "heterogeneity"
        )
        for block in blocks:
            convergence.add(searches, block)
        assert convergence.splits == 60
        counts.append(convergence.hits)
    personas = convergence.personas
    for polarity, ids in zip(personas.polarity, personas.ids, strict=True):
        ranked = results[polarity].ids[: SEARCH.keep]
        t = persona_contrast(problem, SEARCH, ranked).t * (1 if polarity == "favourable" else -1)
        assert ids.tolist() == ranked[np.nanargmax(t)].tolist()
    rows = evaluate_block(
        problem, personas, splitter, searches, (0, 59), search=SEARCH, gates=GATES
    )
    table = summarise_personas(
        rows, personas, gate="heterogeneity", split_hits=pd.Series(dtype=int)
    )
    np.testing.assert_array_equal(counts[0], table["hits"])
    np.testing.assert_array_equal(counts[0], counts[1])
    assert counts[0].max() > 20
    # Passing the gate is not enough: another persona was the best of its split.
    gate = passes_gate(rows, "train", "heterogeneity").reshape(60, -1).sum(axis=0)
    assert (counts[0] < gate).any()


def test_splits_converge_when_the_interval_is_narrow_and_not_before():
    personas = PersonaSet(
        np.zeros((2, 4), dtype=np.int32), np.array(["favourable", "unfavourable"])
    )
    convergence = Convergence(None, None, None, None, "published", personas)
    assert convergence.half_width == np.inf
    convergence.splits, convergence.hits = 100, np.array([99, 30])
    assert convergence.widest_interval[0] == 0.3
    total = 100 + convergence.further_splits(0.03)
    for splits, expected in ((total, True), (total - 1, False)):
        convergence.splits, convergence.hits = splits, np.array([splits, 0.3 * splits])
        assert convergence.is_precise(0.03) == expected
    for splits, text in ((4000, "converged to ±3 percentage points"), (50, "optional: ")):
        convergence.splits, convergence.hits = splits, np.array([splits, splits // 2])
        assert text in convergence.line()


def test_splits_without_personas_have_converged():
    none = PersonaSet(np.zeros((0, 4), dtype=np.int32), np.array([], dtype=str))
    convergence = Convergence(None, None, None, None, "published", none)
    convergence.add(None, (0, 9))
    assert convergence.is_precise()
    assert "no persona is admissible" in convergence.line()


def test_interim_counts_double_and_end_with_all():
    assert interim_counts(100) == [100]
    assert interim_counts(801) == [100, 200, 400, 800, 801]


@given(seed=st.integers(0, 2**32 - 1), total=st.integers(19, 199), chance=st.floats(0, 1))
def test_a_final_verdict_is_that_of_all_relabellings(seed, total, chance):
    exceeds = np.random.default_rng(seed).random(total) < chance
    all_p = np.array([(exceeds.sum() + 1) / (total + 1)])
    for count in range(1, total + 1):
        p = np.array([(exceeds[:count].sum() + 1) / (count + 1)])
        if is_verdict_final(p, count, total)[0]:
            assert verdict_labels(p) == verdict_labels(all_p)
    assert is_verdict_final(all_p, total, total).all()


@pytest.mark.parametrize(
    ("p", "count", "final"),
    [
        (150 / 200, 199, False),
        (210 / 300, 299, True),  # 210 of 999 is noise
        (1 / 960, 959, True),
        (1 / 900, 899, False),
    ],
)
def test_noise_is_final_early_and_borderline_late(p, count, final):
    assert is_verdict_final(np.array([p]), count, 999).tolist() == [final]
