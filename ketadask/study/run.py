"""A study while it is being written: lock, log, executor, and the record of it all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ketadask import __version__
from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile
from ketadask.config.study import StudySettings
from ketadask.pipeline.executor import Executor
from ketadask.pipeline.progress import Progress
from ketadask.pipeline.run import run_stage
from ketadask.pipeline.stage import Stage, StageResult, require
from ketadask.schema.errors import InputError
from ketadask.store.environment import commit, describe_machine, library_versions, log_file, now
from ketadask.store.fingerprints import code_version, fingerprint
from ketadask.store.parts import Parts
from ketadask.store.ranges import Range, range_size
from ketadask.store.run_folder import RunFolder
from ketadask.study.paths import data_folder, external_hashes, identity, input_hashes, prepare_data

PROVENANCE, LOG = "provenance.json", "study.log"
_KEPT_RUNS = 100
STOPPED = "stopped.json"
_log = logging.getLogger(__name__)


@contextmanager
def writing(
    place: RunPaths, profile: Profile, progress: Progress, command: list[str]
) -> Iterator[StudyRun]:
    """Hold the run folder for writing; whatever happens inside, it stays usable."""
    run = place.open()
    with run.lock() as dead, log_file(run.path / LOG), ExitStack() as stack:
        session = _Session(run, profile, progress, command, stack)
        work = StudyRun(place, run, progress, session.executor, session.provenance)
        if dead is not None:
            session.note(f"the run of {dead} ended without finishing; its parts are used")
        _log.info("begun: %s, version %s", " ".join(command), __version__)
        try:
            prepare_data(place.settings, place.out, progress)
            yield work
        except KeyboardInterrupt:
            session.note("interrupted; what is finished is kept, run again to continue")
            raise
        except InputError as error:
            _log.error("%s", error)
            raise
        except Exception as error:
            _log.exception("failed")
            error.add_note(f"the log is {run.path / LOG}")
            raise
        finally:
            _record(session, work)


class _Session:
    """The executor, opened when first asked for, and the record of what happened."""

    def __init__(
        self,
        run: RunFolder,
        profile: Profile,
        progress: Progress,
        command: list[str],
        stack: ExitStack,
    ) -> None:
        self._run, self._profile, self._progress = run, profile, progress
        self._command, self._stack = command, stack
        self._executor: Executor | None = None
        self._opened: tuple[Profile, ExitStack] | None = None
        self._told: list[list[str]] = []
        self._events: list[str] = []
        self._begun = now()
        self._earlier = _earlier(run)

    def executor(self, stage: str) -> Executor:
        """Return the executor of a stage; where it needs other workers, those before it end."""
        profile = self._profile.for_stage(stage)
        if self._executor is not None and self._opened is not None:
            before, stack = self._opened
            if before == profile:
                return self._executor
            self._executor = None
            stack.close()
        stack = self._stack.enter_context(ExitStack())
        opened = connect(profile, logs=self._run.path / "logs", say=self._say)
        made = stack.enter_context(opened)
        self._executor, self._opened = made, (profile, stack)
        self._told.append(made.events)
        where = f", dashboard {made.dashboard}" if made.dashboard else ""
        own = f" for {stage}" if self._profile.stages != profile.stages else ""
        self._progress.print(f"cluster: {profile.kind}, {made.workers} workers{own}{where}")
        return made

    def _say(self, line: str) -> None:
        """Show a line and keep it in the log, which outlives this process."""
        self._progress.print(line)
        _log.info("%s", line)

    def note(self, line: str) -> None:
        self._events.append(f"{now()} {line}")
        self._progress.print(line)
        _log.warning("%s", line)

    def provenance(self, work: StudyRun) -> dict[str, Any]:
        """Return where the results come from, this run included."""
        settings, simulated = work.settings, work.settings.data.simulate
        this = {
            "begun": self._begun,
            "ended": now(),
            "cluster": self._profile.model_dump(mode="json"),
            "stages": [_stage(each) for each in work.results],
            "counted": dict(work.verified),
            "events": [*self._events, *(line for told in self._told for line in told)],
        }
        return {
            "ketadask": __version__,
            "fingerprint": work.place.key("judge"),
            "command": self._command,
            "commit": commit(),
            "versions": library_versions(),
            "machine": describe_machine(),
            "seeds": {
                "study": settings.seed,
                "simulated": None if simulated is None else simulated.seed,
            },
            "inputs": input_hashes(settings, work.place.data) | external_hashes(settings),
            "stopped": stopped(work),
            "settings": settings.model_dump(mode="json"),
            "runs": [*self._earlier, this][-_KEPT_RUNS:],
        }


def _earlier(run: RunFolder) -> list[Any]:
    try:
        return list(run.read_json(PROVENANCE)["runs"]) if run.has(PROVENANCE) else []
    except (InputError, KeyError, TypeError):
        return []


def _record(session: _Session, work: StudyRun) -> None:
    """Write the provenance; where the run failed, that failure is what the reader must see."""
    try:
        work.run.write_json(PROVENANCE, session.provenance(work))
    except InputError as error:
        if error.__context__ is None:
            raise
        _log.error("%s", error)


def _stage(ended: StageResult) -> dict[str, Any]:
    return {
        "stage": ended.name,
        "unit": ended.unit,
        "total": ended.total,
        "present": ended.present,
        "new": ended.new,
        "seconds": round(ended.seconds, 2),
        "block": ended.block,
        "pieces": ended.pieces,
        "failures": [f"{first}-{last}: {why}" for (first, last), why in ended.failures],
    }


HITS, NULLS, EVALUATIONS, CALIBRATIONS = "hits", "nulls", "evaluations", "calibrations"
LEFT_OUT = "left_out"
EXTRACT, SEARCH, PREDICT = "extract", "search", "predict"


@dataclass(frozen=True)
class RunPaths:
    """Where a study writes, and the keys its parts are made under.

    The run folder is named after everything that is computed in bulk: inputs, code, the search,
    the scheme of the splits and of the relabellings, but not how many. What only words the result
    (alpha, families, the report) is judged anew in the same folder.
    """

    settings: StudySettings
    out: Path
    identity: str

    @classmethod
    def of(cls, settings: StudySettings, out: Path) -> RunPaths:
        """Return the place of a study; reads the inputs to identify them, writes nothing."""
        return cls(settings, out, identity(settings, out))

    @property
    def data(self) -> Path:
        """The folder of the study's tables."""
        return data_folder(self.settings, self.out)

    @property
    def path(self) -> Path:
        """The run folder, whether it exists or not."""
        return self.out.absolute() / f"{self.settings.name}-{self.run_key[:12]}"

    @property
    def run_key(self) -> str:
        """The key of the run folder."""
        return self._key(self.settings.science("search"), self.settings.science("null"))

    def key(self, stage: str, *more: Any) -> str:
        """Return the key of a stage; ``more`` is what else its numbers depend on."""
        summing_up = [code_version("study", "report")] if stage in ("judge", "report") else []
        return self._key(stage, self.settings.science(stage), *more, *summing_up)

    def _key(self, *things: Any) -> str:
        return fingerprint(self.identity, code_version(), *things)

    def open(self) -> RunFolder:
        """Make the run folder, or open it."""
        return RunFolder.make(self.out, self.settings.name, self.run_key)

    def hits(self) -> Parts:
        """Return the parts of the splits."""
        return Parts(self.path / HITS, self.key("search"))

    def left_out(self) -> Parts:
        """Return the parts of the searches that leave out one trial each."""
        return Parts(self.path / LEFT_OUT, self.key("search", "leave-trial-out"))

    def nulls(self) -> Parts:
        """Return the parts of the relabelled trials."""
        return Parts(self.path / NULLS, self.key("null"))

    def calibrations(self, splits: int) -> Parts:
        """Return the parts of the resampling studies, of so many splits, on relabelled trials."""
        key = self.key("null", "calibrate", self.settings.science("search"), splits)
        return Parts(self.path / CALIBRATIONS, key)

    def evaluations(self, personas: Any) -> Parts:
        """Return the parts in which these personas are held against the splits."""
        return Parts(self.path / EVALUATIONS, self.key("evaluate", personas))


