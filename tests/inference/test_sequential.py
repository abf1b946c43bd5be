"""Stopping early never changes a word."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ketadask.inference.sequential import settled
from ketadask.inference.verdicts import words


@given(seed=st.integers(0, 2**32 - 1), planned=st.integers(19, 199), chance=st.floats(0, 1))
def test_a_settled_word_is_the_final_word(seed, planned, chance):
    reached = np.random.default_rng(seed).random(planned) < chance
    final = words(np.array([(reached.sum() + 1) / (planned + 1)]))
    for done in range(1, planned + 1):
        p = np.array([(reached[:done].sum() + 1) / (done + 1)])
        if settled(p, done, planned)[0]:
            assert words(p) == final
    assert settled(np.array([(reached.sum() + 1) / (planned + 1)]), planned, planned).all()


def test_noise_settles_early_and_borderline_late():
    assert settled(np.array([150 / 200]), 199, 999).tolist() == [False]
    assert settled(np.array([210 / 300]), 299, 999).tolist() == [True]  # 210 of 999 is noise
    assert settled(np.array([1 / 960]), 959, 999).tolist() == [True]
    assert settled(np.array([1 / 900]), 899, 999).tolist() == [False]
