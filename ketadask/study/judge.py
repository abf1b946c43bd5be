"""From finished searches to verdicts and headline numbers, written whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.pipeline.executor import collect
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


VERDICTS, SUMMARY, FINISHED = "verdicts.parquet", "summary.json", "finished.json"
PERSONAS, STABILITY, EXPLAINED = "personas.parquet", "stability.parquet", "explained.parquet"


def judge_study(work: StudyRun, asked: StudyProblem) -> None:
    """Judge the study, unless the verdicts of exactly this question are there."""
    key = work.place.key("judge")
    if (
        completed_keys(work).get("judge") == key
        and work.run.has(VERDICTS)
        and work.run.has(SUMMARY)
    ):
        work.progress.print("judge: the verdicts are there already")
        return
    from ketadask.inference.evaluation import PersonaSet
    from ketadask.inference.graph import evaluation_stage
    from ketadask.inference.stability import persona_stability
    from ketadask.inference.verdicts import build_verdicts

    run, count, relabelled = work.run, asked.splitter.n_splits, relabellings(work)
    searches = work.place.hits().read_below("searches", count, "split", "polarity")
    nulls = work.place.nulls().read_below("nulls", relabelled, "relabelling", "polarity", "rank")
    found = asked.found(work.progress)
    personas = PersonaSet.of(found)
    stage = evaluation_stage(
        asked.problem,
        personas,
        asked.splitter,
        searches,
        work.place.evaluations(personas.frame().to_dict("list")),
        search=asked.search,
        gates=gates_of(work),
    )
    work.complete_stage(stage)
    work.progress.print(
        f"judge: {len(personas):,} personas against the best of {relabelled:,} relabelled trials"
    )
    stability = persona_stability(
        stage.parts, stage.parts.ranges(count), personas, use=work.settings.gates.use, n=count
    )
    wanted = work.settings.verdict
    verdicts = build_verdicts(
        asked.problem,
        asked.search,
        found,
        nulls,
        stability,
        alpha=wanted.alpha,
        suggestive=wanted.suggestive,
        jaccard=wanted.jaccard,
    )
    digest = _digest(work, asked)
    summary = headline(work, asked, found, verdicts, nulls, searches, digest)
    forget(work, "judge", "report")  # while files are written they answer no question
    summary |= calibrate(work, asked)
    trials, numbers = compare_study_trials(work, asked, verdicts)
    summary |= numbers
    for name, table in {**_tables(asked, digest, stability), **trials}.items():
        run.write_table(name, table)
    run.write_table(VERDICTS, verdicts, csv=True)
    run.write_json(SUMMARY, summary)
    run.write_json(FINISHED, completed_keys(work) | {"judge": key})


def completed_keys(work: StudyRun) -> dict[str, str]:
    """Return which question each written file answers."""
    return dict(work.run.read_json(FINISHED)) if work.run.has(FINISHED) else {}


def forget(work: StudyRun, *stages: str) -> None:
    """Note that what these stages have written no longer answers anything."""
    kept = {stage: key for stage, key in completed_keys(work).items() if stage not in stages}
    work.run.write_json(FINISHED, kept)


def _digest(work: StudyRun, asked: StudyProblem) -> HitSummary:
    from ketadask.inference.graph import hits_summary

    hits, n_splits = work.place.hits(), asked.splitter.n_splits
    ranges, use = hits.ranges(n_splits), work.settings.gates.use
    task = hits_summary(asked.problem, asked.splitter, hits, ranges, use=use, n=n_splits)
    (digest,) = collect([task], work.executor(SEARCH))
    return digest


def _tables(asked: StudyProblem, digest: HitSummary, stability: pd.DataFrame) -> dict[str, Any]:
    import pandas as pd

    from ketadask.inference.explained import explained_units, risk_coverage
    from ketadask.inference.hit_summary import stability_frame

    votes = digest.votes
    people = pd.DataFrame(
        {
            "participant": asked.units["participant"].to_numpy().astype(str),
            "period": asked.units["period"].to_numpy(),
            "score": asked.problem.trial.score,
            "n_held_out": votes.n_held_out,
            "vote": votes.share,
            "explained": explained_units(votes),
        }
    )
    return {
        PERSONAS: stability,
        STABILITY: stability_frame(digest, asked.problem.literals.feature_names),
        EXPLAINED: people,
        RISK: risk_coverage(votes, asked.problem.trial.score),
    }


TRIALS, SUMMARIES, LEFT_OUT = "trials.parquet", "trial_summaries.parquet", "trials_left_out.parquet"


def trial_tables(run: RunFolder) -> dict[str, pd.DataFrame] | None:
    """Return the tables by the names of their contracts, or None where the study has one trial."""
    names = {"trials": TRIALS, "summaries": SUMMARIES, "left_out": LEFT_OUT}
    if not all(run.has(name) for name in names.values()):
        return None
    return {contract: run.read_table(name) for contract, name in names.items()}


def trial_names(asked: StudyProblem) -> list[str]:
    """Return the names of the trials, in the order in which splits leave them out."""
    return [str(name) for name in np.unique(asked.units["trial"].to_numpy())]


def compare_study_trials(
    work: StudyRun, asked: StudyProblem, verdicts: pd.DataFrame
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Return the tables and the headline numbers of the trials; both empty where there is one."""
    from ketadask.inference.trial_effects import (
        leave_trial_out,
        left_out_summary,
        summaries,
        trial_effects,
    )

    names = trial_names(asked)
    if len(names) < 2:
        return {}, {}
    hits = _without_each(work, asked, len(names))
    effects = trial_effects(
        asked.problem, verdicts, names, hits, jaccard=work.settings.verdict.jaccard
    )
    told = summaries(effects)
    honest = leave_trial_out(asked.problem, names, hits)
    best = told.iloc[0].to_dict() if len(told) else None
    numbers = {
        "count": len(names),
        "left_out": left_out_summary(honest),
        "best": best,
        "consistency": {
            str(word): int(n) for word, n in sorted(told["consistency"].value_counts().items())
        },
    }
    return {TRIALS: effects, SUMMARIES: told, LEFT_OUT: honest}, {"trials": numbers}


