"""How the outcome scale goes on after each infusion: every visit, not only the endpoint."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from ketadask import names as nm
from ketadask.cohort.outcomes import outcome_values
from ketadask.features.scales import place_visits
from ketadask.sources.visits import SHARED, UNPLACED

_COLUMNS = [nm.PARTICIPANT, "period", nm.ARM, "day", "score"]


def outcome_courses(phenotype: pd.DataFrame, cohort: xr.Dataset) -> pd.DataFrame:
    """Return the outcome scale of every case of a cohort at each of its visits.

    Day 0 is the baseline the cohort was made with; later days are those of the visits that were
    placed in the case's period, the first one where a day was visited twice.

    Parameters
    ----------
    phenotype
        What ``read_phenotype`` returns.
    cohort
        What ``assemble`` made of it.

    Returns
    -------
    A row per case and day: participant, period, arm, day, score.
    """
    cases = pd.DataFrame(
        {
            nm.PARTICIPANT: cohort[nm.PARTICIPANT].to_numpy().astype(str),
            "period": cohort["period"].to_numpy(),
            nm.ARM: cohort[nm.ARM].to_numpy().astype(str),
            "score": cohort["baseline"].to_numpy(),
        }
    )
    sequences = dict(zip(cases[nm.PARTICIPANT], cohort["sequence"].to_numpy(), strict=True))
    seen = phenotype[[nm.PARTICIPANT, "session", "period", nm.ARM, "day"]].copy()
    seen["score"] = outcome_values(phenotype, cohort.attrs["outcome"])
    visits = place_visits(seen, sequences)
    after = (visits["day"] > 0) & (visits[nm.ARM] != SHARED) & (visits["period"] != UNPLACED)
    visits = visits.loc[after & visits["score"].notna()].drop(columns=nm.ARM)
    keys = [nm.PARTICIPANT, "period"]
    later = visits.merge(cases[[*keys, nm.ARM]], on=keys, validate="m:1")
    rows = pd.concat([cases.assign(day=np.int64(0)), later[_COLUMNS]])[_COLUMNS]
    rows = rows.drop_duplicates([*keys, "day"])
    return rows.sort_values([*keys, "day"], ignore_index=True)
