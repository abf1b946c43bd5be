"""The field of a dataset that a user may have cropped, scaled, picked or resampled.

Everything about time and channels comes from the coordinates of the dataset; what coordinates do
not hold (matrices of compensation, starts of trials, marked segments) comes from the header of the
file it was opened from, moved to its time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.features.meg.extraction import RecordingFeatures, measure_recording
from ketadask.features.meg.settings import MegSettings
from ketadask.features.meg.stream import (
    WINDOW,
    DecimatedField,
    Decimation,
    decimate_ecg,
    is_jump,
)
from ketadask.schema.errors import InputError
from ketadask.sources.meg.channels import Channels
from ketadask.sources.meg.collection import RecordingFile
from ketadask.sources.meg.headers import RecordingHeader
from ketadask.sources.meg.recording import Recording

if TYPE_CHECKING:
    import xarray as xr

_UNEQUAL = 1e-3  # of the distance of two time points: coordinates are rounded


@dataclass(frozen=True, eq=False)
class FieldBlock:
    """A window of the field at the lower rate, and the smallest and largest value of a sensor."""

    field: np.ndarray
    low: np.ndarray
    high: np.ndarray


def dataset_recording(dataset: xr.Dataset, path: Sequence[str] = ()) -> RecordingFile:
    """Return the entry of a recording by the attributes of its dataset, or its ``path`` in a tree.

    Bad channels and segments are those that the dataset marks now.
    """
    attrs = dataset.attrs
    labels = {word[:4]: word for word in path}
    bad = dataset.coords["bad"].variable if "bad" in dataset.coords else None
    is_bad = np.zeros(0, dtype=bool) if bad is None or bad.chunks is not None else bad.values
    spans = dataset["bad_seconds"].values.tolist() if "bad_seconds" in dataset else []
    source = str(attrs.get("source", ""))
    stem = Recording(source, (0, 0)).name if source else ""
    name = stem.removesuffix("_meg").removesuffix("_eeg")
    return RecordingFile(
        source,
        attrs.get("participant") or labels.get("sub-", ""),
        attrs.get("session") or labels.get("ses-", ""),
        name or (path[-1] if path else "recording"),
        bads=tuple(map(str, dataset[nm.CHANNEL].values[np.flatnonzero(is_bad)])),
        mains=attrs.get("mains"),
        ecg=attrs.get("ecg") or None,
        bad_spans=tuple((first, last) for first, last in spans),
    )


def dataset_header(dataset: xr.Dataset, file: RecordingFile) -> RecordingHeader:
    """Return the header of a dataset, by its coordinates and the header of its file.

    Seconds of marked segments stay those of the time coordinate: see `shift_spans`.
    """
    where = file.path or file.name
    if nm.FIELD not in dataset or set(dataset[nm.FIELD].dims) != {nm.CHANNEL, nm.TIME}:
        raise InputError("a recording needs the variable field (channel, time)", file=where)
    time = np.asarray(dataset[nm.TIME].values)
    rate = time_rate(time, dataset.attrs.get("rate"), where)
    is_there = bool(file.path) and Path(file.path).exists()
    origin = Recording.at(file.path).header if is_there else None
    channels = _channels(dataset, origin, where)
    if origin is None:
        if not channels.sensors.all():
            raise InputError(
                "reference channels without their compensation",
                file=where,
                remedy="keep the attributes of the dataset: xr.set_options(keep_attrs=True)",
            )
        grade = int(dataset.attrs.get("grade", 0))
        return RecordingHeader(
            rate, time.size, grade, {}, channels, {}, is_ctf=False, rank=None, mains=None,
            low_pass=rate / 2, edges=(), bad_spans=(), measurement=None,
        )  # fmt: skip
    edges = [round((edge / origin.rate - time[0]) * rate) for edge in origin.edges]
    return replace(
        origin,
        rate=rate,
        length=time.size,
        grade=int(dataset.attrs.get("grade", origin.grade)),
        comps=_compensation_of(channels.names, origin),
        channels=channels,
        auxiliary={
            kind: tuple(map(str, dataset[f"{kind}_{nm.CHANNEL}"].values))
            for kind in origin.auxiliary
            if kind in dataset
        },
        edges=tuple(edge for edge in edges if 0 < edge < time.size - 1),
        events=(),
        is_epochs=False,
    )


def time_rate(time: np.ndarray, rate_of_file: float | None, where: str) -> float:
    """Return the time points per second of a coordinate; those of the file where they agree.

    Examples
    --------
    >>> time_rate(np.arange(4) / 250, 250.0, "a.fif"), time_rate(np.arange(4) / 300, 250.0, "a.fif")
    (250.0, 300.0)
    """
    if time.size < 2 or time.dtype.kind != "f":
        raise InputError("time must be two or more seconds", file=where, value=str(time.dtype))
    step = float(time[-1] - time[0]) / (time.size - 1)
    if not step > 0 or np.abs(np.diff(time) - step).max() > _UNEQUAL * step:
        raise InputError(
            "its time points are not equally spaced",
            file=where,
            where=nm.TIME,
            remedy="select one span of time, and mark segments to leave out in bad_seconds",
        )
    rate = round(1 / step, 9)
    return rate_of_file if rate_of_file and abs(rate / rate_of_file - 1) < 1e-9 else rate


def shift_spans(
    spans: Sequence[tuple[float, float]], start: float, seconds: float
) -> tuple[tuple[float, float], ...]:
    """Return the spans within the ``seconds`` from ``start``, counted from there.

    Examples
    --------
    >>> shift_spans([(1.0, 3.0), (9.0, 12.0)], 2.0, 8.0), shift_spans([(1.0, 1.5)], 2.0, 8.0)
    (((0.0, 1.0), (7.0, 8.0)), ())
    """
    inside = ((max(first - start, 0.0), min(last - start, seconds)) for first, last in spans)
    return tuple((first, last) for first, last in inside if first <= last)


def block_of_field(
    raw: np.ndarray,
    start: int,
    window: tuple[int, int],
    plan: Decimation,
    jumps: Sequence[int],
    offset: np.ndarray,
) -> FieldBlock:
    """Filter the time points from ``start`` on; return the values ``window`` at the lower rate."""
    raw = (raw - offset[:, None]).astype(np.float32)
    values = np.empty((len(plan.rows), window[1] - window[0]), dtype=np.float32)
    sensors = raw[plan.outputs]
    for piece_first, piece_last, begin, end in plan.windows(jumps, max(1, plan.n_values)):
        first, last = max(piece_first, window[0]), min(piece_last, window[1])
        if first < last:
            support = plan.support(first, last)
            inside = max(support[0], begin), min(support[1], end)
            block = raw[:, inside[0] - start : inside[1] - start]
            plan.filter(block, inside, values[:, first - window[0] : last - window[0]], first)
    return FieldBlock(values, sensors.min(axis=1), sensors.max(axis=1))


def find_dataset_jumps(edges: Sequence[int], fields: Sequence[np.ndarray]) -> list[int]:
    """Return the starts of trials at which the field around them jumps."""
    return [edge for edge, field in zip(edges, fields, strict=True) if is_jump(field, edge)]


def mean_field(beginning: np.ndarray) -> np.ndarray:
    """Return the mean of each channel over its first seconds, (channel,)."""
    return np.asarray(beginning.mean(axis=1, dtype=np.float64))


def measure_blocks(
    blocks: Sequence[FieldBlock],
    plan: Decimation,
    jumps: Sequence[int],
    header: RecordingHeader,
    file: RecordingFile,
    settings: MegSettings,
    bad: np.ndarray | None = None,
    ecg: np.ndarray | None = None,
) -> RecordingFeatures:
    """Join the blocks of a recording, and measure it."""
    field = np.concatenate([block.field for block in blocks], axis=1)
    if not np.isfinite(field).all():
        raise InputError(
            "the field has missing values",
            file=file.path or file.name,
            remedy="select the time without them",
        )
    low = np.min([block.low for block in blocks], axis=0)
    high = np.max([block.high for block in blocks], axis=0)
    rate, starts = plan.rate / plan.factor, plan.starts(jumps)
    for start, stop in pairwise([*starts[1:], plan.n_values]):
        piece = field[:, start:stop]
        piece -= piece[:, : round(WINDOW * rate)].mean(axis=1, keepdims=True)
    breaks = tuple(start for start in starts[1:] if start < plan.n_values)
    data = DecimatedField(field, rate, plan.rows, high - low, plan.grade, breaks)
    if ecg is not None:
        data = replace(data, ecg=decimate_ecg(np.asarray(ecg, dtype=np.float64), plan))
    if bad is not None:
        header = replace(header, channels=replace(header.channels, bad=np.asarray(bad)))
    return measure_recording(file, header, data, settings)


def _channels(dataset: xr.Dataset, origin: RecordingHeader | None, where: str) -> Channels:
    names = tuple(map(str, dataset[nm.CHANNEL].values))
    coordinates: dict[str, np.ndarray] = {}
    if origin is not None and set(names) <= set(origin.channels.names):
        rows = [origin.channels.names.index(name) for name in names]
        own: Mapping[str, Any] = vars(origin.channels)
        coordinates = {
            name: own[name][rows]
            for name in ("kind", nm.REGION, "hemisphere", "measurement_unit", "position", "bad")
        }
    in_memory = {str(k): v.values for k, v in dataset.coords.items() if v.chunks is None}
    coordinates |= {name: values for name, values in in_memory.items() if name in _COORDINATES}
    if set("xyz") <= set(in_memory):
        coordinates["position"] = np.column_stack([in_memory[axis] for axis in "xyz"])
    missing = sorted({*_COORDINATES, "position"} - set(coordinates))
    if missing:
        raise InputError(
            f"its channels lack the coordinate {missing[0]}",
            file=where,
            remedy="keep the coordinates that open_recordings gives",
        )
    return Channels(names, **coordinates)


_COORDINATES = ("kind", nm.REGION, "hemisphere", "measurement_unit", "bad")


def _compensation_of(names: Sequence[str], origin: RecordingHeader) -> dict[int, np.ndarray]:
    """Return the matrices whose references are all among ``names``, for these channels."""
    own = origin.channels.names
    if not set(names) <= set(own):
        return {}
    rows = np.array([own.index(name) for name in names], dtype=np.int64)
    return {
        grade: matrix[np.ix_(rows, rows)]
        for grade, matrix in origin.comps.items()
        if set(np.flatnonzero(matrix.any(axis=0)).tolist()) <= set(rows.tolist())
    }
