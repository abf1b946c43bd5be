"""All recordings of a BIDS study, opened lazily; a failed recording stops no other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ketadask import names as nm
from ketadask.schema.errors import InputError
from ketadask.sources.cells import read_json_object
from ketadask.sources.meg.anatomy import Anatomy, find_anatomy
from ketadask.sources.meg.engine import BLOCK_SECONDS, MegBackend, recording_blocks
from ketadask.sources.meg.events import ALL_TIME, EventChoice, event_windows, read_events
from ketadask.sources.meg.recording import Recording, is_recording
from ketadask.sources.meg.sidecars import (
    bad_channels,
    ecg_channel,
    mains_frequency,
    read_bad_segments,
    read_channels,
    sampling_rate,
)

_NO_SUBJECT = "emptyroom"  # recordings of the empty room
_RATE_TOLERANCE = 1e-3
NO_PROC = "none"  # recordings without the label proc-


@dataclass(frozen=True)
class RecordingFile:
    """A recording of a study by its path, with the contents of its sidecars.

    ``participant`` and ``session`` carry their prefixes; session may be empty. ``rate`` and
    ``mains`` are None where the sidecar does not give them. ``bad_spans`` are first and last second
    of the segments that its events mark as bad, ``ecg`` is the channel that channels.tsv calls ECG,
    ``choice`` names the events to measure, ``problem`` says why it cannot be used.
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
    ecg: str | None = None
    choice: EventChoice = ALL_TIME


