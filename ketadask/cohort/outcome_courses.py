"""The course of the outcome after each infusion: every visit, not only the endpoint."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.schema.tables import COURSES
from ketadask.sources.visits import NO_PERIOD, SHARED_BASELINE


def outcome_courses(outcomes: pd.DataFrame, cases: pd.DataFrame) -> pd.DataFrame:
    """Return the outcome scale of every case at each of its visits.

    Day 0 is the baseline of the case; later days are those of the visits in the case's period,
    the first one where a day was visited twice.

    Parameters
    ----------
    outcomes
        Visits with their period and outcome, as `outcome_visits` returns them.
    cases
        participant, period, arm, baseline.

    Returns
    -------
    Table that keeps ``schema.tables.COURSES``, a row per case and day.
    """
    after = (
        (outcomes["day"] > 0)
        & (outcomes[nm.ARM] != SHARED_BASELINE)
        & (outcomes["period"] != NO_PERIOD)
    )
    visits = outcomes.loc[after & outcomes["outcome"].notna()].drop(columns=nm.ARM)
    keys = [nm.PARTICIPANT, "period"]
    later = visits.rename(columns={"outcome": "score"}).merge(
        cases[[*keys, nm.ARM]], on=keys, validate="m:1"
    )
    baseline = cases.rename(columns={"baseline": "score"}).dropna(subset="score")
    baseline = baseline.assign(day=np.int64(0))
    columns = list(COURSES.columns)
    rows = pd.concat([baseline[columns], later[columns]]).drop_duplicates([*keys, "day"])
    return COURSES.check(rows.sort_values([*keys, "day"], ignore_index=True))
