"""Incremental test of a persona, against least squares written out."""

import numpy as np
import pytest

from ketadask.inference.incremental import IncrementalTest
from ketadask.kernels.q_statistic import persona_q


def search_q(cover, score):
    return persona_q(cover, np.ones((1, score.size), bool), score)[0][:, 0]


def make_test(level=0.05, sign=1.0, cover=None):
    rng = np.random.default_rng(0)
    random_cover = rng.random((6, 60)) < 0.4
    score = rng.normal(size=60) + 2.0 * random_cover[0]
    maxima = np.sort(rng.normal(3.0, 0.5, 99))
    cover = random_cover if cover is None else cover
    level = np.full(6, level) if np.isscalar(level) else np.array(level)
    return IncrementalTest(cover, sign * np.ones(6), sign * score, maxima[None], level, search_q)


def test_p_is_that_of_the_residual_of_a_regression():
    test = make_test()
    test.adds([0], 3)
    inside, score, own = test.cover[0], test.score, test.cover[3]
    residual = score - np.where(inside, score[inside].mean(), score[~inside].mean())
    k, n = own.sum(), 60
    q = residual[own].sum() / (residual.std(ddof=1) * np.sqrt(k * (1 - k / n)))
    assert test.p[3] == (1 + (test.maxima >= q).sum()) / 100


def test_an_unfavourable_persona_is_tested_in_its_own_direction():
    favourable, unfavourable = make_test(), make_test(sign=-1.0)
    favourable.adds([0], 2)
    unfavourable.adds([0], 2)
    assert favourable.p[2] == unfavourable.p[2]


def test_a_persona_of_the_same_units_adds_nothing():
    cover = make_test().cover
    cover[1] = cover[0]
    assert not make_test(0.2, cover=cover).adds([0], 1)


def test_rounding_is_no_finding_where_everything_is_explained():
    inside = np.arange(60) < 20
    cover = np.stack([inside, inside & (np.arange(60) > 5)])
    score = np.where(inside, 0.7, 0.1)
    test = IncrementalTest(
        cover, np.ones(2), score, np.full((1, 99), 3.0), np.full(2, 0.05), search_q
    )
    assert not test.adds([0], 1)
    assert test.p[1] == 1.0


@pytest.mark.parametrize("level", [[np.nan] * 6, [0.05, np.nan, *[0.05] * 4]])
def test_a_persona_without_a_claim_is_not_tested(level):
    test = make_test(level)
    assert test.adds([0], 1)
    assert np.isnan(test.p[1])