@dataclass
class StudyRun:
    """A study while it is being written."""

    place: RunPaths
    run: RunFolder
    progress: Progress
    executor: Callable[[str], Executor]
    provenance: Callable[[StudyRun], dict[str, Any]]
    results: list[StageResult] = field(default_factory=list)
    watch: Callable[[Range], None] | None = None
    verified: dict[str, int] = field(default_factory=dict)

    @property
    def settings(self) -> StudySettings:
        """What was asked."""
        return self.place.settings

    def run_stage(self, stage: Stage, workers: str = SEARCH) -> StageResult:
        """Compute what is missing of a stage, by the ``workers`` of the profile; log the result."""
        damaged, execution = len(stage.parts.damaged_files), self.settings.execution
        stage = self.select(stage)
        result = run_stage(
            stage,
            lambda: self.executor(workers),
            self.progress,
            block=execution.block if stage.subset is None else range_size(stage.subset[:1]),
            task_seconds=execution.task_seconds,
            on_range=self.watch,
        )
        damaged = len(stage.parts.damaged_files) - damaged
        if damaged:
            self.progress.print(
                f"{stage.name}: {damaged} damaged files moved to {stage.parts.folder / 'damaged'}; "
                "their items are computed again"
            )
        earlier = next((e for e in self.results if e.name == stage.name), None)
        if earlier is not None:  # part of it was computed in this run, up to an interim analysis
            self.results.remove(earlier)
            result = result.merge(earlier)
        self.results.append(result)
        return result

    def complete_stage(self, stage: Stage, workers: str = SEARCH) -> None:
        """Run a stage; raise unless all of its parts are on disk."""
        require(self.run_stage(stage, workers))
        self.verify(stage)

    def verify(self, stage: Stage) -> None:
        """Raise unless all parts of a stage are on disk, checksums compared."""
        stage.require_parts()
        self.verified[stage.name] = stage.total

    def select(self, stage: Stage) -> Stage:
        """Return the part of a stage that this process computes: all of it."""
        return stage


def stopped_at(work: StudyRun, what: str, planned: int) -> int:
    """Return where a stage stopped, or ``planned`` where it did not."""
    record = stopped(work).get(what, {})
    return int(record["made"]) if record.get("planned") == planned else planned


def stopped(work: StudyRun) -> dict[str, Any]:
    """Return what ended early: per stage how many were planned and made, and why."""
    return dict(work.run.read_json(STOPPED)) if work.run.has(STOPPED) else {}
