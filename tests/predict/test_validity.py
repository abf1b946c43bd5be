"""No leak: noise is at chance under every scheme, leaks are detected, regions classify sex."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ketadask.predict.classifier_data import classifier_data_from_volumes
from ketadask.predict.classifiers import Classifier
from ketadask.predict.folds import CV_SCHEMES, MIXED_SITES, NestedFolds
from ketadask.predict.nested import NestedCV
from ketadask.predict.preparation import PreparationSettings
from ketadask.predict.results import nested_cross_validate
from ketadask.sources.freesurfer import open_volumes
from ketadask.sources.participants import read_participants
from tests.benchmarks.predict import (
    noise_scores,
    null_table,
    planted_lobes,
    planted_measures,
    speed,
)


def with_leak(cases):
    """Return the regions that differ most between the labels of all cases."""
    high, low = cases.value[cases.label == 1], cases.value[cases.label == 0]
    best = np.argsort(-np.abs(high.mean(0) - low.mean(0)))[:10]
    return replace(cases, value=cases.value[:, best], region=tuple(cases.region[j] for j in best))


def scores(scheme, count, n, regions, spoil=None):
    rows = [noise_scores(seed, scheme, n, regions, spoil) for seed in range(count)]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def excess(values):
    """Return by how many Monte-Carlo errors a mean is above one half."""
    return (values.mean() - 0.5) / (values.std(ddof=1) / np.sqrt(len(values)))


def assert_chance(scheme, statistics):
    """Sites differ in response rate, which draws pooled predictions below chance."""
    for name in ("bac", "auc", "bac_folds"):
        assert abs(excess(statistics[name])) < 3, name
    assert excess(statistics["bac_pooled"]) < 3
    if scheme == MIXED_SITES:
        assert excess(statistics["bac_pooled"]) > -3


@pytest.mark.parametrize("scheme", CV_SCHEMES)
def test_noise_is_at_chance(scheme):
    assert_chance(scheme, scores(scheme, 40, 60, 40))


def test_a_leak_is_detected():
    statistics = scores("pooled", 16, 60, 40, with_leak)
    for name in ("bac", "auc", "bac_folds", "bac_pooled"):
        assert excess(statistics[name]) > 5, name


def of_sites(cases):
    """Let sites differ in scanner and response rate only."""
    rng = np.random.default_rng(len(cases.site[0]) + int(cases.value[0, 0] * 1e6) % 1000)
    names, site = np.unique(cases.site, return_inverse=True)
    scanner = rng.normal(size=(len(names), cases.value.shape[1]))
    rate = np.linspace(0.15, 0.85, len(names))
    label = (rng.random(len(site)) < rate[site]).astype(int)
    return replace(cases, value=cases.value + 2 * scanner[site], label=label)


@pytest.mark.parametrize("scheme", [MIXED_SITES, "leave-site-out"])
def test_knowing_the_site_gives_no_advantage(scheme):
    """With pooled folds the response rate of a site can be learnt."""
    statistics = scores(scheme, 24, 80, 20, of_sites)
    assert abs(excess(statistics["bac"])) < 3
    assert abs(excess(statistics["auc"])) < 3
    if scheme == MIXED_SITES:
        assert excess(statistics["bac_pooled"]) > 5


@pytest.mark.slow
@pytest.mark.parametrize("scheme", CV_SCHEMES)
def test_noise_of_the_published_size_is_at_chance(scheme):
    assert_chance(scheme, scores(scheme, 200, 99, 185))


@pytest.mark.slow
def test_every_p_is_uniform_on_noise_and_few_are_above_chance():
    for name, p in null_table(100, 19, workers=2, sizes=(48, 40, 40)).items():
        assert p["at most 0.05"] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100), name
        if name.endswith("auc"):  # a balanced accuracy has few values, so its p is larger
            assert p["ks_p"] > 0.001, name


@pytest.mark.slow
def test_the_shipped_example_shows_the_planted_lobes(tmp_path):
    for seed in range(3):
        lobes = planted_lobes(seed, tmp_path, brain=1.3)
        assert lobes["signs"]
        assert lobes["lobes"]
        assert lobes["auc"]["discovery"] > 0.55 < lobes["auc"]["trial-2"]


def test_discovery_and_another_cohort_show_a_planted_effect_and_saline_does_not():
    nested_cv = NestedCV(
        NestedFolds("pooled", 1, 10, 1, 5, seed=1),
        Classifier(costs=(2.0**-6, 2.0**-2, 4.0)),
        PreparationSettings(harmonise=True),
    )
    measures = planted_measures(3, nested_cv)
    assert [measures[k]["n"] for k in ("discovery", "external", "saline")] == [99, 51, 49]
    assert measures["discovery"]["bac_low"] > 0.5
    assert measures["external"]["bac_low"] > 0.5
    assert measures["saline"]["bac_low"] < 0.5 < measures["saline"]["bac_high"]
    assert measures["saline"]["auc_low"] < 0.5 < measures["saline"]["auc_high"]
    assert "bac_folds_low" in measures["discovery"]


def test_the_fast_path_has_the_same_scores_as_scikit_learn_and_is_faster():
    result = speed(7, workers=1, ours=2, theirs=2, repeats=1)
    assert result["same_scores"]
    assert result["times_less_cpu"] > 3


@pytest.fixture(scope="module")
def real_cases(real_data):
    folder = real_data / "freesurfer" / "aomic_piop2"
    people = read_participants(folder).table
    return classifier_data_from_volumes(open_volumes(folder), people, "sex", covariates=())


def test_real_regions_classify_sex_and_not_a_random_label(real_cases):
    # Large C take long where components barely separate the cases.
    nested_cv = NestedCV(NestedFolds("pooled", 1, 5, 1, 4), Classifier(costs=(2.0**-6, 2.0**-3)))
    prediction = nested_cross_validate(real_cases, nested_cv)
    assert prediction.measures["bac_low"] > 0.7
    random_bac = [
        nested_cross_validate(
            real_cases.with_labels(np.random.default_rng(k).permutation(real_cases.label)),
            nested_cv,
        ).measures["bac"]
        for k in range(6)
    ]
    assert abs(np.mean(random_bac) - 0.5) < 0.06
    assert isinstance(prediction.weights, pd.DataFrame)
    assert prediction.weights["label"].str.contains("left|right").any()
    assert (prediction.weights["consistency"].head(10) > 0.9).all()
