"""One outer fold: inner folds choose and train, their models vote on cases they never saw."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from ketadask.predict.classifier_data import ClassifierData
from ketadask.predict.classifiers import (
    Classifier,
    ClassifierModels,
    Hyperparameters,
    Linear,
    balanced_accuracies,
    best_hyperparameters,
)
from ketadask.predict.folds import Fold, NestedFolds
from ketadask.predict.performance import platt
from ketadask.predict.preparation import Preparation, Preparing, fit_preparation
from ketadask.schema.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

VOTE, REFIT = "vote", "refit"


@dataclass(frozen=True)
class NestedCV:
    """A way to learn and to be judged: frame, classifier, preparation, and who speaks at the end.

    Parameters
    ----------
    final
        ``vote``: the models of the inner folds vote, each with the chosen candidate;
        ``refit``: one model of the whole outer train part speaks.
    """

    frame: NestedFolds = field(default_factory=NestedFolds)
    learner: Classifier = field(default_factory=Classifier)
    preparing: Preparing = field(default_factory=Preparing)
    final: str = VOTE

    def __post_init__(self) -> None:
        if self.final not in (VOTE, REFIT):
            raise InputError(
                "no such way to speak", where="final", value=self.final, remedy="use vote or refit"
            )

    def fold(self, cases: ClassifierData, number: int) -> FoldResult:
        """Return what outer fold ``number`` says about the cases it held out."""
        train, test = self.frame.outer(cases, number)
        inside, held = cases.take(train), cases.take(test)
        chosen = choose_inside(self, inside, self.frame.inner(inside, number), also=held)
        decision = chosen.also
        weights = [m.weight for m in chosen.models if isinstance(m, Linear)]
        if self.final == REFIT:
            preparation, model = refitted(self, inside, chosen.candidate)
            decision = model.decisions(preparation.apply(held))
            weights = [m.weight for m in model.models if isinstance(m, Linear)]
        slope, offset = platt(chosen.inner_decision, inside.label)
        mean = decision.mean(axis=0)
        return FoldResult(
            number=number,
            rows=test,
            votes=(decision > 0).mean(axis=0),
            decision=mean,
            probability=expit(slope * mean + offset),
            candidate=chosen.candidate,
            inner_score=chosen.score,
            weights=weight_sums(weights, cases.value.shape[1]),
        )


@dataclass(frozen=True, eq=False)
class FoldResult:
    """What one outer fold says; `votes` is the share of its models that foretell response."""

    number: int
    rows: np.ndarray
    votes: np.ndarray
    decision: np.ndarray
    probability: np.ndarray
    candidate: Hyperparameters
    inner_score: float
    weights: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """(row,) 0 or 1: the majority; where the votes are even, the mean decision."""
        return majority(self.votes, self.decision)

    def tables(self, cases: ClassifierData, folds: int) -> dict[str, pd.DataFrame]:
        """Return predictions (a row per case), choice (one row) and weights (per region)."""
        import pandas as pd

        repeat, fold = divmod(self.number, folds)
        address = {"number": self.number, "repeat": repeat, "fold": fold}
        predictions = pd.DataFrame(
            {
                **{name: np.full(len(self.rows), value) for name, value in address.items()},
                "row": self.rows,
                "label": cases.label[self.rows],
                "votes": self.votes,
                "decision": self.decision,
                "probability": self.probability,
                "predicted": self.predicted,
            }
        )
        c = self.candidate
        choice = pd.DataFrame(
            {
                **{name: [value] for name, value in address.items()},
                "cost": [c.cost],
                "gamma": [np.nan if c.gamma is None else c.gamma],
                "energy": [np.nan if c.energy is None else c.energy],
                "inner_score": [self.inner_score],
            }
        )
        names = ("models", "total", "squares", "positive")
        weights = pd.DataFrame(dict(zip(names, self.weights, strict=True)))
        weights.insert(0, "number", self.number)
        weights.insert(1, "column", np.arange(len(weights)))
        return {"predictions": predictions, "choices": choice, "weights": weights}


@dataclass(frozen=True, eq=False)
class Chosen:
    """The candidate the inner folds chose, its models, and what these say."""

    candidate: Hyperparameters
    score: float
    models: list[object]
    preparations: list[Preparation]
    inner_decision: np.ndarray
    also: np.ndarray


def choose_inside(
    nested: NestedCV,
    inside: ClassifierData,
    folds: Iterable[Fold],
    *,
    also: ClassifierData | None = None,
) -> Chosen:
    """Fit every candidate in every inner fold and choose the best.

    Returns
    -------
    The choice; ``inner_decision`` (case,) is the mean decision about every case of the train part
    by models that never saw it, ``also`` (model, case) the decisions about further cases.
    """
    scores, fitted, preparations, inner, outside = [], [], [], [], []
    for train, test in folds:
        one = inside.take(train)
        preparation = fit_preparation(one, nested.preparing)
        models = nested.learner.fit(preparation.apply(one), one.label)
        held = models.decisions(preparation.apply(inside.take(test)))
        scores.append(balanced_accuracies(held, inside.label[test]))
        inner.append((test, held))
        if also is not None:
            outside.append(models.decisions(preparation.apply(also)))
        fitted.append(models)
        preparations.append(preparation)
    best = best_hyperparameters(np.stack(scores, axis=1))
    total, seen = np.zeros(len(inside)), np.zeros(len(inside))
    for test, held in inner:
        total[test] += held[best]
        seen[test] += 1
    return Chosen(
        candidate=nested.learner.candidates[best],
        score=float(np.mean([each[best] for each in scores])),
        models=[each.models[best] for each in fitted],
        preparations=preparations,
        inner_decision=total / np.maximum(seen, 1),
        also=np.stack([each[best] for each in outside]) if outside else np.zeros((0, 0)),
    )


def refitted(
    nested: NestedCV, inside: ClassifierData, candidate: Hyperparameters
) -> tuple[Preparation, ClassifierModels]:
    """Fit one candidate to a whole train part."""
    preparation = fit_preparation(inside, nested.preparing)
    return preparation, nested.learner.fit(preparation.apply(inside), inside.label, (candidate,))


def majority(votes: np.ndarray, decision: np.ndarray) -> np.ndarray:
    """Return what most models say; where the votes are even, the mean decision.

    Examples
    --------
    >>> majority(np.array([0.2, 0.5, 0.5]), np.array([9.0, 0.1, -0.1]))
    array([0, 1, 0])
    """
    # Means of shares round: three repeats of 3, 21 and 21 votes of 30 are even, too.
    even = np.abs(votes - 0.5) < 1e-9
    return np.where(even, decision > 0, votes > 0.5).astype(np.int64)


def weight_sums(weights: list[np.ndarray], width: int) -> np.ndarray:
    """Return (4, region): models, sum, sum of squares and positive signs of unit-length weights."""
    if not weights:
        return np.zeros((4, width))
    stacked = np.stack(weights)
    length = np.linalg.norm(stacked, axis=1, keepdims=True)
    stacked = stacked / np.where(length > 0, length, 1.0)
    count = np.full(width, float(len(stacked)))
    return np.stack(
        [count, stacked.sum(axis=0), (stacked**2).sum(axis=0), (stacked > 0).sum(axis=0)]
    )
