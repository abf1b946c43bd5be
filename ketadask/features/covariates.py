"""Features from a table of participants: numbers as they are, categories by their levels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.features.feature_table import ABOUT, FeatureTable, feature_kind
from ketadask.sources.names_order import natural_key

MIN_LEVEL = 8
_YES = ("yes", "true", "y", "present", "positive")


def covariate_features(
    covariates: pd.DataFrame, modality: str, *, min_level: int = MIN_LEVEL
) -> FeatureTable:
    """Return the features of participants, the same in all periods.

    A category of text becomes one feature per level, ``smoker = yes``, with the values 0 and 1; of
    two levels one is enough. Levels of fewer than ``min_level`` participants are merged into one
    and named together.

    Parameters
    ----------
    covariates
        A row per participant of the study; numbers, or text that is empty where missing.
    modality
        Modality of the features: the name of the table.
    min_level
        Fewest participants of a level with a feature of its own.

    Examples
    --------
    >>> index = pd.Index(list("abcdef"), name="participant")
    >>> table = pd.DataFrame({"crp": [1.5, 2, 3, 4, 5, 6], "ward": list("ABBAAC")}, index=index)
    >>> features = covariate_features(table, "blood", min_level=2)
    >>> list(features.values.columns), features.dropped
    (['crp', 'ward = A', 'ward = B'], {'ward = C': '1 participant, fewer than 2'})
    """
    values: dict[str, np.ndarray] = {}
    labels: dict[str, str] = {}
    dropped: dict[str, str] = {}
    for name in covariates.columns:
        column = covariates[name]
        if pd.api.types.is_numeric_dtype(column):
            values[name], labels[name] = column.to_numpy(dtype=np.float64), name
            continue
        words = column.to_numpy(dtype=object)
        for level, inside in _levels(words, min_level).items():
            feature = f"{name}{nm.LEVEL_SIGN}{level}"
            count = int(inside.sum())
            if count < min_level and len(set(words) - {""}) > 2:
                people = "participant" if count == 1 else "participants"
                dropped[feature] = f"{count} {people}, fewer than {min_level}"
                continue
            values[feature] = np.where(words == "", np.nan, inside.astype(np.float64))
            labels[feature] = feature
    kinds = {name: feature_kind(column, -np.inf, np.inf) for name, column in values.items()}
    about = pd.DataFrame(
        [(modality, kinds[name], "", labels[name]) for name in values],
        index=list(values),
        columns=list(ABOUT),
    )
    index = pd.MultiIndex.from_arrays(
        [covariates.index, np.zeros(len(covariates), dtype=np.int64)],
        names=[nm.PARTICIPANT, "period"],
    )
    return FeatureTable(pd.DataFrame(values, index=index, copy=False), about, dropped)


def _levels(words: np.ndarray, min_level: int) -> dict[str, np.ndarray]:
    """Return who has each level, rare ones together as ``a or b``; of two levels only one."""
    names = sorted(set(words) - {""}, key=natural_key)
    inside = {name: words == name for name in names}
    if len(names) == 2:
        name = next((name for name in names if name.lower() in _YES), names[1])
        return {name: inside[name]}
    rare = [name for name in names if inside[name].sum() < min_level]
    if len(rare) > 1:
        together = np.logical_or.reduce([inside.pop(name) for name in rare])
        inside[" or ".join(rare)] = together
    return inside
