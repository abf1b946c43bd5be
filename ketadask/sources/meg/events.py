"""The seconds of a recording that its events select: task recordings and epochs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ketadask.schema.errors import InputError
from ketadask.sources.delimited import text_rows
from ketadask.sources.meg.sidecars import row_seconds

if TYPE_CHECKING:
    from ketadask.sources.meg.collection import RecordingFile
    from ketadask.sources.meg.headers import RecordingHeader

Event = tuple[float, float, str]
_SHORTEST = 0.5  # seconds, of which 2 Hz is the lowest frequency


@dataclass(frozen=True)
class EventChoice:
    """The events to measure: names, seconds after their onset, and the rows of ``events.tsv``."""

    names: tuple[str, ...] = ()
    window: tuple[float, float] | None = None
    table: tuple[Event, ...] = ()


ALL_TIME = EventChoice()
"""All of a recording, or all epochs of a file of epochs."""


def read_events(path: Path) -> tuple[Event, ...]:
    """Return onset, duration and name of the rows of ``events.tsv``: by ``trial_type``.

    Where it has no such column, the name is that of ``value``. A duration ``n/a`` is 0.
    """
    rows = text_rows(path, "\t")
    _, header = next(rows)
    column = next((name for name in ("trial_type", "value") if name in header), "")
    events = []
    for line, cells in rows if column else ():
        row = dict(zip(header, cells, strict=True))
        if row.get("duration", "n/a").strip() in ("n/a", ""):
            row["duration"] = "0"
        onset, duration = (row_seconds(path, line, row, name) for name in ("onset", "duration"))
        events.append((onset, duration, row[column]))
    return tuple(events)


def event_windows(file: RecordingFile, header: RecordingHeader) -> list[tuple[float, float]]:
    """Return first and last second of what is measured of a recording; none: all of it.

    Events are those of ``events.tsv``, else those that the recording marks itself, else the codes
    of its stimulus channels. Windows that reach beyond the recording are left out. Without a choice
    all epochs of a file of epochs are measured.
    """
    choice, seconds = file.choice, header.length / header.rate
    if not choice.names and not header.is_epochs:
        return []
    if choice.window and header.is_epochs:
        raise InputError(
            "epochs are windows already", file=file.path, where="data.window",
            value=choice.window, remedy="remove it, or use the recording they were cut from",
        )  # fmt: skip
    events = choice.table or header.events or _stimuli(file.path, header)
    names = choice.names or tuple({name for _, _, name in events})
    counts = Counter(name for _, _, name in events)
    for name in names:
        if name not in counts:
            known = ", ".join(f"{own} ({n})" for own, n in sorted(counts.items())) or "no events"
            raise InputError(
                "the recording has no such event", file=file.path, where="data.events", value=name,
                remedy=f"it has {known}",
            )  # fmt: skip
    choices = [event for event in events if event[2] in names]
    if choice.window is None and not min(duration for _, duration, _ in choices) > 0:
        raise InputError(
            "its events have no duration", file=file.path, where="data.window",
            remedy="give first and last second after the onset, such as [0, 2]",
        )  # fmt: skip
    windows = [_window(event, choice.window) for event in sorted(set(choices))]
    step = 0.5 / header.rate
    inside = [each for each in windows if each[0] > -step and each[1] < seconds + step]
    if inside and min(last - first for first, last in inside) < _SHORTEST - step:
        raise InputError(
            f"windows of its events are shorter than {_SHORTEST:g} seconds",
            file=file.path, where="data.window", remedy="choose a longer one",
        )  # fmt: skip
    if not inside:
        raise InputError(
            f"no window of its events lies within its {seconds:g} seconds",
            file=file.path, where="data.window", remedy="choose a shorter one",
        )  # fmt: skip
    return inside


def _window(event: Event, window: tuple[float, float] | None) -> tuple[float, float]:
    onset, duration, _ = event
    first, last = window or (0.0, duration)
    return max(onset + first, 0.0), onset + last


def _stimuli(path: str, header: RecordingHeader) -> Sequence[Event]:
    """Return the codes of the stimulus channels as events without duration, as mne finds them."""
    if "stim" not in header.auxiliary:
        return ()
    import mne

    from ketadask.sources.meg.recording import Recording

    names = list(header.auxiliary["stim"])
    codes = Recording.at(path).read_auxiliary("stim", 0, header.length)
    raw = mne.io.RawArray(codes, mne.create_info(names, header.rate, "stim"), verbose="error")
    events = mne.find_events(raw, names, shortest_event=1, verbose="error")
    return [(point / header.rate, 0.0, str(code)) for point, _, code in events.tolist()]
