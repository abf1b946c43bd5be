"""The report of a study, from the files of its run folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.schema import InputError
from ketadask.study.judging import (
    EXPLAINED,
    FINISHED,
    RISK,
    STABILITY,
    SUMMARY,
    VERDICTS,
    finished,
)
from ketadask.study.predicting import Predicted, read_predicted
from ketadask.study.problems import COHORT, LITERALS
from ketadask.study.trial import exclusions_of, units_of

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.report.findings import Findings
    from ketadask.study.work import Work

REPORT = "report.html"


def report_study(work: Work, *, anew: bool = False) -> tuple[pd.DataFrame | None, Path]:
    """Write the report unless it is there already; return the verdicts and its path."""
    from ketadask.report.page import write_report

    run, path, key = work.run, work.run.path / REPORT, work.place.key("report")
    predicted = read_predicted(work)
    if not run.has(VERDICTS) and predicted is not None:
        write_report(_prediction_alone(work, predicted), path)
        return None, path
    if not run.has(VERDICTS):
        raise InputError(
            "there are no verdicts to report",
            file=run.path,
            remedy="judge the study with `ketadask judge`, or do everything with `ketadask run`",
        )
    verdicts = run.read_table(VERDICTS)
    if not anew and path.is_file() and finished(work).get("report") == key:
        work.progress.say("report: it is there already")
        return verdicts, path
    findings = replace(_findings(work, verdicts), prediction=_shown(predicted))
    write_report(findings, path, identifiers=work.settings.report.identifiers)
    run.write_json(FINISHED, finished(work) | {"report": key})
    return verdicts, path


def _prediction_alone(work: Work, predicted: Predicted) -> Findings:
    """Return the findings of a study that foretells and has not been searched."""
    from ketadask.report.findings import Findings

    cohort = work.run.read_dataset(COHORT)
    return Findings(
        title=work.settings.report.title or work.settings.name,
        cohort=cohort,
        provenance=work.provenance(work),
        settings=work.settings.model_dump(mode="json"),
        exclusions=exclusions_of(cohort),
        prediction=_shown(predicted),
    )


def _shown(predicted: Predicted | None) -> dict[str, Any] | None:
    return None if predicted is None else vars(predicted)


def _findings(work: Work, verdicts: pd.DataFrame) -> Findings:
    from ketadask.inference.relabelled import null_maxima
    from ketadask.report.findings import Findings

    run, settings = work.run, work.settings
    summary = run.read_json(SUMMARY)
    cohort = run.read_dataset(COHORT)
    units = units_of(settings, cohort)
    nulls = work.place.nulls().read_all("nulls", settings.null.relabellings)
    nulls = nulls[nulls["relabelling"] < settings.null.relabellings]
    return Findings(
        title=settings.report.title or settings.name,
        cohort=cohort,
        units=units,
        literals=run.read_table(LITERALS),
        verdicts=verdicts,
        nulls=null_maxima(nulls),
        stability=run.read_table(STABILITY),
        summary=summary,
        provenance=work.provenance(work),
        settings=settings.model_dump(mode="json"),
        exclusions=exclusions_of(units),
        explained={"cases": run.read_table(EXPLAINED), "risk coverage": run.read_table(RISK)},
        enrichment=summary["enrichment"],
    )
