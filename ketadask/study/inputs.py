"""Input files of a study: which they are, what they contain, and whether they have changed."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ketadask.config.study import StudySettings
from ketadask.schema.errors import InputError
from ketadask.store.fingerprints import file_hash, fingerprint

_PATTERNS = ("participants.tsv", "participants.json", "phenotype/*.tsv", "phenotype/*.json")
_NDA = ("nda/*.txt",)
SIDECARS = (
    *("*_[me]eg.json", "sub-*/**/*_[me]eg.json"),
    *("*_channels.tsv", "sub-*/**/*_channels.tsv", "sub-*/**/[me]eg/*_events.tsv"),
)
_RECORDINGS = "sub-*/**/{}/*"
_PARTICIPANT = re.compile(r"(?<=sub-)[A-Za-z0-9]+|(?<=freesurfer/)[^/]+(?=/stats/)")
_PARCELS, _FORWARD = "derivatives/*/sub-*/**/*_parcels.tsv", "derivatives/*/sub-*/**/*[-_]fwd.fif"


Stamp = tuple[int, int, int]
"""Size of a file, and the times (ns) at which its content and its record last changed.

No inode: some network file systems invent another one whenever they are asked.
"""


@dataclass(frozen=True)
class StudyInputs:
    """The input files of a study as they were when their content was hashed.

    Parameters
    ----------
    hashes, external
        SHA-256 of each file by its name, of the study and of its external cohorts.
    stamps
        Stamp of each file, from before it was hashed. No process can restore the time at which the
        record of a file changed, so equal stamps mean equal content.
    """

    hashes: dict[str, str]
    external: dict[str, str]
    stamps: dict[str, Stamp]

    @classmethod
    def read(cls, settings: StudySettings, folder: Path) -> StudyInputs:
        """Stamp the files, then hash them."""
        stamps = _stamps(settings, folder)
        return cls(input_hashes(settings, folder), external_hashes(settings), stamps)

    def require_unchanged(self, settings: StudySettings, folder: Path) -> None:
        """Raise where a file was changed, added or removed after the files were hashed."""
        stamps = _stamps(settings, folder)
        for name in sorted(self.stamps.keys() | stamps.keys()):
            if self.stamps.get(name) != stamps.get(name):
                raise InputError(
                    "an input changed while the study was reading it",
                    file=folder / name,
                    remedy="run again when nothing writes to it; results of the former content "
                    "remain in their own folder",
                )


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
    for name, folder in (settings.predict.folders if settings.predict else {}).items():
        try:
            hashes = input_hashes(external_settings(settings, folder), folder)
        except InputError as error:
            hashes = {".": str(error)}
        files.update({f"{name}: {file}": value for file, value in hashes.items()})
    return files


def without_participants(hashes: Mapping[str, str]) -> dict[str, str]:
    """Return the hashes under names without participants; files of one name share a hash.

    Examples
    --------
    >>> hashes = {"sub-K1/meg/sub-K1_task-rest_meg.json": "a1", "participants.tsv": "b2"}
    >>> without_participants(hashes)
    {'participants.tsv': 'b2', 'sub-*/meg/sub-*_task-rest_meg.json': 'a1'}
    """
    groups: dict[str, dict[str, str]] = {}
    for name, value in sorted(hashes.items()):
        groups.setdefault(_PARTICIPANT.sub("*", name), {})[name] = value
    return {
        pattern: f"{len(group):,} files, {fingerprint(group)}"
        if len(group) > 1
        else next(iter(group.values()))
        for pattern, group in sorted(groups.items())
    }


def _stamps(settings: StudySettings, folder: Path) -> dict[str, Stamp]:
    """Return the stamp of each input file, recordings and external cohorts included."""
    files = _files(settings, folder) | _recording_files(settings, folder)
    for name, other in (settings.predict.folders if settings.predict else {}).items():
        if other.is_dir():
            external = _files(external_settings(settings, other), other)
            files |= {f"{name}: {file}": path for file, path in external.items()}
    return {name: _stamp(path) for name, path in files.items()}


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:  # a broken link; whoever reads the file says so
        return (0, 0, 0)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _files(settings: StudySettings, folder: Path) -> dict[str, Path]:
    _check_readable(folder, "data.folder")
    files = {
        path.relative_to(folder).as_posix(): path
        for pattern in (*_PATTERNS, *_NDA, *_flat(settings, folder))
        for path in folder.glob(pattern)
    }
    one_table = settings.data.table
    from ketadask.sources.adam import subjects_path

    if one_table is not None and one_table.file.is_file():
        files[one_table.file.name] = one_table.file  # wherever it lies
        subjects = subjects_path(one_table.file)
        if subjects is not None:
            files[subjects.name] = subjects
    for name in plain_files(settings):
        for file in (Path(name), Path(name).with_suffix(".json")):
            if (folder / file).is_file():
                files[file.as_posix()] = folder / file
    from ketadask.sources.region_tables import TABLE_ENDINGS

    freesurfer = volumes_folder(settings, folder)
    if settings.data.freesurfer is not None:
        _check_readable(freesurfer, "data.freesurfer")
    volumes = {
        f"freesurfer/{path.relative_to(freesurfer).as_posix()}": path
        for pattern in (*(f"*{ending}" for ending in TABLE_ENDINGS), "*/stats/*.stats")
        for path in freesurfer.glob(pattern)
        if path.is_file()
    }
    regions = {
        path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path): path
        for table in settings.data.regions
        for path in _region_files(folder / table.file)
    }
    return files | volumes | regions


def _region_files(path: Path) -> list[Path]:
    """Return the tables and stats files of one regional measure."""
    if not path.is_dir():
        return [path] if path.is_file() else []
    return [file for file in (*path.glob("*"), *path.glob("*/stats/*.stats")) if file.is_file()]


def _flat(settings: StudySettings, folder: Path) -> list[str]:
    """Return the patterns of scales in the study folder itself."""
    if settings.data.tables is not None or settings.data.table is not None:
        return []
    scales = [] if any(folder.glob("phenotype/*.tsv")) else ["*.tsv", "*.json"]
    return scales if any(folder.glob("nda/*.txt")) else [*scales, "*.txt"]


def plain_files(settings: StudySettings) -> list[str]:
    """Return the file names of the plain tables, relative to the study folder."""
    data = settings.data
    tables = [*(data.tables or ()), data.participants]
    files = [table.file for table in tables if table is not None]
    return files


def _recordings(settings: StudySettings, folder: Path) -> dict[str, str]:
    """Return size and time of recordings and forward solutions, and hashes of their sidecars.

    Reading whole recordings would take too long.
    """
    if not settings.features.recording_modality:
        return {}
    from ketadask.sources.meg.recording import Recording, is_recording

    sidecars, large = _recording_paths(settings, folder)
    stamps = {path.relative_to(folder).as_posix(): file_hash(path) for path in sorted(sidecars)}
    for path in sorted(large):
        if is_recording(path):
            try:
                size, time = Recording.at(path).stamp
            except InputError as error:  # a broken link; the run excludes it
                stamp = error.problem
            else:
                stamp = f"{size} bytes of {time}"
            stamps[path.relative_to(folder).as_posix()] = stamp
    return stamps


def _recording_files(settings: StudySettings, folder: Path) -> dict[str, Path]:
    """Return the files of the recordings, their sidecars and the forward solutions by name."""
    if not settings.features.recording_modality:
        return {}
    sidecars, large = _recording_paths(settings, folder)
    inside = {file for path in large if path.is_dir() for file in path.rglob("*")}
    return {path.relative_to(folder).as_posix(): path for path in sidecars | large | inside}


def _recording_paths(settings: StudySettings, folder: Path) -> tuple[set[Path], set[Path]]:
    """Return the sidecars; and the files and folders beside recordings, and forward solutions."""
    derivative = settings.data.derivative
    root = folder / "derivatives" / derivative if derivative else folder
    sidecars = {path for pattern in SIDECARS for path in root.glob(pattern)}
    sidecars |= set(folder.glob(_PARCELS))
    modality = settings.features.recording_modality
    return sidecars, {*root.glob(_RECORDINGS.format(modality)), *folder.glob(_FORWARD)}


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