def _without_each(work: StudyRun, asked: StudyProblem, trials: int) -> pd.DataFrame:
    """Search all trials but one, for each; return the hits."""
    from ketadask.cohort.splits import HoldoutSplit
    from ketadask.search.graph import search_stage

    splitter = HoldoutSplit(trials, seed=work.settings.seed, scheme="leave-trial-out")
    parts, gates = work.place.left_out(), gates_of(work)
    stage = search_stage(
        asked.problem, asked.search, splitter, parts, gates, name="leave out", unit="trials"
    )
    work.complete_stage(stage)
    return parts.read_below("hits", trials, "split", "polarity", "rank")


RECURRENCE, CURVE, EXPLAINED_NULL = "recurrence.parquet", "risk_null.parquet", "explained.json"
RISK = "risk_coverage.parquet"
_LISTED = 100


def study_splits(work: StudyRun, asked: StudyProblem) -> int:
    """Return how many splits each relabelled study has: the first ones of the study itself."""
    return min(work.settings.null.calibration_splits, asked.splitter.n_splits)


def calibration_stages(work: StudyRun, asked: StudyProblem) -> list[Stage]:
    """Return the stage of relabelled studies; none where the study has none."""
    from ketadask.inference.graph import calibration_stage

    null, n_splits = work.settings.null, study_splits(work, asked)
    if not null.calibration_studies:
        return []
    return [
        calibration_stage(
            asked.problem,
            asked.search,
            asked.splitter,
            null.calibration_studies,
            work.place.calibrations(n_splits),
            n_splits=n_splits,
            gates=gates_of(work),
            use=work.settings.gates.use,
            seed=work.settings.seed,
            method=null.method,
        )
    ]


def calibrate(work: StudyRun, asked: StudyProblem) -> dict[str, Any]:
    """Hold recurrence and votes of the first splits against the relabelled studies.

    Writes the most recurrent personas with their calibrated p, and the curve of accuracy against
    coverage with that of the relabelled studies; returns the numbers for the summary.
    """
    from ketadask.inference.calibration import calibrated_p, explained_against_null, recurrent
    from ketadask.inference.explained import count_votes
    from ketadask.inference.stability import passes

    n_studies, use = work.settings.null.calibration_studies, work.settings.gates.use
    for name in (RECURRENCE, CURVE, EXPLAINED_NULL):
        (work.run.path / name).unlink(missing_ok=True)
    if not n_studies:
        return {}
    splits, (stage,) = study_splits(work, asked), calibration_stages(work, asked)
    work.verify(stage)
    null = {
        table: stage.parts.read_below(table, n_studies, "relabelling", second)
        for table, second in (("votes", "unit"), ("recurrence", "polarity"))
    }
    hits = work.place.hits().read_below("hits", splits, "split", "polarity", "rank")
    passed = passes(hits, nm.TRAIN, use)
    votes = count_votes(asked.problem, asked.splitter, hits, passed, (0, splits - 1))
    told = explained_against_null(votes, asked.problem.trial.score, null["votes"])
    curve = told.pop("curve")
    rates = recurrent(hits, use, splits).head(_LISTED)
    rates["p_calibrated"] = calibrated_p(rates, null["recurrence"])
    work.run.write_table(RECURRENCE, rates)
    work.run.write_table(CURVE, curve)
    numbers = {"splits": splits, **told}
    work.run.write_json(EXPLAINED_NULL, numbers)
    best = rates.iloc[0] if len(rates) else None
    return {
        "explained": numbers,
        "recurrence": {
            "splits": splits,
            "relabelled": n_studies,
            "highest": None if best is None else float(best["recurrence"]),
            "p": None if best is None else float(best["p_calibrated"]),
        },
    }


def risk_tables(run: RunFolder) -> dict[str, Any]:
    """Return what the report shows of accuracy against coverage, its null where there is one."""
    if not run.has(CURVE):
        return {"risk coverage": run.read_table(RISK)}
    return {**run.read_json(EXPLAINED_NULL), "risk coverage": run.read_table(CURVE)}
