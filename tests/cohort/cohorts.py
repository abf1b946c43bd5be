"""Cohorts made by hand, so that every number in a test can be checked on paper."""

import numpy as np
import pandas as pd
import xarray as xr

from ketadask.schema.datasets import COHORT


def cohort_of(cases, value=None, **attrs):
    """Make a cohort of rows (participant, period, arm, baseline, improvement, trial, site)."""
    columns = ["participant", "period", "arm", "baseline", "improvement", "trial", "site"]
    table = pd.DataFrame(cases, columns=columns)
    n = len(table)
    if value is None:
        value = np.arange(n * 2, dtype=float).reshape(n, 2)
    value = np.asarray(value, dtype=float)
    features = [f"x{k}" for k in range(value.shape[1])]
    ordered = table.sort_values(["participant", "period"])
    sequences = ordered.groupby("participant")["arm"].agg("-".join)
    response = (table["improvement"] >= 0.4 * table["baseline"]).astype(float)
    made = xr.Dataset(
        {
            "value": (("case", "feature"), value),
            "baseline": ("case", table["baseline"].astype(float)),
            "followup": ("case", (table["baseline"] - table["improvement"]).astype(float)),
            "improvement": ("case", table["improvement"].astype(float)),
            "response": ("case", response.where(table["improvement"].notna())),
        },
        coords={
            "participant": ("case", table["participant"].to_numpy(dtype=str)),
            "period": ("case", table["period"].astype("int64")),
            "arm": ("case", table["arm"].to_numpy(dtype=str)),
            "sequence": ("case", table["participant"].map(sequences).to_numpy(dtype=str)),
            "trial": ("case", table["trial"].to_numpy(dtype=str)),
            "site": ("case", table["site"].to_numpy(dtype=str)),
            "feature": features,
            "modality": ("feature", ["scale"] * len(features)),
            "kind": ("feature", ["continuous"] * len(features)),
            "measurement_unit": ("feature", [""] * len(features)),
            "label": ("feature", features),
        },
        attrs={"outcome": "madrs", "day": 1, "response_threshold": 0.4, **attrs},
    )
    return COHORT.check(made)


def crossover_cohort(pairs, singles=0, seed=0, features=4, trials=1):
    """Make a crossover cohort: ``pairs`` participants with both periods, ``singles`` with one."""
    rng = np.random.default_rng(seed)
    cases, value = [], []
    for p in range(pairs + singles):
        first = "active" if rng.random() < 0.5 or p == 0 else "control"
        if p == 1:
            first = "control"
        second = "control" if first == "active" else "active"
        arms = [(1, first), (2, second)]
        if p >= pairs:
            arms = [arms[int(rng.integers(2))]]
        once = rng.normal(size=features)
        for period, arm in arms:
            gain = 6.0 * (arm == "active") + 2.0 * (period == 2) + rng.normal(5, 6)
            place = f"t{p % trials}"
            cases.append((f"s{p:03d}", period, arm, 30.0, gain, place, f"{place}-{p % 2}"))
            value.append(np.r_[once[: features // 2], rng.normal(size=features - features // 2)])
    return cohort_of(cases, value)


def parallel_cohort(participants, seed=0, features=4, trials=1):
    """Make a parallel cohort with two sites per trial."""
    rng = np.random.default_rng(seed)
    cases = []
    for p in range(participants):
        arm = ("active", "control")[(p // (2 * trials)) % 2]
        place = f"t{p % trials}"
        gain = 4.0 * (arm == "active") + rng.normal(5, 6)
        cases.append((f"s{p:03d}", 1, arm, 30.0, gain, place, f"{place}-{(p // trials) % 2}"))
    return cohort_of(cases, rng.normal(size=(participants, features)))
