"""A running study: lock, log, executors, stages, and the provenance of its results."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
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
from ketadask.store.ranges import Range, range_size
from ketadask.store.run_folder import HISTORY, RunFolder
from ketadask.study.inputs import external_hashes, input_hashes, without_participants
from ketadask.study.paths import RunPaths, prepare_data

(PROVENANCE, STOPS), LOG, KEYS = HISTORY, "study.log", "finished.json"
EXTRACT, SEARCH, PREDICT = "extract", "search", "predict"
_MAX_RUNS = 100
_log = logging.getLogger(__name__)


@dataclass
class StudyRun:
    """A study while it writes its run folder.

    Parameters
    ----------
    executor
        Opens the executor of a stage: the workers that a cluster profile has for it.
    provenance
        Returns the origin of the results, this run included.
    results
        Outcome of each stage so far.
    verified
        By stage, the number of items whose parts were verified on disk.
    on_range
        Called with each range of items as soon as its part is written.
    """

    paths: RunPaths
    folder: RunFolder
    progress: Progress
    executor: Callable[[str], Executor]
    provenance: Callable[[], dict[str, Any]] = dict
    results: list[StageResult] = field(default_factory=list)
    verified: dict[str, int] = field(default_factory=dict)
    on_range: Callable[[Range], None] | None = None

    @property
    def settings(self) -> StudySettings:
        """Settings of the study."""
        return self.paths.settings

    def run_stage(self, stage: Stage, workers: str = SEARCH) -> StageResult:
        """Compute the missing items of a stage with the ``workers`` of the profile."""
        n_aside, execution = len(stage.parts.damaged_files), self.settings.execution
        stage = self.select(stage)
        result = run_stage(
            stage,
            lambda: self.executor(workers),
            self.progress,
            block=execution.block if stage.subset is None else range_size(stage.subset[:1]),
            task_seconds=execution.task_seconds,
            on_range=self.on_range,
        )
        n_aside = len(stage.parts.damaged_files) - n_aside
        if n_aside:
            self.progress.print(
                f"{stage.name}: {n_aside} damaged files moved to "
                f"{stage.parts.folder / 'damaged'}; their items are computed again"
            )
        earlier = next((e for e in self.results if e.name == stage.name), None)
        if earlier is not None:  # the same stage, up to an interim analysis
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

    def stops(self) -> dict[str, Any]:
        """Return the early stops: by unit, the items planned and computed, and the reason."""
        return dict(self.folder.read_json(STOPS)) if self.folder.has(STOPS) else {}

    def n_items(self, unit: str, planned: int) -> int:
        """Return the items that the verdicts use: those before an early stop, or ``planned``."""
        return n_items_at_stop(self.stops(), unit, planned)

    def clear_stops(self) -> None:
        """Delete the records of early stops of earlier runs."""
        self.folder.write_json(STOPS, {})

    def record_stop(self, unit: str, planned: int, computed: int, reason: str) -> None:
        """Record and print that a stage stopped early."""
        stop = {"planned": planned, "made": computed, "why": reason}
        self.folder.write_json(STOPS, self.stops() | {unit: stop})
        self.progress.print(f"{unit}: stopped at {computed:,} of {planned:,}: {reason}")

    def is_current(self, stage: str, key: str) -> bool:
        """Whether the files of ``judge``, ``predict`` or ``report`` were written under a key."""
        return self._keys().get(stage) == key

    def mark_current(self, stage: str, key: str) -> None:
        """Record the key under which the files of a stage were written."""
        self.folder.write_json(KEYS, self._keys() | {stage: key})

    def mark_outdated(self, *stages: str) -> None:
        """Record that the files of these stages no longer match the study."""
        keys = {stage: key for stage, key in self._keys().items() if stage not in stages}
        self.folder.write_json(KEYS, keys)

    def _keys(self) -> dict[str, str]:
        return dict(self.folder.read_json(KEYS)) if self.folder.has(KEYS) else {}


def n_items_at_stop(stops: dict[str, Any], unit: str, planned: int) -> int:
    """Return the items at which a stage stopped, or ``planned`` where it did not.

    Examples
    --------
    >>> stops = {"splits": {"planned": 50, "made": 20}}
    >>> n_items_at_stop(stops, "splits", 50), n_items_at_stop(stops, "splits", 60)
    (20, 60)
    """
    stop = stops.get(unit, {})
    return int(stop["made"]) if stop.get("planned") == planned else planned


@contextmanager
def open_study_run(
    paths: RunPaths, profile: Profile, progress: Progress, command: list[str]
) -> Iterator[StudyRun]:
    """Lock the run folder for writing; after an error or an interrupt it stays usable."""
    folder = paths.open()
    with (
        folder.lock() as dead_owner,
        log_file(folder.path / LOG),
        ExitStack() as stack,
    ):
        damaged = folder.repair()
        session = _Session(folder, profile, progress, command, stack)
        work = StudyRun(paths, folder, progress, session.executor)
        work.provenance = partial(session.provenance, work)
        for name, problem in sorted(damaged.items()):
            session.note(f"{name} is {problem}; results are computed again from the parts")
        if dead_owner is not None:
            session.note(f"the run of {dead_owner} ended without finishing; its parts are used")
        _log.info("started: %s, version %s", " ".join(command), __version__)
        try:
            prepare_data(paths.settings, paths.out, progress)
            yield work
        except KeyboardInterrupt:
            session.note("interrupted; finished parts are kept, run again to continue")
            raise
        except InputError as error:
            _log.error("%s", error)
            raise
        except Exception as error:
            _log.exception("failed")
            error.add_note(f"the log is {folder.path / LOG}")
            raise
        finally:
            _write_provenance(work)


class _Session:
    """Executors, opened on first use, and the events of a run."""

    def __init__(
        self,
        folder: RunFolder,
        profile: Profile,
        progress: Progress,
        command: list[str],
        stack: ExitStack,
    ) -> None:
        self._folder, self._profile, self._progress = folder, profile, progress
        self._command, self._stack = command, stack
        self._current: tuple[Profile, ExitStack, Executor] | None = None
        self._executor_events: list[list[str]] = []
        self._events: list[str] = []
        self._start = now()
        self._earlier = _earlier_runs(folder)

    def executor(self, stage: str) -> Executor:
        """Return the executor of a stage; other workers of earlier stages are closed first."""
        profile = self._profile.for_stage(stage)
        if self._current is not None:
            current, stack, executor = self._current
            if current == profile:
                return executor
            self._current = None
            stack.close()
        stack = self._stack.enter_context(ExitStack())
        executor = stack.enter_context(
            connect(profile, logs=self._folder.path / "logs", say=self._print)
        )
        self._current = profile, stack, executor
        self._executor_events.append(executor.events)
        dashboard = f", dashboard {executor.dashboard}" if executor.dashboard else ""
        own = f" for {stage}" if self._profile.stages != profile.stages else ""
        self._progress.print(f"cluster: {profile.kind}, {executor.workers} workers{own}{dashboard}")
        return executor

    def _print(self, line: str) -> None:
        """Print a line and write it to the log, which outlives this process."""
        self._progress.print(line)
        _log.info("%s", line)

    def note(self, line: str) -> None:
        """Print an event, and write it to log and provenance."""
        self._events.append(f"{now()} {line}")
        self._progress.print(line)
        _log.warning("%s", line)

    def provenance(self, work: StudyRun) -> dict[str, Any]:
        """Return the origin of the results, this run included."""
        settings, simulated_data = work.settings, work.settings.data.simulate
        this_run = {
            "begun": self._start,
            "ended": now(),
            "cluster": self._profile.without_secrets(),
            "stages": [_stage_entry(result) for result in work.results],
            "counted": dict(work.verified),
            "events": [*self._events, *(e for events in self._executor_events for e in events)],
        }
        return {
            "ketadask": __version__,
            "fingerprint": work.paths.key("judge"),
            "command": self._command,
            "commit": commit(),
            "versions": library_versions(),
            "machine": describe_machine(),
            "seeds": {
                "study": settings.seed,
                "simulated": None if simulated_data is None else simulated_data.seed,
            },
            "inputs": _hashes(work.paths),
            "stopped": work.stops(),
            "settings": settings.model_dump(mode="json"),
            "runs": [*self._earlier, this_run][-_MAX_RUNS:],
        }


def _earlier_runs(folder: RunFolder) -> list[Any]:
    try:
        return list(folder.read_json(PROVENANCE)["runs"]) if folder.has(PROVENANCE) else []
    except (InputError, KeyError, TypeError):
        return []


def _write_provenance(work: StudyRun) -> None:
    """Write the provenance; an error of the run itself takes precedence over one in here."""
    try:
        work.folder.write_json(PROVENANCE, work.provenance())
    except InputError as error:
        if error.__context__ is None:
            raise
        _log.error("%s", error)


def _hashes(paths: RunPaths) -> dict[str, str]:
    """Return the hashes of the inputs that identify the run folder, and of external cohorts."""
    if paths.inputs is None:
        hashes = input_hashes(paths.settings, paths.data) | external_hashes(paths.settings)
    else:
        hashes = paths.inputs.hashes | paths.inputs.external
    return without_participants(hashes)


def _stage_entry(result: StageResult) -> dict[str, Any]:
    return {
        "stage": result.name,
        "unit": result.unit,
        "total": result.total,
        "reused": result.present,
        "made": result.new,
        "seconds": round(result.seconds, 2),
        "block": result.block,
        "pieces": result.pieces,
        "failures": [f"{first}-{last}: {failure}" for (first, last), failure in result.failures],
    }
