"""Features of one family: a number per participant and period, and what each feature is."""

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
        One row per feature: family, kind (ordinal or continuous), measure, label.
    dropped
        Features left out, with the reason.

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
        if list(self.values.columns) != list(self.about.index):
            raise InputError("features and their descriptions differ in name or order")
        if list(self.values.index.names) != [nm.PARTICIPANT, "period"]:
            raise InputError(
                "features must be indexed by participant and period",
                value=list(self.values.index.names),
            )
        if not self.values.index.is_unique:
            twice = self.values.index[self.values.index.duplicated()].tolist()[0]
            raise InputError("participant and period appear twice", value=twice)

    def at(self, participants: list[str], periods: list[int]) -> np.ndarray:
        """Return the features (case, feature) before each infusion: its own, else the shared."""
        own = self._rows(participants, periods)
        shared = self._rows(participants, [0] * len(participants))
        return np.where(np.isnan(own), shared, own)

    def _rows(self, participants: list[str], periods: list[int]) -> np.ndarray:
        rows = self.values.index.get_indexer(pd.MultiIndex.from_arrays([participants, periods]))
        if self.values.empty:
            return np.full((len(rows), self.values.shape[1]), np.nan)
        found = self.values.to_numpy(dtype=np.float64)[rows]
        found[rows < 0] = np.nan
        return found


def feature_kind(values: np.ndarray, low: float, high: float) -> str:
    """Return ordinal where a feature has at most eight levels, by its range or by what is seen.

    Examples
    --------
    >>> kind_of(np.array([0.0, 2.0]), 0, 6), kind_of(np.array([0.5, 2.0]), 0, 6)
    ('ordinal', 'continuous')
    """
    seen = np.unique(values[~np.isnan(values)])
    whole = bool((seen == np.round(seen)).all())
    few = high - low < MOST_LEVELS if np.isfinite(high - low) else seen.size <= MOST_LEVELS
    return nm.ORDINAL if whole and few else nm.CONTINUOUS
