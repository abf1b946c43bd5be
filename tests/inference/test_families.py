"""Families: overlapping personas and equal feature sets are one finding."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ketadask.inference.families import families, persona_name

FAVOURABLE = "favourable"


def jaccard(a, b):
    return (a & b).sum() / max((a | b).sum(), 1)


@given(seed=st.integers(0, 2**32 - 1), threshold=st.sampled_from([0.5, 0.8, 1.0]))
@settings(max_examples=60, deadline=None)
def test_members_resemble_their_representative_and_representatives_differ(seed, threshold):
    rng = np.random.default_rng(seed)
    base = rng.random((3, 20)) < 0.5
    cover = base[rng.integers(0, 3, 12)] ^ (rng.random((12, 20)) < 0.05)
    sets = [frozenset(rng.integers(0, 6, 2).tolist()) for _ in range(12)]
    polarity = rng.choice([FAVOURABLE, "unfavourable"], 12)
    leader = families(cover, sets, polarity, jaccard=threshold)

    def alike(i, j):
        if polarity[i] != polarity[j]:
            sides = jaccard(cover[i], ~cover[j]), jaccard(~cover[i], cover[j])
            return min(sides) >= threshold
        return jaccard(cover[i], cover[j]) >= threshold or sets[i] == sets[j]

    founders = sorted(set(leader.tolist()))
    assert all(leader[j] == j for j in founders)
    assert all(i == leader[i] or alike(i, leader[i]) for i in range(12))
    assert not any(alike(i, j) for i in founders for j in founders if i < j)
    for i in range(12):  # the best that resembles it, not just any
        assert leader[i] == next(j for j in founders if j == i or alike(i, j))


def test_who_benefits_more_and_the_others_benefit_less_are_one_finding():
    cover = np.array([[1] * 10 + [0] * 10, [0] * 10 + [1] * 10, [1] * 10 + [0] * 10], bool)
    sets = [frozenset({0})] * 3
    polarity = [FAVOURABLE, "unfavourable", "unfavourable"]
    assert families(cover[:2], sets[:2], polarity[:2]).tolist() == [0, 0]
    assert families(cover[[0, 2]], sets[:2], polarity[:2]).tolist() == [0, 1]


def test_no_chain_joins_strangers():
    cover = np.array([[1] * 8 + [0] * 4, [0] * 1 + [1] * 8 + [0] * 3, [0] * 2 + [1] * 8 + [0] * 2])
    sets = [frozenset({k}) for k in range(3)]
    assert families(cover.astype(bool), sets, [FAVOURABLE] * 3, jaccard=0.75).tolist() == [0, 0, 2]


def test_empty_covers_are_not_divided_by_zero():
    cover = np.zeros((2, 4), bool)
    assert families(cover, [frozenset({0}), frozenset({1})], [FAVOURABLE] * 2).tolist() == [0, 1]


def test_what_adds_nothing_joins_whom_it_overlaps_with_most():
    cover = np.array([[1] * 4 + [0] * 8, [0] * 6 + [1] * 6, [0] * 3 + [1] * 6 + [0] * 3], bool)
    sets = [frozenset({k}) for k in range(3)]
    asked = []

    def adds(founders, i):
        asked.append((list(founders), i))
        return i < 2

    assert families(cover, sets, [FAVOURABLE] * 3, adds=adds).tolist() == [0, 1, 1]
    assert asked == [([0], 1), ([0, 1], 2)]


def test_names_are_stable():
    assert persona_name(["b > 2", "a <= 1"]) == "P1dd1a20c"
    assert persona_name(["a <= 1", "b > 2"]) != persona_name(["a <= 1"])
    assert len(persona_name(["a <= 1"])) == 9
