"""Optional parts of a study: several trials, prediction from brain structure, recordings."""

from dataclasses import replace

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.inference.trial_effects import summarise_left_out, summarise_trials
from ketadask.predict.performance import performance
from ketadask.report.report_data import ReportData
from ketadask.schema.tables import LEFT_OUT, TRIALS
from tests.report.example_data import make_data


def make_trials(verdicts: pd.DataFrame, trials: int = 8, seed: int = 3) -> tuple[dict, dict]:
    """Return tables and summary: persona 1 holds in one trial, 2 in all, the others in none."""
    rng = np.random.default_rng(seed)
    rows = []
    for row in verdicts.to_dict("records"):
        true = {2: np.full(trials, 6.0), 1: np.r_[12.0, np.zeros(trials - 1)]}
        effect = rng.normal(true.get(row["rank"], np.zeros(trials)), 1.0)
        sign = -1 if row["polarity"] == nm.UNFAVOURABLE else 1
        se = rng.uniform(0.7, 2.0, trials)
        if row["rank"] == 3:
            effect[-1] = se[-1] = np.nan
        rows += [
            {
                "rank": row["rank"],
                "persona": row["persona"],
                "polarity": row["polarity"],
                "trial": f"trial-{k + 1}",
                "n": 60,
                "inside": 20 + k,
                "effect": sign * effect[k],
                "se": se[k],
                "low": sign * effect[k] - 2.01 * se[k],
                "high": sign * effect[k] + 2.01 * se[k],
                "excludes_zero": bool(effect[k] > 3 * se[k]),
                "weight": 1 / trials,
                "rank_without": int(row["rank"] == 2) * (k + 1),
            }
            for k in range(trials)
        ]
    table = TRIALS.check(pd.DataFrame(rows))
    first = pd.DataFrame(
        [
            {
                "trial": f"trial-{k + 1}",
                "polarity": polarity,
                "text": "age <= 30 and <i>x</i> > 3",
                "n": 60,
                "inside": 21,
                "effect": 5.0 + 0.1 * k,
                "se": 1.5,
                "low": 2.0,
                "high": 8.0 + 0.1 * k,
                "confirmed": k != 2,
            }
            for polarity in nm.POLARITIES
            for k in range(trials)
        ]
    )
    tables = {
        "trials": table,
        "summaries": summarise_trials(table),
        "left_out": LEFT_OUT.check(first),
    }
    return tables, {"count": trials, "left_out": summarise_left_out(first)}


def make_trial_data(trials: int = 8, best: str = nm.SUPPORTED) -> ReportData:
    data = make_data(best)
    tables, summary = make_trials(data.verdicts, trials)
    return replace(data, trials=tables, summary={**data.summary, "trials": summary})


def make_weights(regions: list[str], seed: int = 2) -> pd.DataFrame:
    """Return random weights and patterns of these regions."""
    values = np.random.default_rng(seed).normal(size=(2, len(regions))).round(3)
    return pd.DataFrame(
        {
            "region": regions, "label": regions, "lobe": "", "tissue": "cortex", "ratio": 1.0,
            "consistency": 1.0, "pattern_consistency": 1.0, "weight": values[0],
            "pattern": values[1],
        }
    )  # fmt: skip


