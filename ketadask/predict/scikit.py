"""The solvers of scikit-learn, and its pipelines that do the same, step by step.

The pipelines are for readers who want to look at, or to compare with, what the fast path computes;
the fast path calls the same solvers on what is shared between candidates.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask.schema.errors import InputError

try:
    import sklearn
    from sklearn.base import BaseEstimator, TransformerMixin
    from threadpoolctl import threadpool_limits
except ImportError as missing:  # pragma: no cover - every test environment has it
    raise InputError(
        "the predictor needs scikit-learn", remedy="install it: pip install 'ketadask[predict]'"
    ) from missing

from ketadask.predict.classifier_data import build_classifier_data
from ketadask.predict.preparation import Preparing, fit_preparation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sklearn.pipeline import Pipeline

    from ketadask.predict.classifiers import Classifier

_FAST = {"assume_finite": True, "skip_parameter_validation": True}


class _OneThread:
    """Linear algebra on one thread while at least one task is inside, whatever thread it is in."""

    def __init__(self) -> None:
        self._lock, self._inside, self._limits = Lock(), 0, None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._limits: Any = threadpool_limits(limits=1)
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._limits.restore_original_limits()


one_thread = _OneThread()


def svc(
    gram: np.ndarray, label: np.ndarray, weight: dict[int, float], cost: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return support (rows), dual coefficients and offset; above zero is label 1."""
    return _solver()(gram, label, weight, cost)


def public_svc(
    gram: np.ndarray, label: np.ndarray, weight: dict[int, float], cost: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Solve by scikit-learn's estimator."""
    from sklearn.svm import SVC

    with sklearn.config_context(**_FAST):
        made = SVC(kernel="precomputed", C=cost, class_weight=weight).fit(gram, label)
    return made.support_, made.dual_coef_[0], float(made.intercept_[0])


def direct_svc(
    gram: np.ndarray, label: np.ndarray, weight: dict[int, float], cost: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Solve by the function that the estimator calls, whose checks cost more than the solution."""
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
    """Return the direct solver where this version of scikit-learn has it and it says the same."""
    rng = np.random.default_rng(0)
    points, label = rng.normal(size=(20, 4)), np.arange(20) % 2
    asked = (points @ points.T, label, {0: 1.0, 1: 1.5}, 0.7)
    try:
        found = direct_svc(*asked)
    except (ImportError, AttributeError, TypeError, ValueError):
        return public_svc
    same = all(np.array_equal(a, b) for a, b in zip(found, public_svc(*asked), strict=True))
    return direct_svc if same else public_svc


def logistic(
    scores: np.ndarray, label: np.ndarray, weight: dict[int, float], cost: float
) -> tuple[np.ndarray, float]:
    """Return slopes (component,) and offset of a ridge-penalised logistic regression."""
    from sklearn.linear_model import LogisticRegression

    with sklearn.config_context(**_FAST):
        made = LogisticRegression(C=cost, class_weight=weight, max_iter=1000).fit(scores, label)
    return made.coef_[0], float(made.intercept_[0])


def forest(
    points: np.ndarray,
    label: np.ndarray,
    weight: dict[int, float],
    leaf: int,
    trees: int,
    seed: int,
) -> Any:
    """Return a random forest whose leaves hold at least ``leaf`` cases."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(
        trees, min_samples_leaf=leaf, class_weight=weight, random_state=seed
    ).fit(points, label)


class Prepared(TransformerMixin, BaseEstimator):
    """`fit_preparation` as a transformer of scikit-learn.

    Parameters
    ----------
    n_covariates
        The last columns of X before the site are that many covariates.
    sited
        Whether the very last column of X is the number of the site.
    preparing
        What is done.
    """

    def __init__(
        self, n_covariates: int = 0, sited: bool = False, preparing: Preparing | None = None
    ) -> None:
        self.n_covariates = n_covariates
        self.sited = sited
        self.preparing = preparing

    def fit(self, X: np.ndarray, y: Any = None) -> Prepared:
        """Fit to the train part; y plays no part."""
        self.preparation_ = fit_preparation(self._cases(X), self.preparing or Preparing())
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return (case, region) prepared volumes."""
        return self.preparation_.apply(self._cases(X))

    def _cases(self, X: np.ndarray) -> Any:
        X = np.asarray(X, dtype=float)
        site = X[:, -1].astype(int) if self.sited else None
        rest = X[:, :-1] if self.sited else X
        width = rest.shape[1] - self.n_covariates
        return build_classifier_data(
            rest[:, :width], np.full(len(X), -1), site=site, covariate=rest[:, width:]
        )


def pipeline(
    learner: Classifier, prepared: Prepared | None = None
) -> tuple[Pipeline, dict[str, Any]]:
    """Return the pipeline and the grid of a support vector classifier or logistic regression.

    ``GridSearchCV(*pipeline(Learner()), scoring="balanced_accuracy")`` chooses as the inner folds
    do. Without ``prepared`` the steps are scikit-learn's own, so that nothing is shared with the
    fast path.
    """
    from sklearn.decomposition import PCA
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    own: list[tuple[str, Any]] = [
        ("impute", SimpleImputer(strategy="median")),
        ("scale", StandardScaler()),
    ]
    steps = own if prepared is None else [("prepare", prepared)]
    weight = "balanced" if learner.balanced else None
    if learner.name == "logistic":
        last: Any = LogisticRegression(class_weight=weight, max_iter=1000)
    else:
        last = SVC(kernel=learner.name.removeprefix("svc-"), class_weight=weight)
    grid: dict[str, Any] = {"classify__C": list(learner.costs)}
    if learner.name == "svc-rbf":
        grid["classify__gamma"] = ["scale" if g is None else g for g in learner.gammas]
    if learner.energies != (None,):
        steps = [*steps, ("reduce", PCA(svd_solver="full"))]
        grid["reduce__n_components"] = list(learner.energies)
    return Pipeline([*steps, ("classify", last)]), grid
