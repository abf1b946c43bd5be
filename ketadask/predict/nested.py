"""One outer fold: inner folds choose and train, their models vote on the test cases."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from ketadask.predict.classifier_data import ClassifierData
from ketadask.predict.classifiers import (
    Classifier,
    ClassifierModels,
    EstimatorModel,
    Hyperparameters,
    LinearModel,
    RadialModel,
    balanced_accuracies,
    best_hyperparameters,
)
from ketadask.predict.folds import Fold, NestedFolds
from ketadask.predict.performance import platt
from ketadask.predict.preparation import Preparation, PreparationSettings, fit_preparation
from ketadask.schema.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

VOTE, REFIT = "vote", "refit"


@dataclass(frozen=True)
class NestedCV:
    """Nested cross-validation: folds, classifier, preparation, and the final model.

    Parameters
    ----------
    final
        ``vote``: the models of the inner folds vote, each with the best candidate;
        ``refit``: one model of the whole outer training set predicts.
    """

    cv: NestedFolds = field(default_factory=NestedFolds)
    classifier: Classifier = field(default_factory=Classifier)
    preparation: PreparationSettings = field(default_factory=PreparationSettings)
    final: str = VOTE

    def __post_init__(self) -> None:
        if self.final not in (VOTE, REFIT):
            raise InputError(
                "unknown value of final",
                where="final",
                value=self.final,
                remedy="use vote or refit",
            )

    def fold(self, cases: ClassifierData, index: int) -> FoldResult:
        """Return the predictions of outer fold ``index`` for its test cases."""
        train_rows, test_rows = self.cv.outer(cases, index)
        train, test = cases.take(train_rows), cases.take(test_rows)
        selection = select_inner(self, train, self.cv.inner(train, index), test=test)
        decision, models = selection.test_decision, selection.models
        patterns = selection.patterns
        if self.final == REFIT:
            preparation, refit = refit_model(self, train, selection.candidate)
            volumes = preparation.apply(test)
            decision, models = refit.decisions(volumes), refit.models
            own = preparation.apply(train)
            patterns = list(haufe_patterns(own, refit.decisions(own)))
        slope, offset = platt(selection.inner_decision, train.label)
        mean = decision.mean(axis=0)
        weights = [model.weight for model in models if isinstance(model, LinearModel)]
        return FoldResult(
            index=index,
            rows=test_rows,
            votes=(decision > 0).mean(axis=0),
            decision=mean,
            probability=expit(slope * mean + offset),
            candidate=selection.candidate,
            inner_score=selection.score,
            weights=weight_sums(weights, patterns, cases.value.shape[1]),
        )


@dataclass(frozen=True, eq=False)
class FoldResult:
    """Predictions of one outer fold; `votes`: fraction of its models that predict response."""

    index: int
    rows: np.ndarray
    votes: np.ndarray
    decision: np.ndarray
    probability: np.ndarray
    candidate: Hyperparameters
    inner_score: float
    weights: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """(row,) predicted 0 or 1: the majority; where votes are even, the mean decision."""
        return majority_vote(self.votes, self.decision)

    def tables(self, cases: ClassifierData, folds: int) -> dict[str, pd.DataFrame]:
        """Return predictions (a row per case), choices (one row) and weights (per region)."""
        import pandas as pd

        repeat, fold = divmod(self.index, folds)
        address = {"number": self.index, "repeat": repeat, "fold": fold}
        predictions = pd.DataFrame(
            {
                **{name: np.full(len(self.rows), value) for name, value in address.items()},
                "row": self.rows,
                "label": cases.label[self.rows],
                "votes": self.votes,
                "decision": self.decision,
                "probability": self.probability,
                "predicted": self.labels,
            }
        )
        best = self.candidate
        choices = pd.DataFrame(
            {
                **{name: [value] for name, value in address.items()},
                "cost": np.array([best.cost], dtype=float),
                "gamma": np.array([best.gamma], dtype=float),
                "explained_variance": np.array([best.explained_variance], dtype=float),
                "parameters": [json.dumps(dict(best.parameters))],
                "inner_score": [self.inner_score],
            }
        )
        names = ("models", "total", "squares", "positive", "pattern", "pattern_positive")
        weights = pd.DataFrame(dict(zip(names, self.weights, strict=True)))
        weights.insert(0, "number", self.index)
        weights.insert(1, "column", np.arange(len(weights)))
        return {"predictions": predictions, "choices": choices, "weights": weights}


@dataclass(frozen=True, eq=False)
class InnerSelection:
    """The best candidate of the inner folds, its models, and their decisions."""

    candidate: Hyperparameters
    score: float
    models: list[LinearModel | RadialModel | EstimatorModel]
    preparations: list[Preparation]
    inner_decision: np.ndarray
    test_decision: np.ndarray
    patterns: list[np.ndarray]


def select_inner(
    nested_cv: NestedCV,
    train: ClassifierData,
    folds: Iterable[Fold],
    *,
    test: ClassifierData | None = None,
) -> InnerSelection:
    """Fit every candidate in every inner fold and choose the best.

    ``inner_decision`` (case,) is the mean decision on every case of the training
    set by models of the inner folds without it, ``test_decision`` (model, case) the decisions on
    the test cases.
    """
    scores, fold_models, preparations, inner, outer, patterns = [], [], [], [], [], []
    for train_rows, test_rows in folds:
        cases = train.take(train_rows)
        preparation = fit_preparation(cases, nested_cv.preparation)
        volumes = preparation.apply(cases)
        models = nested_cv.classifier.fit(volumes, cases.label)
        patterns.append(haufe_patterns(volumes, models.decisions(volumes)))
        decision = models.decisions(preparation.apply(train.take(test_rows)))
        scores.append(balanced_accuracies(decision, train.label[test_rows]))
        inner.append((test_rows, decision))
        if test is not None:
            outer.append(models.decisions(preparation.apply(test)))
        fold_models.append(models)
        preparations.append(preparation)
    best = best_hyperparameters(np.stack(scores, axis=1))
    total, count = np.zeros(len(train)), np.zeros(len(train))
    for test_rows, decision in inner:
        total[test_rows] += decision[best]
        count[test_rows] += 1
    return InnerSelection(
        candidate=nested_cv.classifier.candidates[best],
        score=float(np.mean([score[best] for score in scores])),
        models=[models.models[best] for models in fold_models],
        preparations=preparations,
        inner_decision=total / np.maximum(count, 1),
        test_decision=np.stack([row[best] for row in outer]) if outer else np.zeros((0, 0)),
        patterns=[rows[best] for rows in patterns],
    )


def haufe_patterns(volumes: np.ndarray, decisions: np.ndarray) -> np.ndarray:
    """Return (model, region) covariances of the regions with the decisions of each model.

    For a linear model this is the pattern, covariance times weights, up to a factor: how a region
    differs between high and low decisions. A weight alone may only cancel noise of other regions
    (Haufe et al. 2014, 10.1016/j.neuroimage.2013.10.067).

    Examples
    --------
    >>> volumes = np.array([[1.0, 1.0], [-1.0, -1.0], [0.0, 0.0]])
    >>> haufe_patterns(volumes, volumes[:, :1].T)
    array([[1., 1.]])
    """
    deviations = decisions - decisions.mean(axis=1, keepdims=True)
    return np.asarray(deviations @ volumes / max(len(volumes) - 1, 1))


def refit_model(
    nested_cv: NestedCV, train: ClassifierData, candidate: Hyperparameters
) -> tuple[Preparation, ClassifierModels]:
    """Fit one candidate to a whole training set."""
    preparation = fit_preparation(train, nested_cv.preparation)
    return preparation, nested_cv.classifier.fit(
        preparation.apply(train), train.label, (candidate,)
    )


def majority_vote(votes: np.ndarray, decision: np.ndarray) -> np.ndarray:
    """Return the label most models predict; where votes are even, the sign of the mean decision.

    Examples
    --------
    >>> majority_vote(np.array([0.2, 0.5, 0.5]), np.array([9.0, 0.1, -0.1]))
    array([0, 1, 0])
    """
    # Means of fractions round: three repeats with 3, 21 and 21 votes of 30 are even, too.
    even = np.abs(votes - 0.5) < 1e-9
    return np.where(even, decision > 0, votes > 0.5).astype(np.int64)


def weight_sums(weights: list[np.ndarray], patterns: list[np.ndarray], width: int) -> np.ndarray:
    """Return (6, region) sums over models of unit-length weights and patterns.

    Rows: models, sum, sum of squares and positive signs of the weights; sum and positive signs of
    the patterns.
    """
    if not weights:
        return np.zeros((6, width))
    matrix, pattern = _unit_rows(weights), _unit_rows(patterns)
    count = np.full(width, float(len(matrix)))
    sums = (matrix, matrix**2, matrix > 0, pattern, pattern > 0)
    return np.stack([count, *(rows.sum(axis=0) for rows in sums)])


def _unit_rows(rows: list[np.ndarray]) -> np.ndarray:
    """Return a matrix whose rows have unit length, zero rows unchanged."""
    matrix = np.stack(rows)
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix / np.where(length > 0, length, 1.0))