def make_prediction(seed: int = 0) -> dict:
    rng = np.random.default_rng(seed)
    tables, cohorts = [], {}
    for name, n, shift in (("discovery", 60, 1.0), ("control arm", 40, 0.0)):
        label = np.arange(n) % 2
        decision = rng.normal(size=n) + shift * label
        table = pd.DataFrame(
            {
                "participant": [f"sub-KX{k:04d}" for k in range(n)],
                "label": label,
                "decision": decision,
                "probability": 1 / (1 + np.exp(-decision)),
                "predicted": (decision > 0.5).astype(int),
                "cohort": name,
            }
        )
        tables.append(table)
        cohorts[name] = performance(label, table["predicted"].to_numpy(), decision)
    cohorts["discovery"] |= {"bac_folds": 0.7, "bac_folds_low": 0.6, "bac_folds_high": 0.8}
    names = ["Left-Thalamus", "<b>region</b>"]
    shape = {"lobe": ["", ""], "tissue": ["subcortical", ""]}
    weights = pd.DataFrame(
        {
            "region": names,
            "label": names,
            "weight": [0.2, -0.1],
            "ratio": [3.0, -1.5],
            "consistency": [1.0, 0.9],
            "pattern": [0.3, -0.2],
            "pattern_consistency": [1.0, 0.8],
            **shape,
        }
    )
    summary = {
        "classifier": "svc-linear",
        "cv": "pooled",
        "folds": "10 x 10 outer, 10 x 10 inner",
        "regions": 184,
        "covariates": ["age", "sex"],
        "cohorts": dict(sorted(cohorts.items())),
        "order": list(cohorts),
        "permutations": 999,
        "p": {"bac": 0.001, "bac_pooled": 0.001, "bac_folds": 0.002, "auc": 0.003},
        "other_classifiers": {"logistic": cohorts["control arm"]},
        "learning_curve": [
            dict.fromkeys(("auc", "auc_low", "auc_high", "bac", "bac_low", "bac_high"), value)
            | {"fraction": value, "training_cases": 54 * value}
            for value in (0.5, 0.75, 1.0)
        ],
        "notes": ["sub-KX0001 was at a site the model has never seen"],
    }
    return {"summary": summary, "cases": pd.concat(tables), "weights": weights}


def make_recordings(count: int = 63, failures: int = 1, seed: int = 0) -> dict:
    """Return quality, spectra and failures of a study; the last recording has much mains power."""
    rng = np.random.default_rng(seed)
    frequency = np.arange(0.25, 120.25, 0.25)
    names = [f"sub-KX{k:04d}_ses-p1d0_task-rest" for k in range(count)]
    line = rng.uniform(0.9, 1.4, count)
    line[-1:] = 31.7
    quality = pd.DataFrame(
        {
            "participant": [f"sub-KX{k:04d}" for k in range(count)],
            "session": "ses-p1d0",
            "recording": names,
            "seconds": 300.0,
            "clean_seconds": rng.integers(100, 150, count) * 2.0,
            "sensors": 273,
            "bad_sensors": rng.integers(0, 3, count),
            "bad": "",
            "bad_segments": 3,
            "called_bad": np.arange(count) % 3,
            "mains": 60.0,
            "line_ratio": line,
            "grade": 3,
            "heart_removed": np.arange(count) % 2,
            "pulse": np.where(np.arange(count) % 2, 62.5, np.nan),
            "flags": ["mains" if ratio > 10 else "" for ratio in line],
        }
    )
    if count:
        quality.loc[0, ["bad", "bad_sensors"]] = ["MLC11 (noisy), MRT<21> (flat)", 2]
    spectra = [
        pd.DataFrame(
            {
                "recording": name,
                "frequency": frequency,
                "density": 900 / frequency * rng.lognormal(0, 0.3)
                + ratio * 40 * (np.abs(frequency - 60) < 0.3),
            }
        )
        for name, ratio in zip(names, line, strict=True)
    ]
    broken = pd.DataFrame(
        {
            "participant": [f"sub-KX8{k:03d}" for k in range(failures)],
            "session": "ses-p1d0",
            "recording": [f"sub-KX8{k:03d}_ses-p1d0_task-rest" for k in range(failures)],
            "reason": [
                f"sub-KX8{k:03d}_ses-p1d0_task-rest_meg.fif: all sensors are flat; find another"
                for k in range(failures)
            ],
        }
    )
    return {
        "quality": quality,
        "spectra": pd.concat(spectra, ignore_index=True) if spectra else pd.DataFrame(),
        "failures": broken,
    }