def find_recordings(
    root: Path | str,
    task: str = "rest",
    *,
    proc: str | None = None,
    derivative: str | None = None,
    anatomy: bool = False,
    modality: str = nm.MEG,
    events: Sequence[str] = (),
    window: tuple[float, float] | None = None,
    epochs: bool = False,
) -> list[RecordingFile]:
    """Return the recordings of a task, by name; sidecars are read, recordings are not.

    A sidecar that cannot be read, or that has no recording, becomes the ``problem`` of its
    recording; so do several versions of one recording, as recorded and processed.

    Parameters
    ----------
    root, task
        Folder of the study, task of the recordings.
    proc
        Label ``proc-`` or ``desc-`` of the version to use, ``none`` for that without one; needed
        where a recording has several.
    derivative
        Folder in ``derivatives/`` that holds the recordings, such as the output of
        mne-bids-pipeline; their names may end with ``_raw``. None for those as recorded.
    anatomy
        Whether to look for forward solutions.
    modality
        ``meg`` or ``eeg``, the folder of the recordings of a session.
    events, window
        Names of events, and seconds after their onset that are measured: by default those of their
        duration. Without events, all of the recording.
    epochs
        Whether to use files of epochs (``_epo.fif``) instead of recordings.
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
    folder = root / "derivatives" / derivative if derivative else root
    if not folder.is_dir():
        raise InputError("no such folder", file=folder, remedy="correct data.derivative")
    suffixes = (modality, "raw") if derivative else (modality,)
    suffixes = ("epo",) if epochs else suffixes
    choice = EventChoice(tuple(events), window)
    paths = [
        path
        for path in find_matching_paths(folder, tasks=task, suffixes=suffixes, datatypes=modality)
        # Processed recordings lie in derivatives/, which is another study.
        if path.fpath.relative_to(folder).parts[0].startswith("sub-")
        and path.subject != _NO_SUBJECT
        and proc in (None, _label(path))
    ]
    paths_by_name: dict[str, list[Any]] = {}
    for path in paths:
        if is_recording(path.fpath) and path.split in (None, "01", "1"):
            # Versions of one recording have one name but for their label.
            name = re.sub(r"_(proc|desc)-[^_]+", "", _name(path.fpath))
            paths_by_name.setdefault(name, []).append(path)
    files = [
        _with_sidecars(root, same_name, anatomy, choice) for same_name in paths_by_name.values()
    ]
    names = {_name(path.fpath) for versions in paths_by_name.values() for path in versions}
    for path in paths:
        # A sidecar without a label also describes the versions that have one.
        owners = names | (set(paths_by_name) if _label(path) == NO_PROC else set())
        orphan = _name(path.fpath) not in owners
        if path.extension == ".json" and orphan:
            problem = "the sidecar has no recording beside it"
            files.append(_recording_file(path, problem=problem))
    if not files:
        raise InputError(
            "the study has no such recording",
            file=folder,
            where="task",
            value=task,
            remedy=f"recordings are named sub-<id>[_ses-<id>]_task-<task>_{modality}"
            + (".ds or .fif" if modality == nm.MEG else ".edf, .bdf, .vhdr, .set or .raw"),
        )
    return sorted(files, key=lambda file: file.name)


def open_recordings(
    root: Path | str,
    *,
    task: str = "rest",
    proc: str | None = None,
    derivative: str | None = None,
    grade: int | None = None,
    modality: str = nm.MEG,
    seconds: float | None = BLOCK_SECONDS,
) -> xr.DataTree:
    """Open the MEG or EEG recordings of a BIDS study as Dask arrays.

    Only headers and sidecars are read.

    Parameters
    ----------
    root
        Folder of the study.
    task
        Task of the recordings.
    proc
        Label ``proc-`` or ``desc-`` of the version to open, ``none`` for that without one.
    derivative
        Folder in ``derivatives/`` that holds the recordings; those as recorded if None.
    grade
        Gradient compensation 0 to 3; as recorded if None.
    modality
        ``meg`` or ``eeg``.
    seconds
        Length of a block of the Dask arrays; None for xarray's own lazy arrays, which cannot be
        computed with before they are loaded.

    Returns
    -------
    One node ``/<participant>/<session>/<recording>`` per recording, as the engine ``ketadask-meg``
    opens it: ``field`` (channel, time) in fT, bad channels of ``channels.tsv`` marked. Lengths
    differ, so nothing is padded. ``bad_seconds`` (bad_segment, edge) are first and last second of
    the segments that ``events.tsv`` marks as bad. ``attrs`` of a node: participant, session, mains,
    empty_room (its recording of the empty room, or ""). The root has no values; its attribute
    ``failures`` holds by name why recordings cannot be opened.

    Examples
    --------
    >>> import ketadask as kd
    >>> recordings = kd.open_recordings(kd.simulate_study("study", participants=2, meg_seconds=6))
    >>> len(recordings.leaves), recordings.leaves[0].dataset["field"].dims
    (4, ('channel', 'time'))
    """
    nodes, failures = {}, {}
    for file in find_recordings(root, task, proc=proc, derivative=derivative, modality=modality):
        try:
            dataset = open_recording(file, grade=grade)
        except InputError as error:
            failures[file.name] = str(error)
            continue
        path = "/".join(word for word in (file.participant, file.session, file.name) if word)
        nodes[f"/{path}"] = dataset if seconds is None else recording_blocks(dataset, seconds)
    tree = xr.DataTree.from_dict(nodes)
    tree.attrs.update(task=task, root=str(root), failures=failures)
    return tree


def open_recording(file: RecordingFile, *, grade: int | None = None) -> xr.Dataset:
    """Open one recording and compare it with its sidecar."""
    if file.problem:
        raise InputError(file.problem, file=file.path)
    dataset = xr.open_dataset(file.path, engine=MegBackend, grade=grade, bads=file.bads)
    check_rate(file, dataset.attrs["rate"])
    check_spans(file, dataset.sizes[nm.TIME] / dataset.attrs["rate"])
    bad_seconds = np.array(file.bad_spans, dtype=np.float64).reshape(-1, 2)
    return dataset.assign(bad_seconds=(("bad_segment", "edge"), bad_seconds)).assign_attrs(
        {
            "participant": file.participant,
            "session": file.session,
            "mains": file.mains,
            "ecg": file.ecg or "",
            "empty_room": file.empty_room or "",
        }
    )


def unusable_recordings(files: Sequence[RecordingFile]) -> dict[str, str]:
    """Return by name why recordings cannot be opened; headers and sidecars are read, no values."""
    reasons = {}
    for file in files:
        try:
            open_recording(file)
            event_windows(file, Recording.at(file.path).header)
        except InputError as error:
            reasons[file.name] = str(error)
    return reasons


def check_rate(file: RecordingFile, rate: float) -> None:
    """Raise an InputError where the sampling rate of a recording differs from its sidecar's."""
    if file.rate is not None and abs(file.rate - rate) > _RATE_TOLERANCE * rate:
        raise InputError(
            f"the recording has {rate:g} time points per second, its sidecar says {file.rate:g}",
            file=file.path,
            remedy="correct SamplingFrequency in the _meg.json, or find the right recording",
        )


