"""Stability over splits against its formulas, and against other blocks."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ketadask.inference.evaluation import PersonaSet
from ketadask.inference.judge_graph import persona_stability
from ketadask.inference.stability import passes_gate, summarise_personas
from ketadask.kernels.resampling import quantile_aggregate
from ketadask.pipeline.executor import Synchronous
from ketadask.store.parts import Parts
from ketadask.store.ranges import range_name

SPLITS, N_PERSONAS, SIDES = 40, 3, ("train", "holdout")
PERSONAS = PersonaSet(
    np.array([[0, 1, -1, -1], [2, -1, -1, -1], [3, 4, 5, -1]], dtype=np.int32),
    np.array(["favourable", "unfavourable", "favourable"]),
)
# Hits of the splits; the last ones have none and are missing.
SPLIT_HITS = pd.Series(np.random.default_rng(1).integers(0, 4, SPLITS - 3))

BOTH = {"gate": "both", "split_hits": SPLIT_HITS}


def evaluation():
    rng = np.random.default_rng(0)
    n = SPLITS * N_PERSONAS
    n_train = np.repeat(rng.integers(10, 14, SPLITS), N_PERSONAS)
    return pd.DataFrame(
        {
            "split": np.repeat(np.arange(SPLITS), N_PERSONAS),
            "persona": np.tile(np.arange(N_PERSONAS), SPLITS),
            "kept": rng.random(n) < 0.7,
            "n_train": n_train,
            "n_holdout": 24 - n_train,
            "support_train": rng.integers(4, 10, n),
            "support_holdout": rng.integers(0, 10, n),
            **{f"{p}_{side}": rng.random(n) for p in ("p", "interaction_p") for side in SIDES},
            **{f"{name}_holdout": rng.normal(0.5, 1, n) for name in ("d", "interaction")},
            **{
                f"{gate}_{side}": rng.random(n) < 0.6
                for gate in ("published", "heterogeneity")
                for side in SIDES
            },
        }
    )


@pytest.mark.parametrize("gate", ["published", "heterogeneity", "both"])
def test_every_column_is_its_formula(gate):
    table = evaluation()
    shuffled = table.sample(frac=1, random_state=0)
    summary = summarise_personas(shuffled, PERSONAS, gate=gate, split_hits=SPLIT_HITS)
    assert summary["persona"].tolist() == [0, 1, 2]
    for k, row in summary.iterrows():
        mine = table[table["persona"] == k]
        hit = mine["kept"] & passes_gate(mine, "train", gate)
        p = mine["p_holdout"] if gate == "published" else mine["interaction_p_holdout"]
        sign = -1 if PERSONAS.polarity[k] == "unfavourable" else 1
        effect = mine["d_holdout"] if gate == "published" else mine["interaction_holdout"]
        n_hits = np.maximum(SPLIT_HITS.reindex(range(SPLITS)).fillna(0), 1).to_numpy()
        strict = np.where(hit & (sign * effect > 0), np.minimum(p * n_hits, 1.0), 1.0)
        d = mine["d_holdout"]
        expected = {
            "hits": hit.sum(),
            "p_mean": p.mean(),
            "p_mean_hits": p[hit].mean(),
            "p_twice_mean": min(1, 2 * strict.mean()),
            "p_twice_median": min(1, 2 * np.median(strict)),
            "p_quantile": float(quantile_aggregate(strict)),
            "d_mean": d.mean(),
            "d_mean_hits": d[hit].mean(),
        }
        for side in SIDES:
            support = mine[f"support_{side}"]
            expected[f"prevalence_{side}"] = (support / mine[f"n_{side}"]).mean()
            expected[f"support_{side}_mean"] = support.mean()
        confirmed = hit & passes_gate(mine, "holdout", gate)
        for name, mask in (("recurrence", hit), ("confirmed_rate", confirmed)):
            interval = stats.binomtest(int(mask.sum()), SPLITS).proportion_ci(method="wilson")
            expected |= {name: mask.mean(), f"{name}_low": interval.low}
            expected[f"{name}_high"] = interval.high
        assert row[list(expected)].to_dict() == pytest.approx(expected)


@pytest.mark.parametrize(("size", "cells"), [(1, 1 << 20), (7, 50), (40, 1)])
def test_blocks_and_memory_limits_change_no_bit(tmp_path, size, cells):
    table, parts = evaluation(), Parts(tmp_path, "key")
    ranges = [(a, min(a + size, SPLITS) - 1) for a in range(0, SPLITS, size)]
    for block in ranges:
        parts.write(range_name(*block), {"evaluation": table[table["split"].between(*block)]})
    for n in (SPLITS, 11):
        summary = persona_stability(
            parts, ranges, PERSONAS, Synchronous(), **BOTH, n=n, cells=cells
        )
        expected = summarise_personas(table[table["split"] < n], PERSONAS, **BOTH)
        pd.testing.assert_frame_equal(summary, expected, check_exact=True)


def test_without_personas_there_are_no_rows(tmp_path):
    none = PersonaSet.of({})
    summary = persona_stability(Parts(tmp_path, "key"), [], none, Synchronous(), **BOTH)
    assert len(summary) == len(PersonaSet.of({}, summary)) == 0
