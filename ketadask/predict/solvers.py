"""The solvers of scikit-learn, called without the checks that cost more than the solution."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ketadask.schema.errors import InputError

try:
    import sklearn
except ImportError as error:  # pragma: no cover - every test environment has it
    raise InputError(
        "prediction needs scikit-learn", remedy="install it: pip install 'ketadask[predict]'"
    ) from error

_FAST = {"assume_finite": True, "skip_parameter_validation": True}


def solve_svc(
    gram: np.ndarray, label: np.ndarray, weight: dict[int, float], cost: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return support (rows), dual coefficients and offset; label 1 lies above zero."""
    solution: tuple[np.ndarray, np.ndarray, float] = _solver()(gram, label, weight, cost)
    return solution


def public_svc(
    gram: np.ndarray, label: np.ndarray, weight: dict[int, float], cost: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Solve with scikit-learn's estimator."""
    from sklearn.svm import SVC

    with sklearn.config_context(**_FAST):
        model = SVC(kernel="precomputed", C=cost, class_weight=weight).fit(gram, label)
    return model.support_, model.dual_coef_[0], float(model.intercept_[0])


def direct_svc(
    gram: np.ndarray, label: np.ndarray, weight: dict[int, float], cost: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Solve with the function that the estimator calls."""
    from sklearn.svm import _libsvm

    _libsvm.set_verbosity_wrap(0)
    support, _, _, alpha, offset, *_ = _libsvm.fit(
        np.ascontiguousarray(gram),
        label.astype(np.float64),
        svm_type=0,
        kernel="precomputed",
        C=cost,
        class_weight=np.array([weight[0], weight[1]]),
        cache_size=200.0,
    )
    return support, -alpha[0], float(-offset[0])


@cache
def _solver() -> Any:
    """Return the direct solver where this scikit-learn has it and it gives the same solution."""
    rng = np.random.default_rng(0)
    points, label = rng.normal(size=(20, 4)), np.arange(20) % 2
    gram, weight = points @ points.T, {0: 1.0, 1: 1.5}
    try:
        direct = direct_svc(gram, label, weight, 0.7)
    except (ImportError, AttributeError, TypeError, ValueError):
        return public_svc
    public = public_svc(gram, label, weight, 0.7)
    same = all(np.array_equal(direct[k], public[k]) for k in (0, 1)) and direct[2] == public[2]
    return direct_svc if same else public_svc


def fit_logistic(
    scores: np.ndarray, label: np.ndarray, weight: dict[int, float], cost: float
) -> tuple[np.ndarray, float]:
    """Return slopes (component,) and offset of a ridge-penalised logistic regression."""
    from sklearn.linear_model import LogisticRegression

    with sklearn.config_context(**_FAST):
        model = LogisticRegression(C=cost, class_weight=weight, max_iter=1000).fit(scores, label)
    return model.coef_[0], float(model.intercept_[0])
