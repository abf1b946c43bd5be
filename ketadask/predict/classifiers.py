"""Classifiers by name, fitted for all hyperparameters at once to one prepared training set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ketadask.predict.components import ComponentSpace
from ketadask.schema.errors import InputError, nearest

SVC_LINEAR, SVC_RBF, LOGISTIC, FOREST = "svc-linear", "svc-rbf", "logistic", "forest"
CLASSIFIERS = (SVC_LINEAR, SVC_RBF, LOGISTIC, FOREST)
COSTS = tuple(2.0**k for k in range(-6, 5))


@dataclass(frozen=True)
class Hyperparameters:
    """One combination of all that the inner folds choose."""

    cost: float
    gamma: float | None
    explained_variance: float | None


@dataclass(frozen=True)
class Classifier:
    """A classifier and the hyperparameters that the inner folds choose from.

    Parameters
    ----------
    name
        ``svc-linear`` and ``svc-rbf``: support vector classifiers; ``logistic``: ridge-penalised
        logistic regression; ``forest``: a random forest on the regions themselves, whose ``costs``
        are minimum cases per leaf.
    costs
        Values of C.
    gammas
        Widths of the radial kernel; None is one over the variance of all components.
    explained_variance
        Fractions of the variance that the principal components explain; None uses the regions.
    balance_labels
        Whether both labels have the same total weight.
    """

    name: str = SVC_LINEAR
    costs: tuple[float, ...] = COSTS
    gammas: tuple[float | None, ...] = (None,)
    explained_variance: tuple[float | None, ...] = (0.9,)
    balance_labels: bool = True
    trees: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name not in CLASSIFIERS:
            raise InputError(
                "unknown classifier",
                where="classifier",
                value=self.name,
                remedy=nearest(self.name, CLASSIFIERS),
            )

    @property
    def candidates(self) -> tuple[Hyperparameters, ...]:
        """Every candidate; of equally good ones the first is chosen.

        Examples
        --------
        >>> len(Classifier().candidates), Classifier().candidates[0].cost
        (11, 0.015625)
        """
        gammas = self.gammas if self.name == SVC_RBF else (None,)
        fractions = (None,) if self.name == FOREST else self.explained_variance
        return tuple(
            Hyperparameters(cost, gamma, fraction)
            for cost in self.costs
            for gamma in gammas
            for fraction in fractions
        )

    def fit(
        self,
        volumes: np.ndarray,
        label: np.ndarray,
        candidates: tuple[Hyperparameters, ...] | None = None,
    ) -> ClassifierModels:
        """Fit candidates (default: all) to prepared volumes (case, region) and labels 0/1."""
        candidates = self.candidates if candidates is None else candidates
        weight = _weights(label, self.balance_labels)
        fractions = {candidate.explained_variance for candidate in candidates}
        spaces = {fraction: ComponentSpace.of(volumes, fraction) for fraction in fractions}
        return ClassifierModels(
            candidates,
            [
                self._fit_one(spaces[candidate.explained_variance], label, weight, candidate)
                for candidate in candidates
            ],
        )

    def _fit_one(
        self,
        space: ComponentSpace,
        label: np.ndarray,
        weight: dict[int, float],
        candidate: Hyperparameters,
    ) -> LinearModel | RadialModel | ForestModel:
        from ketadask.predict.solvers import fit_forest, fit_logistic, solve_svc

        cost = candidate.cost
        if self.name == FOREST:
            leaf = int(max(cost, 1))
            return ForestModel(fit_forest(space.points, label, weight, leaf, self.trees, self.seed))
        if self.name == LOGISTIC:
            slope, offset = fit_logistic(space.scores, label, weight, cost)
            return LinearModel(space.axes @ slope, offset)
        if self.name == SVC_LINEAR:
            support, alpha, offset = solve_svc(space.gram, label, weight, cost)
            return LinearModel(alpha @ space.points[support], offset)
        gamma = candidate.gamma or space.default_gamma
        kernel = np.exp(-gamma * space.distance)
        support, alpha, offset = solve_svc(kernel, label, weight, cost)
        return RadialModel(space.axes, space.scores[support], alpha, gamma, offset)


@dataclass(frozen=True, eq=False)
class ClassifierModels:
    """The models of some candidates, in their order."""

    candidates: tuple[Hyperparameters, ...]
    models: list[LinearModel | RadialModel | ForestModel]

    def decisions(self, volumes: np.ndarray) -> np.ndarray:
        """Return (candidate, case) decision values; values above zero predict response."""
        linear = [model for model in self.models if isinstance(model, LinearModel)]
        if not linear or len(linear) < len(self.models):
            return np.stack([model.decide(volumes) for model in self.models])
        weights = np.stack([model.weight for model in linear])
        offsets = np.array([model.offset for model in linear])
        return np.asarray(weights @ volumes.T + offsets[:, None])


@dataclass(frozen=True, eq=False)
class LinearModel:
    """One weight per prepared region, and an offset."""

    weight: np.ndarray
    offset: float

    def decide(self, volumes: np.ndarray) -> np.ndarray:
        """Return the decision values (case,)."""
        return np.asarray(volumes @ self.weight + self.offset)


@dataclass(frozen=True, eq=False)
class RadialModel:
    """A support vector classifier with a radial kernel on principal components."""

    axes: np.ndarray
    vectors: np.ndarray
    alpha: np.ndarray
    gamma: float
    offset: float

    def decide(self, volumes: np.ndarray) -> np.ndarray:
        """Return the decision values (case,)."""
        scores = volumes @ self.axes
        norms = (scores**2).sum(axis=1)[:, None] + (self.vectors**2).sum(axis=1)
        distance = np.maximum(norms - 2 * scores @ self.vectors.T, 0.0)
        return np.asarray(np.exp(-self.gamma * distance) @ self.alpha + self.offset)


@dataclass(frozen=True, eq=False)
class ForestModel:
    """A random forest of scikit-learn."""

    forest: Any

    def decide(self, volumes: np.ndarray) -> np.ndarray:
        """Return the decision values (case,): probability of response minus one half."""
        return np.asarray(self.forest.predict_proba(volumes)[:, 1] - 0.5)


def _weights(label: np.ndarray, balance: bool) -> dict[int, float]:
    if not balance:
        return {0: 1.0, 1: 1.0}
    return {k: len(label) / (2 * int((label == k).sum())) for k in (0, 1)}


def best_hyperparameters(scores: np.ndarray) -> int:
    """Return the index of the candidate with the best mean score; scores (candidate, inner fold).

    Examples
    --------
    >>> best_hyperparameters(np.array([[0.5, 0.5], [0.7, 0.6], [0.6, 0.7]]))
    1
    """
    return int(np.argmax(np.average(np.ascontiguousarray(scores), axis=1)))


def balanced_accuracies(decision: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return (candidate,) balanced accuracy of decision values (candidate, case).

    Examples
    --------
    >>> balanced_accuracies(np.array([[1.0, -1.0, 1.0]]), np.array([1, 0, 0]))
    array([0.75])
    """
    positive = decision > 0
    rows_by_label = [(k, label == k) for k in (0, 1) if (label == k).any()]
    recalls = [(positive[:, rows] == k).sum(axis=1) / rows.sum() for k, rows in rows_by_label]
    return np.asarray(np.add.reduce(recalls) / len(recalls))
