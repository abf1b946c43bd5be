"""The report of a study, from the files of its run folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.schema import InputError
from ketadask.study.across import trial_tables
from ketadask.study.calibrating import risk_tables
from ketadask.study.judging import (
    EXPLAINED,
    FINISHED,
    STABILITY,
    SUMMARY,
    VERDICTS,
    finished,
    forget,
)
from ketadask.study.predicting import Predicted, read_predicted
from ketadask.study.problems import COHORT, LITERALS
from ketadask.study.recordings import quality_tables
from ketadask.study.states import states
from ketadask.study.stopping import relabellings
from ketadask.study.trial import exclusions_of, read_people, read_scales, units_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ketadask.report.findings import Findings
    from ketadask.study.work import Work

REPORT = "report.html"


def report_study(work: Work, *, anew: bool = False) -> tuple[pd.DataFrame | None, Path]:
    """Write the report unless it is there already; return the verdicts and its path.

    A study that is not finished gets a report of what is there, which names what is missing.
    """
    from ketadask.report.page import write_report

    run, path, key = work.run, work.run.path / REPORT, work.place.key("report")
    identifiers = work.settings.report.identifiers
    predicted = read_predicted(work)
    if not run.has(VERDICTS) or finished(work).get("judge") != work.place.key("judge"):
        forget(work, "report")
        write_report(_unfinished(work, predicted), path, identifiers=identifiers)
        if predicted is None:
            work.progress.say("report: nothing is judged yet; it says what is missing")
        return None, path
    verdicts = run.read_table(VERDICTS)
    if not anew and path.is_file() and finished(work).get("report") == key:
        work.progress.say("report: it is there already")
        return verdicts, path
    work.progress.say("report: writing it")
    with work.progress.waiting("report: writing"):
        findings = replace(_findings(work, verdicts), prediction=_shown(predicted))
        write_report(findings, path, identifiers=identifiers)
    run.write_json(FINISHED, finished(work) | {"report": key})
    return verdicts, path


def _unfinished(work: Work, predicted: Predicted | None) -> Findings:
    """Return the findings of a study without verdicts."""
    from ketadask.report.findings import Findings

    run, settings = work.run, work.settings
    if not run.has(COHORT):
        raise InputError(
            "nothing of this study has been computed",
            file=run.path,
            remedy="begin with `ketadask search`, or do everything with `ketadask run`",
        )
    cohort = run.read_dataset(COHORT)
    searched = run.has(LITERALS)
    units = units_of(settings, cohort) if searched else None
    return Findings(
        title=settings.report.title or settings.name,
        cohort=cohort,
        units=units,
        literals=run.read_table(LITERALS) if searched else None,
        nulls=_nulls(work),
        provenance=work.provenance(work),
        settings=settings.model_dump(mode="json"),
        exclusions=exclusions_of(cohort if units is None else units),
        prediction=_shown(predicted),
        recordings=quality_tables(run),
        stages=tuple(
            {"stage": s.stage, "unit": s.unit, "present": s.present, "total": s.total}
            for s in states(work.place)
            if s.total
        ),
    )


def _shown(predicted: Predicted | None) -> dict[str, Any] | None:
    return None if predicted is None else vars(predicted)


def _nulls(work: Work) -> pd.DataFrame | None:
    """Return the largest Q of the relabelled trials made so far, or None where there are none."""
    from ketadask.inference.relabelled import null_maxima

    count = relabellings(work)
    nulls = work.place.nulls().read_all("nulls", count)
    return null_maxima(nulls[nulls["relabelling"] < count]) if len(nulls) else None


def _courses(work: Work, cohort: xr.Dataset) -> pd.DataFrame | None:
    """Return the outcome scale at every visit, or None where the study folder is gone."""
    from ketadask.cohort.courses import courses

    settings, folder = work.settings, work.place.data
    if not folder.is_dir():
        return None
    return courses(read_scales(settings, folder, read_people(settings, folder)), cohort)


def _findings(work: Work, verdicts: pd.DataFrame) -> Findings:
    from ketadask.report.findings import Findings

    run, settings = work.run, work.settings
    summary = run.read_json(SUMMARY)
    cohort = run.read_dataset(COHORT)
    units = units_of(settings, cohort)
    return Findings(
        title=settings.report.title or settings.name,
        cohort=cohort,
        units=units,
        literals=run.read_table(LITERALS),
        verdicts=verdicts,
        nulls=_nulls(work),
        stability=run.read_table(STABILITY),
        summary=summary,
        provenance=work.provenance(work),
        settings=settings.model_dump(mode="json"),
        exclusions=exclusions_of(units),
        courses=_courses(work, cohort),
        recordings=quality_tables(run),
        explained={"cases": run.read_table(EXPLAINED), **risk_tables(run)},
        enrichment=summary["enrichment"],
        trials=trial_tables(run),
    )
