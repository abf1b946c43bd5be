"""Datasets and tables of a small study that keep the contracts."""

import numpy as np
import pandas as pd
import xarray as xr

from ketadask import names as nm
from ketadask.schema.datasets import COHORT, UNITS
from ketadask.schema.tables import LITERALS, VERDICTS

PLANTED = (
    ("wm-lh-posteriorcingulate", -np.inf, 4533.7),
    ("wm-rh-inferiorparietal", -np.inf, 12663.9),
    ("bdi_10", 0.0, np.inf),
)
FEATURES = (
    ("age", "demographic", "continuous", "years", "Age"),
    ("bmi", "demographic", "continuous", "kg/m2", "Body mass index"),
    *((f"bdi_{k}", "scale", "ordinal", "", f"BDI item {k}") for k in range(1, 22)),
    *((f"madrs_{k}", "scale", "ordinal", "", f"MADRS item {k}") for k in range(1, 11)),
    ("wm-lh-posteriorcingulate", "volume", "continuous", "mm3", "Left posterior cingulate WM"),
    ("wm-rh-inferiorparietal", "volume", "continuous", "mm3", "Right inferior parietal WM"),
    *((f"lh_region{k}_volume", "volume", "continuous", "mm3", f"Region {k}") for k in range(12)),
)


def feature_values(rng: np.random.Generator, rows: int) -> np.ndarray:
    values = np.empty((rows, len(FEATURES)))
    for column, (name, modality, kind, _, _) in enumerate(FEATURES):
        if kind == "ordinal":
            values[:, column] = rng.integers(0, 4, rows)
        elif modality == "volume":
            mean = 12000 if "inferiorparietal" in name else 4700
            values[:, column] = rng.normal(mean, mean / 8, rows).round(1)
        else:
            values[:, column] = rng.normal(30, 6, rows).round(1)
    values[rng.random(values.shape) < 0.04] = np.nan
    return values


def feature_coordinates() -> dict:
    columns = list(zip(*FEATURES, strict=True))
    names = ("feature", "modality", "kind", "measurement_unit", "label")
    return {n: ("feature", np.array(c, object)) for n, c in zip(names, columns, strict=True)}


def make_cohort(rng: np.random.Generator, participants: int) -> xr.Dataset:
    participant = np.repeat([f"sub-KX{k:04d}" for k in range(participants)], 2)
    period = np.tile([1, 2], participants)
    first = np.repeat(rng.random(participants) < 0.5, 2)
    active = first == (period == 1)
    baseline = rng.normal(33, 4, participant.size).round()
    followup = (baseline - rng.normal(np.where(active, 9, 2), 6)).round()
    improvement = baseline - followup
    arms = np.where(active, nm.ACTIVE, nm.CONTROL).astype(object)
    sequences = np.where(first, "active-control", "control-active").astype(object)
    return COHORT.check(
        xr.Dataset(
            {
                "value": (("case", "feature"), feature_values(rng, participant.size)),
                "baseline": ("case", baseline),
                "followup": ("case", followup),
                "improvement": ("case", improvement),
                "response": ("case", (improvement >= 0.4 * baseline).astype(float)),
            },
            coords={
                "participant": ("case", participant.astype(object)),
                "period": ("case", period),
                "arm": ("case", arms),
                "sequence": ("case", sequences),
                "trial": ("case", np.full(participant.size, "T1", object)),
                "site": ("case", np.full(participant.size, "NIH", object)),
                **feature_coordinates(),
            },
            attrs={
                "outcome": "madrs",
                "day": 7,
                "response_threshold": 0.4,
            },
        )
    )


def make_units(rng: np.random.Generator, cohort: xr.Dataset) -> xr.Dataset:
    participants = cohort.participant.values[::2]
    outcome = rng.normal([9, 2], 6, (participants.size, 2)).round(1)
    n = participants.size
    return UNITS.check(
        xr.Dataset(
            {
                "value": (("unit", "feature"), cohort.value.values[::2]),
                "score": ("unit", outcome[:, 0] - outcome[:, 1]),
                "outcome": (("unit", "arm"), outcome),
            },
            coords={
                "arm": ("arm", np.array(nm.ARMS, object)),
                "participant": ("unit", participants),
                "stratum": ("unit", np.arange(n) % 2),
                "split_stratum": ("unit", np.arange(n) % 4),
                "period": ("unit", cohort.period.values[::2]),
                "sequence": ("unit", cohort.sequence.values[::2]),
                "trial": ("unit", cohort.trial.values[::2]),
                "site": ("unit", cohort.site.values[::2]),
                **feature_coordinates(),
            },
            attrs={"design": "crossover", "endpoint": "improvement"},
        )
    )


