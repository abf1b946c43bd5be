"""Who was assessed, left out and analysed: the counts a CONSORT diagram is drawn from."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ketadask import names as nm


def consort_counts(
    people: pd.DataFrame, studied: pd.DataFrame, exclusions: pd.DataFrame, cases: pd.DataFrame
) -> dict[str, Any]:
    """Return assessed, studied, the reasons of exclusion and who is analysed, per arm.

    Parameters
    ----------
    people, studied
        All participants, and those of the groups that belong to the study.
    exclusions
        participant, period (0 for all), reason.
    cases
        participant, period, arm of the cases analysed.

    Returns
    -------
    ``excluded`` counts per reason the participants, and the participant periods where single
    periods were left out; ``lost`` those of the study without any case.
    """
    reasons = []
    for reason, rows in exclusions.groupby("reason", sort=True):
        count = int(rows[nm.PARTICIPANT].nunique())
        periods = int((rows["period"] > 0).sum())
        reasons.append({"reason": str(reason), "participants": count, "periods": periods})
    inside = cases[nm.PARTICIPANT]
    return {
        "assessed": len(people),
        "studied": len(studied),
        "excluded": sorted(reasons, key=lambda r: (-r["participants"], r["reason"])),
        "lost": int((~studied[nm.PARTICIPANT].isin(inside)).sum()),
        "analysed": {
            "participants": int(inside.nunique()),
            "cases": len(cases),
            "both_arms": int((inside.value_counts() == 2).sum()),
            **{arm: int((cases[nm.ARM] == arm).sum()) for arm in nm.ARMS},
        },
    }
