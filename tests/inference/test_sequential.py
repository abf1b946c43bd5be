"""Stopping early never changes a word."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ketadask.inference.interim import is_verdict_final
from ketadask.inference.verdicts import verdict_labels


@given(seed=st.integers(0, 2**32 - 1), planned=st.integers(19, 199), chance=st.floats(0, 1))
def test_a_settled_word_is_the_final_word(seed, planned, chance):
    reached = np.random.default_rng(seed).random(planned) < chance
    final = verdict_labels(np.array([(reached.sum() + 1) / (planned + 1)]))
    for done in range(1, planned + 1):
        p = np.array([(reached[:done].sum() + 1) / (done + 1)])
        if is_verdict_final(p, done, planned)[0]:
            assert verdict_labels(p) == final
    assert is_verdict_final(np.array([(reached.sum() + 1) / (planned + 1)]), planned, planned).all()


def test_noise_settles_early_and_borderline_late():
    assert is_verdict_final(np.array([150 / 200]), 199, 999).tolist() == [False]
    assert is_verdict_final(np.array([210 / 300]), 299, 999).tolist() == [
        True
    ]  # 210 of 999 is noise
    assert is_verdict_final(np.array([1 / 960]), 959, 999).tolist() == [True]
    assert is_verdict_final(np.array([1 / 900]), 899, 999).tolist() == [False]
