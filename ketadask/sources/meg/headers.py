"""Headers of recordings, read by mne, and the sources of their values."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ketadask import names as nm
from ketadask.schema.errors import InputError
from ketadask.sources.meg.channels import (
    AUXILIARY,
    ELECTRODE,
    FIELD_UNIT,
    REFERENCE,
    UNITS,
    UNKNOWN,
    Channels,
    bare_name,
    channel_kind,
    electrode_region,
    is_ctf_gradiometer,
    position_regions,
    sensor_region,
)
from ketadask.sources.meg.compensation import compensation_matrices
from ketadask.sources.meg.ctf_files import open_ctf_files, read_ctf_bad_segments, recording_spans
from ketadask.sources.meg.epochs import EPOCHS_ENDINGS, EpochsSeries
from ketadask.sources.meg.fif_tags import check_tags

# mne's readers share file positions and warn through global filters.
_MNE = threading.RLock()
# mne's readers by the end of a file or folder; recordings of BTi/4D are folders without one.
READERS = {
    ".ds": "read_raw_ctf",
    ".fif": "read_raw_fif",
    ".fif.gz": "read_raw_fif",
    ".con": "read_raw_kit",
    ".sqd": "read_raw_kit",
    ".edf": "read_raw_edf",
    ".bdf": "read_raw_bdf",
    ".vhdr": "read_raw_brainvision",
    ".set": "read_raw_eeglab",
    ".raw": "read_raw_egi",
}
_BTI_FILES = ("c,rf*", "hc,rf*", "e,rf*")
# The 10-05 system; mne 1.13 has renamed it.
_MONTAGES = ("colin27_1005", "standard_1005")
_BAD, _EDGE, _BOUNDARY = "bad", "edge", "bad boundary"
_COPY = "copy it again from the original"


class FieldSource(Protocol):
    """Reads the values of a recording."""

    def read(self, start: int, stop: int, rows: np.ndarray) -> np.ndarray:
        """Return a window in tesla, float64 (channel, time), as recorded."""
        ...


@dataclass(frozen=True, eq=False)
class RecordingHeader:
    """The properties of a recording without its values.

    Attributes
    ----------
    rate, length
        Time points per second, and in all.
    grade, comps
        Gradient compensation as recorded, and by grade what it subtracts from grade 0.
    channels
        Sensors and references.
    auxiliary
        Names of the other channels, by kind: ecg, eog, stim, eeg.
    is_ctf
        Whether the sensors are those of CTF, which need gradient compensation.
    rank
        Dimensions that signal space separation (SSS) left of the field, None without it.
    mains
        Hz, None where the recording does not say it.
    low_pass
        Hz up to which it was filtered, by the acquisition or later.
    edges
        First time points of the trials: the field may jump there.
    bad_spans
        First and last second of the segments that the recording itself marks as bad.
    measurement
        ``info`` of mne: coils, fiducials, position of the head.
    events
        Onset, duration and name of what the recording itself marks.
    is_epochs
        Whether it is a file of epochs, one after the other, which are its events.
    """

    rate: float
    length: int
    grade: int
    comps: Mapping[int, np.ndarray]
    channels: Channels
    auxiliary: Mapping[str, tuple[str, ...]]
    is_ctf: bool
    rank: int | None
    mains: float | None
    low_pass: float
    edges: tuple[int, ...]
    bad_spans: tuple[tuple[float, float], ...]
    measurement: Any
    events: tuple[tuple[float, float, str], ...] = ()
    is_epochs: bool = False


class MneSource:
    """Values of a FIF recording, through mne, one reader at a time."""

    def __init__(self, raw: Any, picks: np.ndarray) -> None:
        self._raw, self._picks = raw, picks

    def read(self, start: int, stop: int, rows: np.ndarray) -> np.ndarray:
        """Return a window in tesla, float64 (channel, time), as recorded."""
        with _MNE:
            try:
                field: np.ndarray = self._raw[self._picks[rows], start:stop][0]
            except (OSError, RuntimeError, ValueError) as error:
                raise InputError(
                    f"the recording cannot be read ({_first_line(error)})",
                    file=self._raw.filenames[0],
                    where=f"time points {start} to {stop}",
                    remedy="copy it again: the file may be cut off",
                ) from error
        return field


def bti_file(folder: Path) -> Path | None:
    """Return the file of the values in a folder of BTi/4D, None where it is none."""
    if not (folder / "config").is_file():
        return None
    return next((file for pattern in _BTI_FILES for file in sorted(folder.glob(pattern))), None)


def read_header(path: Path, ch_type: str = "") -> tuple[RecordingHeader, FieldSource]:
    """Return the header of a recording and what reads its values.

    An InputError says what is wrong with a broken recording.
    """
    is_ctf = path.name.endswith(".ds")
    if is_ctf:
        _check_ctf(path)
        segments = read_ctf_bad_segments(path)  # before mne stumbles over a malformed line
    raw = _open_raw(path)
    kinds = _channel_kinds(raw)
    is_meg = any(kind != REFERENCE for kind in kinds.values())
    auxiliary = _auxiliary_positions(raw)
    if ch_type == nm.EEG or not (ch_type or is_meg):
        kinds = dict.fromkeys(auxiliary.pop(nm.EEG, ()), ELECTRODE)
    if not any(kind != REFERENCE for kind in kinds.values()):
        what = ch_type.upper() or "MEG or EEG"
        raise InputError(f"the recording has no {what} sensors", file=path, remedy="check the file")
    # The source has sensors and references first, then the other channels, kind by kind.
    picks = np.array([*sorted(kinds), *(k for own in auxiliary.values() for k in own)], dtype=int)
    chs = [raw.info["chs"][k] for k in picks]
    channels = _channels(raw, chs[: len(kinds)], [kinds[k] for k in sorted(kinds)])
    rate = float(raw.info["sfreq"])
    source: FieldSource
    if is_ctf:
        # What one stored unit means: mne applies `cal` (gains) and `range` to every integer.
        scale = np.array([ch["cal"] * ch["range"] for ch in chs])
        files = open_ctf_files(path, [Path(f) for f in raw.filenames], raw.n_times, picks, scale)
        source, edges, spans = files, files.edges, recording_spans(path, segments, rate)
    else:
        source, (edges, spans) = MneSource(raw, picks), _edges_and_bad_spans(raw)
    header = RecordingHeader(
        rate=rate,
        length=int(raw.n_times),
        grade=_grade(raw, path),
        comps=compensation_matrices(raw.info["comps"], channels.names),
        channels=channels,
        auxiliary={
            kind: tuple(bare_name(raw.ch_names[k]) for k in own) for kind, own in auxiliary.items()
        },
        is_ctf=any(is_ctf_gradiometer(ch["coil_type"]) for ch in chs[: len(kinds)]),
        rank=_separation_rank(raw),
        mains=raw.info["line_freq"] or None,
        low_pass=float(raw.info["lowpass"] or rate / 2),
        edges=edges,
        bad_spans=spans,
        measurement=raw.info,
        events=_events(raw),
        is_epochs=isinstance(raw, EpochsSeries),
    )
    return header, source


def _open_raw(path: Path) -> Any:
    import mne

    reader = next((name for end, name in READERS.items() if path.name.endswith(end)), "")
    if reader == "read_raw_ctf":
        options: dict[str, Any] = {"clean_names": True, "verbose": "error"}
    elif reader == "read_raw_fif":
        options = {"verbose": "warning", "on_split_missing": "raise"}
        check_tags(path)
    else:
        options = {"verbose": "error"}
    # What matters of mne's warnings becomes an error here.
    with _MNE, warnings.catch_warnings(record=True) as messages:
        warnings.simplefilter("always")
        try:
            if path.name.endswith(EPOCHS_ENDINGS):
                raw = EpochsSeries(path)
            elif reader:
                raw = getattr(mne.io, reader)(path, preload=False, **options)
            else:
                shape = path / "hs_file"
                raw = mne.io.read_raw_bti(
                    bti_file(path), path / "config", shape if shape.is_file() else None,
                    rename_channels=False, preload=False, **options,
                )  # fmt: skip
        except Exception as error:
            if "Internal Active Shielding" in str(error):
                raise InputError(
                    "a raw MaxShield recording: active shielding distorts the field",
                    file=path,
                    remedy="process it by MaxFilter or mne.preprocessing.maxwell_filter, and use "
                    "the output",
                ) from error
            # mne's readers raise whatever the bytes lead them to.
            is_usual = isinstance(error, OSError | RuntimeError | ValueError)
            reason = _first_line(error) if is_usual else "its header makes no sense"
            raise InputError(
                f"not a complete recording ({reason})", file=path, remedy=_COPY
            ) from error
    # mne warns of a tag that is cut off and returns the values before it.
    if any(str(message.message).startswith("Invalid tag") for message in messages):
        raise InputError("the recording is cut off", file=path, remedy="copy it again")
    return raw


def _place_electrodes(raw: Any, names: tuple[str, ...], position: np.ndarray) -> np.ndarray:
    """Return the positions of electrodes: of the file, else the usual ones of their names."""
    import mne

    has_place = np.isfinite(position).all(axis=1) & position.any(axis=1)
    if has_place.all():
        return position
    builtin = mne.channels.get_builtin_montages()
    montage = next(name for name in _MONTAGES if name in builtin)
    usual = mne.channels.make_standard_montage(montage).get_positions()["ch_pos"]
    places = {name.upper(): place for name, place in usual.items()}
    unknown = np.full(3, np.nan)
    usual_position = np.array([places.get(name.upper(), unknown) for name in names])
    return np.where(has_place[:, None], position, usual_position)


def _edges_and_bad_spans(raw: Any) -> tuple[tuple[int, ...], tuple[tuple[float, float], ...]]:
    """Return the starts of trials and the bad spans, from the annotations of mne."""
    edges, spans = {0}, []
    for annotation in raw.annotations:
        word = str(annotation["description"]).lower()
        first = float(annotation["onset"]) - raw.first_time
        if word.startswith(_EDGE) or word == _BOUNDARY:
            edges.add(round(first * float(raw.info["sfreq"])))
        if word.startswith(_BAD):
            spans.append((first, first + float(annotation["duration"])))
    return tuple(sorted(edges)), tuple(spans)


def _events(raw: Any) -> tuple[tuple[float, float, str], ...]:
    return tuple(
        (float(each["onset"]) - raw.first_time, float(each["duration"]), str(each["description"]))
        for each in raw.annotations
        if not str(each["description"]).lower().startswith((_BAD, _EDGE))
    )


def _grade(raw: Any, path: Path) -> int:
    try:
        return int(raw.compensation_grade or 0)
    except ValueError as error:
        raise InputError(
            f"its sensors have different gradient compensations ({_first_line(error)})",
            file=path,
            remedy="use the original recording",
        ) from error


def _separation_rank(raw: Any) -> int | None:
    """Return the dimensions of the field after SSS, from the history that MaxFilter or mne left."""
    for step in raw.info["proc_history"][::-1]:
        separation = step.get("max_info", {}).get("sss_info", {})
        if "nfree" in separation:
            return int(np.ravel(separation["nfree"])[0])
    return None


def _auxiliary_positions(raw: Any) -> dict[str, list[int]]:
    types = raw.get_channel_types()
    positions = {kind: [k for k, own in enumerate(types) if own == kind] for kind in AUXILIARY}
    return {kind: own for kind, own in positions.items() if own}


def _channel_kinds(raw: Any) -> dict[int, str]:
    coils = [ch["coil_type"] for ch in raw.info["chs"]]
    kinds = map(channel_kind, raw.get_channel_types(), coils)
    return {k: kind for k, kind in enumerate(kinds) if kind is not None}


def _channels(raw: Any, chs: list[Any], kinds: list[str]) -> Channels:
    names = tuple(bare_name(ch["ch_name"]).removeprefix("EEG ") for ch in chs)
    position = np.array([ch["loc"][:3] for ch in chs], dtype=float).reshape(-1, 3)
    if ELECTRODE in kinds:
        position = _place_electrodes(raw, names, position)
    regions = [
        (UNKNOWN, UNKNOWN)
        if kind == REFERENCE
        else electrode_region(name)
        if kind == ELECTRODE
        else sensor_region(name, xyz)
        for kind, name, xyz in zip(kinds, names, position.tolist(), strict=True)
    ]
    sensors = [row for row, kind in enumerate(kinds) if kind != REFERENCE]
    if not any(regions[row][0] for row in sensors):
        for row, region in zip(sensors, position_regions(position[sensors]), strict=True):
            side = regions[row][1] or sensor_region("", position[row].tolist())[1]
            regions[row] = region, side
    bads = {bare_name(name) for name in raw.info["bads"]}
    return Channels(
        names=names,
        kind=np.array(kinds, dtype=np.str_),
        region=np.array([region for region, _ in regions], dtype=np.str_),
        hemisphere=np.array([hemisphere for _, hemisphere in regions], dtype=np.str_),
        measurement_unit=np.array([UNITS.get(kind, FIELD_UNIT)[0] for kind in kinds]),
        position=position,
        bad=np.array([name in bads for name in names], dtype=bool),
    )


def _check_ctf(path: Path) -> None:
    if not path.is_dir():
        raise InputError("not a folder", file=path, remedy="a CTF recording is a folder .ds")
    for ending in ("res4", "meg4"):
        files = sorted(file.name for file in path.glob(f"*.{ending}"))
        if not files:
            raise InputError(
                f"the folder has no .{ending}",
                file=path,
                remedy="copy the complete folder from the original",
            )
        if f"{path.stem}.{ending}" not in files:
            raise InputError(
                "the files have another name than their folder",
                file=path,
                value=files[0],
                remedy=f"rename the files in it to {path.stem}.*",
            )


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:160]
