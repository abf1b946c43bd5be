"""The same prediction as pipelines of scikit-learn, to inspect or to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from ketadask.predict.classifier_data import ClassifierData, build_classifier_data
from ketadask.predict.classifiers import LOGISTIC, SVC_RBF, Classifier
from ketadask.predict.preparation import PreparationSettings, fit_preparation

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


class PreparationTransformer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """`fit_preparation` as a transformer of scikit-learn.

    Parameters
    ----------
    n_covariates
        Number of covariates: the last columns of X, before the site.
    has_site
        Whether the very last column of X is a code of the site.
    settings
        The preparation to fit.
    """

    def __init__(
        self,
        n_covariates: int = 0,
        has_site: bool = False,
        settings: PreparationSettings | None = None,
    ) -> None:
        self.n_covariates = n_covariates
        self.has_site = has_site
        self.settings = settings

    def fit(self, X: np.ndarray, y: Any = None) -> PreparationTransformer:
        """Fit to the training set; y is not used."""
        settings = self.settings or PreparationSettings()
        self.preparation_ = fit_preparation(self._cases(X), settings)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return (case, region) prepared volumes."""
        return self.preparation_.apply(self._cases(X))

    def _cases(self, X: np.ndarray) -> ClassifierData:
        X = np.asarray(X, dtype=float)
        site = X[:, -1].astype(int) if self.has_site else None
        columns = X[:, :-1] if self.has_site else X
        width = columns.shape[1] - self.n_covariates
        return build_classifier_data(
            columns[:, :width], np.full(len(X), -1), site=site, covariate=columns[:, width:]
        )


def scikit_pipeline(
    classifier: Classifier, transformer: PreparationTransformer | None = None
) -> tuple[Pipeline, dict[str, Any]]:
    """Return the pipeline and the grid of a support vector classifier or logistic regression.

    ``GridSearchCV(*scikit_pipeline(Classifier()), scoring="balanced_accuracy")`` chooses as the
    inner folds do. Without ``transformer`` the steps are scikit-learn's own and share no code with
    the fast path.
    """
    from sklearn.decomposition import PCA
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    steps: list[tuple[str, Any]] = [
        ("impute", SimpleImputer(strategy="median")),
        ("scale", StandardScaler()),
    ]
    if transformer is not None:
        steps = [("prepare", transformer)]
    weight = "balanced" if classifier.balance_labels else None
    if classifier.name == LOGISTIC:
        last: Any = LogisticRegression(class_weight=weight, max_iter=1000)
    else:
        last = SVC(kernel=classifier.name.removeprefix("svc-"), class_weight=weight)
    grid: dict[str, Any] = {"classify__C": list(classifier.costs)}
    if classifier.name == SVC_RBF:
        grid["classify__gamma"] = ["scale" if g is None else g for g in classifier.gammas]
    if classifier.explained_variance != (None,):
        steps = [*steps, ("reduce", PCA(svd_solver="full"))]
        grid["reduce__n_components"] = list(classifier.explained_variance)
    return Pipeline([*steps, ("classify", last)]), grid
