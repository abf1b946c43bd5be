"""Where a study writes, and the keys of its parts; simulation of its data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.config.study import StudySettings
from ketadask.schema.errors import InputError
from ketadask.store.disk import write_file
from ketadask.store.fingerprints import code_version, fingerprint
from ketadask.store.parts import Parts
from ketadask.store.run_folder import RunFolder
from ketadask.study.inputs import StudyInputs

if TYPE_CHECKING:
    from ketadask.pipeline.progress import Progress

HITS, NULLS, EVALUATIONS, CALIBRATIONS = "hits", "nulls", "evaluations", "calibrations"
WITHOUT_TRIAL = "left_out"
_MARK = ".fingerprint"


@dataclass(frozen=True)
class RunPaths:
    """Where a study writes, and the keys of its parts.

    The run folder is named after everything that is computed in bulk: inputs, code, the search and
    the schemes of splits and relabellings, but not their number. Settings of the verdicts and of
    the report change no folder: these are computed again in place.
    """

    settings: StudySettings
    out: Path
    identity: str
    inputs: StudyInputs | None = None

    @classmethod
    def of(cls, settings: StudySettings, out: Path) -> RunPaths:
        """Return the paths of a study; reads the inputs to identify them, writes nothing."""
        if settings.data.folder is None:
            return cls(settings, out, simulation_identity(settings))
        inputs = StudyInputs.read(settings, settings.data.folder)
        return cls(settings, out, fingerprint(inputs.hashes), inputs)

    @property
    def data(self) -> Path:
        """The folder of the study's tables."""
        return data_folder(self.settings, self.out)

    def require_unchanged_inputs(self) -> None:
        """Raise where the inputs are no longer those that identify the run folder."""
        if self.inputs is None:
            _require_as_simulated(self.data)
        else:
            self.inputs.require_unchanged(self.settings, self.data)

    @property
    def path(self) -> Path:
        """The run folder, whether it exists or not."""
        return self.out.absolute() / f"{self.settings.name}-{self.run_key[:12]}"

    @property
    def run_key(self) -> str:
        """The key of the run folder."""
        return self._key(self.settings.science("search"), self.settings.science("null"))

    def key(self, stage: str, *more: Any) -> str:
        """Return the key of a stage whose numbers also depend on the values ``more``."""
        code = [code_version("study", "report")] if stage in ("judge", "report") else []
        return self._key(stage, self.settings.science(stage), *more, *code)

    def _key(self, *values: Any) -> str:
        return fingerprint(self.identity, code_version(), *values)

    def open(self) -> RunFolder:
        """Return the run folder, created where it does not exist."""
        shared = self.settings.execution.shared
        return RunFolder.make(self.out, self.settings.name, self.run_key, shared=shared)

    def hits(self) -> Parts:
        """Return the parts of the splits."""
        return Parts(self.path / HITS, self.key("search"))

    def without_trial(self) -> Parts:
        """Return the parts of the searches that leave out one trial each."""
        return Parts(self.path / WITHOUT_TRIAL, self.key("search", "leave-trial-out"))

    def nulls(self) -> Parts:
        """Return the parts of the relabelled trials."""
        return Parts(self.path / NULLS, self.key("null"))

    def calibrations(self, n_splits: int) -> Parts:
        """Return the parts of the resampling studies of relabelled trials."""
        key = self.key("null", "calibrate", self.settings.science("search"), n_splits)
        return Parts(self.path / CALIBRATIONS, key)

    def evaluations(self, personas: Any) -> Parts:
        """Return the parts of the evaluation of these personas on the splits."""
        return Parts(self.path / EVALUATIONS, self.key("evaluate", personas))


def data_folder(settings: StudySettings, out: Path) -> Path:
    """Return the study folder; a simulated one may not exist yet."""
    return settings.data.folder or out / "data" / simulation_identity(settings)[:12]


def simulation_identity(settings: StudySettings) -> str:
    """Return the fingerprint of simulated data: settings of the simulation and its code."""
    return fingerprint("simulated", settings.science("data"), code_version())


def prepare_data(settings: StudySettings, out: Path, progress: Progress) -> Path:
    """Return the study folder; simulate it if the settings say so and it does not exist."""
    folder = data_folder(settings, out)
    if settings.data.simulate is None:
        return folder
    mark = folder / _MARK
    if mark.exists():
        _require_as_simulated(folder)
        return folder
    from ketadask.simulate.study import simulate_study

    progress.print(f"data: simulating {settings.data.simulate.participants:,} participants")
    simulate_study(folder, **settings.data.simulate.model_dump(), overwrite=True)
    write_file(mark, fingerprint(folder).encode())
    return folder


def _require_as_simulated(folder: Path) -> None:
    if (folder / _MARK).read_text() != fingerprint(folder):
        raise InputError(
            "the simulated study was changed after its simulation",
            file=folder,
            remedy="delete the folder to simulate it again, or set data.folder to it",
        )
