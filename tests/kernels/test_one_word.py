"""The search of one-word covers finds what the general branch and bound finds, to the last bit."""

import numpy as np
import pytest

from ketadask.kernels import exact
from ketadask.kernels.exact import search_literals
from ketadask.kernels.one_word import fits_one_word, support_spans
from ketadask.kernels.state import SearchLimits
from tests.kernels.random_trials import random_trial, searches_by


def random_trials(seeds):
    for seed in seeds:
        rng = np.random.default_rng(seed)
        units = int(rng.choice([rng.integers(10, 64), 31, 63, 64]))
        yield random_trial(seed, units, "codmb", rng.integers(3, 25), max_literals=4)


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_equals_the_general_search(first):
    assert searches_by("words", random_trials(range(first, first + 20))) > 10


@pytest.mark.parametrize("seed", [2, 3])
def test_the_q_to_reach_may_be_barely_above_zero(seed, monkeypatch):
    """Whole-number scores: rounding of the mean leaves sums of 1e-14 where they should be 0."""
    rng = np.random.default_rng(seed)
    units = int(rng.integers(20, 64))
    values = rng.integers(0, 3, (9, units))
    holds = np.concatenate([np.stack([x <= 0, x <= 1, x >= 1, x >= 2]) for x in values])
    score = rng.integers(0, 4, units).astype(float)

    def search(**options):
        return search_literals(holds, score, np.arange(36) // 4, min_support=3, **options)

    start = search(keep=9000, strategy="beam", beam_width=32).q
    keep = int(np.flatnonzero((start > 0) & (start < 1e-9))[0]) + 1
    fast = search(keep=keep)
    monkeypatch.setattr(exact, "fits_one_word", lambda limits: False)
    general = search(keep=keep)
    assert fast.q[-1] > start[keep - 1]
    assert np.array_equal(fast.q, general.q)
    assert np.array_equal(fast.ids, general.ids)


def test_which_searches_it_takes():
    def limits(units, max_literals=3, min_support=8):
        return SearchLimits(max_literals, min_support, 0, 1, False, units)

    assert not fits_one_word(limits(65))
    assert not fits_one_word(limits(64, max_literals=2))
    assert not fits_one_word(limits(9))  # personas of one support only


@pytest.mark.parametrize(("units", "min_support"), [(3, 1), (20, 18), (63, 13), (64, 2)])
def test_spans_cover_every_support_of_a_persona(units, min_support):
    edges = support_spans(units, min_support)
    assert edges[0] == min_support
    assert edges[-1] == units - 1
    assert (np.diff(edges) > 0).all()
