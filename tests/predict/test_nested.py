"""Nested folds against scikit-learn's own loops, and against leaks from test cases."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict

from ketadask.predict.classifier_data import build_classifier_data
from ketadask.predict.classifiers import Classifier
from ketadask.predict.nested import NestedCV, haufe_patterns, majority_vote, weight_sums
from ketadask.predict.preparation import PreparationSettings
from ketadask.predict.results import fold_tables, nested_cross_validate, summarise_prediction
from ketadask.predict.solvers import direct_svc, public_svc
from ketadask.predict.weights import SUMS, weight_table
from ketadask.schema.errors import InputError
from ketadask.store.environment import one_thread
from tests.benchmarks.scikit_pipeline import PreparationTransformer, scikit_pipeline
from tests.predict.small_cohorts import cohort, small


@pytest.fixture(autouse=True)
def _one_thread():
    with one_thread():
        yield


COSTS = (2.0**-6, 2.0**-2, 1.0, 16.0)


class ScikitFolds:
    """Outer and inner folds exactly as in cross_val_predict and GridSearchCV."""

    def outer(self, cases, index):
        return list(StratifiedKFold(4).split(cases.value, cases.label))[index]

    def inner(self, cases, index):
        yield from StratifiedKFold(3).split(cases.value, cases.label)

    def outer_folds(self, cases):
        return 4


@pytest.mark.parametrize(
    ("name", "energies", "gammas"),
    [
        ("svc-linear", (None,), (None,)),
        ("svc-linear", (0.5, 0.9), (None,)),
        ("svc-rbf", (0.9,), (None, 0.01, 0.1)),
        ("svc-rbf", (None,), (0.05,)),
        ("logistic", (0.5,), (None,)),
    ],
)
def test_predictions_are_those_of_scikit_learns_nested_loops(name, energies, gammas):
    cases = cohort(n=50, p=70, effect=0.15, seed=1, missing=0.02)
    classifier = Classifier(name, COSTS, gammas=gammas, explained_variance=energies)
    nested_cv = NestedCV(ScikitFolds(), classifier, final="refit")
    decision = np.empty(len(cases))
    for index in range(4):
        result = nested_cv.fold(cases, index)
        decision[result.rows] = result.decision
    search = GridSearchCV(
        *scikit_pipeline(classifier), scoring="balanced_accuracy", cv=StratifiedKFold(3), refit=True
    )
    expected, prediction = (
        cross_val_predict(search, cases.value, cases.label, cv=StratifiedKFold(4), method=method)
        for method in ("decision_function", "predict")
    )
    assert np.array_equal(decision > 0, prediction == 1)
    np.testing.assert_allclose(decision, expected, atol=1e-8)


def test_choice_and_score_are_those_of_a_grid_search():
    cases = cohort(n=50, p=70, effect=0.15, seed=3)
    classifier = Classifier("svc-linear", COSTS, explained_variance=(0.5, 0.9))
    result = NestedCV(ScikitFolds(), classifier).fold(cases, 0)
    train, _ = ScikitFolds().outer(cases, 0)
    search = GridSearchCV(
        *scikit_pipeline(classifier),
        scoring="balanced_accuracy",
        cv=StratifiedKFold(3),
        refit=False,
    ).fit(cases.value[train], cases.label[train])
    assert result.candidate.cost == search.best_params_["classify__C"]
    assert result.candidate.explained_variance == search.best_params_["reduce__n_components"]
    assert result.inner_score == pytest.approx(search.best_score_, abs=1e-12)


def test_votes_are_those_of_pipelines_fitted_train_cases_the_inner_folds():
    cases = cohort(n=60, p=9, effect=0.4, seed=5, sites=3, covariates=2, missing=0.03)
    preparation = PreparationSettings(harmonise=True)
    classifier = Classifier("svc-linear", COSTS, explained_variance=(0.9,))
    nested_cv = NestedCV(small(inner_repeats=2), classifier, preparation)
    result = nested_cv.fold(cases, 1)
    train, test = nested_cv.cv.outer(cases, 1)
    train_cases = cases.take(train)
    code = np.unique(cases.site, return_inverse=True)[1]
    X = np.column_stack([cases.value, cases.covariate, code])
    steps, grid = scikit_pipeline(classifier, PreparationTransformer(2, True, preparation))
    folds = list(nested_cv.cv.inner(train_cases, 1))
    search = GridSearchCV(steps, grid, scoring="balanced_accuracy", cv=folds, refit=False)
    search.fit(X[train], train_cases.label)
    best = clone(steps).set_params(**search.best_params_)
    votes = np.mean(
        [
            clone(best).fit(X[train][rows], train_cases.label[rows]).predict(X[test])
            for rows, _ in folds
        ],
        axis=0,
    )
    assert result.candidate.cost == search.best_params_["classify__C"]
    np.testing.assert_allclose(result.votes, votes, atol=1e-12)


def test_labels_and_volumes_of_test_cases_change_no_model():
    cases = cohort(n=48, effect=0.3, seed=2, covariates=1)
    nested_cv = NestedCV(small(), Classifier(costs=COSTS), PreparationSettings())
    train, test = nested_cv.cv.outer(cases, 2)
    result = nested_cv.fold(cases, 2)

    class SameFolds:
        outer = staticmethod(lambda *_: (train, test))
        inner = staticmethod(nested_cv.cv.inner)

    label, value = cases.label.copy(), cases.value.copy()
    label[test] = 1 - label[test]
    value[test[1:]] += 1000
    changed = build_classifier_data(value, label, covariate=cases.covariate, region=cases.region)
    again = NestedCV(SameFolds(), nested_cv.classifier).fold(changed, 2)
    assert again.candidate == result.candidate
    assert np.array_equal(again.weights, result.weights)
    assert again.decision[0] == pytest.approx(result.decision[0], abs=1e-12)


def test_every_classifier_finds_a_planted_effect():
    cases = cohort(n=60, effect=1.2, seed=4)
    grids = {"forest": (("n_estimators", (20,)),), "sklearn.naive_bayes.GaussianNB": ()}
    for name in ("svc-linear", "svc-rbf", "logistic", *grids):
        classifier = Classifier(name, (0.1, 1.0), grid=grids.get(name, ()))
        nested_cv = NestedCV(small(repeats=1), classifier)
        assert nested_cross_validate(cases, nested_cv).measures["bac"] > 0.8, name


def test_results_do_not_depend_on_the_order_of_the_folds():
    cases = cohort(effect=0.5)
    nested_cv = NestedCV(small(), Classifier(costs=(0.1, 1.0)))
    one, two = (
        summarise_prediction(cases, nested_cv, fold_tables(cases, nested_cv, order))
        for order in (range(8), range(7, -1, -1))
    )
    assert one.measures == two.measures
    pd.testing.assert_frame_equal(one.weights, two.weights)
    pd.testing.assert_frame_equal(one.cases, two.cases)


def test_votes_that_are_even_but_for_rounding_are_even():
    fractions = np.array([26, 18, 1]) / 30
    votes = np.array([fractions.mean(), fractions[[1, 2, 0]].mean(), 0.5])
    assert len(set(votes.tolist())) > 1
    assert majority_vote(votes, np.full(3, 0.1)).tolist() == [1, 1, 1]
    assert majority_vote(votes, np.full(3, -0.1)).tolist() == [0, 0, 0]


def test_messages():
    with pytest.raises(InputError, match="svc-linear"):
        Classifier("svc-liner")
    with pytest.raises(InputError, match="vote or refit"):
        NestedCV(small(), final="mean")


@pytest.mark.parametrize("cost", COSTS)
def test_the_direct_solver_equals_the_estimator(cost):
    cases = cohort(n=61, p=30, effect=0.2)
    volumes = (cases.value - cases.value.mean(0)) / cases.value.std(0)
    problem = (volumes @ volumes.T, cases.label, {0: 1.1, 1: 0.9}, cost)
    for one, two in zip(direct_svc(*problem), public_svc(*problem), strict=True):
        assert np.array_equal(one, two)


def test_patterns_are_covariance_times_weight_and_free_of_shared_noise():
    rng = np.random.default_rng(0)
    noise, label = rng.normal(size=300), np.arange(300) % 2
    volumes = np.column_stack([label + noise, noise, rng.normal(size=300)])
    volumes = (volumes - volumes.mean(0)) / volumes.std(0)
    classifier = Classifier(costs=(1.0,), explained_variance=(None,))
    (model,) = classifier.fit(volumes, label).models
    pattern = haufe_patterns(volumes, model.decide(volumes)[None])[0]
    np.testing.assert_allclose(pattern, np.cov(volumes.T) @ model.weight, rtol=1e-9)
    assert model.weight[1] < -0.5 * model.weight[0]  # it only cancels noise
    assert abs(pattern[1]) < 0.5 * pattern[0]


def test_weights_and_patterns_of_one_model_are_those_of_the_table():
    sums = weight_sums([np.array([3.0, -4.0])], [np.array([0.0, 2.0])], 2)
    table = pd.DataFrame(dict(zip(SUMS, sums, strict=True))).assign(number=0, column=[0, 1])
    rows = weight_table(["lh_insula_volume", "Left-Thalamus"], table).set_index("region")
    assert rows["weight"].to_dict() == {"lh_insula_volume": 0.6, "Left-Thalamus": -0.8}
    assert rows["pattern"].to_dict() == {"lh_insula_volume": 0.0, "Left-Thalamus": 1.0}
    assert rows.loc["lh_insula_volume", ["lobe", "network"]].tolist() == [
        "insula", "ventral-attention",
    ]  # fmt: skip
