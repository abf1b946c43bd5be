"""Families: overlapping personas and equal feature sets are one finding."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ketadask.inference.families import family_leaders, jaccard_index, persona_name

FAVOURABLE = "favourable"


@given(seed=st.integers(0, 2**32 - 1), threshold=st.sampled_from([0.5, 0.8, 1.0]))
@settings(max_examples=60, deadline=None)
def test_members_resemble_their_leader_and_leaders_differ(seed, threshold):
    rng = np.random.default_rng(seed)
    base = rng.random((3, 20)) < 0.5
    cover = base[rng.integers(0, 3, 12)] ^ (rng.random((12, 20)) < 0.05)
    sets = [frozenset(rng.integers(0, 6, 2).tolist()) for _ in range(12)]
    polarity = rng.choice([FAVOURABLE, "unfavourable"], 12)
    leader = family_leaders(cover, sets, polarity, jaccard=threshold)

    def similar(i, j):
        if polarity[i] != polarity[j]:
            sides = jaccard_index(cover[i], ~cover[j]), jaccard_index(~cover[i], cover[j])
            return min(sides) >= threshold
        return jaccard_index(cover[i], cover[j]) >= threshold or sets[i] == sets[j]

    leaders = sorted(set(leader.tolist()))
    assert all(leader[j] == j for j in leaders)
    assert not any(similar(i, j) for i in leaders for j in leaders if i < j)
    for i in range(12):  # the best leader that resembles it, not just any
        assert leader[i] == next(j for j in leaders if j == i or similar(i, j))


def test_a_persona_and_its_complement_of_opposite_polarity_are_one_finding():
    cover = np.array([[1] * 10 + [0] * 10, [0] * 10 + [1] * 10, [1] * 10 + [0] * 10], bool)
    sets = [frozenset({0})] * 3
    polarity = [FAVOURABLE, "unfavourable", "unfavourable"]
    assert family_leaders(cover[:2], sets[:2], polarity[:2]).tolist() == [0, 0]
    assert family_leaders(cover[[0, 2]], sets[:2], polarity[:2]).tolist() == [0, 1]


def test_no_chain_joins_dissimilar_personas():
    cover = np.array([[1] * 8 + [0] * 4, [0] * 1 + [1] * 8 + [0] * 3, [0] * 2 + [1] * 8 + [0] * 2])
    sets = [frozenset({k}) for k in range(3)]
    leader = family_leaders(cover.astype(bool), sets, [FAVOURABLE] * 3, jaccard=0.75)
    assert leader.tolist() == [0, 0, 2]


def test_empty_covers_have_a_jaccard_index_of_zero():
    cover, sets = np.zeros((2, 4), bool), [frozenset({0}), frozenset({1})]
    assert family_leaders(cover, sets, [FAVOURABLE] * 2).tolist() == [0, 1]


def test_a_persona_that_adds_nothing_joins_the_most_similar_leader():
    cover = np.array([[1] * 4 + [0] * 8, [0] * 6 + [1] * 6, [0] * 3 + [1] * 6 + [0] * 3], bool)
    sets = [frozenset({k}) for k in range(3)]
    calls = []

    def adds(leaders, i):
        calls.append((list(leaders), i))
        return i < 2

    assert family_leaders(cover, sets, [FAVOURABLE] * 3, adds=adds).tolist() == [0, 1, 1]
    assert calls == [([0], 1), ([0, 1], 2)]


def test_names_are_stable():
    assert persona_name(["b > 2", "a <= 1"]) == "P1dd1a20c"
    assert persona_name(["a <= 1", "b > 2"]) != persona_name(["a <= 1"])
    assert len(persona_name(["a <= 1"])) == 9
