"""The space a classifier sees: prepared volumes on their leading principal components.

All candidates of a train part share one eigendecomposition of its Gram matrix. A linear classifier
needs neither components nor axes, only the volumes projected onto them, because inner products of
the projections are those of the components.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Space:
    """Prepared train volumes on the components that hold ``energy`` of their variance.

    Parameters
    ----------
    points
        (case, region) train volumes, projected.
    left, singular
        (case, component) and (component,): left singular vectors and singular values; None where
        the regions are taken as they are.
    """

    points: np.ndarray
    left: np.ndarray | None = None
    singular: np.ndarray | None = None

    @classmethod
    def of(cls, prepared: np.ndarray, energy: float | None) -> Space:
        """Return the space; ``energy`` None keeps every region as it is.

        Examples
        --------
        >>> prepared = np.random.default_rng(0).normal(size=(20, 50))
        >>> prepared -= prepared.mean(axis=0)
        >>> Space.of(prepared, 0.5).scores.shape[1] < Space.of(prepared, 0.9).scores.shape[1]
        True
        """
        if energy is None:
            return cls(prepared)
        value, left = np.linalg.eigh(prepared @ prepared.T)
        value, left = np.maximum(value[::-1], 0.0), left[:, ::-1]
        share = np.cumsum(value / max(value.sum(), np.finfo(float).tiny))
        count = int(np.searchsorted(share, energy, side="right")) + 1
        count = max(1, min(count, int((value > 1e-12 * value[0]).sum())))
        left = left[:, :count]
        return cls(left @ (left.T @ prepared), left, np.sqrt(value[:count]))

    @cached_property
    def gram(self) -> np.ndarray:
        """(case, case) inner products of the train cases."""
        return self.points @ self.points.T

    @cached_property
    def axes(self) -> np.ndarray:
        """(region, component) directions; the identity where the regions are taken as they are."""
        if self.left is None or self.singular is None:
            return np.eye(self.points.shape[1])
        return (self.left.T @ self.points / self.singular[:, None]).T

    @cached_property
    def scores(self) -> np.ndarray:
        """(case, component) coordinates of the train cases."""
        if self.left is None or self.singular is None:
            return self.points
        return self.left * self.singular

    @cached_property
    def distance(self) -> np.ndarray:
        """(case, case) squared distances of the train cases."""
        norms = np.diag(self.gram)
        return np.maximum(norms[:, None] + norms - 2 * self.gram, 0.0)

    @cached_property
    def default_gamma(self) -> float:
        """One over the number of components times the variance of all their coordinates."""
        variance = float(self.scores.var())
        return 1.0 / (self.scores.shape[1] * variance) if variance > 0 else 1.0
