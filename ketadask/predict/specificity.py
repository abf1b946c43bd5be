"""Whether a model predicts response to the drug better than improvement on the control."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.predict.performance import delong, point_estimates
from ketadask.predict.permutations import exchange_groups

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 2_000
_MEASURES = ("auc", "bac")


def compare_arms(
    drug: pd.DataFrame, control: pd.DataFrame, *, seed: int = 0, draws: int = DRAWS
) -> dict[str, float]:
    """Return drug minus control of AUC and balanced accuracy, with interval and p.

    The interval is the 95 % percentile interval of a bootstrap over participants, whose cases stay
    together in both arms. p is one-sided, (b + 1) / (m + 1). Where participants are in both arms,
    they exchange the labels of their arms. Otherwise scores and predictions are exchanged between
    participants of the two cohorts with the same label, after the scores of each cohort are
    centred midway between its labels, so that every cohort keeps its response rate; the difference
    is divided by its standard error (Chung & Romano 2013, 10.1214/13-AOS1090).

    Parameters
    ----------
    drug, control
        A row per case: participant, site, label, decision, predicted.

    Returns
    -------
    For auc and bac: difference, its low and high, and p, as ``auc``, ``auc_low``, ``auc_high``,
    ``p_auc``.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> label = np.arange(80) % 2
    >>> table = pd.DataFrame({"participant": range(80), "site": "1", "label": label})
    >>> drug = table.assign(decision=rng.normal(size=80) + 2 * label)
    >>> drug = drug.assign(predicted=(drug["decision"] > 1).astype(int))
    >>> control = drug.assign(participant=range(80, 160), decision=rng.normal(size=80))
    >>> control = control.assign(predicted=(control["decision"] > 0).astype(int))
    >>> comparison = compare_arms(drug, control, draws=199)
    >>> comparison["p_auc"] < 0.05 < comparison["auc_low"]
    True
    """
    tables = [_plain(drug), _plain(control)]
    if any(len(np.unique(table["label"])) < 2 for table in tables):
        return {}
    rng = np.random.default_rng(
        np.random.SeedSequence(seed, spawn_key=(nm.STREAM_PERMUTATION, 0, 1))
    )
    own = _difference(tables)
    resamples = [_difference(_resample(tables, rng)) for _ in range(draws)]
    is_paired = bool(set(tables[0]["participant"]) & set(tables[1]["participant"]))
    exchange = _swap_labels if is_paired else _exchange_scores
    if not is_paired:
        tables = [_centre_scores(table) for table in tables]
    reference = _difference(tables, studentised=not is_paired)
    nulls = [_difference(exchange(tables, rng), studentised=not is_paired) for _ in range(draws)]
    comparison: dict[str, float] = {}
    for k, name in enumerate(_MEASURES):
        low, high = np.nanquantile([row[k] for row in resamples], [0.025, 0.975])
        as_large = sum(not row[k] < reference[k] - 1e-12 for row in nulls)
        comparison |= {name: own[k], f"{name}_low": float(low), f"{name}_high": float(high)}
        comparison[f"p_{name}"] = (as_large + 1) / (draws + 1)
    return comparison


Arrays = dict[str, np.ndarray]


def _plain(table: pd.DataFrame) -> Arrays:
    names = (nm.PARTICIPANT, "site", "label", "decision", "predicted")
    arrays = {name: table[name].to_numpy() for name in names}
    arrays["participant"] = arrays.pop(nm.PARTICIPANT).astype(str)
    return arrays | {"site": arrays["site"].astype(str)}


def _difference(tables: list[Arrays], *, studentised: bool = False) -> tuple[float, float]:
    """Return drug minus control of AUC and balanced accuracy, divided by its standard error."""
    values, variances = [], []
    for t in tables:
        label, forecast = t["label"], t["predicted"]
        estimates = point_estimates(label, forecast, t["decision"], t["site"])
        values.append([estimates[name] for name in _MEASURES])
        if studentised:
            area, low, high = delong(t["decision"], label, site=t["site"])
            # DeLong's interval is symmetric on the logit scale; its width there gives the error.
            ends = np.clip([low, high], 1e-6, 1 - 1e-6)
            logits = np.log(ends / (1 - ends))
            middle = min(max(area, 1e-3), 1 - 1e-3)
            spread = (logits[1] - logits[0]) / (2 * 1.96) * middle * (1 - middle)
            n = np.array([(label == 1).sum(), (label == 0).sum()])
            recall = np.array([estimates["sensitivity"], estimates["specificity"]])
            smooth = (recall * n + 0.5) / (n + 1)
            variances.append([spread**2, float((smooth * (1 - smooth) / n).sum() / 4)])
    difference = np.subtract(values[0], values[1])
    if studentised:
        difference = difference / np.sqrt(np.maximum(np.sum(variances, axis=0), 1e-12))
    return float(difference[0]), float(difference[1])


def _centre_scores(table: Arrays) -> Arrays:
    """Return a cohort whose scores have the midpoint of the labels' means at zero, unit spread."""
    score, label = table["decision"], table["label"]
    means = [score[label == k].mean() for k in (0, 1)]
    spread = np.sqrt(np.mean([score[label == k].var() for k in (0, 1)])) or 1.0
    return table | {"decision": (score - np.mean(means)) / spread}


def _resample(tables: list[Arrays], rng: np.random.Generator) -> list[Arrays]:
    """Draw participants with replacement; those in both arms are drawn for both."""
    people = np.unique(np.concatenate([table["participant"] for table in tables]))
    if not set(tables[0]["participant"]) & set(tables[1]["participant"]):
        return [_of_people(t, _draw(np.unique(t["participant"]), rng)) for t in tables]
    names = _draw(people, rng)
    return [_of_people(table, names) for table in tables]


def _draw(people: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(people[rng.integers(len(people), size=len(people))])


def _of_people(table: Arrays, names: np.ndarray) -> Arrays:
    order = np.argsort(table["participant"], kind="stable")
    rows = table["participant"][order]
    first, last = (np.searchsorted(rows, names, side=s) for s in ("left", "right"))
    rows = np.concatenate([order[a:b] for a, b in zip(first, last, strict=True)])
    return {name: values[rows] for name, values in table.items()}


def _swap_labels(tables: list[Arrays], rng: np.random.Generator) -> list[Arrays]:
    """Exchange the labels of the arms in half of the participants, of their first case in each."""
    drug, control = (table | {"label": table["label"].copy()} for table in tables)
    names, first, second = np.intersect1d(
        drug["participant"], control["participant"], return_indices=True
    )
    swap = rng.random(len(names)) < 0.5
    a, b = first[swap], second[swap]
    drug["label"][a], control["label"][b] = control["label"][b], drug["label"][a].copy()
    return [drug, control]


def _exchange_scores(tables: list[Arrays], rng: np.random.Generator) -> list[Arrays]:
    """Exchange scores between participants of both cohorts with the same label."""
    both = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    score, forecast = both["decision"].copy(), both["predicted"].copy()
    cohort = np.repeat(["drug", "control"], [len(table["label"]) for table in tables])
    people = np.char.add(np.char.add(cohort, "/"), both["participant"])
    for rows in exchange_groups(people, both["label"]):
        sources = rows[rng.permutation(len(rows))]
        score[rows], forecast[rows] = both["decision"][sources], both["predicted"][sources]
    size = len(tables[0]["label"])
    both |= {"decision": score, "predicted": forecast}
    return [
        {name: values[:size] for name, values in both.items()},
        {name: values[size:] for name, values in both.items()},
    ]
