"""Numbers of participants assessed, excluded and analysed, for a CONSORT diagram."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ketadask import names as nm


def consort_counts(
    people: pd.DataFrame, study_group: pd.DataFrame, exclusions: pd.DataFrame, cases: pd.DataFrame
) -> dict[str, Any]:
    """Return the counts from assessed to analysed, with the reasons of exclusion.

    Parameters
    ----------
    people, study_group
        All participants, and those of the groups that belong to the study.
    exclusions
        participant, period (0 for all), reason.
    cases
        participant, period, arm of the cases analysed.

    Returns
    -------
    ``excluded`` counts participants per reason, and single periods; ``lost`` counts participants
    of the study without a case.
    """
    reasons = []
    for reason, rows in exclusions.groupby("reason", sort=True):
        count = int(rows[nm.PARTICIPANT].nunique())
        periods = int((rows["period"] > 0).sum())
        reasons.append({"reason": str(reason), "participants": count, "periods": periods})
    inside = cases[nm.PARTICIPANT]
    analysed = set(inside.to_numpy(dtype=object))
    return {
        "assessed": len(people),
        "studied": len(study_group),
        "excluded": sorted(reasons, key=lambda r: (-r["participants"], r["reason"])),
        "lost": sum(who not in analysed for who in study_group[nm.PARTICIPANT]),
        "analysed": {
            "participants": len(analysed),
            "cases": len(cases),
            "both_arms": int((inside.value_counts() == 2).sum()),
            **{arm: int((cases[nm.ARM] == arm).sum()) for arm in nm.ARMS},
        },
    }
