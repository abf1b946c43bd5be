"""Drug minus control: uniform p where both arms are alike, small p where only the drug counts."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

from ketadask.kernels.roc import auc
from ketadask.predict.specificity import compare_arms


def arm(rng, n, *, effect, rate=0.5, people=None, shift=0.0):
    label = (rng.permutation(n) < round(rate * n)).astype(int)
    decision = rng.normal(size=n) + effect * label + shift
    return pd.DataFrame(
        {
            "participant": [f"p{k}" for k in range(n)] if people is None else people,
            "site": "1",
            "label": label,
            "decision": decision,
            "predicted": (decision > effect / 2 + shift).astype(int),
        }
    )


def other(n):
    return [f"c{k}" for k in range(n)]


def test_the_difference_is_that_of_the_areas():
    rng = np.random.default_rng(1)
    drug, control = arm(rng, 60, effect=1.5), arm(rng, 40, effect=0.0, people=other(40))
    comparison = compare_arms(drug, control, draws=99)
    own = [auc(t["decision"].to_numpy(), t["label"].to_numpy()) for t in (drug, control)]
    assert comparison["auc"] == pytest.approx(own[0] - own[1])
    assert comparison["auc_low"] < comparison["auc"] < comparison["auc_high"]
    assert comparison["p_auc"] <= 0.05
    assert comparison["p_bac"] <= 0.05


def test_p_is_uniform_where_both_arms_are_predicted_alike():
    """Other response rates, and scores on another scale, are no difference."""
    p = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        drug = arm(rng, 40, effect=1.0, rate=0.6)
        control = arm(rng, 30, effect=1.0, rate=0.3, people=other(30), shift=2.0)
        p.append(compare_arms(drug, control, seed=seed, draws=39)["p_auc"])
    assert kstest(p, "uniform").pvalue > 0.01
    assert np.mean(np.array(p) <= 0.1) <= 0.25


def test_p_of_a_crossover_exchanges_labels_within_participants():
    p = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        drug = arm(rng, 40, effect=0.0)
        control = drug.assign(label=rng.permutation(drug["label"].to_numpy()))
        p.append(compare_arms(drug, control, seed=seed, draws=39)["p_auc"])
    assert kstest(p, "uniform").pvalue > 0.01
    drug = arm(np.random.default_rng(1), 60, effect=2.0)
    control = drug.assign(label=np.random.default_rng(2).permutation(drug["label"].to_numpy()))
    assert compare_arms(drug, control, draws=199)["p_auc"] <= 0.05


def test_an_arm_without_responders_has_no_comparison():
    rng = np.random.default_rng(0)
    drug = arm(rng, 20, effect=1.0)
    assert compare_arms(drug, drug.assign(label=0)) == {}
