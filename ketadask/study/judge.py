"""From finished searches to verdicts and headline numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.pipeline.executor import collect
from ketadask.study.comparison import persona_levels
from ketadask.study.run import SEARCH
from ketadask.study.search import gates_of, relabellings
from ketadask.study.summary import headline

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.inference.hit_summary import HitSummary
    from ketadask.pipeline.stage import Stage
    from ketadask.store.run_folder import RunFolder
    from ketadask.study.problem import StudyProblem
    from ketadask.study.run import StudyRun

JUDGE, VERDICTS, SUMMARY = "judge", "verdicts.parquet", "summary.json"
PERSONAS, STABILITY, EXPLAINED = "personas.parquet", "stability.parquet", "explained.parquet"
RISK, CURVE = "risk_coverage.parquet", "risk_null.parquet"
RECURRENCE, EXPLAINED_NULL = "recurrence.parquet", "explained.json"
TRIAL_TABLES = {
    "trials": "trials.parquet",
    "summaries": "trial_summaries.parquet",
    "left_out": "trials_left_out.parquet",
}
_MAX_RECURRENT = 100


def has_verdicts(work: StudyRun) -> bool:
    """Whether the run folder has the verdicts of exactly these settings."""
    is_current = work.is_current(JUDGE, work.paths.key(JUDGE))
    return is_current and work.folder.has(VERDICTS) and work.folder.has(SUMMARY)


def judge_study(work: StudyRun, problem: StudyProblem) -> None:
    """Compute the verdicts, unless those of exactly these settings are complete."""
    if has_verdicts(work):
        work.progress.print("judge: verdicts already complete")
        return
    from ketadask.inference.companion import companion_summary
    from ketadask.inference.evaluation import PersonaSet
    from ketadask.inference.graph import evaluation_stage
    from ketadask.inference.judge_graph import persona_stability
    from ketadask.inference.train_choice import hits_by_split
    from ketadask.inference.verdicts import build_verdicts

    settings, paths = work.settings, work.paths
    n_splits, n_relabellings = problem.splitter.n_splits, relabellings(work)
    searches = paths.hits().read_below("searches", n_splits, "split", "polarity")
    nulls = paths.nulls().read_below("nulls", n_relabellings, "relabelling", "method", "rank")
    results = problem.search_units(work.progress)
    personas = PersonaSet.of(results)
    stage = evaluation_stage(
        problem.search_problem,
        personas,
        problem.splitter,
        searches,
        paths.evaluations(personas.frame().to_dict("list")),
        search=problem.search,
        gates=gates_of(work),
    )
    work.complete_stage(stage)
    work.progress.print(
        f"judge: comparing {len(personas):,} personas with the best one of each of "
        f"{n_relabellings:,} relabelled trials"
    )
    ranges, gate = stage.parts.ranges(n_splits), settings.gates.use
    hits = _summarise_hits(work, problem)
    stability = persona_stability(
        stage.parts,
        ranges,
        personas,
        work.executor(SEARCH),
        gate=gate,
        split_hits=hits_by_split(hits.choices),
        n=n_splits,
    )
    has_values = problem.search_problem.values is not None
    levels = persona_levels(settings, n_relabellings, has_values=has_values)
    verdicts = build_verdicts(
        problem.search_problem,
        problem.search,
        results,
        nulls,
        stability,
        alpha=levels[0],
        suggestive=settings.verdict.suggestive,
        jaccard=settings.verdict.jaccard,
        candidates=settings.null.candidates,
        statistic=settings.null.statistic,
    )
    summary = headline(work, problem, results, verdicts, nulls, searches, hits, levels)
    companions = paths.nulls().read_below("companions", n_relabellings, "relabelling", "method")
    summary["companion"] = companion_summary(problem.search_problem, companions, levels[1])
    work.mark_outdated(JUDGE, "report")  # an interrupt below must not leave a mixture of files
    summary |= calibrate(work, problem)
    trials, trial_numbers = compare_study_trials(work, problem, verdicts)
    summary |= trial_numbers
    for name, table in {**_tables(problem, hits, stability), **trials}.items():
        work.folder.write_table(name, table)
    work.folder.write_table(VERDICTS, verdicts, csv=True)
    work.folder.write_json(SUMMARY, summary)
    work.mark_current(JUDGE, paths.key(JUDGE))


def _summarise_hits(work: StudyRun, problem: StudyProblem) -> HitSummary:
    from ketadask.inference.graph import hits_summary

    parts, n_splits = work.paths.hits(), problem.splitter.n_splits
    ranges, gate = parts.ranges(n_splits), work.settings.gates.use
    task = hits_summary(
        problem.search_problem, problem.splitter, parts, ranges, gate=gate, n=n_splits
    )
    summary: HitSummary = collect([task], work.executor(SEARCH))[0]
    return summary


def _tables(problem: StudyProblem, hits: HitSummary, stability: pd.DataFrame) -> dict[str, Any]:
    import pandas as pd

    from ketadask.inference.explained import explained_units, risk_coverage
    from ketadask.inference.hit_summary import stability_frame

    votes, score = hits.votes, problem.search_problem.trial.score
    units = pd.DataFrame(
        {
            "participant": problem.units["participant"].to_numpy().astype(str),
            "period": problem.units["period"].to_numpy(),
            "score": score,
            "n_held_out": votes.n_held_out,
            "vote": votes.mean_vote,
            "explained": explained_units(votes),
        }
    )
    return {
        PERSONAS: stability,
        STABILITY: stability_frame(hits.selection, problem.search_problem.literals.feature_names),
        EXPLAINED: units,
        RISK: risk_coverage(votes, score),
    }


def trial_tables(folder: RunFolder) -> dict[str, pd.DataFrame] | None:
    """Return the tables by the names of their contracts, or None where the study has one trial."""
    if not all(folder.has(name) for name in TRIAL_TABLES.values()):
        return None
    return {contract: folder.read_table(name) for contract, name in TRIAL_TABLES.items()}


def compare_study_trials(
    work: StudyRun, problem: StudyProblem, verdicts: pd.DataFrame
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Return the tables and the headline numbers of the trials; both empty for a single trial."""
    from ketadask.inference.trial_effects import (
        leave_trial_out,
        summarise_left_out,
        summarise_trials,
        trial_effects,
    )

    names = [str(name) for name in np.unique(problem.units["trial"].to_numpy())]
    if len(names) < 2:
        return {}, {}
    hits = _search_without_each(work, problem, len(names))
    effects = trial_effects(
        problem.search_problem, verdicts, names, hits, jaccard=work.settings.verdict.jaccard
    )
    by_persona = summarise_trials(effects)
    without_each = leave_trial_out(problem.search_problem, names, hits)
    consistency = sorted(by_persona["consistency"].value_counts().items())
    numbers = {
        "count": len(names),
        "left_out": summarise_left_out(without_each),
        "best": by_persona.iloc[0].to_dict() if len(by_persona) else None,
        "consistency": {str(label): int(count) for label, count in consistency},
    }
    tables = zip(TRIAL_TABLES.values(), (effects, by_persona, without_each), strict=True)
    return dict(tables), {"trials": numbers}


