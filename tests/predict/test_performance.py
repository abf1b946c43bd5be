"""Performance against references: intervals, DeLong, calibration, net benefit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from ketadask.kernels.resampling import wilson
from ketadask.kernels.roc import auc
from ketadask.predict.classifiers import balanced_accuracies
from ketadask.predict.performance import (
    calibration_curve,
    decision_curve,
    delong,
    performance,
    platt,
)

NAMES = ("bac", "auc", "sensitivity", "specificity")
labels = st.lists(st.integers(0, 1), min_size=6, max_size=40).filter(lambda x: 1 < sum(x) < len(x))


def assert_intervals_contain_estimates(measures):
    for name in NAMES:
        assert 0 <= measures[f"{name}_low"] <= measures[name] <= measures[f"{name}_high"] <= 1


@given(labels, st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_auc_and_balanced_accuracy_are_scikit_learns(label, seed):
    label = np.array(label)
    score = np.random.default_rng(seed).integers(-3, 4, len(label)).astype(float)
    assert auc(score, label) == pytest.approx(roc_auc_score(label, score))
    expected = balanced_accuracy_score(label, score > 0)
    assert balanced_accuracies(score[None], label)[0] == expected
    measures = performance(label, (score > 0).astype(int), score)
    assert measures["bac"] == pytest.approx(expected)
    assert_intervals_contain_estimates(measures)


@pytest.mark.filterwarnings("error")
def test_one_label_has_sensitivity_only_and_nothing_warns():
    participant = np.repeat(np.arange(6), 2)
    label, prediction = np.ones(12, int), np.arange(12) // 2 % 2
    measures = performance(label, prediction, np.arange(12.0), participant)
    assert measures["sensitivity_low"] < measures["sensitivity"] == 0.5
    for name in ("bac", "auc", "auc_low", "auc_high", "specificity_low"):
        assert np.isnan(measures[name])


def test_delong_is_the_variance_of_its_structural_components():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 60)
    score = rng.normal(size=60).round(1) + label
    high, low = score[label == 1], score[label == 0]
    wins = (high[:, None] > low) + 0.5 * (high[:, None] == low)
    variance = wins.mean(1).var(ddof=1) / len(high) + wins.mean(0).var(ddof=1) / len(low)
    area, *interval = delong(score, label)
    reach = 1.959964 * np.sqrt(variance) / (area * (1 - area))
    logit = np.log(area / (1 - area)) + np.array([-reach, reach])
    np.testing.assert_allclose(interval, 1 / (1 + np.exp(-logit)), rtol=1e-6)


@pytest.mark.parametrize(("area", "bac"), [(0.5, 0.5), (0.75, 0.683282)])
@pytest.mark.parametrize("with_sites", [False, True])
def test_intervals_cover_the_truth_about_95_times_in_100(area, bac, with_sites):
    rng = np.random.default_rng(2 if with_sites else 1)
    shift = {0.5: 0.0, 0.75: 0.9538726}[area]  # AUC of normals that far apart
    draws, site, label = 400, None, np.arange(60) % 2
    if with_sites:
        draws, site = 300, np.repeat([0, 1, 2], [40, 25, 15])
    covers_auc = covers_bac = 0
    for _ in range(draws):
        if with_sites:
            label = (rng.random(80) < np.array([0.3, 0.5, 0.6])[site]).astype(int)
        score = rng.normal(size=len(label)) + shift * label
        measures = performance(label, (score > shift / 2).astype(int), score, site=site)
        covers_auc += measures["auc_low"] <= area <= measures["auc_high"]
        covers_bac += measures["bac_low"] <= bac <= measures["bac_high"]
    assert 0.92 <= covers_auc / draws <= 0.99
    assert 0.92 <= covers_bac / draws <= 0.985


@given(labels, st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_within_sites_is_the_mantel_haenszel_difference(label, seed):
    label, rng = np.array(label), np.random.default_rng(seed)
    site = rng.integers(0, 3, len(label))
    prediction, score = rng.integers(0, 2, len(label)), rng.normal(size=len(label))
    tables = [
        np.array(
            [[((label == a) & (prediction == b) & (site == s)).sum() for b in (1, 0)]
             for a in (1, 0)]
        )
        for s in range(3)
    ]  # fmt: skip
    tables = [table for table in tables if table.sum(axis=1).all()]
    measures = performance(label, prediction, score, site=site)
    assert_intervals_contain_estimates(measures)
    if len(tables) > 1:
        count = np.array([[t[0].sum(), t[1].sum()] for t in tables])
        weight = count.prod(axis=1) / count.sum(axis=1)
        difference = weight @ [t[0, 0] / t[0].sum() - t[1, 0] / t[1].sum() for t in tables]
        assert 2 * measures["bac"] - 1 == pytest.approx(difference / weight.sum())
        # The numerator is that of Cochran, Mantel and Haenszel: observed minus expected counts.
        expected = [t[0].sum() * t[:, 0].sum() / t.sum() for t in tables]
        assert difference == pytest.approx(sum(t[0, 0] for t in tables) - sum(expected))
    else:
        expected = balanced_accuracy_score(label, prediction)
        assert measures["bac_pooled"] == pytest.approx(expected)


def test_perfect_and_inverse_scores_still_have_an_interval():
    label = np.arange(20) % 2
    for score, edge in ((label, "high"), (1 - label, "low")):
        measures = performance(label, score, score.astype(float))
        assert measures["auc"] in (0.0, 1.0)
        assert measures["auc_high"] - measures["auc_low"] > 0.05
        assert measures[f"bac_{edge}"] == pytest.approx(measures["bac"], abs=1e-12)


def test_participants_with_several_cases_widen_the_intervals():
    rng = np.random.default_rng(3)
    label = np.repeat(np.arange(30) % 2, 4)
    score = np.repeat(rng.normal(size=30) + np.arange(30) % 2, 4)
    prediction = (score > 0.5).astype(int)
    by_case = performance(label, prediction, score)
    by_participant = performance(label, prediction, score, np.repeat(np.arange(30), 4))
    for name in ("bac", "auc"):
        assert by_participant[name] == by_case[name]
        widths = [m[f"{name}_high"] - m[f"{name}_low"] for m in (by_participant, by_case)]
        assert widths[0] > 1.5 * widths[1]


def test_platt_is_logistic_regression_on_smoothed_targets():
    rng = np.random.default_rng(4)
    label = np.arange(50) % 2
    decision = rng.normal(size=50) + label
    slope, offset = platt(decision, label)
    target = np.where(label == 1, 26 / 27, 1 / 27)
    reference = LogisticRegression(C=1e10, tol=1e-10, max_iter=10_000).fit(
        np.concatenate([decision, decision])[:, None],
        np.repeat([1, 0], 50),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    assert slope == pytest.approx(reference.coef_[0, 0], rel=1e-3)
    assert offset == pytest.approx(reference.intercept_[0], abs=1e-3)
    for hard in (np.where(label == 1, 1.0, -1.0), np.zeros(50), 1e6 * decision):
        assert np.isfinite(platt(hard, label)).all()


def test_calibration_counts_every_case_once():
    rng = np.random.default_rng(5)
    probability = rng.random(103)
    label = (rng.random(103) < probability).astype(int)
    table = calibration_curve(probability, label, 4)
    assert table["n"].sum() == 103
    assert (table["observed"] * table["n"]).sum() == pytest.approx(label.sum())
    first = table.iloc[0]
    low, high = wilson(round(first["observed"] * first["n"]), int(first["n"]))
    assert (first["observed_low"], first["observed_high"]) == (low, high)


def test_net_benefit_of_trivial_models():
    label = np.array([1, 0, 0, 1, 0])
    table = decision_curve(np.ones(5), label)
    np.testing.assert_allclose(table["model"], table["treat_all"])
    assert (decision_curve(np.zeros(5), label)["model"] == 0).all()
    np.testing.assert_allclose(decision_curve(label.astype(float), label)["model"], 0.4)
