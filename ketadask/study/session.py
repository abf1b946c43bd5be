"""A study while it is being written: lock, log, executor, and the record of it all."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ketadask import __version__
from ketadask.cluster import Executor, Profile, connect
from ketadask.schema import InputError
from ketadask.store import RunFolder
from ketadask.study.blocks import Ended
from ketadask.study.inputs import external_hashes, input_hashes, make_data
from ketadask.study.progress import Progress
from ketadask.study.records import commit, log_file, machine, now, versions
from ketadask.study.stopping import stopped
from ketadask.study.work import Place, Work

PROVENANCE, LOG = "provenance.json", "study.log"
_KEPT_RUNS = 100
_log = logging.getLogger(__name__)


@contextmanager
def writing(
    place: Place, profile: Profile, progress: Progress, command: list[str]
) -> Iterator[Work]:
    """Hold the run folder for writing; whatever happens inside, it stays usable."""
    run = place.open()
    with run.lock() as dead, log_file(run.path / LOG), ExitStack() as stack:
        session = _Session(run, profile, progress, command, stack)
        work = Work(place, run, progress, session.executor, session.provenance)
        if dead is not None:
            session.note(f"the run of {dead} ended without finishing; its parts are used")
        _log.info("begun: %s, version %s", " ".join(command), __version__)
        try:
            make_data(place.settings, place.out, progress)
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
        self._progress.say(f"cluster: {profile.kind}, {made.workers} workers{own}{where}")
        return made

    def _say(self, line: str) -> None:
        """Show a line and keep it in the log, which outlives this process."""
        self._progress.say(line)
        _log.info("%s", line)

    def note(self, line: str) -> None:
        self._events.append(f"{now()} {line}")
        self._progress.say(line)
        _log.warning("%s", line)

    def provenance(self, work: Work) -> dict[str, Any]:
        """Return where the results come from, this run included."""
        settings, simulated = work.settings, work.settings.data.simulate
        this = {
            "begun": self._begun,
            "ended": now(),
            "cluster": self._profile.model_dump(mode="json"),
            "stages": [_stage(each) for each in work.ended],
            "counted": dict(work.counted),
            "events": [*self._events, *(line for told in self._told for line in told)],
        }
        return {
            "ketadask": __version__,
            "fingerprint": work.place.key("judge"),
            "command": self._command,
            "commit": commit(),
            "versions": versions(),
            "machine": machine(),
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


def _record(session: _Session, work: Work) -> None:
    """Write the provenance; where the run failed, that failure is what the reader must see."""
    try:
        work.run.write_json(PROVENANCE, session.provenance(work))
    except InputError as error:
        if error.__context__ is None:
            raise
        _log.error("%s", error)


def _stage(ended: Ended) -> dict[str, Any]:
    return {
        "stage": ended.name,
        "unit": ended.unit,
        "total": ended.total,
        "reused": ended.reused,
        "made": ended.made,
        "seconds": round(ended.seconds, 2),
        "block": ended.block,
        "pieces": ended.pieces,
        "failures": [f"{first}-{last}: {why}" for (first, last), why in ended.failures],
    }