def _search_without_each(work: StudyRun, problem: StudyProblem, n_trials: int) -> pd.DataFrame:
    """Search all trials but one, for each; return the hits."""
    from ketadask.cohort.splits import HoldoutSplit
    from ketadask.search.graph import search_stage

    splitter = HoldoutSplit(n_trials, seed=work.settings.seed, scheme="leave-trial-out")
    stage = search_stage(
        problem.search_problem,
        problem.search,
        splitter,
        work.paths.without_trial(),
        gates_of(work),
        name="leave out",
        unit="trials",
    )
    work.complete_stage(stage)
    return stage.parts.read_below("hits", n_trials, "split", "polarity", "rank")


def calibration_stages(work: StudyRun, problem: StudyProblem) -> list[Stage]:
    """Return the stage of relabelled studies; none where the study has none."""
    from ketadask.inference.graph import calibration_stage
    from ketadask.inference.null import relabelling_methods

    null, n_splits = work.settings.null, _calibration_splits(work, problem)
    if not null.calibration_studies:
        return []
    return [
        calibration_stage(
            problem.search_problem,
            problem.search,
            problem.splitter,
            null.calibration_studies,
            work.paths.calibrations(n_splits),
            n_splits=n_splits,
            gates=gates_of(work),
            gate=work.settings.gates.use,
            seed=work.settings.seed,
            method=relabelling_methods(problem.null.method)[0],
        )
    ]


