"""Classifiers by name, fitted for all hyperparameters at once to one prepared training set."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ketadask.predict.components import ComponentSpace
from ketadask.schema.errors import InputError, nearest

SVC_LINEAR, SVC_RBF, LOGISTIC, FOREST = "svc-linear", "svc-rbf", "logistic", "forest"
CLASSIFIERS = (SVC_LINEAR, SVC_RBF, LOGISTIC, FOREST)
COSTS = tuple(2.0**k for k in range(-6, 5))
Grid = tuple[tuple[str, tuple[Any, ...]], ...]
_FOREST_PATH = "sklearn.ensemble.RandomForestClassifier"
_FOREST_GRID: Grid = (("min_samples_leaf", (1, 5)), ("n_estimators", (200,)))


@dataclass(frozen=True)
class Hyperparameters:
    """One combination of all that the inner folds choose; ``parameters`` are those of a grid."""

    cost: float | None = None
    gamma: float | None = None
    explained_variance: float | None = None
    parameters: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Classifier:
    """A classifier and the hyperparameters that the inner folds choose from.

    Parameters
    ----------
    name
        ``svc-linear`` and ``svc-rbf``: support vector classifiers; ``logistic``: ridge-penalised
        logistic regression. An import path, ``package.module.Class``: any classifier of
        scikit-learn's interface, on the regions themselves; ``forest`` is a random forest.
    costs
        Values of C.
    gammas
        Widths of the radial kernel; None is one over the variance of all components.
    explained_variance
        Fractions of the variance that the principal components explain; None uses the regions.
    balance_labels
        Whether both labels have the same total weight.
    grid
        Candidate values of each parameter of a forest or of a classifier by import path.
    """

    name: str = SVC_LINEAR
    costs: tuple[float, ...] = COSTS
    gammas: tuple[float | None, ...] = (None,)
    explained_variance: tuple[float | None, ...] = (0.9,)
    balance_labels: bool = True
    grid: Grid = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self._path:
            from ketadask.predict.estimators import build_estimator

            build_estimator(self._path, {name: values[0] for name, values in self.grid})
        elif self.name not in CLASSIFIERS:
            raise InputError(
                "unknown classifier",
                where="classifier",
                value=self.name,
                remedy=nearest(self.name, CLASSIFIERS),
            )

    @property
    def _path(self) -> str:
        """Import path of the estimator; empty for the classifiers of this package."""
        return _FOREST_PATH if self.name == FOREST else self.name * ("." in self.name)

    @property
    def candidates(self) -> tuple[Hyperparameters, ...]:
        """Every candidate; of equally good ones the first is chosen.

        Examples
        --------
        >>> len(Classifier().candidates), Classifier().candidates[0].cost
        (11, 0.015625)
        """
        if self._path:
            forest = _FOREST_GRID if self.name == FOREST else ()
            grid = sorted((dict(forest) | dict(self.grid)).items())
            names, values = [name for name, _ in grid], [options for _, options in grid]
            combinations = product(*values)
            return tuple(
                Hyperparameters(parameters=tuple(zip(names, each, strict=True)))
                for each in combinations
            )
        gammas = self.gammas if self.name == SVC_RBF else (None,)
        return tuple(
            Hyperparameters(cost, gamma, fraction)
            for cost in self.costs
            for gamma in gammas
            for fraction in self.explained_variance
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
        if self._path:
            return ClassifierModels(
                candidates, [self._fit_estimator(volumes, label, each) for each in candidates]
            )
        fractions = {candidate.explained_variance for candidate in candidates}
        spaces = {fraction: ComponentSpace.of(volumes, fraction) for fraction in fractions}
        return ClassifierModels(
            candidates,
            [
                self._fit_one(spaces[candidate.explained_variance], label, weight, candidate)
                for candidate in candidates
            ],
        )

    def check(self) -> None:
        """Raise where a candidate of a classifier by import path cannot be fitted."""
        if self._path:
            volumes = np.random.default_rng(0).normal(size=(60, 4))
            self.fit(volumes, (volumes[:, 0] > np.quantile(volumes[:, 0], 0.4)).astype(np.int8))

    def _fit_one(
        self,
        space: ComponentSpace,
        label: np.ndarray,
        weight: dict[int, float],
        candidate: Hyperparameters,
    ) -> LinearModel | RadialModel:
        from ketadask.predict.solvers import fit_logistic, solve_svc

        cost = candidate.cost or 1.0
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

    def _fit_estimator(
        self, volumes: np.ndarray, label: np.ndarray, candidate: Hyperparameters
    ) -> LinearModel | EstimatorModel:
        from ketadask.predict.estimators import build_estimator, fit_estimator, linear_part

        estimator = build_estimator(self._path, dict(candidate.parameters))
        weight = _weights(label, balance=True) if self.balance_labels else None
        estimator = fit_estimator(estimator, volumes, label, weight, self.seed)
        linear = linear_part(estimator, volumes)
        return EstimatorModel(estimator) if linear is None else LinearModel(*linear)


@dataclass(frozen=True, eq=False)
class ClassifierModels:
    """The models of some candidates, in their order."""

    candidates: tuple[Hyperparameters, ...]
    models: list[LinearModel | RadialModel | EstimatorModel]

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
class EstimatorModel:
    """A fitted classifier of scikit-learn's interface that is not linear."""

    estimator: Any

    def decide(self, volumes: np.ndarray) -> np.ndarray:
        """Return the decision values (case,), or probabilities of response minus one half."""
        from ketadask.predict.estimators import decision_values

        return decision_values(self.estimator, volumes)


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
