"""Classifiers by import path: as scikit-learn fits them, and refused by key, value and remedy."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from ketadask.predict.classifiers import Classifier, LinearModel
from ketadask.predict.nested import REFIT, NestedCV
from ketadask.schema.errors import InputError
from tests.predict.small_cohorts import cohort, small

FOREST = "sklearn.ensemble.RandomForestClassifier"
LDA = "sklearn.discriminant_analysis.LinearDiscriminantAnalysis"
SHRINKAGE = (("solver", ("lsqr",)), ("shrinkage", (0.2, "auto")))
GRID = (("n_estimators", (5, 20)), ("max_depth", (1, None)))


def test_nested_folds_choose_and_decide_as_a_grid_search():
    cases = cohort(n=60, effect=0.4, seed=2)
    nested_cv = NestedCV(small(repeats=1), Classifier(FOREST, grid=GRID, seed=3), final=REFIT)
    result = nested_cv.fold(cases, 1)
    train_rows, test_rows = nested_cv.cv.outer(cases, 1)
    train = cases.take(train_rows)
    forest = RandomForestClassifier(random_state=3, class_weight="balanced")
    search = GridSearchCV(
        Pipeline([("scale", StandardScaler()), ("forest", forest)]),
        {f"forest__{name}": list(values) for name, values in GRID},
        scoring="balanced_accuracy",
        cv=list(nested_cv.cv.inner(train, 1)),
    ).fit(train.value, train.label)
    chosen = {f"forest__{name}": value for name, value in result.candidate.parameters}
    assert chosen == search.best_params_
    assert result.inner_score == pytest.approx(search.best_score_)
    expected = search.predict_proba(cases.value[test_rows])[:, 1] - 0.5
    np.testing.assert_allclose(result.decision, expected, atol=1e-12)


def test_a_linear_classifier_has_weights_and_the_same_decisions():
    cases = cohort(n=60, effect=0.4)
    classifier = Classifier(LDA, balance_labels=False, grid=SHRINKAGE)
    models = classifier.fit(cases.value, cases.label).models
    assert [type(model) for model in models] == [LinearModel, LinearModel]
    own = LinearDiscriminantAnalysis(solver="lsqr")
    for shrinkage, model in zip((0.2, "auto"), models, strict=True):
        fit = clone(own).set_params(shrinkage=shrinkage).fit(cases.value, cases.label)
        np.testing.assert_allclose(model.decide(cases.value), fit.decision_function(cases.value))


@pytest.mark.parametrize(
    ("path", "grid", "message"),
    [
        ("sklearn.svm.SVCC", {}, "predict.classifier: cannot be imported.*SVCC.*correct the path"),
        ("no_package.Forest", {}, "cannot be imported.*no_package.*install its package"),
        ("sklearn.linear_model.Ridge", {}, "is no classifier.*Ridge.*RandomForestClassifier"),
        ("sklearn.ensemble.VotingClassifier", {}, "is no classifier.*needs no arguments"),
        ("os.path.join", {}, "is no classifier.*os.path.join"),
        (FOREST, {"n_estimator": 9}, "predict.grid: .*no such parameter.*'n_estimators'"),
        (FOREST, {"n_estimators": -1}, "predict.grid: .*cannot be fitted.*-1.*range"),
        ("sklearn.neighbors.KNeighborsClassifier", {}, "predict.balanced.*balanced: false"),
    ],
)
def test_errors_name_key_value_and_remedy(path, grid, message):
    with pytest.raises(InputError, match=message):
        Classifier(path, grid=tuple((name, (value,)) for name, value in grid.items())).check()


def test_the_check_passes_what_can_be_fitted():
    Classifier("sklearn.neighbors.KNeighborsClassifier", balance_labels=False).check()
    Classifier("sklearn.ensemble.HistGradientBoostingClassifier").check()
    Classifier("svc-linear").check()
