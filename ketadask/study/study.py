"""A study, from its YAML file to its report."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.cluster.profile import Profile
from ketadask.config.reading import read_settings
from ketadask.config.study import StudySettings, read_study
from ketadask.pipeline.progress import Progress
from ketadask.pipeline.stage import StageResult, require
from ketadask.schema.errors import InputError
from ketadask.study.check import StudyCheck, check_study
from ketadask.study.judge import calibration_stages
from ketadask.study.predict import asked_for, predict_study, read_prediction
from ketadask.study.problem import StudyProblem, build_problem
from ketadask.study.run import RunPaths, StudyRun, writing
from ketadask.study.search import (
    relabelled_stage,
    relabellings,
    require_parts,
    run_searches,
    splits_stage,
    truncate_problem,
)
from ketadask.study.status import StageStatus, stage_statuses

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RunSummary:
    """Where a study stands after a command: its folder, and what is there to look at."""

    folder: Path
    stages: tuple[StageResult, ...]
    verdicts: pd.DataFrame | None = None
    predicted: Mapping[str, Any] | None = None
    report: Path | None = None
    trials: pd.DataFrame | None = None


@dataclass(frozen=True)
class Study:
    """A study as asked for, where its runs lie, and where its work is done.

    Examples
    --------
    >>> study = Study.read("config/demo.yaml", changes=["splits.count=50"])
    >>> study.settings.splits.count
    50
    """

    settings: StudySettings
    out: Path = Path("runs")
    profile: Profile = field(default_factory=Profile)
    progress: Progress = field(default_factory=Progress)
    command: tuple[str, ...] = ()

    @classmethod
    def read(
        cls,
        path: Path | str,
        *,
        changes: Iterable[str] | None = None,
        out: Path | str = "runs",
        cluster: Path | str | None = None,
        progress: Progress | None = None,
    ) -> Study:
        """Read a study's YAML file, changed by ``a.b=c`` words, and a cluster profile."""
        changes = list(changes or ())
        return cls(
            read_study(path, changes),
            Path(out),
            Profile() if cluster is None else read_settings(cluster, Profile),
            Progress() if progress is None else progress,
            _command(path, changes, Path(out)),
        )

    def run(self) -> RunSummary:
        """Do everything that is not done yet: search, relabel, judge, report."""
        with self._writing() as work:
            asked = self._search(work)
            self._judge(work, asked)
            if self.settings.predict is not None:
                predict_study(work)
            return self._report(work)

    def predict(self) -> RunSummary:
        """Foretell response from brain structure, and report what is there of the study."""
        asked_for(self.settings)
        with self._writing() as work:
            predict_study(work)
            return self._report(work)

    def extract(self) -> RunSummary:
        """Open or simulate the inputs, measure the recordings, and assemble the cohort."""
        with self._writing() as work:
            build_problem(work)
            return RunSummary(work.run.path, tuple(work.results))

    def search(self) -> RunSummary:
        """Search all splits and all relabelled trials."""
        with self._writing() as work:
            self._search(work)
            return RunSummary(work.run.path, tuple(work.results))

    def judge(self) -> RunSummary:
        """Judge what the searches found; an error where they are not finished."""
        with self._writing() as work:
            asked = truncate_problem(work, build_problem(work))
            require_parts(work, asked, relabellings(work))
            require(*map(work.run_stage, calibration_stages(work, asked)))
            self._judge(work, asked)
            return self._report(work)

    def report(self) -> RunSummary:
        """Write the report of what has been judged."""
        if not self.place.path.is_dir():
            raise InputError(
                "this study has not been run",
                file=self.place.path,
                remedy="run it with `ketadask run`",
            )
        with self._writing() as work:
            return self._report(work, anew=True)

    def status(self) -> list[StageStatus]:
        """Return what is there and what is missing of each stage; changes nothing."""
        return stage_statuses(self.place)

    def watched(self) -> Callable[[], list[StageStatus]]:
        """Return a function that says how far the study is; the inputs are identified once."""
        place = self.place
        return lambda: stage_statuses(place)

    def check(self) -> StudyCheck:
        """Read settings and tables, compute nothing else, and say what is there."""
        return check_study(self.settings, self.out, self.progress)

    @property
    def place(self) -> RunPaths:
        """Where the study writes, and under which keys."""
        return RunPaths.of(self.settings, self.out)

    @contextmanager
    def _writing(self) -> Iterator[StudyRun]:
        with writing(self.place, self.profile, self.progress, list(self.command)) as work:
            yield work

    def _search(self, work: StudyRun) -> StudyProblem:
        asked, results = run_searches(work, build_problem(work))
        require(*results, *map(work.run_stage, calibration_stages(work, asked)))
        work.verify(splits_stage(work, asked))
        work.verify(relabelled_stage(work, asked, relabellings(work)))
        return asked

    def _judge(self, work: StudyRun, asked: StudyProblem) -> None:
        from ketadask.study.judge import judge_study

        judge_study(work, asked)

    def _report(self, work: StudyRun, *, anew: bool = False) -> RunSummary:
        from ketadask.study.judge import trial_tables
        from ketadask.study.report import report_study

        verdicts, path = report_study(work, anew=anew)
        predicted = read_prediction(work)
        told = None if predicted is None else predicted.summary
        trials = None if verdicts is None else (trial_tables(work.run) or {}).get("summaries")
        return RunSummary(work.run.path, tuple(work.results), verdicts, told, path, trials)


def _command(path: Path | str, changes: list[str], out: Path) -> tuple[str, ...]:
    """Return the command that does this study again, whatever was typed."""
    words = ["ketadask", "run", str(path)]
    for change in changes:
        words += ["--set", change]
    if out != Path("runs"):
        words += ["--out", str(out)]
    return tuple(shlex.quote(word) for word in words)