def check_spans(file: RecordingFile, seconds: float) -> None:
    """Raise an InputError where events mark a segment as bad after the end of the recording."""
    late = [first for first, _ in file.bad_spans if first > seconds]
    if late:
        raise InputError(
            f"its events mark segments as bad after its end at {seconds:g} seconds",
            file=file.path,
            where="onset",
            value=late[0],
            remedy="write onset and duration in seconds from its first value, or find the right "
            "events",
        )


def _with_sidecars(
    root: Path, same_name: list[Any], anatomy: bool, choice: EventChoice
) -> RecordingFile:
    """Return a recording with its sidecars; several of one name become its problem."""
    bids_path, *others = sorted(same_name, key=lambda path: str(path.fpath))
    fields: dict[str, Any] = {"choice": choice}
    try:
        labels = sorted({_label(path) for path in same_name})
        if len(labels) > 1:
            raise InputError(
                "has several versions, "
                + " and ".join(path.fpath.name for path in [bids_path, *others]),
                where="proc-",
                remedy=f"choose one by data.proc: {' or '.join(labels)}",
            )
        if others:
            raise InputError(
                "has the name of another recording, "
                + " and ".join(str(other.fpath) for other in others),
                remedy="keep one of them and move the others out of the study, or give each a "
                "run-, acq- or proc- of its own in its name",
            )
        if sidecar := _sidecar(bids_path, bids_path.datatype, ".json"):
            properties = read_json_object(sidecar)
            fields["rate"] = sampling_rate(properties, sidecar)
            fields["mains"] = mains_frequency(properties, sidecar)
        if table := _sidecar(bids_path, "channels", ".tsv"):
            channels = read_channels(table)
            fields["bads"] = tuple(bad_channels(channels))
            fields["ecg"] = ecg_channel(channels)
        # Bad segments belong to one recording, so its events are not inherited.
        events = bids_path.fpath.with_name(f"{_name(bids_path.fpath)}_events.tsv")
        if events.exists():
            fields["bad_spans"] = read_bad_segments(events)
            fields["choice"] = replace(choice, table=read_events(events) if choice.names else ())
        fields["empty_room"] = _empty_room_recording(root, bids_path)
        if anatomy:
            fields["anatomy"] = find_anatomy(root, *_participant_and_session(bids_path))
    except InputError as error:
        fields["problem"] = str(error)
    return _recording_file(bids_path, **fields)


def _label(bids_path: Any) -> str:
    """Return the label of the version of a recording, proc- or desc-."""
    return str(bids_path.processing or bids_path.description or NO_PROC)


def _recording_file(bids_path: Any, **fields: Any) -> RecordingFile:
    path = bids_path.fpath
    return RecordingFile(str(path), *_participant_and_session(bids_path), _name(path), **fields)


def _participant_and_session(bids_path: Any) -> tuple[str, str]:
    session = f"ses-{bids_path.session}" if bids_path.session else ""
    return f"sub-{bids_path.subject}", session


def _name(path: Path) -> str:
    stem = re.sub(r"_(meg|eeg|raw|epo)$", "", path.name.partition(".")[0])
    return re.sub(r"_split-0?1(?=_|$)", "", stem)


def _sidecar(bids_path: Any, suffix: str, extension: str) -> Path | None:
    """Return the sidecar of a recording by the rules of BIDS, which include inheritance."""
    path = (
        bids_path.copy()
        .update(split=None)
        .find_matching_sidecar(suffix=suffix, extension=extension, on_error="ignore")
    )
    return None if path is None else Path(path)


def _empty_room_recording(root: Path, bids_path: Any) -> str | None:
    """Return the recording of the empty room that belongs to a recording, by sidecar or date."""
    sidecar_only = not (root / f"sub-{_NO_SUBJECT}").is_dir()
    try:
        match = bids_path.find_empty_room(use_sidecar_only=sidecar_only, verbose="error")
    except (FileNotFoundError, RuntimeError, ValueError, OSError):
        return None
    return None if match is None else str(match.fpath)
