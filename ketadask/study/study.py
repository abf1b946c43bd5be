"""A study, from its YAML file to its report."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.cluster.profile import Profile
from ketadask.config.reading import read_settings
from ketadask.config.study import StudySettings, read_study
from ketadask.pipeline.progress import Progress
from ketadask.pipeline.stage import StageResult, require
from ketadask.schema.errors import InputError
from ketadask.study.check import StudyCheck, check_study, require_computable
from ketadask.study.confirm import ConfirmationSummary, confirm_study
from ketadask.study.judge import SUMMARY, calibration_stages, judge_study, trial_tables
from ketadask.study.paths import RunPaths
from ketadask.study.predict import predict_study, read_prediction
from ketadask.study.prediction_inputs import predict_settings
from ketadask.study.problem import StudyProblem, build_problem
from ketadask.study.run import StudyRun, open_study_run
from ketadask.study.screening import with_locked_arms
from ketadask.study.search import (
    relabelled_stage,
    relabellings,
    require_searches,
    run_searches,
    splits_stage,
    truncate_problem,
)
from ketadask.study.status import StageStatus, stage_statuses

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.report.overall import OverallFacts
    from ketadask.search.persona import Persona


@dataclass(frozen=True)
class RunSummary:
    """The state of a study after a command: its folder, its stages and its results.

    ``places`` are the decimals of benefits, ``labels`` the personas of the verdicts in words.
    """

    folder: Path
    stages: tuple[StageResult, ...]
    verdicts: pd.DataFrame | None = None
    prediction: Mapping[str, Any] | None = None
    report: Path | None = None
    trials: pd.DataFrame | None = None
    places: int = 1
    overall: OverallFacts | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """The settings of a study, the folder of its runs, and the cluster it runs on.

    Examples
    --------
    >>> from ketadask.config.shipped import shipped_configs
    >>> study = Study.read(shipped_configs()["demo"], changes=["splits.count=50"])
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
        """Run all incomplete stages: search, null distribution, verdicts, report."""
        with self.open_run() as work:
            judge_study(work, self._search(work))
            if self.settings.predict is not None:
                predict_study(work)
            return self._report(work)

    def predict(self) -> RunSummary:
        """Predict response from brain structure; report all complete results of the study."""
        predict_settings(self.settings)
        with self.open_run() as work:
            predict_study(work)
            return self._report(work)

    def extract(self) -> RunSummary:
        """Simulate or read the inputs, extract features of recordings, assemble the cohort."""
        with self.open_run() as work:
            build_problem(work)
            return RunSummary(work.folder.path, tuple(work.results))

    def search(self) -> RunSummary:
        """Search all splits and all relabelled trials."""
        with self.open_run() as work:
            self._search(work)
            return RunSummary(work.folder.path, tuple(work.results))

    def judge(self) -> RunSummary:
        """Compute the verdicts of complete searches; raise if some are missing."""
        with self.open_run() as work:
            problem = truncate_problem(work, build_problem(work))
            require_searches(work, problem)
            require(*map(work.run_stage, calibration_stages(work, problem)))
            judge_study(work, problem)
            return self._report(work)

    def report(self) -> RunSummary:
        """Write the report again."""
        if not self.paths.path.is_dir():
            raise InputError(
                "this study has not been run",
                file=self.paths.path,
                remedy="run it with `ketadask run`",
            )
        with self.open_run() as work:
            return self._report(work, anew=True)

    def confirm(
        self, personas: Sequence[Persona], *, alpha: float, relabellings: int
    ) -> ConfirmationSummary:
        """Test locked personas in the trial of this study; write a report of its own."""
        settings = with_locked_arms(self.settings, personas)
        with replace(self, settings=settings).open_run() as work:
            return confirm_study(work, personas, alpha=alpha, relabellings=relabellings)

    def status(self) -> list[StageStatus]:
        """Return the present and missing items of each stage; changes nothing."""
        return stage_statuses(self.paths)

    def check(self) -> StudyCheck:
        """Read settings and tables and count their contents; run no stage."""
        return check_study(self.settings, self.out, self.progress)

    @property
    def paths(self) -> RunPaths:
        """Where the study writes, and the keys of its parts; reads the inputs."""
        return RunPaths.of(self.settings, self.out)

    @contextmanager
    def open_run(self) -> Iterator[StudyRun]:
        """Open the run folder for writing."""
        command = list(self.command)
        with open_study_run(self.paths, self.profile, self.progress, command) as work:
            yield work

    def _search(self, work: StudyRun) -> StudyProblem:
        problem = build_problem(work)
        require_computable(work.settings, problem.cohort.dataset, problem.search_problem.trial)
        problem, results = run_searches(work, problem)
        require(*results, *map(work.run_stage, calibration_stages(work, problem)))
        work.verify(splits_stage(work, problem))
        work.verify(relabelled_stage(work, problem, relabellings(work)))
        return problem

    def _report(self, work: StudyRun, *, anew: bool = False) -> RunSummary:
        from ketadask.plot.results import persona_labels
        from ketadask.report.labels import Endpoint
        from ketadask.report.overall import OverallFacts
        from ketadask.study.report import report_study

        verdicts, path = report_study(work, rewrite=anew)
        tables = read_prediction(work)
        prediction = None if tables is None else tables.summary
        trials = None if verdicts is None else (trial_tables(work.folder) or {}).get("summaries")
        overall = None
        if verdicts is not None:
            values = work.folder.read_json(SUMMARY).get("overall")
            overall = OverallFacts(**values) if values else None
        return RunSummary(
            folder=work.folder.path,
            stages=tuple(work.results),
            verdicts=verdicts,
            prediction=prediction,
            report=path,
            trials=trials,
            places=Endpoint(str(self.settings.outcome.endpoint), "", "").places,
            overall=overall,
            labels=() if verdicts is None else tuple(persona_labels(verdicts, work.folder.path)),
        )


def _command(path: Path | str, changes: list[str], out: Path) -> tuple[str, ...]:
    """Return the command that runs this study again."""
    words = ["ketadask", "run", str(path)]
    for change in changes:
        words += ["--set", change]
    if out != Path("runs"):
        words += ["--out", str(out)]
    return tuple(shlex.quote(word) for word in words)
