"""Selection of features over the splits, and its stability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import norm

from ketadask.inference.null import IDS
from ketadask.kernels.resampling import meinshausen_buhlmann_bound, shah_samworth_bound, wilson

if TYPE_CHECKING:
    from ketadask.store.ranges import Range

FREQUENT = 0.9
"""Minimum selection frequency of the features whose false selections are bounded."""


@dataclass(frozen=True, eq=False)
class Selection:
    """Counts of joint selection of features: sufficient for stability over any number of splits.

    Parameters
    ----------
    splits
        Number of splits counted.
    pair_counts
        int64 (F, F): splits in which both features belong to hits; the diagonal counts each one.

    Examples
    --------
    >>> one = Selection.of(np.array([[True, False]]))
    >>> (one + one).pair_counts
    array([[2, 0],
           [0, 0]])
    """

    splits: int
    pair_counts: np.ndarray

    @classmethod
    def of(cls, selection: np.ndarray) -> Selection:
        """Count a bool matrix (split, feature)."""
        matrix = selection.astype(np.float64)  # counts are exact in float64, and BLAS is fast
        return cls(len(selection), np.rint(matrix.T @ matrix).astype(np.int64))

    def __add__(self, other: Selection) -> Selection:
        """Add counts, in any order and grouping."""
        return Selection(self.splits + other.splits, self.pair_counts + other.pair_counts)

    @property
    def frequency(self) -> np.ndarray:
        """(F,) fraction of the splits that selected each feature."""
        return np.diag(self.pair_counts) / max(self.splits, 1)

    @property
    def mean_size(self) -> float:
        """Mean number of features a split selects."""
        return float(np.trace(self.pair_counts)) / max(self.splits, 1)

    def nogueira(self, level: float = 0.95) -> tuple[float, float, float]:
        """Return Nogueira's stability and its interval, (estimate, low, high).

        1 where every split selects the same features, about 0 where selection is random; NaN
        where fewer than two splits, or no or all features, were selected.

        References
        ----------
        Nogueira, Sechidis & Brown 2018, JMLR 18(174), definition 4 and corollary 9. The variance
        of the splits' contributions follows from the moments of the co-selection counts.
        """
        m, d = self.splits, len(self.pair_counts)
        size = self.mean_size
        spread = size / d * (1 - size / d) if d else 0.0
        if m < 2 or spread <= 0:
            return (np.nan, np.nan, np.nan)
        frequency, counts = self.frequency, self.pair_counts.astype(np.float64)
        stability = 1 - m / (m - 1) * float((frequency * (1 - frequency)).mean()) / spread
        # contribution of split i: (agreement_i / d + slope * size_i + constant) / spread
        slope = -size / d**2 + stability / 2 * (2 * size / d**2 - 1 / d)
        agreement = float(frequency @ counts @ frequency), float(frequency @ np.diag(counts))
        sizes = float(counts.sum()), float(np.trace(counts))
        cross = float(frequency @ counts.sum(axis=1))
        variance = (
            _centred_sum(agreement[0], agreement[1], agreement[1], m) / d**2
            + 2 * slope / d * _centred_sum(cross, agreement[1], sizes[1], m)
            + slope**2 * _centred_sum(sizes[0], sizes[1], sizes[1], m)
        ) / spread**2
        reach = norm.ppf(0.5 + level / 2) * 2 / m * np.sqrt(max(variance, 0.0))
        return (stability, stability - float(reach), stability + float(reach))

    def frame(self, features: Sequence[str], polarity: str, level: float = 0.95) -> pd.DataFrame:
        """Return a row per feature: polarity, feature, selected, frequency and its Wilson interval.

        Sorted by frequency, then by the order of the features.
        """
        low, high = wilson(np.diag(self.pair_counts), self.splits, level)
        table = pd.DataFrame(
            {
                "polarity": polarity,
                "feature": list(features),
                "selected": np.diag(self.pair_counts),
                "frequency": self.frequency,
                "low": low,
                "high": high,
            }
        )
        return table.sort_values("frequency", ascending=False, kind="stable", ignore_index=True)

    def false_selections(
        self, threshold: float = FREQUENT, *, complementary: bool = False
    ) -> dict[str, float]:
        """Bound the expected number of falsely selected features at a frequency threshold.

        Both bounds assume that splits are halves and that noise features are exchangeable; the
        second also ``complementary`` pairs. They bound features, never personas.
        """
        size, features = self.mean_size, len(self.pair_counts)
        bounds = {
            "threshold": threshold,
            "selected": int((self.frequency >= threshold).sum()),
            "meinshausen_buhlmann": meinshausen_buhlmann_bound(size, features, threshold),
        }
        pairs = self.splits // 2
        if complementary and pairs:
            bounds["shah_samworth"] = shah_samworth_bound(size, features, threshold, pairs)
        return bounds


def _centred_sum(products: float, left: float, right: float, m: int) -> float:
    """Sum of products about the means, from raw sums over m splits."""
    return products - left * right / m


def selected_features(
    hits: pd.DataFrame,
    hit: np.ndarray,
    feature: np.ndarray,
    n_features: int,
    block: Range,
) -> np.ndarray:
    """Return bool (split, feature): features that belong to a hit of each split.

    ``block`` is the first and the last split, ``hit`` (rows of ``hits``) a mask of the rows that
    pass the gate, ``feature`` (literals,) the feature of each literal.
    """
    selection = np.zeros((block[1] - block[0] + 1, n_features), dtype=bool)
    rows = hits["split"].to_numpy()[hit] - block[0]
    for name in IDS:
        literal = hits[name].to_numpy()[hit]
        present = literal >= 0
        selection[rows[present], feature[literal[present]]] = True
    return selection
