"""The second stage: the best personas of a search, ranked by a studentised contrast."""

from dataclasses import replace

import numpy as np
import pytest

from ketadask.cohort.relabel import relabel
from ketadask.inference.second_stage import SEARCH_Q, persona_contrast, persona_sides, strongest
from ketadask.kernels.contrast import contrast
from ketadask.search.encoding import encode_values
from ketadask.search.persona_search import PersonaSearch
from tests.inference.small_problems import BruteSearch, make_problem


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
def test_the_candidates_are_the_largest_q_of_both_polarities(design):
    problem, search = make_problem(design, n=40, planted=1.0), BruteSearch(keep=100)
    every = np.concatenate([search.solve(problem, polarity=p).q for p in search.polarities])
    result = strongest(problem, search, candidates=7)
    assert sorted(result.q, reverse=True) == sorted(every, reverse=True)[:7]
    assert (np.diff(result.t[~np.isnan(result.t)]) <= 0).all()
    inside = problem.literals.conjunction(result.ids)
    t = contrast(inside, problem.trial.score, cluster=problem.trial.participant).t
    sign = np.where(result.polarity == "unfavourable", -1, 1)
    assert result.t.tolist() == (t * sign).tolist()
    assert result.largest() == np.nanmax(result.t)


def test_by_q_the_order_is_that_of_the_search():
    problem, search = make_problem(n=40), BruteSearch(keep=100)
    result = strongest(problem, search, statistic=SEARCH_Q)
    assert (np.diff(result.q) <= 0).all()
    assert result.largest(SEARCH_Q) == result.q[0]
    assert set(map(tuple, result.ids)) == set(map(tuple, strongest(problem, search).ids))


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
def test_a_relabelled_trial_is_that_of_permuted_covers(design):
    problem, search = make_problem(design, n=40), PersonaSearch(2, keep=30, min_support=6)
    rows, _ = relabel(problem.trial, seed=3, index=5)
    result = strongest(problem, search, rows=rows)
    inside = problem.literals.conjunction(result.ids)[:, rows]
    t = contrast(inside, problem.trial.score, cluster=problem.trial.participant).t
    sign = np.where(result.polarity == "unfavourable", -1, 1)
    assert result.t == pytest.approx(t * sign)


def test_missing_features_move_with_the_features_and_clusters_with_the_scores():
    problem = make_problem("parallel", n=40)
    rng = np.random.default_rng(0)
    value = np.where(rng.random((40, 2)) < 0.2, np.nan, rng.normal(size=(40, 2)))
    trial = replace(problem.trial, cluster=np.arange(40) // 2)
    problem = replace(problem, literals=encode_values(value), trial=trial)
    rows, search = rng.permutation(40), PersonaSearch(2, keep=9, min_support=5)
    moved = replace(problem, literals=problem.literals.reorder(rows))
    one, other = strongest(problem, search, rows=rows), strongest(moved, search)
    assert problem.literals.unknown_mask(one.ids).any()
    assert one.ids.tolist() == other.ids.tolist()
    assert one.t == pytest.approx(other.t, rel=1e-9, nan_ok=True)
    single = strongest(replace(moved, trial=replace(trial, cluster=np.arange(40))), search)
    assert not np.allclose(np.sort(single.t), np.sort(one.t), equal_nan=True)


def test_results_that_are_there_are_used():
    problem, search = make_problem(n=40), PersonaSearch(2, keep=30, min_support=6)
    results = {p: search.solve(problem, polarity=p) for p in search.polarities}
    one = strongest(problem, search)
    other = strongest(problem, search, result_by_polarity=results)
    assert (one.ids == other.ids).all()
    assert (one.t == other.t).all()


def test_a_trial_without_admissible_persona_has_none():
    problem, search = make_problem(n=20), BruteSearch(min_support=30)
    result = strongest(problem, search)
    assert len(result) == 0
    assert result.largest() == -np.inf


def test_the_contrast_of_effect_compares_with_zero():
    problem, search = make_problem(n=30), BruteSearch(objective="effect")
    result = persona_contrast(problem, search, np.array([[0, -1, -1, -1]]))
    inside = problem.literals.holds[0]
    assert result.difference[0] == pytest.approx(problem.trial.score[inside].mean())


def test_units_with_a_missing_feature_are_neither_inside_nor_outside():
    problem = make_problem(n=40)
    rng = np.random.default_rng(0)
    value = np.where(rng.random((40, 2)) < 0.2, np.nan, rng.normal(size=(40, 2)))
    problem = replace(problem, literals=encode_values(value))
    ids = strongest(problem, PersonaSearch(2, keep=9, min_support=5)).ids
    inside, outside = persona_sides(problem, ids)
    unknown = problem.literals.unknown_mask(ids)
    assert unknown.any()
    assert (inside.astype(int) + outside + unknown == 1).all()
    options = {"moderation": 0, "min_outside": 2}
    for k, drop in enumerate(unknown):
        present = contrast(inside[k : k + 1, ~drop], problem.trial.score[~drop], **options)
        every = contrast(
            inside[k : k + 1], problem.trial.score, outside=outside[k : k + 1], **options
        )
        assert every.t == pytest.approx(present.t)
