"""Features of one modality: a number per participant and period, and a description of each."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.schema.errors import InputError

ABOUT = ("modality", "kind", "measurement_unit", "label")
MOST_LEVELS = 8


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features by name, with their description.

    Attributes
    ----------
    values
        One row per (participant, period), one column per feature, NaN where missing. Period 0
        holds what was measured once and counts for both periods.
    about
        One row per feature: modality, kind (ordinal or continuous), measurement_unit, label.
    dropped
        Excluded features, with the reason.

    Examples
    --------
    >>> index = pd.MultiIndex.from_tuples([("a", 0), ("a", 2)], names=["participant", "period"])
    >>> about = pd.DataFrame([["scale", "ordinal", "", "x"]], index=["x"], columns=list(ABOUT))
    >>> table = FeatureTable(pd.DataFrame({"x": [1.0, 3.0]}, index=index), about)
    >>> table.at(["a", "a", "b"], [1, 2, 1])[:, 0]
    array([ 1.,  3., nan])
    """

    values: pd.DataFrame
    about: pd.DataFrame
    dropped: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        index = self.values.index
        if list(self.values.columns) != list(self.about.index):
            raise InputError("features and their descriptions differ in name or order")
        if list(index.names) != [nm.PARTICIPANT, "period"]:
            problem = "features must be indexed by participant and period"
            raise InputError(problem, value=list(index.names))
        if not index.is_unique:
            duplicate = index[index.duplicated()].tolist()[0]
            raise InputError("participant and period appear twice", value=duplicate)

    def at(self, participants: list[str], periods: list[int]) -> np.ndarray:
        """Return the features (case, feature) of each period, else those of both periods."""
        own = self._rows(participants, periods)
        return np.where(np.isnan(own), self._rows(participants, [0] * len(participants)), own)

    def _rows(self, participants: list[str], periods: list[int]) -> np.ndarray:
        rows = self.values.index.get_indexer(pd.MultiIndex.from_arrays([participants, periods]))
        if self.values.empty:
            return np.full((len(rows), self.values.shape[1]), np.nan)
        values = self.values.to_numpy(dtype=np.float64)[rows]
        values[rows < 0] = np.nan
        return values


def feature_kind(values: np.ndarray, low: float, high: float) -> str:
    """Return ordinal where a feature has at most eight levels, by its range or by its values.

    Examples
    --------
    >>> feature_kind(np.array([0.0, 2.0]), 0, 6), feature_kind(np.array([0.5, 2.0]), 0, 6)
    ('ordinal', 'continuous')
    """
    levels = np.unique(values[~np.isnan(values)])
    is_integer = bool((levels == np.round(levels)).all())
    is_short = high - low < MOST_LEVELS if np.isfinite(high - low) else levels.size <= MOST_LEVELS
    return nm.ORDINAL if is_integer and is_short else nm.CONTINUOUS
