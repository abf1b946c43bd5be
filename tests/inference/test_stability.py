"""Stability over splits against its formulas, and against other blocks."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ketadask.inference import stability
from ketadask.inference.evaluation import PersonaSet
from ketadask.inference.selection import Selection, selected_features
from ketadask.inference.stability import passes, persona_stability, summarise
from ketadask.kernels.resampling import quantile_aggregate, shah_samworth_bound
from ketadask.store.parts import Parts
from ketadask.store.ranges import range_name

SPLITS, PERSONAS = 40, 3
CHOSEN = PersonaSet(
    np.array([[0, 1, -1, -1], [2, -1, -1, -1], [3, 4, 5, -1]], dtype=np.int32),
    np.array(["favourable", "unfavourable", "favourable"]),
)


def evaluation(seed=0):
    rng = np.random.default_rng(seed)
    n = SPLITS * PERSONAS
    n_train = np.repeat(rng.integers(10, 14, SPLITS), PERSONAS)
    return pd.DataFrame(
        {
            "split": np.repeat(np.arange(SPLITS), PERSONAS),
            "persona": np.tile(np.arange(PERSONAS), SPLITS),
            "kept": rng.random(n) < 0.7,
            "n_train": n_train,
            "n_holdout": 24 - n_train,
            "support_train": rng.integers(4, 10, n),
            "support_holdout": rng.integers(0, 10, n),
            **{
                f"{name}_{side}": rng.random(n)
                for name in ("p", "interaction_p")
                for side in ("train", "holdout")
            },
            **{f"{name}_holdout": rng.normal(0.5, 1, n) for name in ("d", "interaction")},
            **{
                f"{gate}_{side}": rng.random(n) < 0.6
                for gate in ("published", "heterogeneity")
                for side in ("train", "holdout")
            },
        }
    )


@pytest.mark.parametrize("use", ["published", "heterogeneity", "both"])
def test_every_number_written_out(use):
    table = evaluation()
    made = summarise(table.sample(frac=1, random_state=0), CHOSEN, use=use)
    assert made["persona"].tolist() == [0, 1, 2]
    for k, row in made.iterrows():
        mine = table[table["persona"] == k]
        hit = mine["kept"] & passes(mine, "train", use)
        confirmed = hit & passes(mine, "holdout", use)
        assert row["hits"] == hit.sum()
        assert row["recurrence"] == hit.mean()
        assert row["confirmed_rate"] == confirmed.mean()
        for name, count in (("recurrence", hit.sum()), ("confirmed_rate", confirmed.sum())):
            low, high = stats.binomtest(int(count), SPLITS).proportion_ci(method="wilson")
            assert row[f"{name}_low"] == pytest.approx(low)
            assert row[f"{name}_high"] == pytest.approx(high)
        p = mine["p_holdout"] if use == "published" else mine["interaction_p_holdout"]
        sign = -1 if CHOSEN.polarity[k] == "unfavourable" else 1
        effect = mine["d_holdout"] if use == "published" else mine["interaction_holdout"]
        strict = np.where(hit & (sign * effect > 0), p, 1.0)
        d = mine["d_holdout"]
        assert row["p_mean"] == pytest.approx(p.mean())
        assert row["p_mean_hits"] == pytest.approx(p[hit].mean())
        assert row["p_twice_mean"] == pytest.approx(min(1, 2 * strict.mean()))
        assert row["p_twice_median"] == pytest.approx(min(1, 2 * np.median(strict)))
        assert row["p_quantile"] == pytest.approx(float(quantile_aggregate(strict)))
        assert row["d_mean"] == pytest.approx(d.mean())
        assert row["d_mean_hits"] == pytest.approx(d[hit].mean())
        ratio = mine["n_holdout"].mean() / mine["n_train"].mean()
        half = stats.t.ppf(0.975, SPLITS - 1) * np.sqrt((1 / SPLITS + ratio) * d.var(ddof=1))
        assert row["d_mean_low"] == pytest.approx(d.mean() - half)
        assert row["d_mean_high"] == pytest.approx(d.mean() + half)
        assert row["prevalence_train"] == pytest.approx(
            (mine["support_train"] / mine["n_train"]).mean()
        )
        share = mine["support_holdout"] / mine["n_holdout"]
        assert row["prevalence_holdout"] == pytest.approx(share.mean())
        for side in ("train", "holdout"):
            assert row[f"support_{side}_mean"] == pytest.approx(mine[f"support_{side}"].mean())


def test_blocks_and_memory_limits_change_no_bit(tmp_path, monkeypatch):
    table = evaluation()
    whole = summarise(table, CHOSEN, use="heterogeneity")
    for size, cells in ((1, 1 << 20), (7, 50), (40, 1)):
        parts = Parts(tmp_path / f"{size}", "key")
        ranges = [(a, min(a + size, SPLITS) - 1) for a in range(0, SPLITS, size)]
        for each in ranges:
            parts.write(range_name(*each), {"evaluation": table[table["split"].between(*each)]})
        monkeypatch.setattr(stability, "CELLS", cells)
        made = persona_stability(parts, ranges, CHOSEN, use="heterogeneity")
        pd.testing.assert_frame_equal(made, whole, check_exact=True)
        few = persona_stability(parts, ranges, CHOSEN, use="heterogeneity", n=11)
        expected = summarise(table[table["split"] < 11], CHOSEN, use="heterogeneity")
        pd.testing.assert_frame_equal(few, expected, check_exact=True)


def test_nobody_to_summarise(tmp_path):
    nobody = PersonaSet.of({})
    made = persona_stability(Parts(tmp_path, "key"), [], nobody, use="both")
    assert len(made) == len(PersonaSet.of({}, made)) == 0


def test_selection_counts_of_blocks_add_up():
    selected = np.random.default_rng(1).random((60, 17)) < 0.3
    whole, parts = Selection.of(selected), Selection.of(selected[41:]) + Selection.of(selected[:41])
    assert whole.together.tolist() == parts.together.tolist()
    assert parts.frequency.tolist() == selected.mean(axis=0).tolist()
    assert parts.nogueira() == whole.nogueira()


def definition(Z):
    """Compute definition 4 of Nogueira, Sechidis & Brown 2018, word by word."""
    M, d = Z.shape
    p = [sum(Z[:, f]) / M for f in range(d)]
    k = sum(p)
    observed = sum(M / (M - 1) * x * (1 - x) for x in p) / d
    return 1 - observed / (k / d * (1 - k / d))


def test_nogueira_is_its_definition_with_the_normal_interval():
    Z = np.random.default_rng(0).random((30, 12)) < np.linspace(0.1, 0.9, 12)
    made, low, high = Selection.of(Z).nogueira()
    assert made == pytest.approx(definition(Z))
    # Corollary 9: phi -+ 1.96 sqrt(v), v = 4 / M^2 sum (phi_i - mean phi)^2, with
    # phi_i = [mean_f z_if p_f - k_i k / d^2 + phi/2 (2 k_i k / d^2 - k_i/d - k/d + 1)] / spread.
    M, d = Z.shape
    p, k_i = Z.mean(axis=0), Z.sum(axis=1)
    k = p.sum()
    phi = []
    for i in range(M):
        inner = 2 * k_i[i] * k / d**2 - k_i[i] / d - k / d + 1
        phi.append(np.mean(Z[i] * p) - k_i[i] * k / d**2 + made / 2 * inner)
    phi = np.array(phi) / (k / d * (1 - k / d))
    v = 4 / M**2 * ((phi - phi.mean()) ** 2).sum()
    assert (low, high) == pytest.approx((made - 1.959964 * v**0.5, made + 1.959964 * v**0.5))


def test_nogueira_variance_agrees_with_the_jackknife():
    # An independent estimate of the same variance; it would not agree with a wrong sign.
    Z = np.random.default_rng(2).random((400, 15)) < np.linspace(0.05, 0.8, 15)
    _, low, high = Selection.of(Z).nogueira()
    leave_one_out = [definition(np.delete(Z, i, axis=0)) for i in range(400)]
    jackknife = 399 / 400 * np.sum((leave_one_out - np.mean(leave_one_out)) ** 2)
    assert ((high - low) / 2 / 1.959964) ** 2 == pytest.approx(jackknife, rel=0.02)


def test_nogueira_is_zero_on_average_for_random_selections():
    rng = np.random.default_rng(0)
    made = [Selection.of(rng.random((20, 30)) < 0.2).nogueira()[0] for _ in range(200)]
    assert abs(np.mean(made)) < 4 * np.std(made) / np.sqrt(200)


def test_selection_that_never_varies_has_no_interval_to_speak_of():
    assert Selection.of(np.array([[True, False]] * 4)).nogueira() == pytest.approx((1, 1, 1))
    assert np.isnan(Selection.of(np.zeros((4, 3), bool)).nogueira()).all()
    for always in (np.ones((1, 3), bool), np.ones((5, 4), bool)):
        assert np.isnan(Selection.of(always).nogueira()).all()


def test_features_of_hits():
    hits = pd.DataFrame(
        [[5, 0, 2, -1, -1], [5, 1, -1, -1, -1], [7, 3, -1, -1, -1], [6, 3, -1, -1, -1]],
        columns=["split", "literal_1", "literal_2", "literal_3", "literal_4"],
    )
    passed = np.array([True, True, True, False])
    feature = np.array([0, 0, 1, 2])
    selected = selected_features(hits, passed, feature, 3, (5, 7))
    assert selected.tolist() == [[True, True, False], [False] * 3, [False, False, True]]


def test_frequencies_come_with_intervals_and_bounds():
    selected = np.array([[True, False, True]] * 3 + [[True, False, False]])
    made = Selection.of(selected)
    frame = made.frame(["a", "b", "c"], "favourable")
    assert frame["feature"].tolist() == ["a", "c", "b"]
    assert frame["frequency"].tolist() == [1.0, 0.75, 0.0]
    low, high = stats.binomtest(3, 4).proportion_ci(method="wilson")
    assert frame.loc[1, ["low", "high"]].tolist() == pytest.approx([low, high])
    bounds = made.false_selections(0.9)
    assert bounds["selected"] == 1
    assert bounds["meinshausen_buhlmann"] == pytest.approx(1.75**2 / (0.8 * 3))
    assert "shah_samworth" not in bounds
    many = Selection.of(np.tile(selected, (25, 1))).false_selections(0.9, complementary=True)
    assert many["shah_samworth"] == shah_samworth_bound(1.75, 3, 0.9, 50)
