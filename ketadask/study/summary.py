"""The headline numbers of a study, in one nested dict without timings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.search.split_capacity import splits_too_small
from ketadask.store.ranges import range_name
from ketadask.study.comparison import Levels, comparison_of

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.cohort.designs import TrialArrays
    from ketadask.cohort.splits import HoldoutSplit
    from ketadask.inference.hit_summary import HitSummary
    from ketadask.kernels.result import SearchResult
    from ketadask.report.overall import OverallFacts
    from ketadask.study.problem import StudyProblem
    from ketadask.study.run import StudyRun


def headline(
    work: StudyRun,
    problem: StudyProblem,
    result_by_polarity: Mapping[str, SearchResult],
    verdicts: pd.DataFrame,
    nulls: pd.DataFrame,
    searches: pd.DataFrame,
    hits: HitSummary,
    levels: Levels,
) -> dict[str, Any]:
    """Return the headline numbers; the same study gives the same bytes.

    ``levels`` are those of `persona_levels`.
    """
    from ketadask.cohort.design_facts import score_facts
    from ketadask.cohort.relabel import unexchangeable_mask
    from ketadask.inference.enrolment import enrichment, outcome_sigma
    from ketadask.inference.null import critical_value, maxima_by_method, relabelling_methods
    from ketadask.inference.train_choice import summarise_choice
    from ketadask.report.overall import overall_facts

    overall = overall_facts(problem.units)
    settings, trial = work.settings, problem.search_problem.trial
    maxima = maxima_by_method(nulls, settings.null.statistic)
    facts = score_facts(problem.units, trial)
    sigma = outcome_sigma(trial.outcome, crossover=trial.has_pairs)
    return {
        "name": settings.name,
        "fingerprint": work.paths.key("judge"),
        "seed": settings.seed,
        "design": settings.design.kind,
        "outcome": settings.outcome.name,
        "day": settings.outcome.day,
        "endpoint": settings.outcome.endpoint,
        **_sizes(problem),
        "overall": vars(overall),
        "effects": _effects(problem, overall, verdicts),
        "splits": problem.splitter.n_splits,
        "splits_too_small": splits_too_small(problem.search, searches),
        "relabellings": maxima.shape[1],
        "statistic": settings.null.statistic,
        "units_unexchangeable": max(
            int(unexchangeable_mask(trial, name).sum())
            for name in relabelling_methods(problem.null.method)
        ),
        "personas_judged": int(verdicts["family_size"].sum()),
        "findings": len(verdicts),
        "supported": int((verdicts["verdict"] == nm.SUPPORTED).sum()),
        "suggestive": int((verdicts["verdict"] == nm.SUGGESTIVE).sum()),
        "critical_value": critical_value(maxima, levels[0]),
        "alpha": levels[0],
        "best": _best(verdicts),
        "polarities": {
            polarity: _polarity(result, searches[searches["polarity"] == polarity])
            for polarity, result in result_by_polarity.items()
        },
        "gates": gate_counts(work, problem.splitter.n_splits),
        "selection": _selection(hits, tuple(result_by_polarity), problem.splitter),
        "train_choice": summarise_choice(hits.choices),
        "enrichment": enrichment(hits.choices, sigma, crossover=trial.has_pairs),
        "comparison": vars(
            comparison_of(settings, problem.units, trial, facts, levels, problem.null)
        ),
        **_carry_over(trial, problem.units["trial"].to_numpy().astype(str)),
    }


def _effects(
    problem: StudyProblem, overall: OverallFacts, verdicts: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return the rows of the first forest plot: those of a persona only if it is a claim."""
    from ketadask.plot.results import member_mask
    from ketadask.report.overall import effect_rows

    claims = verdicts[verdicts["verdict"] != nm.NOISE].sort_values("rank")
    if not len(claims):
        return effect_rows(problem.units, overall)
    persona = claims.iloc[0]
    inside = member_mask(problem.units, problem.search_problem.literals.table(), persona)
    return effect_rows(problem.units, overall, inside, {str(k): v for k, v in persona.items()})


