"""All recordings of a BIDS study: found by name, opened lazily, none in the way of others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from ketadask import names as nm
from ketadask.schema.errors import InputError
from ketadask.sources.cells import read_object
from ketadask.sources.meg.anatomy import Anatomy, find_anatomy
from ketadask.sources.meg.engine import MegBackend
from ketadask.sources.meg.recording import is_recording
from ketadask.sources.meg.sidecars import (
    bad_channels,
    mains_frequency,
    read_bad_segments,
    read_channels,
    sampling_rate,
)

_EMPTY_ROOM = "emptyroom"
_RATE_TOLERANCE = 1e-3


@dataclass(frozen=True)
class RecordingFile:
    """A recording of a study by its paths; what is said of it beside it.

    ``participant`` and ``session`` carry their prefixes, session is empty where there is none.
    ``rate`` and ``mains`` are what the sidecar says, None where it is silent. ``bad_spans`` are
    first second and last of what the events beside it call bad.
    """

    path: str
    participant: str
    session: str
    name: str
    bads: tuple[str, ...] = ()
    rate: float | None = None
    mains: float | None = None
    empty_room: str | None = None
    problem: str | None = None
    anatomy: Anatomy | None = None
    bad_spans: tuple[tuple[float, float], ...] = ()


def find_recordings(
    root: Path | str, task: str = "rest", *, anatomy: bool = False
) -> list[RecordingFile]:
    """Return the recordings of a task, by name; sidecars are read, recordings are not.

    A sidecar that cannot be read, or that has no recording, is kept as the ``problem`` of its
    recording. Forward solutions are looked for where ``anatomy`` is asked for.
    """
    try:
        from mne_bids import find_matching_paths
    except ModuleNotFoundError as error:
        raise InputError(
            f"MEG needs the package {error.name}",
            file=root,
            remedy='install it by pip install "ketadask[meg]"',
        ) from error
    root = Path(root)
    if not root.is_dir():
        raise InputError("no such folder", file=root, remedy="name the root of a BIDS study")
    paths = [
        path
        for path in find_matching_paths(root, tasks=task, suffixes="meg", datatypes="meg")
        # What was made of recordings lies in derivatives/, and is another study.
        if path.fpath.relative_to(root).parts[0].startswith("sub-")
    ]
    whole: dict[str, list[Any]] = {}
    for path in paths:
        if is_recording(path.fpath) and path.split in (None, "01", "1"):
            whole.setdefault(_stem(path.fpath), []).append(path)
    found = [_found(root, p, anatomy) for p in whole.values() if p[0].subject != _EMPTY_ROOM]
    stems = {each.name for each in found}
    lonely = [p for p in paths if p.extension == ".json" and _stem(p.fpath) not in stems]
    found += [_lonely(p) for p in lonely if p.subject != _EMPTY_ROOM]
    if not found:
        raise InputError(
            "the study has no such recording",
            file=root,
            where="task",
            value=task,
            remedy="recordings are named sub-<who>[_ses-<when>]_task-<task>_meg.ds or .fif",
        )
    return sorted(found, key=lambda each: each.name)


def open_recordings(
    root: Path | str, *, task: str = "rest", grade: int | None = None
) -> xr.DataTree:
    """Open the MEG recordings of a BIDS study; only headers and sidecars are read.

    Parameters
    ----------
    root
        Folder of the study.
    task
        Which recordings.
    grade
        Gradient compensation 0 to 3; as recorded if None.

    Returns
    -------
    One node ``/<participant>/<session>/<recording>`` per recording, as the engine ``ketadask-meg``
    opens it: ``field`` (channel, time) in fT, bad channels of ``channels.tsv`` marked. Lengths
    differ, so nothing is padded. ``attrs`` of a node: participant, session, mains, empty_room (the
    matched recording of the empty room, or ""), bad_spans (JSON: first second and last of what
    ``events.tsv`` calls bad). ``attrs["failures"]`` of the root lists, as JSON, what cannot be
    opened and why.
    """
    nodes, failures = {}, []
    for each in find_recordings(root, task):
        try:
            dataset = open_found(each, grade=grade)
        except InputError as error:
            failures.append({"recording": each.name, "reason": str(error)})
            continue
        place = "/".join(word for word in (each.participant, each.session, each.name) if word)
        nodes[f"/{place}"] = dataset
    tree = xr.DataTree.from_dict(nodes)
    tree.attrs.update(task=task, root=str(root), failures=json.dumps(failures))
    return tree


def open_found(found: RecordingFile, *, grade: int | None = None) -> xr.Dataset:
    """Open one recording and compare it with its sidecar."""
    if found.problem:
        raise InputError(found.problem, file=found.path)
    dataset = xr.open_dataset(found.path, engine=MegBackend, grade=grade, bads=found.bads)
    check_rate(found, dataset.attrs["rate"])
    check_spans(found, dataset.sizes[nm.TIME] / dataset.attrs["rate"])
    about: dict[str, Any] = {
        "participant": found.participant,
        "session": found.session,
        "mains": found.mains,
        "empty_room": found.empty_room or "",
        "bad_spans": json.dumps(found.bad_spans),
    }
    dataset.attrs.update(about)
    return dataset


def unusable(found: Sequence[RecordingFile]) -> dict[str, str]:
    """Return by name why recordings cannot be opened; headers and sidecars are read, no values."""
    reasons = {}
    for each in found:
        try:
            open_found(each)
        except InputError as error:
            reasons[each.name] = str(error)
    return reasons


def check_rate(found: RecordingFile, rate: float) -> None:
    """Say so where a recording has another rate than its sidecar says."""
    if found.rate is not None and abs(found.rate - rate) > _RATE_TOLERANCE * rate:
        raise InputError(
            f"the recording has {rate:g} time points per second, its sidecar says {found.rate:g}",
            file=found.path,
            remedy="correct SamplingFrequency in the _meg.json, or find the right recording",
        )


def check_spans(found: RecordingFile, seconds: float) -> None:
    """Say so where events call something bad that begins after a recording has ended."""
    late = [first for first, _ in found.bad_spans if first > seconds]
    if late:
        raise InputError(
            f"its events call segments bad after its end at {seconds:g} seconds",
            file=found.path,
            where="onset",
            value=late[0],
            remedy="write onset and duration in seconds from its first value, or find the right "
            "events",
        )


def _found(root: Path, of_one_name: list[Any], anatomy: bool) -> RecordingFile:
    bids_path, *others = sorted(of_one_name, key=lambda each: str(each.fpath))
    path = bids_path.fpath
    stem = _stem(path)
    about: dict[str, Any] = {}
    try:
        if others:
            _refuse(bids_path, others)
        if sidecar := _sidecar(bids_path, "meg", ".json"):
            said = read_object(sidecar)
            about["rate"] = sampling_rate(said, sidecar)
            about["mains"] = mains_frequency(said, sidecar)
        if table := _sidecar(bids_path, "channels", ".tsv"):
            about["bads"] = tuple(bad_channels(read_channels(table)))
        # Only beside it: what is bad in one recording is not in another, so none is inherited.
        if (events := path.with_name(f"{stem}_events.tsv")).exists():
            about["bad_spans"] = read_bad_segments(events)
        about["empty_room"] = _empty_room(root, bids_path)
        if anatomy:
            about["anatomy"] = find_anatomy(root, *_who(bids_path))
    except InputError as error:
        about["problem"] = str(error)
    return RecordingFile(str(path), *_who(bids_path), stem, **about)


def _refuse(bids_path: Any, others: list[Any]) -> None:
    """Say that BIDS gives a recording one file: of several nobody knows which is meant."""
    paths = [str(other.fpath) for other in others]
    raise InputError(
        f"has the name of another recording, {' and '.join(paths)}",
        remedy="keep one of them and move the others out of the study, or give each a run-, acq- "
        "or proc- of its own in its name",
    )


def _lonely(bids_path: Any) -> RecordingFile:
    path, stem = bids_path.fpath, _stem(bids_path.fpath)
    return RecordingFile(
        str(path), *_who(bids_path), stem, problem="the sidecar has no recording beside it"
    )


def _who(bids_path: Any) -> tuple[str, str]:
    session = f"ses-{bids_path.session}" if bids_path.session else ""
    return f"sub-{bids_path.subject}", session


def _stem(path: Path) -> str:
    return path.name.partition(".")[0].removesuffix("_meg").replace("_split-01", "")


def _sidecar(bids_path: Any, suffix: str, extension: str) -> Path | None:
    """Return the sidecar that BIDS gives to a recording, inherited ones included."""
    found = (
        bids_path.copy()
        .update(split=None)
        .find_matching_sidecar(suffix=suffix, extension=extension, on_error="ignore")
    )
    return None if found is None else Path(found)


def _empty_room(root: Path, bids_path: Any) -> str | None:
    """Return the recording of the empty room that belongs to a recording, by sidecar or date."""
    rooms = (root / f"sub-{_EMPTY_ROOM}").is_dir()
    try:
        room = bids_path.find_empty_room(use_sidecar_only=not rooms, verbose="error")
    except (FileNotFoundError, RuntimeError, ValueError, OSError):
        return None
    return None if room is None else str(room.fpath)
