"""Classifiers by name, fitted for all their candidates at once to one prepared train part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ketadask.predict.space import Space
from ketadask.schema.errors import InputError, nearest

SVC_LINEAR, SVC_RBF, LOGISTIC, FOREST = "svc-linear", "svc-rbf", "logistic", "forest"
LEARNERS = (SVC_LINEAR, SVC_RBF, LOGISTIC, FOREST)
COSTS = tuple(2.0**k for k in range(-6, 5))


@dataclass(frozen=True)
class Hyperparameters:
    """One choice of everything that the inner folds decide."""

    cost: float
    gamma: float | None
    energy: float | None


@dataclass(frozen=True)
class Classifier:
    """A classifier and what the inner folds choose from.

    Parameters
    ----------
    name
        ``svc-linear`` and ``svc-rbf``: support vector classifiers; ``logistic``: ridge-penalised
        logistic regression; ``forest``: a random forest on the regions themselves, of which
        ``costs`` are the fewest cases in a leaf.
    costs
        Values of C.
    gammas
        Width of the radial kernel; None is one over the variance of all the components.
    energies
        Shares of the variance the principal components keep; None takes the regions as they are.
    balanced
        Whether both labels weigh the same however many cases have them.
    """

    name: str = SVC_LINEAR
    costs: tuple[float, ...] = COSTS
    gammas: tuple[float | None, ...] = (None,)
    energies: tuple[float | None, ...] = (0.9,)
    balanced: bool = True
    trees: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name not in LEARNERS:
            raise InputError(
                "no such learner",
                where="learner",
                value=self.name,
                remedy=nearest(self.name, LEARNERS),
            )

    @property
    def candidates(self) -> tuple[Hyperparameters, ...]:
        """Every candidate; of equally good ones the first is chosen.

        Examples
        --------
        >>> len(Learner().candidates), Learner().candidates[0].cost
        (11, 0.015625)
        """
        gammas = self.gammas if self.name == SVC_RBF else (None,)
        energies = (None,) if self.name == FOREST else self.energies
        return tuple(
            Hyperparameters(cost, gamma, energy)
            for cost in self.costs
            for gamma in gammas
            for energy in energies
        )

    def fit(
        self,
        prepared: np.ndarray,
        label: np.ndarray,
        chosen: tuple[Hyperparameters, ...] | None = None,
    ) -> ClassifierModels:
        """Fit candidates (all if not given) to prepared volumes (case, region) and labels 0/1."""
        candidates = self.candidates if chosen is None else chosen
        weight = _weights(label, self.balanced)
        made = ClassifierModels(candidates)
        spaces = {energy: Space.of(prepared, energy) for energy in {c.energy for c in candidates}}
        for candidate in candidates:
            made.models.append(_FIT[self.name](self, spaces[candidate.energy], label, weight,
                                               candidate))  # fmt: skip
        return made


@dataclass
class ClassifierModels:
    """The models of some candidates, in their order."""

    candidates: tuple[Hyperparameters, ...]
    models: list[Any] = field(default_factory=list)

    def decisions(self, prepared: np.ndarray) -> np.ndarray:
        """Return (candidate, case) decision values; above zero speaks for response."""
        if not self.models or not all(isinstance(m, Linear) for m in self.models):
            return np.stack([model.decide(prepared) for model in self.models])
        weights = np.stack([model.weight for model in self.models])
        offsets = np.array([model.offset for model in self.models])
        return weights @ prepared.T + offsets[:, None]


@dataclass(frozen=True, eq=False)
class Linear:
    """A model that is one weight per prepared region and an offset."""

    weight: np.ndarray
    offset: float

    def decide(self, prepared: np.ndarray) -> np.ndarray:
        """Return the decision values (case,)."""
        return prepared @ self.weight + self.offset


@dataclass(frozen=True, eq=False)
class Radial:
    """A support vector classifier with a radial kernel on principal components."""

    axes: np.ndarray
    vectors: np.ndarray
    alpha: np.ndarray
    gamma: float
    offset: float

    def decide(self, prepared: np.ndarray) -> np.ndarray:
        """Return the decision values (case,)."""
        distance = squared_distance(prepared @ self.axes, self.vectors)
        return np.exp(-self.gamma * distance) @ self.alpha + self.offset


@dataclass(frozen=True, eq=False)
class Forest:
    """A random forest as scikit-learn made it."""

    made: Any

    def decide(self, prepared: np.ndarray) -> np.ndarray:
        """Return the decision values (case,): probability of response minus one half."""
        return self.made.predict_proba(prepared)[:, 1] - 0.5


def squared_distance(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return (left, right) squared Euclidean distances of rows.

    Examples
    --------
    >>> squared_distance(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]]))
    array([[25.]])
    """
    norms = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)
    return np.maximum(norms - 2 * left @ right.T, 0.0)


def _weights(label: np.ndarray, balanced: bool) -> dict[int, float]:
    if not balanced:
        return {0: 1.0, 1: 1.0}
    return {k: len(label) / (2 * int((label == k).sum())) for k in (0, 1)}


def _svc(
    gram: np.ndarray, label: np.ndarray, weight: dict[int, float], cost: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return support, dual coefficients and offset of a classifier on a Gram matrix."""
    from ketadask.predict.scikit import svc

    return svc(gram, label, weight, cost)


def _linear(
    learner: Classifier,
    space: Space,
    label: np.ndarray,
    weight: dict[int, float],
    c: Hyperparameters,
) -> Linear:
    support, alpha, offset = _svc(space.gram, label, weight, c.cost)
    return Linear(alpha @ space.points[support], offset)


def _radial(
    learner: Classifier,
    space: Space,
    label: np.ndarray,
    weight: dict[int, float],
    c: Hyperparameters,
) -> Radial:
    gamma = c.gamma or space.default_gamma
    support, alpha, offset = _svc(np.exp(-gamma * space.distance), label, weight, c.cost)
    return Radial(space.axes, space.scores[support], alpha, gamma, offset)


def _logistic(
    learner: Classifier,
    space: Space,
    label: np.ndarray,
    weight: dict[int, float],
    c: Hyperparameters,
) -> Linear:
    from ketadask.predict.scikit import logistic

    slope, offset = logistic(space.scores, label, weight, c.cost)
    return Linear(space.axes @ slope, offset)


def _forest(
    learner: Classifier,
    space: Space,
    label: np.ndarray,
    weight: dict[int, float],
    c: Hyperparameters,
) -> Forest:
    from ketadask.predict.scikit import forest

    return Forest(
        forest(space.points, label, weight, int(max(c.cost, 1)), learner.trees, learner.seed)
    )


_FIT = {SVC_LINEAR: _linear, SVC_RBF: _radial, LOGISTIC: _logistic, FOREST: _forest}


def best_hyperparameters(scores: np.ndarray) -> int:
    """Return the candidate with the best mean score; scores are (candidate, inner fold).

    Examples
    --------
    >>> choose(np.array([[0.5, 0.5], [0.7, 0.6], [0.6, 0.7]]))
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
    said = decision > 0
    recalls = list(_recalls(said, label))
    return sum(recalls) / len(recalls)


def _recalls(said: np.ndarray, label: np.ndarray) -> Iterator[np.ndarray]:
    for k in (0, 1):
        rows = label == k
        if rows.any():
            yield (said[:, rows] == k).sum(axis=1) / rows.sum()
