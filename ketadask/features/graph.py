"""How recordings become features: one task per recording, one part per recording.

A task gets a path and settings, streams the recording in one thread and writes its features, its
quality and its spectrum as one part; only the receipt comes back. A recording is not cut into tasks
of some time each: bad sensors and segments are known only after all of it was read, and a complete
helmet of five minutes takes five seconds. A finished part is never computed again, even after a
crash. A recording that cannot be used becomes a part with the reason, so the study continues and
tries again only when the file, its sidecar or the settings have changed: all of them are in the
name or the key of the part. `band_power` is the same work as a lazy array for a notebook, one block
per recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.delayed import Delayed, delayed

from ketadask import names as nm
from ketadask.features.meg.extraction import extract_features
from ketadask.features.meg.registry import feature_set
from ketadask.features.meg.settings import POWER, MegSettings
from ketadask.features.meg.table import FAILURE, part_name, recording_parts
from ketadask.pipeline.executor import CurrentScheduler
from ketadask.pipeline.progress import Progress
from ketadask.pipeline.run import run_stage
from ketadask.pipeline.stage import Stage, require
from ketadask.schema.errors import InputError
from ketadask.sources.meg.collection import RecordingFile
from ketadask.sources.meg.recording import Recording
from ketadask.store.parts import Parts, Receipt
from ketadask.store.ranges import Range

if TYPE_CHECKING:
    import xarray as xr


def recordings_stage(
    recordings: Sequence[RecordingFile], settings: MegSettings, parts: Parts
) -> Stage:
    """Return the stage that extracts the features of recordings, a task and a part each."""
    names = [part_name(recording) for recording in recordings]

    def build_graph(ranges: Sequence[Range]) -> list[Delayed]:
        return [
            delayed(_write)(
                recordings[first], settings, parts, names[first],
                dask_key_name=f"recording-{first:06d}-{tokenize(parts, names[first])[:8]}",
            )
            for first, _ in ranges
        ]  # fmt: skip

    n_items = len(recordings)
    return Stage("recordings", "recordings", n_items, build_graph, parts, part_names=names)


def extract_recordings(
    recordings: Sequence[RecordingFile], store: Path | str, settings: MegSettings | None = None
) -> Parts:
    """Extract the features of recordings without a part, on dask's current scheduler."""
    settings = settings or MegSettings()
    parts = recording_parts(store, settings)
    stage = recordings_stage(recordings, settings, parts)
    require(run_stage(stage, CurrentScheduler, Progress.silent()))
    return parts


def band_power(recordings: xr.DataTree, *, settings: MegSettings | None = None) -> xr.Dataset:
    """Return band power of recordings, lazily: nothing is read before ``compute``.

    Parameters
    ----------
    recordings
        What ``open_recordings`` returns, or a part of it.
    settings
        How to clean recordings; ``features`` may name another set than ``power``.

    Returns
    -------
    ``value`` (recording, feature), one block per recording, NaN where a recording cannot be used;
    coordinates participant, session, and of features group, measurement_unit and label. Pass it to
    ``assemble``.

    Examples
    --------
    >>> import ketadask as kd
    >>> folder = kd.simulate_study("study", participants=2, meg_seconds=12)
    >>> power = kd.band_power(kd.open_recordings(folder))
    >>> power["value"].dims, power["value"].chunks is not None
    (('recording', 'feature'), True)
    """
    import xarray as xr

    settings = settings or MegSettings(features=POWER)
    features = feature_set(settings.features)
    nodes = [node.dataset for node in recordings.leaves if nm.FIELD in node.data_vars]
    files = [_recording_file(dataset) for dataset in nodes]
    task = delayed(_values, pure=True)
    rows = [
        da.from_delayed(task(file, settings), shape=(len(features),), dtype=np.float64)  # type: ignore[no-untyped-call]
        for file in files
    ]
    value = da.stack(rows) if rows else da.empty((0, len(features)))  # type: ignore[no-untyped-call]
    coordinates = {
        nm.RECORDING: (nm.RECORDING, [file.name for file in files]),
        nm.PARTICIPANT: (nm.RECORDING, [file.participant for file in files]),
        "session": (nm.RECORDING, [file.session for file in files]),
        nm.FEATURE: (nm.FEATURE, [feature.name for feature in features]),
        "group": (nm.FEATURE, [feature.group for feature in features]),
        "measurement_unit": (nm.FEATURE, [feature.measurement_unit for feature in features]),
        "label": (nm.FEATURE, [feature.label for feature in features]),
    }
    return xr.Dataset(
        {"value": ((nm.RECORDING, nm.FEATURE), value)},
        {name: (dim, np.array(text, dtype=np.str_)) for name, (dim, text) in coordinates.items()},
        {"set": settings.features},
    )


def _write(file: RecordingFile, settings: MegSettings, parts: Parts, name: str) -> Receipt:
    facts = {"recording": file.name, nm.PARTICIPANT: file.participant, "session": file.session}
    try:
        results = extract_features(file, settings)
    except InputError as error:
        return parts.write(name, {}, facts={**facts, FAILURE: str(error)})
    quality = results.quality.iloc[0].to_dict()
    return parts.write(name, results.tables(), facts={**facts, "quality": quality})


def _values(file: RecordingFile, settings: MegSettings) -> np.ndarray:
    try:
        return extract_features(file, settings).features["value"].to_numpy(dtype=np.float64)
    except InputError:
        return np.full(len(feature_set(settings.features)), np.nan)


def _recording_file(dataset: xr.Dataset) -> RecordingFile:
    attrs = dataset.attrs
    bad_spans = dataset["bad_seconds"].values.tolist() if "bad_seconds" in dataset else []
    return RecordingFile(
        attrs["source"],
        attrs.get("participant", ""),
        attrs.get("session", ""),
        Recording.at(attrs["source"]).name.removesuffix("_meg"),
        bads=tuple(str(name) for name in dataset[nm.CHANNEL].values[dataset["bad"].values]),
        mains=attrs.get("mains"),
        ecg=attrs.get("ecg") or None,
        bad_spans=tuple((first, last) for first, last in bad_spans),
    )
