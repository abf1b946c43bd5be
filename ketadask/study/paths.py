"""The study folder: which files count, what identifies them, and making one where asked."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

from ketadask.config.study import StudySettings
from ketadask.schema.errors import InputError
from ketadask.store.disk import write_file
from ketadask.store.fingerprints import code_version, file_hash, fingerprint

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


def data_folder(settings: StudySettings, out: Path) -> Path:
    """Return where the study's tables are, or will be once simulated."""
    if settings.data.simulate is None:
        assert settings.data.folder is not None
        return settings.data.folder
    return out / "data" / identity(settings, out)[:12]


def identity(settings: StudySettings, out: Path) -> str:
    """Return the fingerprint of the inputs: file contents, or how they are simulated."""
    if settings.data.simulate is not None:
        return fingerprint("simulated", settings.science("data"), code_version())
    return fingerprint(input_hashes(settings, data_folder(settings, out)))


def input_hashes(settings: StudySettings, folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file the study reads, by its name in the folder."""
    hashes = {name: file_hash(path) for name, path in sorted(_files(settings, folder).items())}
    return hashes | _recordings(settings, folder)


def external_settings(settings: StudySettings, folder: Path) -> StudySettings:
    """Return the settings that read another folder the same way, and drop no region there."""
    data = settings.data.model_copy(
        update={"folder": folder, "simulate": None, "freesurfer": None, "groups": None}
    )
    features = settings.features.model_copy(update={"max_missing": 1.0})
    return settings.model_copy(update={"data": data, "features": features})


def external_hashes(settings: StudySettings) -> dict[str, str]:
    """Return what `input_hashes` says of the other folders that are foretold, by their names."""
    found = {}
    for name, folder in (settings.predict.external if settings.predict else {}).items():
        try:
            hashes = input_hashes(external_settings(settings, folder), folder)
        except InputError as error:
            hashes = {".": str(error)}
        found.update({f"{name}: {file}": value for file, value in hashes.items()})
    return found


def _files(settings: StudySettings, folder: Path) -> dict[str, Path]:
    _readable(folder, "data.folder")
    files = {
        path.relative_to(folder).as_posix(): path
        for pattern in (*_PATTERNS, *_NDA, *_flat(settings, folder))
        for path in folder.glob(pattern)
    }
    for name in plain_files(settings):
        for each in (Path(name), Path(name).with_suffix(".json")):
            if (folder / each).is_file():
                files[each.as_posix()] = folder / each
    from ketadask.sources.fs_tables import TABLE_ENDINGS

    place = volumes_folder(settings, folder)
    if settings.data.freesurfer is not None:
        _readable(place, "data.freesurfer")
    volumes = {
        f"freesurfer/{path.relative_to(place).as_posix()}": path
        for pattern in (*(f"*{ending}" for ending in TABLE_ENDINGS), "*/stats/*.stats")
        for path in place.glob(pattern)
        if path.is_file()
    }
    return files | volumes


def _flat(settings: StudySettings, folder: Path) -> list[str]:
    """Return the patterns of scales that lie in the study folder itself, as they are read there."""
    if settings.data.tables is not None:
        return []
    scales = [] if any(folder.glob("phenotype/*.tsv")) else ["*.tsv", "*.json"]
    return scales if any(folder.glob("nda/*.txt")) else [*scales, "*.txt"]


def plain_files(settings: StudySettings) -> list[str]:
    """Return the names of the plain tables the settings list, relative to the study folder."""
    people = settings.data.participants
    tables = [*(settings.data.tables or ()), *([people] if people else [])]
    return [table.file for table in tables]


def _recordings(settings: StudySettings, folder: Path) -> dict[str, str]:
    """Return size and time of recordings and forward solutions: to read all takes too long.

    Their sidecars are small, so those count by content, inherited ones too.
    """
    if "meg" not in settings.features.modalities:
        return {}
    from ketadask.sources.meg.recording import Recording, is_recording

    sidecars = {path for pattern in _SIDECARS for path in folder.glob(pattern)}
    found = {path.relative_to(folder).as_posix(): file_hash(path) for path in sorted(sidecars)}
    for path in sorted(path for pattern in _LARGE for path in folder.glob(pattern)):
        if is_recording(path):
            try:
                size, time = Recording.at(path).stamp
            except InputError as error:  # a link to nothing: it is left out as other broken ones
                stamp = error.problem
            else:
                stamp = f"{size} bytes of {time}"
            found[path.relative_to(folder).as_posix()] = stamp
    return found


def volumes_folder(settings: StudySettings, folder: Path) -> Path:
    """Return the folder of the FreeSurfer tables."""
    return settings.data.freesurfer or folder / "derivatives" / "freesurfer"


def _readable(folder: Path, key: str) -> None:
    try:
        next(iter(folder.iterdir()), None)
    except OSError as error:
        problem = {
            errno.ENOENT: "no such folder",
            errno.ENOTDIR: "this is a file, not a folder",
            errno.EACCES: "the folder may not be read",
        }.get(error.errno or 0, f"cannot be read ({error.strerror})")
        raise InputError(
            problem,
            file=folder,
            where=key,
            remedy=f"set {key} to the folder that holds participants.tsv"
            if key == "data.folder"
            else f"set {key} to the folder of the volume tables",
        ) from None


def prepare_data(settings: StudySettings, out: Path, progress: Progress) -> Path:
    """Return the study folder, simulated where the study asks for that and it is not there."""
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
            "the simulated study was changed after it was made",
            file=folder,
            remedy="delete the folder, it is made again; or name it as data.folder",
        )
    return folder
