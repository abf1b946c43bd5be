"""Nested folds against scikit-learn's own loops, and against what must never be seen."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict

from ketadask.predict.classifier_data import build_classifier_data
from ketadask.predict.classifiers import Classifier
from ketadask.predict.nested import NestedCV, majority_vote
from ketadask.predict.preparation import PreparationSettings
from ketadask.predict.results import nested_cross_validate
from ketadask.predict.scikit import PreparationTransformer, scikit_pipeline
from ketadask.predict.solvers import direct_svc, one_thread, public_svc
from ketadask.schema.errors import InputError
from tests.predict.small_cohorts import cohort, small


@pytest.fixture(autouse=True)
def _calm():
    with one_thread():
        yield


COSTS = (2.0**-6, 2.0**-2, 1.0, 16.0)


class TheirFolds:
    """Outer and inner folds exactly as cross_val_predict and GridSearchCV make them."""

    def outer(self, made, number):
        return list(StratifiedKFold(4).split(made.value, made.label))[number]

    def inner(self, made, number):
        yield from StratifiedKFold(3).split(made.value, made.label)

    def outer_folds(self, made):
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
    made = cohort(n=50, p=70, effect=0.15, seed=1, missing=0.02)
    learner = Classifier(name, COSTS, gammas=gammas, explained_variance=energies)
    nested = NestedCV(TheirFolds(), learner, final="refit")
    decision = np.empty(len(made))
    for number in range(4):
        result = nested.fold(made, number)
        decision[result.rows] = result.decision
    search = GridSearchCV(
        *scikit_pipeline(learner), scoring="balanced_accuracy", cv=StratifiedKFold(3), refit=True
    )
    theirs, said = (
        cross_val_predict(search, made.value, made.label, cv=StratifiedKFold(4), method=method)
        for method in ("decision_function", "predict")
    )
    assert np.array_equal(decision > 0, said == 1)
    np.testing.assert_allclose(decision, theirs, atol=1e-8)


def test_choice_and_score_are_those_of_a_grid_search():
    made = cohort(n=50, p=70, effect=0.15, seed=3)
    learner = Classifier("svc-linear", COSTS, explained_variance=(0.5, 0.9))
    result = NestedCV(TheirFolds(), learner).fold(made, 0)
    train, _ = TheirFolds().outer(made, 0)
    search = GridSearchCV(
        *scikit_pipeline(learner), scoring="balanced_accuracy", cv=StratifiedKFold(3), refit=False
    ).fit(made.value[train], made.label[train])
    assert result.candidate.cost == search.best_params_["classify__C"]
    assert result.candidate.explained_variance == search.best_params_["reduce__n_components"]
    assert result.inner_score == pytest.approx(search.best_score_, abs=1e-12)


def test_votes_are_those_of_pipelines_fitted_inside_the_inner_folds():
    made = cohort(n=60, p=9, effect=0.4, seed=5, sites=3, covariates=2, missing=0.03)
    preparing = PreparationSettings(harmonise=True)
    learner = Classifier("svc-linear", COSTS, explained_variance=(0.9,))
    nested = NestedCV(small(inner_repeats=2), learner, preparing)
    result = nested.fold(made, 1)
    train, test = nested.cv.outer(made, 1)
    inside = made.take(train)
    number = np.unique(made.site, return_inverse=True)[1]
    X = np.column_stack([made.value, made.covariate, number])
    steps, grid = scikit_pipeline(learner, PreparationTransformer(2, True, preparing))
    folds = list(nested.cv.inner(inside, 1))
    search = GridSearchCV(steps, grid, scoring="balanced_accuracy", cv=folds, refit=False)
    search.fit(X[train], inside.label)
    best = clone(steps).set_params(**search.best_params_)
    votes = np.mean(
        [clone(best).fit(X[train][rows], inside.label[rows]).predict(X[test]) for rows, _ in folds],
        axis=0,
    )
    assert result.candidate.cost == search.best_params_["classify__C"]
    np.testing.assert_allclose(result.votes, votes, atol=1e-12)


def test_the_labels_and_volumes_of_held_out_cases_change_no_model():
    made = cohort(n=48, effect=0.3, seed=2, covariates=1)
    nested = NestedCV(small(), Classifier(costs=COSTS), PreparationSettings())
    train, test = nested.cv.outer(made, 2)
    result = nested.fold(made, 2)

    class Fixed:
        outer = staticmethod(lambda *_: (train, test))
        inner = staticmethod(nested.cv.inner)

    label, value = made.label.copy(), made.value.copy()
    label[test] = 1 - label[test]
    value[test[1:]] += 1000
    changed = build_classifier_data(value, label, covariate=made.covariate, region=made.region)
    again = NestedCV(Fixed(), nested.classifier).fold(changed, 2)
    assert again.candidate == result.candidate
    assert np.array_equal(again.weights, result.weights)
    assert again.decision[0] == pytest.approx(result.decision[0], abs=1e-12)


def test_a_planted_effect_is_found_and_every_learner_finds_it():
    made = cohort(n=60, effect=1.2, seed=4)
    for name in ("svc-linear", "svc-rbf", "logistic", "forest"):
        costs = (1.0, 3.0) if name == "forest" else (0.1, 1.0)
        nested = NestedCV(small(repeats=1), Classifier(name, costs, trees=20))
        assert nested_cross_validate(made, nested).measures["bac"] > 0.8, name


def test_results_do_not_depend_on_the_order_of_the_folds():
    made = cohort(effect=0.5)
    nested = NestedCV(small(), Classifier(costs=(0.1, 1.0)))
    from ketadask.predict.results import summarise_prediction

    tables = [nested.fold(made, k).tables(made, 4) for k in range(8)]
    one, two = (
        summarise_prediction(made, nested, {n: pd.concat([t[n] for t in order]) for n in tables[0]})
        for order in (tables, tables[::-1])
    )
    assert one.measures == two.measures
    pd.testing.assert_frame_equal(one.weights, two.weights)
    pd.testing.assert_frame_equal(one.cases, two.cases)


def test_votes_that_are_even_but_for_rounding_are_even():
    shares = np.array([26, 18, 1]) / 30
    votes = np.array([shares.mean(), shares[[1, 2, 0]].mean(), 0.5])
    assert len(set(votes.tolist())) > 1
    assert majority_vote(votes, np.full(3, 0.1)).tolist() == [1, 1, 1]
    assert majority_vote(votes, np.full(3, -0.1)).tolist() == [0, 0, 0]


def test_unknown_words_are_refused_with_the_nearest():
    with pytest.raises(InputError, match="svc-linear"):
        Classifier("svc-liner")
    with pytest.raises(InputError, match="vote or refit"):
        NestedCV(small(), final="mean")


@pytest.mark.parametrize("cost", COSTS)
def test_the_direct_solver_says_what_the_estimator_says(cost):
    made = cohort(n=61, p=30, effect=0.2)
    prepared = (made.value - made.value.mean(0)) / made.value.std(0)
    asked = (prepared @ prepared.T, made.label, {0: 1.1, 1: 0.9}, cost)
    for one, two in zip(direct_svc(*asked), public_svc(*asked), strict=True):
        assert np.array_equal(one, two)
