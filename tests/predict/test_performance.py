"""Measures against references: intervals, DeLong, calibration, net benefit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, roc_auc_score

from ketadask.kernels.resampling import wilson
from ketadask.predict.classifiers import balanced_accuracies
from ketadask.predict.performance import (
    auc,
    calibration_curve,
    decision_curve,
    delong,
    performance,
    platt,
)

labels = st.lists(st.integers(0, 1), min_size=6, max_size=40).filter(lambda x: 1 < sum(x) < len(x))


@given(labels, st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_auc_and_balanced_accuracy_are_scikit_learns(label, seed):
    label = np.array(label)
    score = np.random.default_rng(seed).integers(-3, 4, len(label)).astype(float)
    assert auc(score, label) == pytest.approx(roc_auc_score(label, score))
    expected = balanced_accuracy_score(label, score > 0)
    assert balanced_accuracies(score[None], label)[0] == expected
    made = performance(label, (score > 0).astype(int), score)
    assert made["bac"] == pytest.approx(expected)
    for name in ("bac", "auc", "sensitivity", "specificity"):
        assert 0 <= made[f"{name}_low"] <= made[name] <= made[f"{name}_high"] <= 1


@pytest.mark.filterwarnings("error")
def test_of_one_label_the_area_is_unknown_and_nothing_warns():
    who = np.repeat(np.arange(6), 2)
    made = performance(np.ones(12, int), np.arange(12) // 2 % 2, np.arange(12.0), who)
    assert made["sensitivity_low"] < made["sensitivity"] == 0.5
    assert np.isnan([made["auc"], made["auc_low"], made["auc_high"], made["specificity_low"]]).all()


def test_delong_is_the_variance_of_its_structural_components():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 60)
    score = rng.normal(size=60).round(1) + label
    high, low = score[label == 1], score[label == 0]
    wins = (high[:, None] > low) + 0.5 * (high[:, None] == low)
    variance = wins.mean(1).var(ddof=1) / len(high) + wins.mean(0).var(ddof=1) / len(low)
    area, lower, upper = delong(score, label)
    reach = 1.959964 * np.sqrt(variance) / (area * (1 - area))
    logit = np.log(area / (1 - area))
    np.testing.assert_allclose(
        [lower, upper], 1 / (1 + np.exp(-np.array([logit - reach, logit + reach]))), rtol=1e-6
    )


@pytest.mark.parametrize("truth", [0.5, 0.75])
def test_intervals_cover_the_truth_about_as_often_as_they_say(truth):
    rng = np.random.default_rng(1)
    shift = {0.5: 0.0, 0.75: 0.9538726}[truth]  # AUC of normals that far apart
    inside_auc = inside_bac = 0
    for _ in range(400):
        label = np.arange(60) % 2
        score = rng.normal(size=60) + shift * label
        made = performance(label, (score > shift / 2).astype(int), score)
        inside_auc += made["auc_low"] <= truth <= made["auc_high"]
        bac = {0.5: 0.5, 0.75: 0.683282}[truth]
        inside_bac += made["bac_low"] <= bac <= made["bac_high"]
    assert 0.92 <= inside_auc / 400 <= 0.985
    assert 0.92 <= inside_bac / 400 <= 0.985


@given(labels, st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_within_sites_is_the_mantel_haenszel_difference(label, seed):
    label, rng = np.array(label), np.random.default_rng(seed)
    site = rng.integers(0, 3, len(label))
    said, score = rng.integers(0, 2, len(label)), rng.normal(size=len(label))
    tables = [
        np.array(
            [[((label == a) & (said == b) & (site == s)).sum() for b in (1, 0)] for a in (1, 0)]
        )
        for s in range(3)
    ]
    tables = [table for table in tables if table.sum(axis=1).all()]
    made = performance(label, said, score, site=site)
    for name in ("bac", "auc", "sensitivity", "specificity"):
        assert 0 <= made[f"{name}_low"] <= made[name] <= made[f"{name}_high"] <= 1
    if len(tables) > 1:
        count = np.array([[t[0].sum(), t[1].sum()] for t in tables])
        weight = count.prod(axis=1) / count.sum(axis=1)
        difference = weight @ [t[0, 0] / t[0].sum() - t[1, 0] / t[1].sum() for t in tables]
        assert 2 * made["bac"] - 1 == pytest.approx(difference / weight.sum())
        # The numerator is that of Cochran, Mantel and Haenszel: observed minus expected counts.
        expected = [t[0].sum() * t[:, 0].sum() / t.sum() for t in tables]
        assert difference == pytest.approx(sum(t[0, 0] for t in tables) - sum(expected))
    else:
        assert made["bac_pooled"] == pytest.approx(balanced_accuracy_score(label, said))


@pytest.mark.parametrize("truth", [0.5, 0.75])
def test_intervals_within_sites_cover_the_truth(truth):
    rng = np.random.default_rng(2)
    shift = {0.5: 0.0, 0.75: 0.9538726}[truth]
    site = np.repeat([0, 1, 2], [40, 25, 15])
    inside_auc = inside_bac = 0
    for _ in range(300):
        label = (rng.random(80) < np.array([0.3, 0.5, 0.6])[site]).astype(int)
        score = rng.normal(size=80) + shift * label
        made = performance(label, (score > shift / 2).astype(int), score, site=site)
        inside_auc += made["auc_low"] <= truth <= made["auc_high"]
        bac = {0.5: 0.5, 0.75: 0.683282}[truth]
        inside_bac += made["bac_low"] <= bac <= made["bac_high"]
    assert 0.92 <= inside_auc / 300 <= 0.99
    assert 0.92 <= inside_bac / 300 <= 0.985


def test_perfect_and_hopeless_scores_still_have_an_interval():
    label = np.arange(20) % 2
    for score, edge in ((label, "high"), (1 - label, "low")):
        made = performance(label, score, score.astype(float))
        assert made["auc"] in (0.0, 1.0)
        assert made["auc_high"] - made["auc_low"] > 0.05
        assert made[f"bac_{edge}"] == pytest.approx(made["bac"], abs=1e-12)


def test_one_label_only_has_no_balanced_accuracy():
    made = performance(np.ones(8), np.ones(8), np.arange(8.0))
    assert made["sensitivity"] == 1
    assert np.isnan(made["bac"])
    assert np.isnan(made["auc"])


def test_participants_with_several_cases_widen_the_intervals():
    rng = np.random.default_rng(3)
    label = np.repeat(np.arange(30) % 2, 4)
    score = np.repeat(rng.normal(size=30) + np.arange(30) % 2, 4)
    who = np.repeat(np.arange(30), 4)
    said = (score > 0.5).astype(int)
    alone = performance(label, said, score)
    grouped = performance(label, said, score, who)
    for name in ("bac", "auc"):
        assert grouped[name] == alone[name]
        wide = grouped[f"{name}_high"] - grouped[f"{name}_low"]
        assert wide > 1.5 * (alone[f"{name}_high"] - alone[f"{name}_low"])


def test_platt_is_logistic_regression_on_smoothed_targets():
    rng = np.random.default_rng(4)
    label = np.arange(50) % 2
    decision = rng.normal(size=50) + label
    slope, offset = platt(decision, label)
    twice = np.concatenate([decision, decision])[:, None]
    target = np.where(label == 1, 26 / 27, 1 / 27)
    theirs = LogisticRegression(C=1e10, tol=1e-10, max_iter=10_000).fit(
        twice, np.repeat([1, 0], 50), sample_weight=np.concatenate([target, 1 - target])
    )
    assert slope == pytest.approx(theirs.coef_[0, 0], rel=1e-3)
    assert offset == pytest.approx(theirs.intercept_[0], abs=1e-3)
    for hard in (np.where(label == 1, 1.0, -1.0), np.zeros(50), 1e6 * decision):
        assert np.isfinite(platt(hard, label)).all()


def test_calibration_counts_every_case_once():
    rng = np.random.default_rng(5)
    probability = rng.random(103)
    label = (rng.random(103) < probability).astype(int)
    table = calibration_curve(probability, label, 4)
    assert table["n"].sum() == 103
    assert (table["observed"] * table["n"]).sum() == pytest.approx(label.sum())
    low, high = wilson(round(table["observed"][0] * table["n"][0]), int(table["n"][0]))
    assert (table["observed_low"][0], table["observed_high"][0]) == (low, high)
    assert brier_score_loss(label, probability) < 0.25


def test_net_benefit_of_treating_everybody_is_that_of_a_model_that_treats_everybody():
    label = np.array([1, 0, 0, 1, 0])
    table = decision_curve(np.ones(5), label)
    np.testing.assert_allclose(table["model"], table["treat_all"])
    assert (decision_curve(np.zeros(5), label)["model"] == 0).all()
    best = decision_curve(label.astype(float), label)
    np.testing.assert_allclose(best["model"], 0.4)
