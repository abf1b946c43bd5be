"""What every stage of a study is given: the settings, the run folder, the executor, the keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ketadask.cluster import Executor
from ketadask.config import Settings
from ketadask.store import Parts, Range, RunFolder, code_version, fingerprint
from ketadask.study.blocks import Ended, finish
from ketadask.study.inputs import data_folder, identity
from ketadask.study.progress import Progress

HITS, NULLS, EVALUATIONS, CALIBRATIONS = "hits", "nulls", "evaluations", "calibrations"
LEFT_OUT = "left_out"
EXTRACT, SEARCH, PREDICT = "extract", "search", "predict"


@dataclass(frozen=True)
class Place:
    """Where a study writes, and the keys its parts are made under.

    The run folder is named after everything that is computed in bulk: inputs, code, the search,
    the scheme of the splits and of the relabellings, but not how many. What only words the result
    (alpha, families, the report) is judged anew in the same folder.
    """

    settings: Settings
    out: Path
    identity: str

    @classmethod
    def of(cls, settings: Settings, out: Path) -> Place:
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
class Work:
    """A study while it is being written."""

    place: Place
    run: RunFolder
    progress: Progress
    executor: Callable[[str], Executor]
    provenance: Callable[[Work], dict[str, Any]]
    ended: list[Ended] = field(default_factory=list)
    watch: Callable[[Range], None] | None = None
    counted: dict[str, int] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """What was asked."""
        return self.place.settings

    def finish(
        self,
        name: str,
        unit: str,
        *,
        total: int,
        parts: Parts,
        graph: Any,
        stage: str = SEARCH,
        searches: int = 0,
    ) -> Ended:
        """Compute what is missing, by the workers of a stage, and remember how that ended."""
        before = len(parts.damaged)
        ended = finish(
            name,
            unit,
            graph=graph,
            executor=lambda: self.executor(stage),
            progress=self.progress,
            seen=self.watch,
            **self.portion(total, parts, searches),
        )
        set_aside = len(parts.damaged) - before
        if set_aside:
            self.progress.say(
                f"{name}: {set_aside} damaged files were moved to {parts.folder / 'damaged'} "
                "and made anew"
            )
        earlier = next((each for each in self.ended if each.name == name), None)
        if earlier is not None:  # made in this very run, up to a look at what is there
            self.ended.remove(earlier)
            ended = ended.after(earlier)
        self.ended.append(ended)
        return ended

    def portion(self, total: int, parts: Parts, searches: int) -> dict[str, Any]:
        """Return what of a stage is computed here, and how it is cut (see `finish`): all of it."""
        execution = self.settings.execution
        return {
            "total": total,
            "parts": parts,
            "block": execution.block,
            "task_seconds": execution.task_seconds,
            "searches": searches,
        }