def make_literals(units: xr.Dataset) -> pd.DataFrame:
    rows = [(f, "volume" if "wm" in f else "scale", low, high) for f, low, high in PLANTED]
    for name, modality, *_ in FEATURES:
        cut = float(np.nanmedian(units.value.sel(feature=name)))
        rows += [(name, modality, -np.inf, cut), (name, modality, cut, np.inf)]
    table = pd.DataFrame(rows, columns=["feature", "modality", "low", "high"])
    table.insert(0, "literal", np.arange(len(table)))
    table["text"] = [
        f"{f} > {low:g}" if np.isfinite(low) else f"{f} <= {high:g}"
        for f, low, high in zip(table.feature, table.low, table.high, strict=True)
    ]
    values = units.value.to_pandas()
    table["support"] = [
        int(((values[f] > low) & (values[f] <= high)).sum())
        for f, low, high in zip(table.feature, table.low, table.high, strict=True)
    ]
    table["aliases"] = ""
    table["neighbours"] = ""
    return LITERALS.check(table)


def make_verdicts(
    rng: np.random.Generator, literals: pd.DataFrame, units: xr.Dataset, best: str, rows: int = 12
) -> pd.DataFrame:
    values, count = units.value.to_pandas(), units.sizes["unit"]
    table = {name: [] for name in VERDICTS.columns}
    for k in range(rows):
        ids = [0, 1, 2] if k == 0 else sorted(rng.choice(np.arange(3, len(literals)), 3, False))
        lines = literals.set_index("literal").loc[ids]
        masks = [
            (values[f] > low) & (values[f] <= high)
            for f, low, high in zip(lines.feature, lines.low, lines.high, strict=True)
        ]
        support = int(np.all(masks, axis=0).sum())
        p = 0.012 if k == 0 else 0.04 + 0.07 * k
        word = best if k == 0 else (nm.SUGGESTIVE if p < 0.2 else nm.NOISE)
        if best == nm.NOISE:
            p, word = 0.31 + 0.04 * k, nm.NOISE
        recurrence, active, control = rng.uniform([0.2, 10, -2], [0.7, 17, 3])
        row = {name: rng.uniform() for name in VERDICTS.columns} | {
            "rank": k + 1,
            "persona": f"{rng.integers(16**8):08x}",
            "polarity": nm.FAVOURABLE if k % 4 != 3 else nm.UNFAVOURABLE,
            "text": " and ".join(lines.text),
            "features": " | ".join(lines.feature),
            "n_literals": 3,
            **{f"literal_{i + 1}": ([*ids, -1])[i] for i in range(4)},
            "family_size": int(rng.integers(1, 9)),
            "q": 4.9 - 0.1 * k,
            "t": 4.8 - 0.1 * k,
            "support": support,
            "outside": count - support,
            "unknown": 0,
            "prevalence": support / count,
            "p_adjusted": p,
            "p_single_step": min(1.0, p + 0.01 * k),
            "p_incremental": np.nan if k == 0 else min(1.0, p + 0.02 * k),
            "verdict": word,
            "recurrence": recurrence,
            "recurrence_low": recurrence - 0.03,
            "recurrence_high": recurrence + 0.03,
            "active_mean": active,
            "active_low": active - 4,
            "active_high": active + 4,
            "control_mean": control,
            "control_low": control - 4,
            "control_high": control + 4,
            "benefit_inside": active - control,
            "benefit_outside": rng.uniform(-1, 5),
        }
        difference = row["benefit_inside"] - row["benefit_outside"]
        row |= {
            "difference": difference,
            "difference_low": difference - 11,
            "difference_high": difference + 11,
            "difference_shrunken": 0.6 * difference,
        }
        for name, value in row.items():
            table[name].append(value)
    return VERDICTS.check(pd.DataFrame(table))


def make_courses(rng: np.random.Generator, cohort: xr.Dataset) -> pd.DataFrame:
    cases = cohort[["baseline", "followup"]].to_dataframe().reset_index()
    rows = []
    for day in (0, 1, 3, 7, 30):
        table = cases[["participant", "period", "arm"]].assign(day=day)
        table["score"] = {0: cases["baseline"], 7: cases["followup"]}.get(
            day, cases["followup"] + rng.normal(0, 3, len(cases)).round()
        )
        rows.append(table.head(3) if day == 30 else table)
    keys = ["participant", "period", "day"]
    return pd.concat(rows).sort_values(keys, ignore_index=True)


def make_stability(rng: np.random.Generator, polarity: str) -> pd.DataFrame:
    frequency = rng.beta(0.6, 4, len(FEATURES))
    return pd.DataFrame(
        {
            "polarity": polarity,
            "feature": [f[0] for f in FEATURES],
            "selected": (1000 * frequency).round().astype(int),
            "frequency": frequency,
            "low": np.clip(frequency - 0.03, 0, 1),
            "high": np.clip(frequency + 0.03, 0, 1),
        }
    )
