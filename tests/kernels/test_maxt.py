"""max-T adjusted p-values against a brute-force computation over all candidates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketadask.kernels.maxt import max_t, remaining_maximum


def brute_force(observed_q, null_q):
    """Westfall-Young over full matrices: observed (P,), relabelled (B, P), all candidates known."""
    n_null, n_candidates = null_q.shape
    order = np.argsort(-observed_q, kind="stable")
    single, step = np.empty(n_candidates), np.empty(n_candidates)
    floor = 0.0
    for j, persona in enumerate(order):
        left = order[j:]
        exceed = sum(null_q[b, left].max() >= observed_q[persona] for b in range(n_null))
        floor = max(floor, (exceed + 1) / (n_null + 1))
        step[persona] = floor
        single[persona] = (
            sum(null_q[b].max() >= observed_q[persona] for b in range(n_null)) + 1
        ) / (n_null + 1)
    return single, step


def best_lists(null_q, keep):
    """Keep the best of every relabelled trial, as a search returns them."""
    order = np.argsort(-null_q, axis=1, kind="stable")[:, :keep]
    return order[:, :, None], np.take_along_axis(null_q, order, axis=1)


statistics = st.integers(0, 12).map(lambda k: k / 4)  # many ties


@given(data=st.data(), n=st.integers(1, 9), n_null=st.integers(1, 12))
@settings(max_examples=150, deadline=None)
def test_complete_lists_equal_brute_force_exactly(data, n, n_null):
    observed = np.array(data.draw(st.lists(statistics, min_size=n, max_size=n)))
    null = np.array(
        data.draw(
            st.lists(st.lists(statistics, min_size=n, max_size=n), min_size=n_null, max_size=n_null)
        )
    )
    single, step = max_t(np.arange(n)[:, None], observed, [best_lists(null, n)])
    expected_single, expected_step = brute_force(observed, null)
    assert single.tolist() == expected_single.tolist()
    assert step.tolist() == expected_step.tolist()


@given(data=st.data(), n=st.integers(2, 9), keep=st.integers(1, 8), kept=st.integers(1, 8))
@settings(max_examples=150, deadline=None)
def test_short_lists_are_never_below_brute_force_and_exact_while_they_reach(data, n, keep, kept):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    keep, kept = min(keep, n), min(kept, n)
    observed, null = rng.normal(size=n), rng.normal(size=(19, n))
    shown = np.argsort(-observed)[:kept]
    single, step = max_t(shown[:, None], observed[shown], [best_lists(null, keep)])
    expected_single, expected_step = brute_force(observed, null)
    assert single.tolist() == expected_single[shown].tolist()
    assert (step >= expected_step[shown]).all()
    assert (step <= single).all()
    if kept <= keep:  # every list still holds a persona that is not excluded
        assert step.tolist() == expected_step[shown].tolist()


def test_two_polarities_are_one_family_of_hypotheses():
    rng = np.random.default_rng(3)
    observed, null = rng.normal(size=8), rng.normal(size=(29, 8))
    halves = [np.arange(5), np.arange(5, 8)]
    lists = []
    for half in halves:
        ids, q = best_lists(null[:, half], len(half))
        lists.append((half[ids], q))
    single, step = max_t(np.arange(8)[:, None], observed, lists)
    expected_single, expected_step = brute_force(observed, null)
    assert single.tolist() == expected_single.tolist()
    assert step.tolist() == expected_step.tolist()


def test_order_of_the_observed_does_not_matter():
    rng = np.random.default_rng(4)
    observed, null = rng.normal(size=7), rng.normal(size=(19, 7))
    shuffled = rng.permutation(7)
    _, step = max_t(np.arange(7)[:, None], observed, [best_lists(null, 4)])
    _, again = max_t(shuffled[:, None], observed[shuffled], [best_lists(null, 4)])
    assert again.tolist() == step[shuffled].tolist()


def test_empty_lists_and_missing_statistics():
    nothing = (np.full((9, 2, 4), -1), np.full((9, 2), -np.inf))
    single, step = max_t(
        np.array([[1, 2, -1, -1], [1, 3, -1, -1]]), np.array([2.0, np.nan]), [nothing]
    )
    assert single.tolist() == [0.1, 1.0]
    assert step.tolist() == [0.1, 1.0]
    assert [len(p) for p in max_t(np.empty((0, 4), int), np.empty(0), [nothing])] == [0, 0]


def test_equal_q_summed_in_another_order_counts_as_reached():
    ids, q = np.array([[[7]], [[7]]]), np.array([[1.0 - 1e-15], [1.0 - 1e-6]])
    single, _ = max_t(np.array([[1]]), np.array([1.0]), [(ids, q)])
    assert single[0] == pytest.approx(2 / 3)


def test_all_stored_candidates_excluded_falls_back_to_the_last_stored():
    order = np.array([[1], [2], [3]])
    ids, q = np.array([[[2], [1]]]), np.array([[4.0, 3.0]])
    assert remaining_maximum(order, ids, q).tolist() == [[4.0, 4.0, 3.0]]
