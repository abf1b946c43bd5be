"""A small simulated trial as a search matrix."""

from functools import cache

import numpy as np
import xarray as xr

from ketadask.cohort.units import score_units
from ketadask.schema.datasets import COHORT


@cache
def small_units(design):
    return score_units(small_cohort(), design=design)


def small_cohort(participants=40, features=5, seed=11):
    rng = np.random.default_rng(seed)
    value = rng.normal(size=(participants, features))
    first = np.arange(participants) % 2 == 0
    cases = []
    for person in range(participants):
        for period in (1, 2):
            active = first[person] == (period == 1)
            gain = 4.0 * active * (1 + (value[person, 0] > 0)) + rng.normal(3, 2)
            cases.append((f"sub-{person:03d}", period, "active" if active else "control", gain))
    who, period, arm, gain = (np.array(each) for each in zip(*cases, strict=True))
    sequence = np.repeat(np.where(first, "active-control", "control-active"), 2)
    return COHORT.check(
        xr.Dataset(
            {
                "value": (("case", "feature"), np.repeat(value, 2, axis=0)),
                "baseline": ("case", np.full(len(gain), 30.0)),
                "followup": ("case", 30.0 - gain),
                "improvement": ("case", gain),
                "response": ("case", (gain >= 12).astype(float)),
            },
            coords={
                "participant": ("case", who),
                "period": ("case", period),
                "arm": ("case", arm),
                "sequence": ("case", sequence),
                "trial": ("case", np.full(len(gain), "one")),
                "site": ("case", np.full(len(gain), "one")),
                "feature": [f"x{i}" for i in range(features)],
                "modality": ("feature", ["scale"] * features),
                "kind": ("feature", ["continuous"] * features),
                "measurement_unit": ("feature", [""] * features),
                "label": ("feature", [f"x{i}" for i in range(features)]),
            },
            attrs={"outcome": "madrs", "day": 7, "response_threshold": 0.4},
        )
    )