def _carry_over(trial: TrialArrays, names: np.ndarray) -> dict[str, Any]:
    """Return the test of carry-over, by trial where there are several; no verdict depends on it.

    It compares participants with outcomes in both arms, in trials with at least two of them in
    either sequence.
    """
    from ketadask.kernels.gates import carry_over

    first, participant = np.unique(trial.participant, return_index=True, return_inverse=True)[1:]
    present = np.isfinite(trial.outcome)
    n_cases = np.stack([np.bincount(participant, arm) for arm in present.T], axis=1)
    outcomes = np.where(present, trial.outcome, 0.0)
    total = np.stack([np.bincount(participant, arm) for arm in outcomes.T], axis=1)
    outcome, has_both = total / np.maximum(n_cases, 1), n_cases.all(axis=1)
    names, active_first = names[first], trial.active_first[first]
    test_by_trial: dict[str, dict[str, float]] = {}
    for name in np.unique(names):
        mask = has_both & (names == name)
        if min(active_first[mask].sum(), (~active_first[mask]).sum()) >= 2:
            test_by_trial[str(name)] = carry_over(outcome[mask], active_first[mask])
    is_single = len(np.unique(names)) == 1
    tests = next(iter(test_by_trial.values()), {}) if is_single else test_by_trial
    return {"carry_over": tests} if tests else {}


def _sizes(problem: StudyProblem) -> dict[str, int]:
    return {
        "participants": len(np.unique(problem.cohort.dataset[nm.PARTICIPANT])),
        "cases": int(problem.cohort.dataset.sizes[nm.CASE]),
        "units": int(problem.units.sizes[nm.UNIT]),
        "features": int(problem.units.sizes[nm.FEATURE]),
        "literals": len(problem.search_problem.literals.feature),
        "imputed": int(problem.units.attrs.get("imputed", 0)),
    }


def _best(verdicts: pd.DataFrame) -> dict[str, Any] | None:
    columns = ["persona", "polarity", "text", "features", "support", "q", "t", "p_adjusted"]
    columns += ["verdict", "recurrence", "confirmed_rate", "d_full"]
    columns += ["benefit_inside", "benefit_outside"]
    columns += [name for name in verdicts.columns if name.startswith("difference")]
    if verdicts.empty:
        return None
    return {str(name): value for name, value in verdicts.iloc[0][columns].to_dict().items()}


def _polarity(result: SearchResult, searches: pd.DataFrame) -> dict[str, Any]:
    q = np.asarray(result.q)
    return {
        "q_best": float(q[0]) if len(q) else None,
        "kept": len(q),
        "saturation": float(result.saturation),
        "proven": bool(result.proven),
        "gap": float(result.gap),
        "nodes": result.nodes,
        "saturation_splits": float(searches["saturation"].mean()),
        "proven_splits": float(searches["proven"].mean()),
    }


def gate_counts(work: StudyRun, n_splits: int) -> dict[str, Any]:
    """Return the rate of splits with a persona that passes each gate on train, on both sides."""
    parts, gates = work.paths.hits(), ("published", "heterogeneity")
    counts = {f"{gate}_{side}": 0 for gate in gates for side in ("hit", "both")}
    for first, last in parts.ranges(n_splits):
        table = parts.read(range_name(first, last), "hits")
        table = table[table["split"] < n_splits]
        for gate in gates:
            hit = table[f"{gate}_train"].to_numpy(dtype=bool)
            both = hit & table[f"{gate}_holdout"].to_numpy(dtype=bool)
            counts[f"{gate}_hit"] += table.loc[hit, "split"].nunique()
            counts[f"{gate}_both"] += table.loc[both, "split"].nunique()
    return {f"{name}_share": count / n_splits for name, count in counts.items()}


def _selection(
    hits: HitSummary, polarities: tuple[str, ...], splitter: HoldoutSplit
) -> dict[str, Any]:
    complementary = splitter.scheme == "complementary"
    halves = complementary or (splitter.scheme == "holdout" and splitter.train_size == 0.5)
    numbers: dict[str, Any] = {}
    for polarity in polarities:
        selection = hits.selection[polarity]
        estimate, low, high = selection.nogueira()
        numbers[polarity] = {
            "features_per_split": selection.mean_size,
            "stability": estimate,
            "stability_low": low,
            "stability_high": high,
        }
        if halves:
            bounds = selection.false_selections(complementary=complementary)
            numbers[polarity]["false_selections"] = bounds
    return numbers
