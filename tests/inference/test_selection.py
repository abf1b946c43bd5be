"""Selection of features over splits, against the definitions and against other blocks."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ketadask.inference.selection import Selection, selected_features
from ketadask.kernels.resampling import shah_samworth_bound


def test_selection_counts_of_blocks_add_up():
    matrix = np.random.default_rng(1).random((60, 17)) < 0.3
    expected, joined = Selection.of(matrix), Selection.of(matrix[41:]) + Selection.of(matrix[:41])
    assert expected.pair_counts.tolist() == joined.pair_counts.tolist()
    assert joined.frequency.tolist() == matrix.mean(axis=0).tolist()
    assert joined.nogueira() == expected.nogueira()


def definition(Z):
    """Compute definition 4 of Nogueira, Sechidis & Brown 2018, literally."""
    M, d = Z.shape
    p = [sum(Z[:, f]) / M for f in range(d)]
    k = sum(p)
    observed = sum(M / (M - 1) * x * (1 - x) for x in p) / d
    return 1 - observed / (k / d * (1 - k / d))


def test_nogueira_is_its_definition_with_the_normal_interval():
    Z = np.random.default_rng(0).random((30, 12)) < np.linspace(0.1, 0.9, 12)
    estimate, low, high = Selection.of(Z).nogueira()
    assert estimate == pytest.approx(definition(Z))
    # Corollary 9: phi -+ 1.96 sqrt(v), v = 4 / M^2 sum (phi_i - mean phi)^2, with
    # phi_i = [mean_f z_if p_f - k_i k / d^2 + phi/2 (2 k_i k / d^2 - k_i/d - k/d + 1)] / spread.
    M, d = Z.shape
    p, k_i = Z.mean(axis=0), Z.sum(axis=1)
    k = p.sum()
    phi = []
    for i in range(M):
        inner = 2 * k_i[i] * k / d**2 - k_i[i] / d - k / d + 1
        phi.append(np.mean(Z[i] * p) - k_i[i] * k / d**2 + estimate / 2 * inner)
    phi = np.array(phi) / (k / d * (1 - k / d))
    v = 4 / M**2 * ((phi - phi.mean()) ** 2).sum()
    assert (low, high) == pytest.approx(
        (estimate - 1.959964 * v**0.5, estimate + 1.959964 * v**0.5)
    )


def test_nogueira_variance_agrees_with_the_jackknife():
    # An independent estimate of the same variance; it would not agree with a wrong sign.
    Z = np.random.default_rng(2).random((400, 15)) < np.linspace(0.05, 0.8, 15)
    _, low, high = Selection.of(Z).nogueira()
    leave_one_out = [definition(np.delete(Z, i, axis=0)) for i in range(400)]
    jackknife = 399 / 400 * np.sum((leave_one_out - np.mean(leave_one_out)) ** 2)
    assert ((high - low) / 2 / 1.959964) ** 2 == pytest.approx(jackknife, rel=0.02)


def test_nogueira_is_zero_on_average_for_random_selections():
    rng = np.random.default_rng(0)
    values = [Selection.of(rng.random((20, 30)) < 0.2).nogueira()[0] for _ in range(200)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(200)


def test_constant_selections_have_no_interval():
    assert Selection.of(np.array([[True, False]] * 4)).nogueira() == pytest.approx((1, 1, 1))
    assert np.isnan(Selection.of(np.zeros((4, 3), bool)).nogueira()).all()
    for always in (np.ones((1, 3), bool), np.ones((5, 4), bool)):
        assert np.isnan(Selection.of(always).nogueira()).all()


def test_features_of_hits():
    hits = pd.DataFrame(
        [[5, 0, 2, -1, -1], [5, 1, -1, -1, -1], [7, 3, -1, -1, -1], [6, 3, -1, -1, -1]],
        columns=["split", "literal_1", "literal_2", "literal_3", "literal_4"],
    )
    hit = np.array([True, True, True, False])
    feature = np.array([0, 0, 1, 2])
    matrix = selected_features(hits, hit, feature, 3, (5, 7))
    assert matrix.tolist() == [[True, True, False], [False] * 3, [False, False, True]]


def test_frequencies_come_with_intervals_and_bounds():
    matrix = np.array([[True, False, True]] * 3 + [[True, False, False]])
    selection = Selection.of(matrix)
    frame = selection.frame(["a", "b", "c"], "favourable")
    assert frame["feature"].tolist() == ["a", "c", "b"]
    assert frame["frequency"].tolist() == [1.0, 0.75, 0.0]
    low, high = stats.binomtest(3, 4).proportion_ci(method="wilson")
    assert frame.loc[1, ["low", "high"]].tolist() == pytest.approx([low, high])
    bounds = selection.false_selections(0.9)
    assert bounds["selected"] == 1
    assert bounds["meinshausen_buhlmann"] == pytest.approx(1.75**2 / (0.8 * 3))
    assert "shah_samworth" not in bounds
    many = Selection.of(np.tile(matrix, (25, 1))).false_selections(0.9, complementary=True)
    assert many["shah_samworth"] == shah_samworth_bound(1.75, 3, 0.9, 50)
