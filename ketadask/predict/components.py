"""Prepared volumes on their leading principal components: the space of a classifier.

All candidates of a training set share one eigendecomposition of its Gram matrix. A linear model
needs neither components nor axes, only the volumes projected onto them, because inner products of
the projections are those of the components.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class ComponentSpace:
    """Prepared training volumes on the components that explain a fraction of their variance.

    Parameters
    ----------
    points
        (case, region) training volumes, projected.
    left, singular
        (case, component) and (component,): left singular vectors and singular values; None where
        the regions themselves are used.
    """

    points: np.ndarray
    left: np.ndarray | None = None
    singular: np.ndarray | None = None

    @classmethod
    def of(cls, volumes: np.ndarray, explained_variance: float | None) -> ComponentSpace:
        """Return the space of prepared volumes; with None, that of the regions themselves.

        Examples
        --------
        >>> volumes = np.random.default_rng(0).normal(size=(20, 50))
        >>> volumes -= volumes.mean(axis=0)
        >>> few, many = (ComponentSpace.of(volumes, fraction) for fraction in (0.5, 0.9))
        >>> few.scores.shape[1] < many.scores.shape[1]
        True
        """
        if explained_variance is None:
            return cls(volumes)
        value, left = np.linalg.eigh(volumes @ volumes.T)
        value, left = np.maximum(value[::-1], 0.0), left[:, ::-1]
        fraction = np.cumsum(value / max(value.sum(), np.finfo(float).tiny))
        count = int(np.searchsorted(fraction, explained_variance, side="right")) + 1
        count = max(1, min(count, int((value > 1e-12 * value[0]).sum())))
        left = left[:, :count]
        return cls(left @ (left.T @ volumes), left, np.sqrt(value[:count]))

    @cached_property
    def gram(self) -> np.ndarray:
        """(case, case) inner products of the training cases."""
        return np.asarray(self.points @ self.points.T)

    @cached_property
    def axes(self) -> np.ndarray:
        """(region, component) directions; the identity where the regions themselves are used."""
        if self.left is None or self.singular is None:
            return np.eye(self.points.shape[1])
        return np.asarray((self.left.T @ self.points / self.singular[:, None]).T)

    @cached_property
    def scores(self) -> np.ndarray:
        """(case, component) coordinates of the training cases."""
        if self.left is None or self.singular is None:
            return self.points
        return np.asarray(self.left * self.singular)

    @cached_property
    def distance(self) -> np.ndarray:
        """(case, case) squared distances of the training cases."""
        norms = np.diag(self.gram)
        return np.asarray(np.maximum(norms[:, None] + norms - 2 * self.gram, 0.0))

    @cached_property
    def default_gamma(self) -> float:
        """One over the number of components times the variance of all their coordinates."""
        variance = float(self.scores.var())
        return 1.0 / (self.scores.shape[1] * variance) if variance > 0 else 1.0
