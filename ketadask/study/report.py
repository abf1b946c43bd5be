"""The report of a study, from the files of its run folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.schema.errors import InputError
from ketadask.store.datasets import from_dataset
from ketadask.study.from_settings import exclusions_of, units_of
from ketadask.study.judge import (
    EXPLAINED,
    FINISHED,
    STABILITY,
    SUMMARY,
    VERDICTS,
    completed_keys,
    forget,
    risk_tables,
    trial_tables,
)
from ketadask.study.predict import PredictionTables, read_prediction
from ketadask.study.problem import COHORT, LITERALS, quality_tables
from ketadask.study.search import relabellings
from ketadask.study.status import stage_statuses

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.report.report_data import ReportData
    from ketadask.study.run import StudyRun

REPORT = "report.html"


def report_study(work: StudyRun, *, anew: bool = False) -> tuple[pd.DataFrame | None, Path]:
    """Write the report unless it is there already; return the verdicts and its path.

    A study that is not finished gets a report of what is there, which names what is missing.
    """
    from ketadask.report.page import write_page

    run, path, key = work.run, work.run.path / REPORT, work.place.key("report")
    identifiers = work.settings.report.identifiers
    predicted = read_prediction(work)
    if not run.has(VERDICTS) or completed_keys(work).get("judge") != work.place.key("judge"):
        forget(work, "report")
        write_page(_unfinished(work, predicted), path, identifiers=identifiers)
        if predicted is None:
            work.progress.print("report: nothing is judged yet; it says what is missing")
        return None, path
    verdicts = run.read_table(VERDICTS)
    if not anew and path.is_file() and completed_keys(work).get("report") == key:
        work.progress.print("report: it is there already")
        return verdicts, path
    work.progress.print("report: writing it")
    with work.progress.waiting("report: writing"):
        findings = replace(_findings(work, verdicts), prediction=_shown(predicted))
        write_page(findings, path, identifiers=identifiers)
    run.write_json(FINISHED, completed_keys(work) | {"report": key})
    return verdicts, path


def _unfinished(work: StudyRun, predicted: PredictionTables | None) -> ReportData:
    """Return the findings of a study without verdicts."""
    from ketadask.report.report_data import ReportData

    run, settings = work.run, work.settings
    if not run.has(COHORT):
        raise InputError(
            "nothing of this study has been computed",
            file=run.path,
            remedy="begin with `ketadask search`, or do everything with `ketadask run`",
        )
    cohort = from_dataset(run.read_dataset(COHORT))
    searched = run.has(LITERALS)
    units = units_of(settings, cohort) if searched else None
    return ReportData(
        title=settings.report.title or settings.name,
        cohort=cohort.dataset,
        units=units,
        literals=run.read_table(LITERALS) if searched else None,
        nulls=_nulls(work),
        provenance=work.provenance(work),
        settings=settings.model_dump(mode="json"),
        exclusions=cohort.exclusions if units is None else exclusions_of(settings, cohort),
        prediction=_shown(predicted),
        recordings=quality_tables(run),
        stages=tuple(
            {"stage": s.stage, "unit": s.unit, "present": s.present, "total": s.total}
            for s in stage_statuses(work.place)
            if s.total
        ),
    )


def _shown(predicted: PredictionTables | None) -> dict[str, Any] | None:
    return None if predicted is None else vars(predicted)


def _nulls(work: StudyRun) -> pd.DataFrame | None:
    """Return the largest Q of the relabelled trials made so far, or None where there are none."""
    from ketadask.inference.null import null_maxima

    nulls = work.place.nulls().read_below("nulls", relabellings(work), "relabelling")
    return null_maxima(nulls) if len(nulls) else None


def _findings(work: StudyRun, verdicts: pd.DataFrame) -> ReportData:
    from ketadask.report.report_data import ReportData

    run, settings = work.run, work.settings
    summary = run.read_json(SUMMARY)
    cohort = from_dataset(run.read_dataset(COHORT))
    units = units_of(settings, cohort)
    return ReportData(
        title=settings.report.title or settings.name,
        cohort=cohort.dataset,
        units=units,
        literals=run.read_table(LITERALS),
        verdicts=verdicts,
        nulls=_nulls(work),
        stability=run.read_table(STABILITY),
        summary=summary,
        provenance=work.provenance(work),
        settings=settings.model_dump(mode="json"),
        exclusions=exclusions_of(settings, cohort),
        courses=cohort.courses,
        recordings=quality_tables(run),
        explained={"cases": run.read_table(EXPLAINED), **risk_tables(run)},
        enrichment=summary["enrichment"],
        trials=trial_tables(run),
    )
