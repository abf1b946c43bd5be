"""A page to explore one run, or to compare two."""

from __future__ import annotations

from pathlib import Path

from ketadask.report.explorer import render_explorer
from ketadask.report.report_data import ReportData
from ketadask.schema.errors import InputError
from ketadask.store.datasets import from_dataset
from ketadask.store.disk import write_file
from ketadask.store.run_folder import RunFolder
from ketadask.study.from_settings import units_of
from ketadask.study.judge import VERDICTS
from ketadask.study.lock import settings_of_run
from ketadask.study.problem import COHORT, LITERALS

PAGE = "explore.html"


def explore_runs(path: Path, other: Path | None = None, *, to: Path | None = None) -> Path:
    """Write the page of a run folder, beside another where given; return its path."""
    runs = [RunFolder.open(folder) for folder in (path, other) if folder is not None]
    page = render_explorer([_run_data(run) for run in runs])
    if to is not None:
        write_file(to, page.encode()).chmod(0o600)  # values of participants, in any folder
        return to
    with runs[0].lock():
        return runs[0].write_text(PAGE, page)


def _run_data(run: RunFolder) -> ReportData:
    if not run.has(VERDICTS):
        raise InputError(
            "the run has no verdicts", file=run.path, remedy="compute them with `ketadask run`"
        )
    settings = settings_of_run(run)
    cohort = from_dataset(run.read_dataset(COHORT))
    return ReportData(
        title=settings.report.title or settings.name,
        cohort=cohort.dataset,
        units=units_of(settings, cohort),
        literals=run.read_table(LITERALS),
        verdicts=run.read_table(VERDICTS),
        provenance={"folder": run.path.name},
        settings=settings.model_dump(mode="json"),
        courses=cohort.courses,
    )
