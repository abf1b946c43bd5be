"""Features of rating scales and demographics: values before each infusion."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.features.feature_table import ABOUT, FeatureTable, feature_kind
from ketadask.features.subscales import item_sums
from ketadask.schema.phenotype import Phenotype
from ketadask.sources.names_order import natural_key
from ketadask.sources.rating_scales import score_label, score_range
from ketadask.sources.scale_columns import KEYS
from ketadask.sources.visits import NO_PERIOD, SHARED_BASELINE

_DEMOGRAPHICS = {
    "age": ("years", "age"),
    "sex": ("", "sex (0 male, 1 female)"),
    "bmi": ("kg/m2", "BMI"),
}


def baseline_visits(visits: pd.DataFrame) -> pd.DataFrame:
    """Return the last value of each score before each infusion, by (participant, period).

    Scales may be rated on different days. A visit is before the infusion on day 0 or earlier,
    or if its session is a shared baseline; period 0 stands for both periods.
    """
    before = (visits["day"] <= 0) | (visits[nm.ARM] == SHARED_BASELINE)
    rows = visits[before & (visits["period"] != NO_PERIOD)]
    keys = [nm.PARTICIPANT, "period"]
    rows = rows.sort_values([*keys, "day", "session"]).drop(columns=["session", nm.ARM, "day"])
    return rows.groupby(keys).last()  # the last value that is not missing


def scale_features(phenotype: Phenotype, *, subscales: bool = False) -> FeatureTable:
    """Return items and totals at the baseline of each period; follow-ups never enter.

    A total that the files lack is the sum of its items, where none is missing.

    Parameters
    ----------
    phenotype
        Visits with their period, as ``place_visits`` returns them.
    subscales
        Whether to add the subscales of ``ketadask.features.subscales``.
    """
    scores = [name for name in phenotype.table.columns if name not in KEYS]
    values = baseline_visits(phenotype.table)[scores].astype(np.float64)
    sums, of_sums = item_sums(values, subscales=subscales)
    columns = sorted([*scores, *sums.columns], key=natural_key)
    values = pd.concat([values, sums], axis=1)[columns]
    labels = of_sums["label"].to_dict() | dict(phenotype.labels)
    limits = dict(zip(of_sums.index, of_sums[["low", "high"]].to_numpy().tolist(), strict=True))
    limits |= phenotype.limits
    about = [
        (
            nm.SCALE,
            feature_kind(values[name].to_numpy(), *limits.get(name, score_range(name))),
            phenotype.units.get(name, ""),
            labels.get(name, score_label(name)),
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
    columns = [name for name in _DEMOGRAPHICS if name in participants.columns]
    values = participants[columns].astype(np.float64).set_axis(index)
    about = [
        (
            nm.DEMOGRAPHIC,
            feature_kind(values[name].to_numpy(), *((0, 1) if name == "sex" else (0, math.inf))),
            *_DEMOGRAPHICS[name],
        )
        for name in columns
    ]
    return FeatureTable(values, pd.DataFrame(about, index=columns, columns=list(ABOUT)))
