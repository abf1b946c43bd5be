"""Preparation: fitted to the training set without labels, applied to new sites."""

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from ketadask.cohort.harmonise import fit_sites
from ketadask.predict.classifier_data import build_classifier_data
from ketadask.predict.preparation import PreparationSettings, fit_preparation
from tests.predict.small_cohorts import cohort


def test_median_and_scale_are_those_of_scikit_learn():
    cases = cohort(missing=0.1)
    volumes = fit_preparation(cases, PreparationSettings()).apply(cases)
    expected = StandardScaler().fit_transform(
        SimpleImputer(strategy="median").fit_transform(cases.value)
    )
    np.testing.assert_allclose(volumes, expected, atol=1e-12)


def test_constant_and_empty_regions_become_zero():
    cases = cohort()
    cases.value[:, 0] = 0.1 + 0.2
    cases.value[:, 1] = np.nan
    volumes = fit_preparation(cases, PreparationSettings()).apply(cases)
    assert np.abs(volumes[:, :2]).max() < 1e-9


def test_covariates_are_uncorrelated_with_training_volumes():
    cases = cohort(n=80, covariates=2)
    cases.value[:] += 30 * cases.covariate[:, :1]
    volumes = fit_preparation(cases, PreparationSettings()).apply(cases)
    assert abs(np.corrcoef(cases.covariate.T, volumes.T)[:2, 2:]).max() < 1e-9


def test_slopes_of_covariates_are_within_sites_with_harmonisation():
    rng = np.random.default_rng(0)
    site = np.repeat(["a", "b"], 100)
    age = np.where(site == "a", 30.0, 50.0) + rng.normal(size=200)
    value = rng.normal(size=(200, 4)) + 2 * age[:, None] + 500 * (site == "b")[:, None]
    cases = build_classifier_data(value, np.arange(200) % 2, site=site, covariate=age[:, None])
    slopes = fit_preparation(cases, PreparationSettings(harmonise=True)).slope
    np.testing.assert_allclose(slopes, 2, atol=0.3)
    assert fit_preparation(cases, PreparationSettings()).slope.mean() > 10


@pytest.mark.parametrize("train_sites", [["a", "b"], ["a"]])
def test_harmonisation_removes_offset_and_spread_of_old_and_new_sites(train_sites):
    rng = np.random.default_rng(1)
    site = np.repeat(["a", "b"], 60)
    value = rng.normal(size=(120, 30))
    value[60:] = 2.5 * value[60:] + 8
    inside = np.isin(site, train_sites)
    sites = fit_sites(value[inside], site[inside])
    flat = sites.apply(value, site)
    assert np.abs(flat[:60].mean(0) - flat[60:].mean(0)).mean() < 0.5
    assert 0.8 < flat[60:].std() / flat[:60].std() < 1.25
    as_is = sites.apply(value, site, own=False)
    changes = np.abs(as_is[60:] - flat[60:]).max() > 1
    assert changes == (len(train_sites) == 1)


def test_a_new_site_of_one_case_is_unchanged():
    sites = fit_sites(np.random.default_rng(0).normal(size=(20, 5)), np.repeat(["a"], 20))
    value = np.full((1, 5), 7.0)
    np.testing.assert_allclose(sites.apply(value, np.array(["z"])), value)


def test_a_small_site_is_shrunken_towards_the_mean_of_its_regions():
    rng = np.random.default_rng(2)
    site = np.array(["a"] * 200 + ["b"] * 4)
    value = rng.normal(size=(204, 50))
    value[200:] += 2
    sites = fit_sites(value, site)
    raw = value[200:].mean(0) - value[:200].mean(0)
    b = list(sites.name).index("b")
    assert sites.shift[b].std() < 0.7 * raw.std()
    assert sites.shift[b].mean() == pytest.approx(2, abs=0.4)


def test_labels_are_not_used():
    cases = cohort(sites=2, covariates=1)
    one = fit_preparation(cases, PreparationSettings(harmonise=True))
    two = fit_preparation(cases.with_labels(1 - cases.label), PreparationSettings(harmonise=True))
    assert np.array_equal(one.apply(cases), two.apply(cases))
