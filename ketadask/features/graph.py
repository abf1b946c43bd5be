"""How recordings become features: one task per recording, one part per recording.

A task gets a path and settings, streams the recording in one thread and writes its features, its
quality and its spectrum as one part; only the receipt comes back. A recording is not cut into tasks
of some time each: bad sensors and segments are known only after all of it was read, and a complete
helmet of five minutes takes five seconds. A finished part is never computed again, even after a
crash. A recording that cannot be used becomes a part with the reason, so the study continues and
tries again only when the file, its sidecar or the settings have changed: all of them are in the
name or the key of the part.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dask.base import tokenize
from dask.delayed import Delayed, delayed

from ketadask import names as nm
from ketadask.features.meg.extraction import extract_features
from ketadask.features.meg.settings import MegSettings
from ketadask.features.meg.table import FAILURE, part_name, recording_parts
from ketadask.pipeline.executor import CurrentScheduler
from ketadask.pipeline.progress import Progress
from ketadask.pipeline.run import run_stage
from ketadask.pipeline.stage import Stage, require
from ketadask.schema.errors import InputError
from ketadask.sources.meg.collection import RecordingFile
from ketadask.store.parts import Parts, Receipt
from ketadask.store.ranges import Range

if TYPE_CHECKING:
    pass


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


def _write(file: RecordingFile, settings: MegSettings, parts: Parts, name: str) -> Receipt:
    facts = {"recording": file.name, nm.PARTICIPANT: file.participant, "session": file.session}
    try:
        results = extract_features(file, settings)
    except InputError as error:
        return parts.write(name, {}, facts={**facts, FAILURE: str(error)})
    quality = results.quality.iloc[0].to_dict()
    return parts.write(name, results.tables(), facts={**facts, "quality": quality})
