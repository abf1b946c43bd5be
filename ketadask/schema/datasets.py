"""Contracts of the two datasets of a study: the cohort and its units, the search matrix."""

from __future__ import annotations

from ketadask import names as nm
from ketadask.schema.checks import Column, DatasetContract

_TEXT = "OUT"
_CASE, _UNIT, _FEATURE = (nm.CASE,), (nm.UNIT,), (nm.FEATURE,)

_FEATURE_COORDINATES = {
    nm.FEATURE: Column(_TEXT, "name of the feature, unique", _FEATURE, nullable=False),
    "modality": Column(_TEXT, "demographic, scale, volume or meg", _FEATURE, nullable=False),
    "kind": Column(_TEXT, "ordinal or continuous", _FEATURE, nullable=False),
    "measurement_unit": Column(_TEXT, "unit of measurement, '' where there is none", _FEATURE),
    "label": Column(_TEXT, "text for readers", _FEATURE),
}

COHORT = DatasetContract(
    name="cohort",
    variables={
        "value": Column("f", "baseline features, NaN where missing", (nm.CASE, nm.FEATURE)),
        "baseline": Column("f", "outcome scale before the infusion", _CASE),
        "followup": Column("f", "outcome scale at the day of the endpoint", _CASE),
        "improvement": Column("f", "change from baseline, positive is better", _CASE),
        "response": Column("f", "1 where improvement reaches the threshold, else 0", _CASE),
        "endpoint": Column(
            "f", "endpoint that is none of these; larger is better", _CASE, optional=True
        ),
    },
    coordinates={
        nm.PARTICIPANT: Column(_TEXT, "participant the case belongs to", _CASE, nullable=False),
        "period": Column("i", "1 for the first infusion, 2 for the second", _CASE),
        nm.ARM: Column(_TEXT, "active or control", _CASE, nullable=False),
        "sequence": Column(_TEXT, "arms in order of infusion, e.g. active-control", _CASE),
        "trial": Column(_TEXT, "trial the participant belongs to", _CASE),
        "site": Column(_TEXT, "site of the participant", _CASE),
        "cluster": Column(_TEXT, "family or other cluster of participants", _CASE, optional=True),
        **_FEATURE_COORDINATES,
    },
    attributes=("outcome", "day", "response_threshold"),
)

UNITS = DatasetContract(
    name="units",
    variables={
        "value": Column("f", "features, NaN where missing", (nm.UNIT, nm.FEATURE)),
        "score": Column("f", "score; its mean over a set of units estimates their benefit", _UNIT),
        "outcome": Column("f", "endpoint per arm, NaN where not observed", (nm.UNIT, nm.ARM)),
        "response": Column(
            "f", "1 for response, else 0, per arm; NaN: unknown", (nm.UNIT, nm.ARM), optional=True
        ),
    },
    coordinates={
        nm.ARM: Column(_TEXT, "active, control", (nm.ARM,)),
        nm.PARTICIPANT: Column(_TEXT, "participant the unit belongs to", _UNIT, nullable=False),
        "stratum": Column("i", "stratum of the relabelling", _UNIT),
        "split_stratum": Column("i", "stratum of the splits", _UNIT),
        "period": Column("i", "period of the unit's active arm, or of its only arm", _UNIT),
        "sequence": Column(_TEXT, "arms in order of infusion", _UNIT),
        "trial": Column(_TEXT, "trial", _UNIT),
        "site": Column(_TEXT, "site", _UNIT),
        "cluster": Column(_TEXT, "family or other cluster of participants", _UNIT, optional=True),
        **_FEATURE_COORDINATES,
    },
    attributes=("design", "endpoint"),
)
