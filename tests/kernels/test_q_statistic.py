"""Q of chosen personas on many splits against the formula, written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketadask.kernels import q_statistic
from ketadask.kernels.q_statistic import persona_q


def written_out(inside, train, score, objective):
    s = score[train]
    n, n_inside = len(s), int((inside & train).sum())
    c = s.mean() if objective == "heterogeneity" else 0.0
    shrink = 1 - n_inside / n if objective == "heterogeneity" else 1.0
    if n_inside in (0, n):
        return 0.0
    total = (score[inside & train] - c).sum()
    return total / (s.std(ddof=1) * np.sqrt(n_inside * shrink))


@given(seed=st.integers(0, 2**32 - 1), objective=st.sampled_from(["heterogeneity", "effect"]))
@settings(max_examples=60, deadline=None)
def test_equals_the_formula(seed, objective):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 40))
    cover, train = rng.random((6, n)) < 0.4, rng.random((9, n)) < 0.5
    train[:, :3] = True
    score = rng.normal(2.0, 3.0, n)
    q, support = persona_q(cover, train, score, objective)
    assert support.tolist() == [[int((c & t).sum()) for t in train] for c in cover]
    expected = [[written_out(c, t, score, objective) for t in train] for c in cover]
    np.testing.assert_allclose(q, expected, rtol=1e-9, atol=1e-9)


def test_splits_may_be_taken_in_any_number_at_a_time(monkeypatch):
    rng = np.random.default_rng(1)
    cover, train = rng.random((7, 50)) < 0.4, rng.random((23, 50)) < 0.5
    score = rng.normal(size=50)
    whole, _ = persona_q(cover, train, score)
    monkeypatch.setattr(q_statistic, "CELLS", 120)
    few, _ = persona_q(cover, train, score)
    single = np.hstack([persona_q(cover, train[i : i + 1], score)[0] for i in range(23)])
    assert whole.tobytes() == few.tobytes() == single.tobytes()


def test_turning_the_scores_turns_q_exactly():
    rng = np.random.default_rng(2)
    cover, train = rng.random((7, 33)) < 0.4, rng.random((5, 33)) < 0.5
    score = rng.normal(size=33)
    q, _ = persona_q(cover, train, score)
    turned, _ = persona_q(cover, train, -score)
    assert (turned == -q).all()


@pytest.mark.parametrize("score", [np.ones(6), np.array([1.0, 1, 1, 1, 2, 3])])
def test_train_sides_that_say_nothing_have_no_q(score):
    train = np.array([[True] * 4 + [False] * 2])
    q, support = persona_q(np.array([[True, False] * 3]), train, score)
    assert np.isnan(q).all()
    assert support.tolist() == [[2]]
