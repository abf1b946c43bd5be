"""Features of rating scales and of the person: what was known before each infusion."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.features.feature_table import ABOUT, FeatureTable, feature_kind
from ketadask.features.subscales import item_sums
from ketadask.sources import rating_scales
from ketadask.sources.names_order import natural
from ketadask.sources.scale_columns import KEYS, VISIT
from ketadask.sources.visits import SHARED, UNPLACED, period_of_visit

_PERSON = {"age": ("years", "age"), "sex": ("", "sex (0 male, 1 female)"), "bmi": ("kg/m2", "BMI")}


def place_visits(phenotype: pd.DataFrame, sequences: dict[str, str]) -> pd.DataFrame:
    """Return the visits of the participants with the period each belongs to.

    A visit named by its arm gets the period in which the participant was given that arm; a
    baseline shared by both periods gets period 0. A visit that contradicts the sequence gets
    period -1: it is used nowhere.

    Parameters
    ----------
    phenotype
        What ``read_phenotype`` returns.
    sequences
        Arms in order of infusion per participant, for example ``active-control``.
    """
    visits = phenotype[phenotype[nm.PARTICIPANT].isin(list(sequences))].copy()
    visits["period"] = [
        period_of_visit(sequences[person], *visit)
        for person, *visit in zip(*(visits[name] for name in VISIT), strict=True)
    ]
    return visits


def baseline_visits(visits: pd.DataFrame) -> pd.DataFrame:
    """Return each score's last value before each infusion, indexed by (participant, period).

    Scales may be rated on different days. A visit is before the infusion on day 0 or earlier,
    or where its session is a shared baseline; period 0 stands for both periods.
    """
    before = (visits["day"] <= 0) | (visits[nm.ARM] == SHARED)
    rows = visits[before & (visits["period"] != UNPLACED)]
    keys = [nm.PARTICIPANT, "period"]
    rows = rows.sort_values([*keys, "day", "session"]).drop(columns=["session", nm.ARM, "day"])
    return rows.groupby(keys).last()  # the last that is not missing


def scale_features(
    phenotype: pd.DataFrame, sequences: dict[str, str], *, factors: bool = False
) -> FeatureTable:
    """Return items and totals at the baseline of each period; follow-ups never enter.

    A total that the files lack is the sum of its items, where all are there.

    Parameters
    ----------
    phenotype
        What ``read_phenotype`` returns.
    sequences
        Arms in order of infusion per participant.
    factors
        Whether to add the factor sums of ``ketadask.features.subscales``.
    """
    values = baseline_visits(place_visits(phenotype, sequences))
    given = [c for c in phenotype.columns if c not in KEYS]
    values = values[given].astype(np.float64)
    values.attrs = {}  # pandas copies them with every column taken
    sums, of_sums = item_sums(values, factors=factors)
    columns = sorted([*given, *sums.columns], key=natural)
    values = pd.concat([values, sums], axis=1)[columns]
    labels = of_sums["label"].to_dict() | phenotype.attrs.get("labels", {})
    limits = dict(zip(of_sums.index, of_sums[["low", "high"]].to_numpy().tolist(), strict=True))
    limits |= phenotype.attrs.get("limits", {})
    units = phenotype.attrs.get("units", {})
    about = [
        (
            nm.SCALE,
            feature_kind(values[name].to_numpy(), *limits.get(name, rating_scales.limits(name))),
            units.get(name, ""),
            labels.get(name, rating_scales.label(name)),
        )
        for name in columns
    ]
    return FeatureTable(values, pd.DataFrame(about, index=columns, columns=list(ABOUT)))


def demographic_features(participants: pd.DataFrame) -> FeatureTable:
    """Return age, sex and BMI as features shared by both periods."""
    index = pd.MultiIndex.from_arrays(
        [participants[nm.PARTICIPANT], np.zeros(len(participants), dtype=np.int64)],
        names=[nm.PARTICIPANT, "period"],
    )
    columns = [name for name in _PERSON if name in participants.columns]
    values = participants[columns].astype(np.float64).set_axis(index)
    about = [
        (
            nm.DEMOGRAPHIC,
            feature_kind(values[name].to_numpy(), *((0, 1) if name == "sex" else (0, math.inf))),
            *_PERSON[name],
        )
        for name in columns
    ]
    return FeatureTable(values, pd.DataFrame(about, index=columns, columns=list(ABOUT)))
