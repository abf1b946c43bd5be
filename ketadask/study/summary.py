"""Every headline number of a study, in one nested dict without any timing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.search.split_capacity import splits_too_small

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.cohort.designs import TrialArrays
    from ketadask.cohort.splits import HoldoutSplit
    from ketadask.inference.hit_summary import HitSummary
    from ketadask.study.problem import StudyProblem
    from ketadask.study.run import StudyRun


def headline(
    work: StudyRun,
    asked: StudyProblem,
    found: Mapping[str, Any],
    verdicts: pd.DataFrame,
    nulls: pd.DataFrame,
    searches: pd.DataFrame,
    digest: HitSummary,
) -> dict[str, Any]:
    """Return the numbers a reader looks for first; the same study gives the same bytes."""
    from ketadask.cohort.relabel import unexchangeable_mask
    from ketadask.inference.enrolment import enrichment, outcome_sigma

    settings, trial = work.settings, asked.problem.trial
    maxima = nulls.groupby("relabelling")["q"].max().to_numpy()
    sigma = outcome_sigma(trial.outcome, paired=trial.paired)
    return {
        "name": settings.name,
        "fingerprint": work.place.key("judge"),
        "seed": settings.seed,
        "design": settings.design.kind,
        "outcome": settings.outcome.scale,
        "day": settings.outcome.day,
        "endpoint": settings.outcome.endpoint,
        **_sizes(asked),
        "splits": asked.splitter.n_splits,
        "splits_too_small": splits_too_small(asked.search, searches),
        "relabellings": len(maxima),
        "units_unexchangeable": int(unexchangeable_mask(trial, settings.null.method).sum()),
        "personas_judged": int(verdicts["family_size"].sum()),
        "findings": len(verdicts),
        "supported": int((verdicts["verdict"] == nm.SUPPORTED).sum()),
        "suggestive": int((verdicts["verdict"] == nm.SUGGESTIVE).sum()),
        "critical_value": critical_value(maxima, settings.verdict.alpha),
        "best": _best(verdicts),
        "polarities": {
            polarity: _polarity(each, searches[searches["polarity"] == polarity])
            for polarity, each in found.items()
        },
        "gates": gate_counts(work, asked.splitter.n_splits),
        "selection": _selection(digest, tuple(found), asked.splitter),
        "enrichment": enrichment(digest.enrolled, sigma, paired=trial.paired),
        **_carry_over(trial, asked.units["trial"].to_numpy().astype(str)),
    }


def _carry_over(trial: TrialArrays, names: np.ndarray) -> dict[str, Any]:
    """Return the test of carry-over, by trial where there are several; nothing rests on it.

    Those seen on both arms are compared; nothing is said of a trial with fewer than two of them in
    either sequence.
    """
    from ketadask.kernels.gates import carry_over

    first, who = np.unique(trial.participant, return_index=True, return_inverse=True)[1:]
    seen = np.isfinite(trial.outcome)
    cases = np.stack([np.bincount(who, arm) for arm in seen.T], axis=1)
    total = [np.bincount(who, arm) for arm in np.where(seen, trial.outcome, 0.0).T]
    outcome, both = np.stack(total, axis=1) / np.maximum(cases, 1), cases.all(axis=1)
    names, active_first = names[first], trial.active_first[first]
    told = {}
    for name in np.unique(names):
        own = both & (names == name)
        if min(active_first[own].sum(), (~active_first[own]).sum()) >= 2:
            told[str(name)] = carry_over(outcome[own], active_first[own])
    if len(np.unique(names)) == 1:
        told = next(iter(told.values()), {})
    return {"carry_over": told} if told else {}


def critical_value(maxima: np.ndarray, alpha: float) -> float | None:
    """Return the Q above which a single-step adjusted p is at most ``alpha``, or None.

    Parameters
    ----------
    maxima
        (B,) largest Q of each relabelled trial, over both polarities.

    Examples
    --------
    >>> critical_value(np.arange(19.0), 0.05), critical_value(np.arange(39.0), 0.05)
    (18.0, 37.0)
    """
    from ketadask.kernels.maxt import may_reach

    allowed = may_reach(alpha, len(maxima))
    return None if allowed < 0 else float(np.sort(maxima)[::-1][allowed])


def _sizes(asked: StudyProblem) -> dict[str, int]:
    return {
        "participants": len(np.unique(asked.cohort.dataset[nm.PARTICIPANT])),
        "cases": int(asked.cohort.dataset.sizes[nm.CASE]),
        "units": int(asked.units.sizes[nm.UNIT]),
        "features": int(asked.units.sizes[nm.FEATURE]),
        "literals": len(asked.problem.literals.feature),
    }


def _best(verdicts: pd.DataFrame) -> dict[str, Any] | None:
    columns = ["persona", "polarity", "text", "features", "support", "q", "p_adjusted", "verdict"]
    columns += ["recurrence", "confirmed_rate", "d_full", "benefit_inside", "benefit_outside"]
    return verdicts.iloc[0][columns].to_dict() if len(verdicts) else None


def _polarity(found: Any, searches: pd.DataFrame) -> dict[str, Any]:
    q = np.asarray(found.q)
    return {
        "q_best": float(q[0]) if len(q) else None,
        "kept": len(q),
        "saturation": float(found.saturation),
        "proven": bool(found.proven),
        "gap": float(found.gap),
        "nodes": found.nodes,
        "saturation_splits": float(searches["saturation"].mean()),
        "proven_splits": float(searches["proven"].mean()),
    }


def gate_counts(work: StudyRun, count: int) -> dict[str, Any]:
    """Return how many splits have a persona that passes each gate on train, and on both sides."""
    from ketadask.store.ranges import range_name

    parts = work.place.hits()
    told = {
        f"{gate}_{side}": 0 for gate in ("published", "heterogeneity") for side in ("hit", "both")
    }
    for first, last in parts.ranges(count):
        table = parts.read(range_name(first, last), "hits").query("split < @count")
        for gate in ("published", "heterogeneity"):
            hit = table[f"{gate}_train"].to_numpy(dtype=bool)
            both = hit & table[f"{gate}_holdout"].to_numpy(dtype=bool)
            told[f"{gate}_hit"] += table.loc[hit, "split"].nunique()
            told[f"{gate}_both"] += table.loc[both, "split"].nunique()
    return {f"{name}_share": number / count for name, number in told.items()}


def _selection(
    digest: HitSummary, polarities: tuple[str, ...], splitter: HoldoutSplit
) -> dict[str, Any]:
    complementary = splitter.scheme == "complementary"
    halves = complementary or (splitter.scheme == "holdout" and splitter.train_size == 0.5)
    told: dict[str, Any] = {}
    for polarity in polarities:
        each = digest.selection[polarity]
        estimate, low, high = each.nogueira()
        told[polarity] = {
            "features_per_split": each.mean_size,
            "stability": estimate,
            "stability_low": low,
            "stability_high": high,
        }
        if halves:
            bounds = each.false_selections(complementary=complementary)
            told[polarity]["false_selections"] = bounds
    return told
