"""Preparation: fitted to the train part, blind to labels, and able to meet an unseen site."""

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from ketadask.cohort.harmonise import fit_sites
from ketadask.predict.classifier_data import build_classifier_data
from ketadask.predict.preparation import PreparationSettings, fit_preparation
from tests.predict.small_cohorts import cohort


def test_median_and_scale_are_those_of_scikit_learn():
    made = cohort(missing=0.1)
    prepared = fit_preparation(made, PreparationSettings()).apply(made)
    theirs = StandardScaler().fit_transform(
        SimpleImputer(strategy="median").fit_transform(made.value)
    )
    np.testing.assert_allclose(prepared, theirs, atol=1e-12)


def test_constant_and_empty_regions_become_zero():
    made = cohort()
    made.value[:, 0] = 0.1 + 0.2
    made.value[:, 1] = np.nan
    prepared = fit_preparation(made, PreparationSettings()).apply(made)
    assert np.abs(prepared[:, :2]).max() < 1e-9


def test_covariates_leave_no_linear_trace_in_the_train_part():
    made = cohort(n=80, covariates=2)
    made.value[:] += 30 * made.covariate[:, :1]
    prepared = fit_preparation(made, PreparationSettings()).apply(made)
    assert abs(np.corrcoef(made.covariate.T, prepared.T)[:2, 2:]).max() < 1e-9


def test_slopes_of_covariates_are_taken_within_sites_where_sites_differ():
    rng = np.random.default_rng(0)
    site = np.repeat(["a", "b"], 100)
    age = np.where(site == "a", 30.0, 50.0) + rng.normal(size=200)
    value = rng.normal(size=(200, 4)) + 2 * age[:, None] + 500 * (site == "b")[:, None]
    made = build_classifier_data(value, np.arange(200) % 2, site=site, covariate=age[:, None])
    slopes = fit_preparation(made, PreparationSettings(harmonise=True)).slope
    np.testing.assert_allclose(slopes, 2, atol=0.3)
    assert fit_preparation(made, PreparationSettings()).slope.mean() > 10


@pytest.mark.parametrize("fitted_sites", [["a", "b"], ["a"]])
def test_sites_lose_their_offset_and_spread_seen_or_not(fitted_sites):
    rng = np.random.default_rng(1)
    site = np.repeat(["a", "b"], 60)
    value = rng.normal(size=(120, 30))
    value[60:] = 2.5 * value[60:] + 8
    inside = np.isin(site, fitted_sites)
    made = fit_sites(value[inside], site[inside])
    flat = made.apply(value, site)
    assert np.abs(flat[:60].mean(0) - flat[60:].mean(0)).mean() < 0.5
    assert 0.8 < flat[60:].std() / flat[:60].std() < 1.25
    as_is = made.apply(value, site, own=False)
    moved = np.abs(as_is[60:] - flat[60:]).max() > 1
    assert moved == (len(fitted_sites) == 1)


def test_a_site_with_one_unseen_case_is_left_as_it_is():
    made = fit_sites(np.random.default_rng(0).normal(size=(20, 5)), np.repeat(["a"], 20))
    value = np.full((1, 5), 7.0)
    np.testing.assert_allclose(made.apply(value, np.array(["z"])), value)


def test_few_cases_of_a_site_are_shrunken_towards_what_its_regions_share():
    rng = np.random.default_rng(2)
    site = np.array(["a"] * 200 + ["b"] * 4)
    value = rng.normal(size=(204, 50))
    value[200:] += 2
    made = fit_sites(value, site)
    raw = value[200:].mean(0) - value[:200].mean(0)
    b = list(made.name).index("b")
    assert made.shift[b].std() < 0.7 * raw.std()
    assert made.shift[b].mean() == pytest.approx(2, abs=0.4)


def test_labels_play_no_part():
    made = cohort(sites=2, covariates=1)
    one = fit_preparation(made, PreparationSettings(harmonise=True))
    two = fit_preparation(made.with_labels(1 - made.label), PreparationSettings(harmonise=True))
    assert np.array_equal(one.apply(made), two.apply(made))
