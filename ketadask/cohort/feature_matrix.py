"""The feature matrix: features of all modalities, selected and in canonical order."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.features.feature_table import ABOUT, FeatureTable
from ketadask.schema.errors import InputError, nearest
from ketadask.sources.names_order import natural_key

MODALITIES = (nm.DEMOGRAPHIC, nm.SCALE, nm.VOLUME, nm.MEG, nm.EEG)


def feature_matrix(
    tables: list[FeatureTable],
    cases: pd.DataFrame,
    include: Sequence[str] | None,
    exclude: Sequence[str],
) -> tuple[np.ndarray, pd.DataFrame, dict[str, str]]:
    """Return the features of all tables (case, feature) in canonical order, described.

    Parameters
    ----------
    tables
        Features by participant and period.
    cases
        participant, period.
    include, exclude
        Names or patterns of features; ``exclude`` wins.

    Returns
    -------
    Values, their description, and the features the tables had dropped already, with the reason.
    """
    people, periods = cases[nm.PARTICIPANT].tolist(), cases["period"].tolist()
    value = np.concatenate(
        [table.at(people, periods) for table in tables] or [np.empty((len(cases), 0))], axis=1
    )
    about = pd.concat([t.about for t in tables]) if tables else pd.DataFrame(columns=list(ABOUT))
    drop_reasons = {name: why for table in tables for name, why in table.dropped.items()}
    names = [str(name) for name in about.index]
    twice = about.index[about.index.duplicated()]
    if len(twice):
        raise InputError(
            "two features have the same name",
            value=twice[0],
            remedy="rename one, or name the scales to be read",
        )
    for where, patterns in (("include", include or ()), ("exclude", exclude)):
        if isinstance(patterns, str):
            raise InputError(
                "a list of names is needed, not a text",
                where=where,
                value=patterns,
                remedy=f"write {where}=[{patterns!r}]",
            )
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in (*names, *drop_reasons)):
                raise InputError(
                    "no such feature", where=where, value=pattern, remedy=nearest(pattern, names)
                )
    columns = [
        j
        for j, name in enumerate(names)
        if (include is None or any(fnmatchcase(name, p) for p in include))
        and not any(fnmatchcase(name, p) for p in exclude)
    ]
    rank = {modality: k for k, modality in enumerate(MODALITIES)}
    families = about["modality"].tolist()
    columns.sort(
        key=lambda j: (rank.get(families[j], len(rank)), families[j], natural_key(names[j]))
    )
    return value[:, columns], about.iloc[columns], drop_reasons


def drop_features(
    value: np.ndarray, about: pd.DataFrame, max_missing: float
) -> tuple[np.ndarray, pd.DataFrame, dict[str, str]]:
    """Return the features without those that are constant or missing in too many cases."""
    if not len(value):
        return value, about, {}
    missing = np.isnan(value).mean(axis=0)
    lower = np.where(np.isnan(value), np.inf, value)
    lowest = lower.min(axis=0)
    highest = np.where(np.isnan(value), -np.inf, value).max(axis=0)
    drop_reasons = {}
    for name, fraction, low, high in zip(about.index, missing, lowest, highest, strict=True):
        if fraction > max_missing:
            drop_reasons[str(name)] = f"missing in {fraction:.0%} of cases"
        elif low >= high:
            drop_reasons[str(name)] = "constant" if low == high else "missing in all cases"
    valid = np.array([str(name) not in drop_reasons for name in about.index], dtype=bool)
    return value[:, valid], about[valid], drop_reasons
