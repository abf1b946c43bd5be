"""PersonaSearch on arrays and DataFrames keeps scikit-learn's contract."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

import ketadask as kd
from ketadask.schema.errors import InputError
from tests.search.small_studies import small_units

# Checks that do not apply, with the reason; none fails.
EXCEPTIONS = {"check_array_api_input": "arrays of other libraries are not taken"}


def table(units=60, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(units, 4)), columns=["age", "bmi", "crp", "il6"])
    score = 3.0 * ((X["bmi"] > 0) & (X["crp"] <= 0.2)) + rng.normal(size=units)
    return X, score


def search(**settings):
    return kd.PersonaSearch(**{"max_literals": 2, "cuts": 4, "keep": 5} | settings)


def test_scikit_learn_accepts_the_estimator():
    checks = check_estimator(search(cuts=3), on_fail=None)
    assert len(checks) > 40
    assert {c["check_name"] for c in checks if c["status"] != "passed"} <= set(EXCEPTIONS)


def test_a_table_gives_the_personas_of_top_personas():
    X, score = table()
    fit = search().fit(X, score)
    for polarity, rows in fit.personas_.groupby("polarity", sort=False):
        best = kd.top_personas(X, score, polarity=polarity, max_literals=2, cuts=4, keep=5)
        assert rows["persona"].tolist() == best["persona"].tolist()
        assert rows["q"].tolist() == best["q"].tolist()
    assert fit.feature_names_in_.tolist() == list(X)
    assert fit.get_feature_names_out()[0].startswith("favourable: ")
    assert len(set(fit.get_feature_names_out())) == 10


def test_membership_is_that_of_the_search_and_open_where_values_are_missing():
    X, score = table()
    fit = search(polarity="favourable").fit(X, score)
    inside = fit.transform(X)
    ids = fit.result_by_polarity_["favourable"].ids
    assert np.array_equal(inside == 1, fit.literals_.conjunction(ids).T)
    assert fit.personas_["support"].tolist() == inside.sum(axis=0).tolist()
    X.iloc[0] = np.nan
    assert np.isnan(fit.transform(X)[0]).all()
    assert np.array_equal(fit.transform(X)[1:], inside[1:])


def test_in_a_pipeline_and_cross_validated():
    X, score = table(120)
    X.iloc[3, 1] = np.nan
    line = make_pipeline(SimpleImputer(), search(polarity="favourable"), LinearRegression())
    predicted = cross_val_predict(line, X, score, cv=4)
    assert np.corrcoef(predicted, score)[0, 1] > 0.3
    names = line.fit(X, score)[1].get_feature_names_out()
    assert names[0].split()[0] in ("x1", "x2")


def test_a_search_matrix_is_searched_as_before_and_transforms_rows():
    units = small_units("crossover")
    fit = search().fit(units)
    inside = fit.transform(pd.DataFrame(units["value"].values, columns=units["feature"].values))
    assert inside.sum(axis=0).tolist() == fit.personas_["support"].tolist()
    assert clone(fit).get_params() == fit.get_params()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"max_literals": 9}, "search.max_literals: max_literals out of range, found 9; give 1 to"),
        ({"cuts": "many"}, "literals.cuts: cuts must be a whole number, found 'many'"),
        ({"cuts": 2.5}, "literals.cuts: cuts must be a whole number, found 2.5"),
        ({"keep": True}, "search.keep: keep must be a whole number, found True"),
        ({"intervals": "yes"}, "literals.intervals: intervals must be true or false, found 'yes'"),
        ({"polarity": "up"}, "search.polarity: unknown polarity, found 'up'; choose both or fav"),
        ({"min_modalities": 3}, "min_modalities cannot be reached with max_literals 2"),
        ({"include": "bmi"}, "include: a list of names is needed"),
        ({"exclude": ["bim"]}, "exclude: no such feature or modality, found 'bim'; did you mean"),
        ({"cut_points": {"bim": [1]}}, "cut points for an unknown feature, found 'bim'"),
    ],
)
def test_wrong_settings_are_refused_at_fit(settings, words):
    wrong = search(**settings)  # the constructor only stores
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        wrong.fit(*table())


def test_wrong_tables_are_refused():
    X, score = table()
    with pytest.raises(InputError, match="X, column smoker: features must be numbers, found 'yes'"):
        search().fit(X.assign(smoker="yes"), score)
    with pytest.raises(ValueError, match="requires y to be passed"):
        search().fit(X)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        search().fit(X, score[:9])
    with pytest.raises(NotFittedError):
        search().transform(X)
    fit = search().fit(X, score)
    with pytest.raises(ValueError, match="feature names should match"):
        fit.transform(X.rename(columns={"age": "years"}))
    with pytest.raises(InputError, match="not equal to feature_names_in_"):
        fit.get_feature_names_out(list("abcd"))
