"""What a persona adds beyond better ones, against least squares written out."""

import numpy as np
import pytest

from ketadask.inference.incremental import IncrementalTest


def problem(units=60, personas=6, seed=0):
    rng = np.random.default_rng(seed)
    cover = rng.random((personas, units)) < 0.4
    score = rng.normal(size=units) + 2.0 * cover[0]
    return cover, score, np.sort(rng.normal(3.0, 0.5, 99))


def test_p_is_that_of_the_residual_of_a_regression():
    cover, score, maxima = problem()
    beyond = IncrementalTest(cover, np.ones(6), score, maxima, np.full(6, 0.05))
    beyond.adds([0], 3)
    inside = cover[0]
    left = score - np.where(inside, score[inside].mean(), score[~inside].mean())
    k, n = cover[3].sum(), 60
    q = left[cover[3]].sum() / (left.std(ddof=1) * np.sqrt(k * (1 - k / n)))
    assert beyond.p[3] == (1 + (maxima >= q).sum()) / 100


def test_an_unfavourable_persona_is_judged_by_what_its_members_lack():
    cover, score, maxima = problem()
    one = IncrementalTest(cover, np.ones(6), score, maxima, np.full(6, 0.05))
    two = IncrementalTest(cover, -np.ones(6), -score, maxima, np.full(6, 0.05))
    one.adds([0], 2)
    two.adds([0], 2)
    assert one.p[2] == two.p[2]


def test_a_persona_of_the_same_units_adds_nothing():
    cover, score, maxima = problem()
    cover[1] = cover[0]
    assert not IncrementalTest(cover, np.ones(6), score, maxima, np.full(6, 0.2)).adds([0], 1)


def test_where_everything_is_explained_rounding_is_no_finding():
    inside = np.arange(60) < 20
    cover = np.stack([inside, inside & (np.arange(60) > 5)])
    score = np.where(inside, 0.7, 0.1)
    beyond = IncrementalTest(cover, np.ones(2), score, np.full(99, 3.0), np.full(2, 0.05))
    assert not beyond.adds([0], 1)
    assert beyond.p[1] == 1.0


@pytest.mark.parametrize("level", [[np.nan] * 6, [0.05, np.nan, *[0.05] * 4]])
def test_what_claims_nothing_is_left_alone(level):
    cover, score, maxima = problem()
    beyond = IncrementalTest(cover, np.ones(6), score, maxima, np.array(level))
    assert beyond.adds([0], 1)
    assert np.isnan(beyond.p[1])
