"""From finished searches to verdicts and headline numbers, written whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ketadask.study.across import across_trials
from ketadask.study.calibrating import RISK, calibrate
from ketadask.study.stages import evaluate, one
from ketadask.study.stopping import relabellings
from ketadask.study.summaries import headline

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.inference.digest import Digest
    from ketadask.study.problems import Asked
    from ketadask.study.work import Work

VERDICTS, SUMMARY, FINISHED = "verdicts.parquet", "summary.json", "finished.json"
PERSONAS, STABILITY, EXPLAINED = "personas.parquet", "stability.parquet", "explained.parquet"


def judge_study(work: Work, asked: Asked) -> None:
    """Judge the study, unless the verdicts of exactly this question are there."""
    key = work.place.key("judge")
    if finished(work).get("judge") == key and work.run.has(VERDICTS) and work.run.has(SUMMARY):
        work.progress.say("judge: the verdicts are there already")
        return
    from ketadask.inference.evaluation import Personas
    from ketadask.inference.stability import persona_stability
    from ketadask.inference.verdicts import judge

    run, count, relabelled = work.run, asked.splitter.n_splits, relabellings(work)
    searches, nulls = _searches(work, count), _nulls(work, relabelled)
    found = asked.found(work.progress)
    personas = Personas.of(found)
    parts = evaluate(work, asked, personas, searches)
    work.progress.say(
        f"judge: {len(personas):,} personas against the best of {relabelled:,} relabelled trials"
    )
    stability = persona_stability(
        parts, parts.covered(count), personas, use=work.settings.gates.use, n=count
    )
    wanted = work.settings.verdict
    verdicts = judge(
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
    trials, numbers = across_trials(work, asked, verdicts)
    summary |= numbers
    for name, table in {**_tables(asked, digest, stability), **trials}.items():
        run.write_table(name, table)
    run.write_table(VERDICTS, verdicts, csv=True)
    run.write_json(SUMMARY, summary)
    run.write_json(FINISHED, finished(work) | {"judge": key})


def finished(work: Work) -> dict[str, str]:
    """Return which question each written file answers."""
    return dict(work.run.read_json(FINISHED)) if work.run.has(FINISHED) else {}


def forget(work: Work, *stages: str) -> None:
    """Note that what these stages have written no longer answers anything."""
    kept = {stage: key for stage, key in finished(work).items() if stage not in stages}
    work.run.write_json(FINISHED, kept)


def _searches(work: Work, count: int) -> pd.DataFrame:
    table = work.place.hits().read_all("searches", count)
    return table[table["split"] < count].sort_values(["split", "polarity"], ignore_index=True)


def _nulls(work: Work, count: int) -> pd.DataFrame:
    table = work.place.nulls().read_all("nulls", count)
    order = ["relabelling", "polarity", "rank"]
    return table[table["relabelling"] < count].sort_values(order, ignore_index=True)


def _digest(work: Work, asked: Asked) -> Digest:
    from ketadask.inference.graph import hits_digest

    hits, count = work.place.hits(), asked.splitter.n_splits
    return one(
        work,
        hits_digest(
            asked.problem,
            asked.splitter,
            hits,
            hits.covered(count),
            use=work.settings.gates.use,
            n=count,
        ),
    )


def _tables(asked: Asked, digest: Digest, stability: pd.DataFrame) -> dict[str, Any]:
    import pandas as pd

    from ketadask.inference.digest import stability_frame
    from ketadask.inference.explained import explained_units, risk_coverage

    votes = digest.votes
    people = pd.DataFrame(
        {
            "participant": asked.units["participant"].to_numpy().astype(str),
            "period": asked.units["period"].to_numpy(),
            "score": asked.problem.trial.score,
            "held_out": votes.held_out,
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
