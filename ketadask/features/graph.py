"""How recordings become features: one task per recording, one part per recording.

A task gets a path and settings, streams the recording in one thread and writes its features, its
quality and its spectrum as one part; only the receipt comes back. A recording is not cut into tasks
of some time each: which sensors and seconds are bad is known when all of it was read, and a whole
helmet of five minutes takes five seconds. A part that exists is never
computed again, whatever was killed in between. A recording that cannot be used becomes a part that
says why, so the study goes on and asks again only when the file, its sidecar or the settings have
changed: all of them are in the name or the key of the part. `band_power` is the same work as a lazy
array for a notebook, one block per recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
from dask.delayed import Delayed, delayed

from ketadask import names as nm
from ketadask.features.meg.extraction import extract
from ketadask.features.meg.registry import features
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
                dask_key_name=f"recording-{names[first]}-{parts.key[:8]}",
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
    """Return band power of opened recordings, lazily: nothing is read until somebody computes.

    Parameters
    ----------
    recordings
        What ``open_recordings`` returns, or a part of it.
    settings
        How recordings are cleaned; ``features`` may name another set than ``power``.

    Returns
    -------
    ``value`` (recording, feature), one block per recording, NaN where a recording cannot be used;
    coordinates participant, session, and of features group, measurement_unit and label.
    ``assemble`` takes it as it is.
    """
    import xarray as xr

    settings = settings or MegSettings(features=POWER)
    wanted = features(settings.features)
    found = [_found(node.dataset) for node in recordings.leaves if nm.FIELD in node.data_vars]
    task = delayed(_values, pure=True)
    rows = [
        da.from_delayed(task(each, settings), shape=(len(wanted),), dtype=np.float64)
        for each in found
    ]
    stacked = da.stack(rows) if rows else da.empty((0, len(wanted)))

    def words(values: Sequence[str]) -> np.ndarray:
        return np.array(values, dtype=np.str_)

    return xr.Dataset(
        {"value": ((nm.RECORDING, nm.FEATURE), stacked)},
        {
            nm.RECORDING: (nm.RECORDING, words([each.name for each in found])),
            nm.PARTICIPANT: (nm.RECORDING, words([each.participant for each in found])),
            "session": (nm.RECORDING, words([each.session for each in found])),
            nm.FEATURE: (nm.FEATURE, words([each.name for each in wanted])),
            "group": (nm.FEATURE, words([each.family for each in wanted])),
            "measurement_unit": (nm.FEATURE, words([each.measurement_unit for each in wanted])),
            "label": (nm.FEATURE, words([each.label for each in wanted])),
        },
        {"set": settings.features},
    )


def _write(found: RecordingFile, settings: MegSettings, parts: Parts, name: str) -> Receipt:
    facts = {"recording": found.name, nm.PARTICIPANT: found.participant, "session": found.session}
    try:
        made = extract(found, settings)
    except InputError as error:
        return parts.write(name, {}, facts={**facts, FAILURE: str(error)})
    return parts.write(
        name, made.tables(), facts={**facts, "quality": made.quality.iloc[0].to_dict()}
    )


def _values(found: RecordingFile, settings: MegSettings) -> np.ndarray:
    try:
        return extract(found, settings).features["value"].to_numpy(dtype=np.float64)
    except InputError:
        return np.full(len(features(settings.features)), np.nan)


def _found(opened: xr.Dataset) -> RecordingFile:
    about = opened.attrs
    bad_seconds = opened["bad_seconds"].values.tolist() if "bad_seconds" in opened else ()
    bads = tuple(str(name) for name in opened[nm.CHANNEL].values[opened["bad"].values])
    recording = Recording.at(about["source"])
    return RecordingFile(
        about["source"],
        about.get("participant", ""),
        about.get("session", ""),
        recording.name.removesuffix("_meg"),
        bads,
        mains=about.get("mains"),
        bad_spans=tuple((a, b) for a, b in bad_seconds),
    )
