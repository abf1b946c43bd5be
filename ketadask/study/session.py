"""A study while it is being written: lock, log, executor, and the record of it all."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ketadask import __version__
from ketadask.cluster import Executor, Profile, connect
from ketadask.schema import InputError
from ketadask.study.blocks import Ended
from ketadask.study.inputs import input_hashes, make_data
from ketadask.study.progress import Progress
from ketadask.study.records import commit, log_file, machine, now, versions
from ketadask.study.work import Place, Work

PROVENANCE, LOG = "provenance.json", "study.log"
_KEPT_RUNS = 100
_log = logging.getLogger(__name__)


@contextmanager
def writing(
    place: Place, profile: Profile, progress: Progress, command: list[str]
) -> Iterator[Work]:
    """Hold the run folder for writing; whatever happens inside, it stays usable."""
    make_data(place.settings, place.out, progress)
    run = place.open()
    with run.lock() as dead, log_file(run.path / LOG), ExitStack() as stack:
        session = _Session(place, profile, progress, stack, run.path)
        work = Work(place, run, progress, session.executor)
        if dead is not None:
            session.note(f"the run of {dead} ended without finishing; its parts are used")
        begun = now()
        _log.info("begun: %s, version %s", " ".join(command), __version__)
        try:
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
            _record(work, session, command, begun)


class _Session:
    """The executor, opened when first asked for, and what happened."""

    def __init__(
        self, place: Place, profile: Profile, progress: Progress, stack: ExitStack, folder: Path
    ) -> None:
        self._profile, self._progress, self._stack = profile, progress, stack
        self._place, self._folder = place, folder
        self._executor: Executor | None = None
        self._events: list[str] = []

    def executor(self) -> Executor:
        if self._executor is None:
            opened = connect(self._profile, logs=self._folder / "logs")
            self._executor = self._stack.enter_context(opened)
            where = f", dashboard {self._executor.dashboard}" if self._executor.dashboard else ""
            self._progress.say(
                f"cluster: {self._profile.kind}, {self._executor.workers} workers{where}"
            )
        return self._executor

    def note(self, line: str) -> None:
        self._events.append(f"{now()} {line}")
        self._progress.say(line)
        _log.warning("%s", line)

    @property
    def events(self) -> list[str]:
        return [*self._events, *(self._executor.events if self._executor else ())]

    @property
    def profile(self) -> dict[str, Any]:
        return self._profile.model_dump(mode="json")


def _record(work: Work, session: _Session, command: list[str], begun: str) -> None:
    """Write where the results come from; the record of a failed run must not hide its failure."""
    run, settings = work.run, work.settings
    earlier: list[Any] = []
    if run.has(PROVENANCE):
        try:
            earlier = list(run.read_json(PROVENANCE).get("runs", []))
        except InputError:
            earlier = []
    this = {
        "begun": begun,
        "ended": now(),
        "command": command,
        "cluster": session.profile,
        "stages": [_stage(each) for each in work.ended],
        "events": session.events,
    }
    content = {
        "ketadask": __version__,
        "fingerprint": work.place.key("judge"),
        "command": command,
        "commit": commit(),
        "versions": versions(),
        "machine": machine(),
        "seeds": {"study": settings.seed, "simulated": _simulated_seed(work)},
        "inputs": input_hashes(settings, work.place.data),
        "settings": settings.model_dump(mode="json"),
        "runs": [*earlier, this][-_KEPT_RUNS:],
    }
    try:
        run.write_json(PROVENANCE, content)
    except InputError as error:
        if sys.exc_info()[0] is None:
            raise
        _log.error("%s", error)


def _simulated_seed(work: Work) -> int | None:
    simulated = work.settings.data.simulate
    return None if simulated is None else simulated.seed


def _stage(ended: Ended) -> dict[str, Any]:
    told = asdict(ended)
    told["failures"] = [f"{first}-{last}: {why}" for (first, last), why in ended.failures]
    told["seconds"] = round(ended.seconds, 2)
    return told
