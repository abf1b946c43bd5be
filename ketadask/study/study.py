"""A study, from its YAML file to its report."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.cluster import Profile
from ketadask.config import Settings, load, read
from ketadask.schema import InputError
from ketadask.study.blocks import Ended
from ketadask.study.calibrating import relabelled_studies
from ketadask.study.checks import Checked, checked
from ketadask.study.predicting import asked_for, predict_study, read_predicted
from ketadask.study.problems import Asked, pose
from ketadask.study.progress import Progress
from ketadask.study.session import writing
from ketadask.study.stages import count, require, require_parts
from ketadask.study.states import State, states
from ketadask.study.stopping import narrowed, relabellings, searched
from ketadask.study.work import Place, Work

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Ending:
    """Where a study stands after a command: its folder, and what is there to look at."""

    folder: Path
    stages: tuple[Ended, ...]
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

    settings: Settings
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
            load(path, changes),
            Path(out),
            Profile() if cluster is None else read(cluster, Profile),
            Progress() if progress is None else progress,
            _command(path, changes, Path(out)),
        )

    def run(self) -> Ending:
        """Do everything that is not done yet: search, relabel, judge, report."""
        with self._writing() as work:
            asked = self._search(work)
            self._judge(work, asked)
            if self.settings.predict is not None:
                predict_study(work)
            return self._report(work)

    def predict(self) -> Ending:
        """Foretell response from brain structure, and report what is there of the study."""
        asked_for(self.settings)
        with self._writing() as work:
            predict_study(work)
            return self._report(work)

    def extract(self) -> Ending:
        """Open or simulate the inputs, measure the recordings, and assemble the cohort."""
        with self._writing() as work:
            pose(work)
            return Ending(work.run.path, tuple(work.ended))

    def search(self) -> Ending:
        """Search all splits and all relabelled trials."""
        with self._writing() as work:
            self._search(work)
            return Ending(work.run.path, tuple(work.ended))

    def judge(self) -> Ending:
        """Judge what the searches found; an error where they are not finished."""
        with self._writing() as work:
            asked = narrowed(work, pose(work))
            require_parts(work, asked, relabellings(work))
            require(*relabelled_studies(work, asked))
            self._judge(work, asked)
            return self._report(work)

    def report(self) -> Ending:
        """Write the report of what has been judged."""
        if not self.place.path.is_dir():
            raise InputError(
                "this study has not been run",
                file=self.place.path,
                remedy="run it with `ketadask run`",
            )
        with self._writing() as work:
            return self._report(work, anew=True)

    def status(self) -> list[State]:
        """Return what is there and what is missing of each stage; changes nothing."""
        return states(self.place)

    def watched(self) -> Callable[[], list[State]]:
        """Return a function that says how far the study is; the inputs are identified once."""
        place = self.place
        return lambda: states(place)

    def check(self) -> Checked:
        """Read settings and tables, compute nothing else, and say what is there."""
        return checked(self.settings, self.out, self.progress)

    @property
    def place(self) -> Place:
        """Where the study writes, and under which keys."""
        return Place.of(self.settings, self.out)

    @contextmanager
    def _writing(self) -> Iterator[Work]:
        with writing(self.place, self.profile, self.progress, list(self.command)) as work:
            yield work

    def _search(self, work: Work) -> Asked:
        asked, ended = searched(work, pose(work))
        require(*ended, *relabelled_studies(work, asked))
        place = work.place
        count(work, "search", "splits", place.hits(), asked.splitter.n_splits)
        count(work, "null", "relabelled trials", place.nulls(), relabellings(work))
        return asked

    def _judge(self, work: Work, asked: Asked) -> None:
        from ketadask.study.judging import judge_study

        judge_study(work, asked)

    def _report(self, work: Work, *, anew: bool = False) -> Ending:
        from ketadask.study.across import trial_tables
        from ketadask.study.reporting import report_study

        verdicts, path = report_study(work, anew=anew)
        predicted = read_predicted(work)
        told = None if predicted is None else predicted.summary
        trials = None if verdicts is None else (trial_tables(work.run) or {}).get("summaries")
        return Ending(work.run.path, tuple(work.ended), verdicts, told, path, trials)


def _command(path: Path | str, changes: list[str], out: Path) -> tuple[str, ...]:
    """Return the command that does this study again, whatever was typed."""
    words = ["ketadask", "run", str(path)]
    for change in changes:
        words += ["--set", change]
    if out != Path("runs"):
        words += ["--out", str(out)]
    return tuple(shlex.quote(word) for word in words)
