"""Input files of a study and their fingerprint; paths of its outputs; simulation."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.config.study import StudySettings
from ketadask.schema.errors import InputError
from ketadask.store.disk import write_file
from ketadask.store.fingerprints import code_version, file_hash, fingerprint
from ketadask.store.parts import Parts
from ketadask.store.run_folder import RunFolder

if TYPE_CHECKING:
    from ketadask.pipeline.progress import Progress

_PATTERNS = ("participants.tsv", "participants.json", "phenotype/*.tsv", "phenotype/*.json")
_NDA = ("nda/*.txt",)
_SIDECARS = (
    *("*_meg.json", "sub-*/**/*_meg.json"),
    *("*_channels.tsv", "sub-*/**/*_channels.tsv", "sub-*/**/meg/*_events.tsv"),
    "derivatives/*/sub-*/**/*_parcels.tsv",
)
_LARGE = ("sub-*/**/meg/*", "derivatives/*/sub-*/**/*[-_]fwd.fif")


HITS, NULLS, EVALUATIONS, CALIBRATIONS = "hits", "nulls", "evaluations", "calibrations"
WITHOUT_TRIAL = "left_out"


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

    @classmethod
    def of(cls, settings: StudySettings, out: Path) -> RunPaths:
        """Return the paths of a study; reads the inputs to identify them, writes nothing."""
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
        """Return the key of a stage whose numbers also depend on the values ``more``."""
        code = [code_version("study", "report")] if stage in ("judge", "report") else []
        return self._key(stage, self.settings.science(stage), *more, *code)

    def _key(self, *values: Any) -> str:
        return fingerprint(self.identity, code_version(), *values)

    def open(self) -> RunFolder:
        """Return the run folder, created where it does not exist."""
        return RunFolder.make(self.out, self.settings.name, self.run_key)

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
    if settings.data.simulate is None:
        assert settings.data.folder is not None
        return settings.data.folder
    return out / "data" / identity(settings, out)[:12]


def identity(settings: StudySettings, out: Path) -> str:
    """Return the fingerprint of the inputs: file contents, or settings of the simulation."""
    if settings.data.simulate is not None:
        return fingerprint("simulated", settings.science("data"), code_version())
    return fingerprint(input_hashes(settings, data_folder(settings, out)))


def input_hashes(settings: StudySettings, folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each input file, by its name in the folder."""
    hashes = {name: file_hash(path) for name, path in sorted(_files(settings, folder).items())}
    return hashes | _recordings(settings, folder)


def external_settings(settings: StudySettings, folder: Path) -> StudySettings:
    """Return the settings for an external cohort, which keep all regions."""
    data = settings.data.model_copy(
        update={"folder": folder, "simulate": None, "freesurfer": None, "groups": None}
    )
    features = settings.features.model_copy(update={"max_missing": 1.0})
    return settings.model_copy(update={"data": data, "features": features})


def external_hashes(settings: StudySettings) -> dict[str, str]:
    """Return the `input_hashes` of external cohorts, by cohort and file."""
    files = {}
    for name, folder in (settings.predict.external if settings.predict else {}).items():
        try:
            hashes = input_hashes(external_settings(settings, folder), folder)
        except InputError as error:
            hashes = {".": str(error)}
        files.update({f"{name}: {file}": value for file, value in hashes.items()})
    return files


def _files(settings: StudySettings, folder: Path) -> dict[str, Path]:
    _check_readable(folder, "data.folder")
    files = {
        path.relative_to(folder).as_posix(): path
        for pattern in (*_PATTERNS, *_NDA, *_flat(settings, folder))
        for path in folder.glob(pattern)
    }
    for name in plain_files(settings):
        for file in (Path(name), Path(name).with_suffix(".json")):
            if (folder / file).is_file():
                files[file.as_posix()] = folder / file
    from ketadask.sources.fs_tables import TABLE_ENDINGS

    freesurfer = volumes_folder(settings, folder)
    if settings.data.freesurfer is not None:
        _check_readable(freesurfer, "data.freesurfer")
    volumes = {
        f"freesurfer/{path.relative_to(freesurfer).as_posix()}": path
        for pattern in (*(f"*{ending}" for ending in TABLE_ENDINGS), "*/stats/*.stats")
        for path in freesurfer.glob(pattern)
        if path.is_file()
    }
    return files | volumes


def _flat(settings: StudySettings, folder: Path) -> list[str]:
    """Return the patterns of scales in the study folder itself."""
    if settings.data.tables is not None:
        return []
    scales = [] if any(folder.glob("phenotype/*.tsv")) else ["*.tsv", "*.json"]
    return scales if any(folder.glob("nda/*.txt")) else [*scales, "*.txt"]


def plain_files(settings: StudySettings) -> list[str]:
    """Return the file names of the plain tables, relative to the study folder."""
    participants = settings.data.participants
    tables = [*(settings.data.tables or ()), *([participants] if participants else [])]
    return [table.file for table in tables]


def _recordings(settings: StudySettings, folder: Path) -> dict[str, str]:
    """Return size and time of recordings and forward solutions, and hashes of their sidecars.

    Reading whole recordings would take too long.
    """
    if "meg" not in settings.features.modalities:
        return {}
    from ketadask.sources.meg.recording import Recording, is_recording

    sidecars = {path for pattern in _SIDECARS for path in folder.glob(pattern)}
    stamps = {path.relative_to(folder).as_posix(): file_hash(path) for path in sorted(sidecars)}
    for path in sorted(path for pattern in _LARGE for path in folder.glob(pattern)):
        if is_recording(path):
            try:
                size, time = Recording.at(path).stamp
            except InputError as error:  # a broken link; the run excludes it
                stamp = error.problem
            else:
                stamp = f"{size} bytes of {time}"
            stamps[path.relative_to(folder).as_posix()] = stamp
    return stamps


def volumes_folder(settings: StudySettings, folder: Path) -> Path:
    """Return the folder of the FreeSurfer tables."""
    return settings.data.freesurfer or folder / "derivatives" / "freesurfer"


def _check_readable(folder: Path, key: str) -> None:
    try:
        next(iter(folder.iterdir()), None)
    except OSError as error:
        problem = {
            errno.ENOENT: "no such folder",
            errno.ENOTDIR: "this is a file, not a folder",
            errno.EACCES: "no permission to read the folder",
        }.get(error.errno or 0, f"cannot be read ({error.strerror})")
        raise InputError(
            problem,
            file=folder,
            where=key,
            remedy=f"set {key} to the folder with participants.tsv"
            if key == "data.folder"
            else f"set {key} to the folder of the volume tables",
        ) from None


def prepare_data(settings: StudySettings, out: Path, progress: Progress) -> Path:
    """Return the study folder; simulate it if the settings say so and it does not exist."""
    folder = data_folder(settings, out)
    if settings.data.simulate is None:
        return folder
    mark = folder / ".fingerprint"
    if not mark.exists():
        from ketadask.simulate.study import simulate_study

        progress.print(f"data: simulating {settings.data.simulate.participants:,} participants")
        simulate_study(folder, **settings.data.simulate.model_dump(), overwrite=True)
        write_file(mark, fingerprint(folder).encode())
    elif mark.read_text() != fingerprint(folder):
        raise InputError(
            "the simulated study was changed after its simulation",
            file=folder,
            remedy="delete the folder to simulate it again, or set data.folder to it",
        )
    return folder
