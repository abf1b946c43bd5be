"""Headers of recordings, read by mne, and the two ways their values are reached."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ketadask.schema.errors import InputError
from ketadask.sources.meg.channels import Channels, bare_name, kind_of_coil, place_of
from ketadask.sources.meg.compensation import compensation_matrices
from ketadask.sources.meg.ctf_files import bad_segments, ctf_files, from_beginning

# mne's readers share file positions and warn through global filters.
_MNE = threading.RLock()
_BAD, _EDGE, _BOUNDARY = "bad", "edge", "bad boundary"
_MEASURES = {"planar": "fT/m"}


class Source(Protocol):
    """Where values come from."""

    def read(self, start: int, stop: int, rows: np.ndarray) -> np.ndarray:
        """Return a window in tesla, float64 (channel, time), as recorded."""
        ...


@dataclass(frozen=True, eq=False)
class Header:
    """What is known of a recording before any value is read.

    Attributes
    ----------
    rate, length
        Time points per second, and in all.
    grade, comps
        Gradient compensation as recorded, and by grade what it subtracts from grade 0.
    channels
        Sensors and references; stimulus, EEG and others are left out.
    measured
        When, in UTC, or None.
    edges
        First time points of the trials: the field may jump there.
    bad_spans
        First second and last of what the recording itself calls bad.
    """

    rate: float
    length: int
    grade: int
    comps: Mapping[int, np.ndarray]
    channels: Channels
    measured: Any
    edges: tuple[int, ...]
    bad_spans: tuple[tuple[float, float], ...]
    source: Source


class MneSource:
    """Values of a FIF recording, through mne, one reader at a time."""

    def __init__(self, raw: Any, picks: np.ndarray) -> None:
        self._raw, self._picks = raw, picks

    def read(self, start: int, stop: int, rows: np.ndarray) -> np.ndarray:
        """Return a window in tesla, float64 (channel, time), as recorded."""
        with _MNE:
            try:
                return self._raw[self._picks[rows], start:stop][0]
            except (OSError, RuntimeError, ValueError) as error:
                raise InputError(
                    f"the recording cannot be read ({_first_line(error)})",
                    file=self._raw.filenames[0],
                    where=f"time points {start} to {stop}",
                    remedy="copy it again: the file may be cut off",
                ) from error


def read_header(path: Path) -> Header:
    """Read the header of a recording; of a broken one an InputError says what is wrong."""
    ctf = path.name.endswith(".ds")
    if ctf:
        _check_ctf(path)
    called_bad = bad_segments(path) if ctf else []
    raw = _opened(path, ctf)
    found = _kinds(raw)
    picks = np.array(sorted(found), dtype=int)
    if not any(kind != "reference" for kind in found.values()):
        raise InputError("the recording has no MEG sensors", file=path, remedy="check the file")
    chs = [raw.info["chs"][k] for k in picks]
    channels = _channels(raw, picks, found)
    if ctf:
        # What one stored unit means: mne applies `cal` (gains) and `range` to every integer.
        scale = np.array([each["cal"] * each["range"] for each in chs])
        files = ctf_files(path, [Path(f) for f in raw.filenames], raw.n_times, picks, scale)
        source: Source = files
        edges = files.edges
        spans = from_beginning(path, called_bad, float(raw.info["sfreq"]))
    else:
        source, (edges, spans) = MneSource(raw, picks), _annotated(raw)
    return Header(
        rate=float(raw.info["sfreq"]),
        length=int(raw.n_times),
        grade=int(raw.compensation_grade or 0),
        comps=compensation_matrices(raw.info["comps"], channels.names),
        channels=channels,
        measured=raw.info["meas_date"],
        edges=edges,
        bad_spans=spans,
        source=source,
    )


def _opened(path: Path, ctf: bool) -> Any:
    import mne

    with _MNE, _quiet() as caught:
        try:
            if ctf:
                return mne.io.read_raw_ctf(path, clean_names=True, preload=False, verbose="error")
            raw = mne.io.read_raw_fif(
                path,
                preload=False,
                allow_maxshield="yes",
                verbose="warning",
                on_split_missing="raise",
            )
        except Exception as error:
            # mne's readers raise whatever the bytes lead them to.
            told = isinstance(error, OSError | RuntimeError | ValueError)
            why = _first_line(error) if told else "its header makes no sense"
            raise InputError(
                f"not a whole recording ({why})",
                file=path,
                remedy="copy it again from where it was recorded",
            ) from error
    # mne says so and goes on with what is there.
    if any(str(each.message).startswith("Invalid tag") for each in caught):
        raise InputError("the recording is cut off", file=path, remedy="copy it again")
    return raw


def _annotated(raw: Any) -> tuple[tuple[int, ...], tuple[tuple[float, float], ...]]:
    """Return where trials begin and what is bad, as the annotations of mne say."""
    edges, spans = {0}, []
    for each in raw.annotations:
        word = str(each["description"]).lower()
        first = float(each["onset"]) - raw.first_time
        if word.startswith(_EDGE) or word == _BOUNDARY:
            edges.add(round(first * float(raw.info["sfreq"])))
        if word.startswith(_BAD):
            spans.append((first, first + float(each["duration"])))
    return tuple(sorted(edges)), tuple(spans)


def _kinds(raw: Any) -> dict[int, str]:
    types = raw.get_channel_types()
    coils = [each["coil_type"] for each in raw.info["chs"]]
    kinds = (kind_of_coil(word, coil) for word, coil in zip(types, coils, strict=True))
    return {k: kind for k, kind in enumerate(kinds) if kind is not None}


def _channels(raw: Any, picks: np.ndarray, kinds: Mapping[int, str]) -> Channels:
    chs = [raw.info["chs"][k] for k in picks]
    names = tuple(bare_name(each["ch_name"]) for each in chs)
    position = np.array([each["loc"][:3] for each in chs], dtype=float).reshape(-1, 3)
    kind = np.array([kinds[k] for k in picks], dtype=np.str_)
    places = [
        ("", "") if word == "reference" else place_of(name, where)
        for word, name, where in zip(kind, names, position, strict=True)
    ]
    bads = {bare_name(name) for name in raw.info["bads"]}
    return Channels(
        names=names,
        kind=kind,
        region=np.array([region for region, _ in places], dtype=np.str_),
        hemisphere=np.array([side for _, side in places], dtype=np.str_),
        measure=np.array([_MEASURES.get(word, "fT") for word in kind], dtype=np.str_),
        position=position,
        bad=np.array([name in bads for name in names], dtype=bool),
    )


def _check_ctf(path: Path) -> None:
    if not path.is_dir():
        raise InputError("not a folder", file=path, remedy="a CTF recording is a folder .ds")
    for ending in ("res4", "meg4"):
        found = sorted(file.name for file in path.glob(f"*.{ending}"))
        if not found:
            raise InputError(
                f"the folder has no .{ending}",
                file=path,
                remedy="copy the whole folder from where it was recorded",
            )
        if f"{path.stem}.{ending}" not in found:
            raise InputError(
                "the folder was renamed and its files were not",
                file=path,
                value=found[0],
                remedy=f"rename the files in it to {path.stem}.*",
            )


class _quiet(warnings.catch_warnings):  # noqa: N801
    """Keep warnings of mne out of the study's: what matters of them becomes an error here."""

    def __init__(self) -> None:
        super().__init__(record=True)

    def __enter__(self) -> Any:
        caught = super().__enter__()
        warnings.simplefilter("always")
        return caught


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:160]
