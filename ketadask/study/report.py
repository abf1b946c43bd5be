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
    STABILITY,
    SUMMARY,
    VERDICTS,
    has_verdicts,
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


def report_study(work: StudyRun, *, rewrite: bool = False) -> tuple[pd.DataFrame | None, Path]:
    """Write the report unless it is current; return the verdicts and its path.

    The report of an incomplete study names the missing parts.
    """
    from ketadask.report.page import render

    run, path, key = work.folder, work.folder.path / REPORT, work.paths.key("report")
    identifiers = work.settings.report.identifiers
    prediction = read_prediction(work)
    if not has_verdicts(work):
        work.mark_outdated("report")
        page = render(_incomplete_report(work, prediction), identifiers=identifiers)
        run.write_text(REPORT, page)
        if prediction is None:
            work.progress.print("report: no verdicts yet; it lists what is missing")
        return None, path
    verdicts = run.read_table(VERDICTS)
    if not rewrite and path.is_file() and work.is_current("report", key):
        work.progress.print("report: already complete")
        return verdicts, path
    work.progress.print("report: writing")
    with work.progress.waiting("report: writing"):
        data = replace(report_data(work, verdicts), prediction=_values(prediction))
        run.write_text(REPORT, render(data, identifiers=identifiers))
    work.mark_current("report", key)
    return verdicts, path


def _incomplete_report(work: StudyRun, prediction: PredictionTables | None) -> ReportData:
    """Return the report data of a study without verdicts."""
    from ketadask.report.report_data import ReportData

    run, settings = work.folder, work.settings
    if not run.has(COHORT):
        raise InputError(
            "the study has no results",
            file=run.path,
            remedy="start with `ketadask run`",
        )
    cohort = from_dataset(run.read_dataset(COHORT))
    has_search = run.has(LITERALS)
    units = units_of(settings, cohort) if has_search else None
    return ReportData(
        title=settings.report.title or settings.name,
        cohort=cohort.dataset,
        columns=cohort.columns,
        units=units,
        literals=run.read_table(LITERALS) if has_search else None,
        nulls=_nulls(work),
        provenance=work.provenance(),
        settings=settings.model_dump(mode="json"),
        exclusions=cohort.exclusions if units is None else exclusions_of(settings, cohort),
        prediction=_values(prediction),
        recordings=quality_tables(run),
        stages=tuple(
            {"stage": s.stage, "unit": s.unit, "present": s.present, "total": s.total}
            for s in stage_statuses(work.paths)
            if s.total
        ),
    )


def _values(prediction: PredictionTables | None) -> dict[str, Any] | None:
    return None if prediction is None else vars(prediction)


def _nulls(work: StudyRun) -> pd.DataFrame | None:
    """Return the largest Q of each present relabelled trial; None without any."""
    from ketadask.inference.null import null_maxima

    nulls = work.paths.nulls().read_below("nulls", relabellings(work), "relabelling")
    return null_maxima(nulls) if len(nulls) else None


def report_data(work: StudyRun, verdicts: pd.DataFrame) -> ReportData:
    """Return what the report of a study with verdicts contains."""
    from ketadask.report.report_data import ReportData

    run, settings = work.folder, work.settings
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
        provenance=work.provenance(),
        settings=settings.model_dump(mode="json"),
        exclusions=exclusions_of(settings, cohort),
        courses=cohort.courses,
        columns=cohort.columns,
        recordings=quality_tables(run),
        explained={"cases": run.read_table(EXPLAINED), **risk_tables(run)},
        enrichment=summary["enrichment"],
        trials=trial_tables(run),
    )