def _calibration_splits(work: StudyRun, problem: StudyProblem) -> int:
    """Return the splits of each relabelled study: the first ones of the study itself."""
    return min(work.settings.null.calibration_splits, problem.splitter.n_splits)


def calibrate(work: StudyRun, problem: StudyProblem) -> dict[str, Any]:
    """Compare recurrence and votes of the first splits with the relabelled studies.

    Writes the most recurrent personas with their calibrated p, and the curve of accuracy against
    coverage with that of the relabelled studies; returns the numbers of the summary. Where so few
    relabelled studies cannot give a p below alpha, p is missing.
    """
    from ketadask.inference.calibration import (
        calibrated_p,
        can_be_significant,
        compare_votes,
        recurrence_rates,
    )
    from ketadask.inference.explained import count_votes
    from ketadask.inference.stability import passes_gate

    n_studies, gate = work.settings.null.calibration_studies, work.settings.gates.use
    work.folder.remove(RECURRENCE, CURVE, EXPLAINED_NULL)
    if not n_studies:
        return {}
    n_splits, (stage,) = _calibration_splits(work, problem), calibration_stages(work, problem)
    work.verify(stage)
    null_votes = stage.parts.read_below("votes", n_studies, "relabelling", "unit")
    null_rates = stage.parts.read_below("recurrence", n_studies, "relabelling", "polarity")
    hits = work.paths.hits().read_below("hits", n_splits, "split", "polarity", "rank")
    search_problem = problem.search_problem
    hit_mask = passes_gate(hits, nm.TRAIN, gate)
    votes = count_votes(search_problem, problem.splitter, hits, hit_mask, (0, n_splits - 1))
    explained = compare_votes(votes, search_problem.trial.score, null_votes)
    curve = explained.pop("curve")
    rates = recurrence_rates(hits, gate, n_splits).head(_MAX_RECURRENT)
    has_p = can_be_significant(n_studies, work.settings.verdict.alpha)
    rates["p_calibrated"] = calibrated_p(rates, null_rates) if has_p else np.nan
    if not has_p:
        explained |= {"accuracy_p": None, "auc_p": None}
    explained = {"splits": n_splits, **explained}
    work.folder.write_table(RECURRENCE, rates)
    work.folder.write_table(CURVE, curve)
    work.folder.write_json(EXPLAINED_NULL, explained)
    best = rates.iloc[0] if len(rates) else None
    return {
        "explained": explained,
        "recurrence": {
            "splits": n_splits,
            "relabelled": n_studies,
            "highest": None if best is None else float(best["recurrence"]),
            "p": float(best["p_calibrated"]) if best is not None and has_p else None,
        },
    }


def risk_tables(folder: RunFolder) -> dict[str, Any]:
    """Return accuracy against coverage, with that of the relabelled studies if there are any."""
    if not folder.has(CURVE):
        return {"risk coverage": folder.read_table(RISK)}
    return {**folder.read_json(EXPLAINED_NULL), "risk coverage": folder.read_table(CURVE)}
