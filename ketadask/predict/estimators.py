"""Classifiers of scikit-learn's interface by import path, checked before anything is fitted.

Importing runs code of the installed package, as every import does; no file of a study is executed
and no estimator is read from a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from ketadask.schema.errors import InputError, nearest

_EXAMPLE = "for example sklearn.ensemble.RandomForestClassifier"


def build_estimator(path: str, parameters: Mapping[str, Any]) -> Any:
    """Return an unfitted classifier with these parameters.

    Parameters
    ----------
    path
        ``package.module.Class`` of a classifier of an installed package.
    parameters
        Values of its constructor.

    Examples
    --------
    >>> build_estimator("sklearn.neighbors.KNeighborsClassifier", {"n_neighbors": 7})
    KNeighborsClassifier(n_neighbors=7)
    """
    from sklearn.base import BaseEstimator, is_classifier

    module, _, name = path.rpartition(".")
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            "cannot be imported", where="predict.classifier", value=path,
            remedy=f"install its package, or correct the path, {_EXAMPLE} ({error})",
        ) from None  # fmt: skip
    try:
        estimator = kind()
        is_usable = isinstance(estimator, BaseEstimator) and is_classifier(estimator)
    except TypeError:  # not a class, or one that needs arguments
        is_usable = False
    decides = hasattr(kind, "predict_proba") or hasattr(kind, "decision_function")
    if not is_usable or not decides:
        raise InputError(
            "is no classifier with decision values or probabilities that needs no arguments",
            where="predict.classifier", value=path, remedy=f"name a classifier, {_EXAMPLE}",
        )  # fmt: skip
    valid = estimator.get_params(deep=False)
    for key in parameters:
        if key not in valid:
            raise InputError(
                f"{name} has no such parameter", where="predict.grid", value=key,
                remedy=nearest(key, valid),
            )  # fmt: skip
    return estimator.set_params(**parameters)


def fit_estimator(
    estimator: Any,
    points: np.ndarray,
    label: np.ndarray,
    weight: Mapping[int, float] | None,
    seed: int,
) -> Any:
    """Fit a classifier, with weights of the labels unless None and, where it draws, a seed."""
    from sklearn.utils.validation import has_fit_parameter

    name, own = type(estimator).__name__, estimator.get_params(deep=False)
    if own.get("random_state", seed) is None:
        estimator.set_params(random_state=seed)
    weights = {}
    if weight is not None:
        if "class_weight" in own:
            if own["class_weight"] is None:
                estimator.set_params(class_weight=dict(weight))
        elif has_fit_parameter(estimator, "sample_weight"):
            weights = {"sample_weight": np.where(label == 1, weight[1], weight[0])}
        else:
            raise InputError(
                f"{name} cannot weight the labels", where="predict.balanced",
                value=True, remedy="set predict.balanced: false, or use another classifier",
            )  # fmt: skip
    try:
        return estimator.fit(points, label, **weights)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{name} cannot be fitted", where="predict.grid", value=repr(estimator),
            remedy=f"correct the value ({str(error).partition(chr(10))[0]})",
        ) from error  # fmt: skip


def decision_values(estimator: Any, points: np.ndarray) -> np.ndarray:
    """Return (case,) decisions of a fitted classifier; above zero is label 1."""
    if hasattr(estimator, "decision_function"):
        return np.asarray(estimator.decision_function(points), dtype=float)
    return np.asarray(estimator.predict_proba(points)[:, 1] - 0.5, dtype=float)


def linear_part(estimator: Any, points: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Return weights (region,) and offset of a fitted linear classifier; None of any other.

    Examples
    --------
    >>> from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    >>> from sklearn.naive_bayes import GaussianNB
    >>> points, label = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
    >>> weight, offset = linear_part(LinearDiscriminantAnalysis().fit(points, label), points)
    >>> float((-offset / weight[0]).round(2))  # the decision changes its sign there
    1.5
    >>> linear_part(GaussianNB().fit(points, label), points) is None
    True
    """
    weight = getattr(estimator, "coef_", None)
    offset = getattr(estimator, "intercept_", None)
    if weight is None or offset is None or np.size(weight) != points.shape[1]:
        return None
    weight, constant = np.ravel(weight).astype(float), float(np.ravel(offset)[0])
    is_same = np.allclose(points @ weight + constant, decision_values(estimator, points))
    return (weight, constant) if is_same else None
