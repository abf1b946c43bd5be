"""kd.top_personas on arrays and tables."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

import ketadask as kd
from ketadask.kernels.brute_force import brute_force
from ketadask.kernels.exact import search_literals
from ketadask.kernels.settings import LiteralSettings
from ketadask.search.array_search import best_of_length
from ketadask.search.encoding import encode_values
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.settings import PersonaSettings
from tests.kernels.test_exact import as_list, problems


def planted(units=80, features=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(units, features))
    score = 3.0 * ((X[:, 1] > 0) & (X[:, -2] <= 0.2)) + rng.normal(size=units)
    return X, score


def test_finds_the_planted_persona_and_says_so_in_words():
    X, score = planted()
    table = pd.DataFrame(X, columns=[f"volume_{i}" for i in range(6)])
    best = kd.top_personas(table, score, max_literals=3, keep=5)
    assert set(best.features[0]) >= {"volume_1", "volume_4"}
    assert best.persona[0].count(" and ") == best.n_literals[0] - 1
    assert best["rank"].tolist() == [1, 2, 3, 4, 5]
    assert best.q.is_monotonic_decreasing
    assert best.attrs["proven"]
    assert best.attrs["gap"] == 0
    assert 0 < best.attrs["saturation"] <= 1
    assert best.attrs["candidates"] == encode_values(X).candidates(3)


def test_columns_say_what_brute_force_says():
    X, score = planted(units=30, features=4, seed=1)
    literals = encode_values(X, LiteralSettings(cuts=2))
    wanted = brute_force(
        literals.holds, score, literals.feature,
        max_literals=2, min_support=5, keep=4, objective="heterogeneity",
    )  # fmt: skip
    best = kd.top_personas(X, score, max_literals=2, min_support=5, keep=4, cuts=2)
    for row, (q, ids) in zip(best.itertuples(), wanted, strict=True):
        inside = literals.holds[list(ids)].all(axis=0)
        assert row.q == q
        assert row.support == inside.sum()
        assert row.mean_inside == pytest.approx(score[inside].mean())
        assert row.mean_outside == pytest.approx(score[~inside].mean())
        assert row.persona == literals.sentence(ids)
        for name, (low, high) in zip(row.features, row.cuts, strict=True):
            column = X[:, int(name[1:])]
            inside &= (column > low) & (column <= high)
        assert inside.sum() == row.support


def test_equivalents_are_counted_exactly():
    rng = np.random.default_rng(2)
    X = rng.integers(0, 3, (12, 4)).astype(float)
    score = rng.normal(size=12)
    literals = encode_values(X)
    best = kd.top_personas(X, score, max_literals=3, min_support=2, keep=6, equivalents=True)
    assert "equivalents" not in kd.top_personas(X, score)
    for row in best.itertuples():
        cover = np.ones(12, dtype=bool)
        for name, (low, high) in zip(row.features, row.cuts, strict=True):
            column = X[:, int(name[1:])]
            cover &= (column > low) & (column <= high)
        same = 0
        for size in (1, 2, 3):
            for ids in combinations(range(len(literals)), size):
                if len(set(literals.feature[list(ids)])) == size:
                    same += (literals.holds[list(ids)].all(axis=0) == cover).all()
        assert row.equivalents == same - 1


def test_unfavourable_is_favourable_of_the_opposite_score():
    X, score = planted(seed=3)
    one = kd.top_personas(X, score, polarity="unfavourable", keep=10)
    two = kd.top_personas(X, -score, keep=10)
    assert one.persona.tolist() == two.persona.tolist()
    assert one.q.tolist() == two.q.tolist()


def test_families_are_spanned_inside_the_search():
    X, score = planted(seed=4)
    families = ["a", "a", "a", "b", "a", "b"]
    best = kd.top_personas(X, score, modalities=families, min_modalities=2, keep=20)
    assert len(best) == 20
    for features in best.features:
        assert {families[int(name[1:])] for name in features} == {"a", "b"}


def test_a_column_of_all_missing_values_changes_nothing():
    X, score = planted(seed=5)
    wider = np.column_stack([X, np.full(len(X), np.nan)])
    assert (
        kd.top_personas(wider, score).persona.tolist() == kd.top_personas(X, score).persona.tolist()
    )


def test_nothing_but_missing_values_gives_an_empty_table():
    best = kd.top_personas(np.full((20, 3), np.nan), np.arange(20.0))
    assert len(best) == 0
    assert best.attrs["proven"]


def test_more_than_64_ordinal_levels():
    rng = np.random.default_rng(6)
    X = rng.integers(0, 100, (300, 3)).astype(float)
    cut_points = {"x0": list(range(100))}
    best = kd.top_personas(X, rng.normal(size=300), cut_points=cut_points, max_literals=1, keep=3)
    literals = encode_values(X, LiteralSettings(cut_points=cut_points))
    assert (literals.feature == 0).sum() > 128
    assert best.attrs["candidates"] == len(literals)


@pytest.mark.parametrize(
    ("X", "score", "words"),
    [
        (np.ones((4, 2)), np.ones(3), "one score per row"),
        (np.ones(4), np.ones(4), "two dimensions"),
        (np.array([["a", "b"], ["c", "d"]]), np.ones(2), "features must be numbers"),
        (np.ones((4, 2)), np.array([1, 2, np.nan, 3]), "score of unit 2 is nan"),
        (np.ones((4, 2)), np.ones(4), "equal"),
    ],
)
def test_errors_name_what_is_wrong(X, score, words):
    with pytest.raises(ValueError, match=words):
        kd.top_personas(X, score)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(problems())
def test_personas_of_at_least_m_literals_are_those_of_brute_force(problem):
    literals, score, arm, limits, distinct = problem
    if np.ptp(score) == 0:
        return
    everything = brute_force(
        literals.holds, score, literals.feature, by_features=distinct == "features", arm=arm,
        modality=literals.modality, **(limits | {"keep": 10**6}),
    )  # fmt: skip
    for least in range(1, limits["max_literals"] + 1):
        options = PersonaSettings(min_literals=least, distinct=distinct, **limits)

        def search(options=options, **changes):
            return search_literals(
                literals.holds, score, literals.feature, arm=arm, modality=literals.modality,
                distinct=distinct, **(limits | changes),
            )  # fmt: skip

        long = [(q, ids) for q, ids in everything if len(ids) >= least][: limits["keep"]]
        assert as_list(best_of_length(search, options, limits["keep"])) == long


def test_min_literals_acts_in_the_list_and_in_the_estimator():
    X, score = planted(units=40, features=4, seed=3)
    score += 4.0 * (X[:, 0] > 0)  # so strong that many of the best personas are single literals
    options = {"max_literals": 3, "keep": 10, "cuts": 4}
    lengths = kd.top_personas(X, score, **options).n_literals
    assert (lengths == 1).any()
    for least in (2, 3):
        best = kd.top_personas(X, score, min_literals=least, **options)
        assert best.n_literals.min() == least
        assert len(best) == 10
        literals = encode_values(X, LiteralSettings(cuts=4))
        assert best.attrs["candidates"] == literals.candidates(3) - literals.candidates(least - 1)
        search = PersonaSearch(min_literals=least, polarity="favourable", **options)
        assert search.fit(X, score).personas_["persona"].tolist() == best.persona.tolist()
    with pytest.raises(kd.InputError, match=r"search\.min_literals.*is above max_literals 2"):
        kd.top_personas(X, score, min_literals=3, max_literals=2)


def test_an_ended_search_lists_the_long_personas_it_has():
    X, score = planted(units=60, features=20, seed=4)
    best = kd.top_personas(X, score, min_literals=3, max_literals=3, max_nodes=1, keep=100)
    assert not best.attrs["proven"]
    assert (best.n_literals == 3).all()
