"""No leak: noise is at chance in every frame, a leak would show, and real regions tell sex."""

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
from tests.benchmarks.predict import noise_scores, planted_measures, speed, uniform


def screened(made):
    """Leak: keep the regions that differ most between the labels of all cases."""
    high, low = made.value[made.label == 1], made.value[made.label == 0]
    kept = np.argsort(-np.abs(high.mean(0) - low.mean(0)))[:10]
    return replace(made, value=made.value[:, kept], region=tuple(made.region[j] for j in kept))


def scores(kind, count, n, regions, spoil=None):
    rows = [noise_scores(seed, kind, n, regions, spoil) for seed in range(count)]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def excess(values):
    """Return by how many Monte-Carlo errors a mean is above one half."""
    return (values.mean() - 0.5) / (values.std(ddof=1) / np.sqrt(len(values)))


def at_chance(kind, found):
    """Sites differ in their share of responders, which draws pooled predictions below chance."""
    for name in ("bac", "auc", "bac_folds"):
        assert abs(excess(found[name])) < 3, name
    assert excess(found["bac_pooled"]) < 3
    if kind == MIXED_SITES:
        assert excess(found["bac_pooled"]) > -3


@pytest.mark.parametrize("kind", CV_SCHEMES)
def test_noise_is_at_chance(kind):
    at_chance(kind, scores(kind, 40, 60, 40))


def test_a_leak_is_seen():
    found = scores("pooled", 16, 60, 40, screened)
    for name in ("bac", "auc", "bac_folds", "bac_pooled"):
        assert excess(found[name]) > 5, name


def of_sites(made):
    """Let sites differ in scanner and in their share of responders, and in nothing else."""
    rng = np.random.default_rng(len(made.site[0]) + int(made.value[0, 0] * 1e6) % 1000)
    names, site = np.unique(made.site, return_inverse=True)
    scanner = rng.normal(size=(len(names), made.value.shape[1]))
    share = np.linspace(0.15, 0.85, len(names))
    label = (rng.random(len(site)) < share[site]).astype(int)
    return replace(made, value=made.value + 2 * scanner[site], label=label)


@pytest.mark.parametrize("kind", [MIXED_SITES, "leave-site-out"])
def test_what_a_site_tells_is_no_accuracy(kind):
    """In the pooled frame the share of responders of a site can be learnt, and is worth nothing."""
    found = scores(kind, 24, 80, 20, of_sites)
    assert abs(excess(found["bac"])) < 3
    assert abs(excess(found["auc"])) < 3
    if kind == MIXED_SITES:
        assert excess(found["bac_pooled"]) > 5


@pytest.mark.slow
@pytest.mark.parametrize("kind", CV_SCHEMES)
def test_noise_of_the_published_size_is_at_chance(kind):
    at_chance(kind, scores(kind, 200, 99, 185))


@pytest.mark.slow
def test_permutation_p_is_uniform_on_noise():
    told = uniform(120, 40, 20, 19, workers=2)
    for name in ("bac", "bac_folds", "bac_pooled", "auc"):
        p = told[name]
        assert p["at most 0.05"] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 120), name
        assert p["at most 0.2"] <= 0.2 + 3 * np.sqrt(0.2 * 0.8 / 120), name
        assert p["at most 0.2"] >= 0.2 - 3 * np.sqrt(0.2 * 0.8 / 120) - 0.05, name
        assert abs(p["mean"] - 0.525) < 3 * p["error"] + 0.02, name


def test_discovery_and_another_cohort_show_a_planted_effect_and_saline_does_not():
    nested = NestedCV(
        NestedFolds("pooled", 1, 10, 1, 5, seed=1),
        Classifier(costs=(2.0**-6, 2.0**-2, 4.0)),
        PreparationSettings(harmonise=True),
    )
    told = planted_measures(3, nested)
    assert [told[k]["n"] for k in ("discovery", "external", "saline")] == [99, 51, 49]
    assert told["discovery"]["bac_low"] > 0.5
    assert told["external"]["bac_low"] > 0.5
    assert told["saline"]["bac_low"] < 0.5 < told["saline"]["bac_high"]
    assert told["saline"]["auc_low"] < 0.5 < told["saline"]["auc_high"]
    assert "bac_folds_low" in told["discovery"]


def test_the_fast_path_has_the_same_scores_as_scikit_learn_and_is_faster():
    told = speed(7, workers=1, ours=2, theirs=2, repeats=1)
    assert told["same_scores"]
    assert told["times_less_cpu"] > 3


@pytest.fixture(scope="module")
def real_cases(real_data):
    folder = real_data / "freesurfer" / "aomic_piop2"
    people = read_participants(folder).table
    return classifier_data_from_volumes(open_volumes(folder), people, "sex", covariates=())


def test_real_regions_tell_sex_and_not_a_shuffled_label(real_cases):
    # Large C take long where components barely separate the cases.
    nested = NestedCV(NestedFolds("pooled", 1, 5, 1, 4), Classifier(costs=(2.0**-6, 2.0**-3)))
    told = nested_cross_validate(real_cases, nested)
    assert told.measures["bac_low"] > 0.7
    shuffled = [
        nested_cross_validate(
            real_cases.with_labels(np.random.default_rng(k).permutation(real_cases.label)), nested
        ).measures["bac"]
        for k in range(6)
    ]
    assert abs(np.mean(shuffled) - 0.5) < 0.06
    assert isinstance(told.weights, pd.DataFrame)
    assert told.weights["label"].str.contains("left|right").any()
    assert (told.weights["consistency"].head(10) > 0.9).all()
