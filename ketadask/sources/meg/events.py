"""BIDS ``*_events.tsv`` beside a recording: what somebody who looked at it has called bad."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from ketadask.schema import InputError
from ketadask.sources.delimited import text_rows

_KIND, _ONSET, _DURATION = "trial_type", "onset", "duration"
_BAD = "bad"


def called_bad(path: Path) -> tuple[tuple[float, float], ...]:
    """Return first second and last of the rows whose ``trial_type`` begins with BAD, in any case.

    ``onset`` counts from the first value of the recording, as BIDS says; one before it is allowed.
    Other rows are not looked at. The column ``duration`` must be there: 0 calls a moment bad.
    """
    rows = text_rows(path, "\t")
    _, header = next(rows)
    if _KIND not in header:
        return ()
    kind, found = header.index(_KIND), []
    for line, cells in rows:
        if cells[kind].lower().startswith(_BAD):
            onset, duration = (_seconds(path, line, header, cells, c) for c in (_ONSET, _DURATION))
            if duration < 0:
                raise InputError(
                    "a bad segment ends before it begins",
                    file=path,
                    where=f"row {line}, column {_DURATION}",
                    value=cells[header.index(_DURATION)],
                    remedy="write how many seconds it lasts",
                )
            if onset + duration >= 0:
                found.append((onset, onset + duration))
    return tuple(found)


def _seconds(path: Path, line: int, header: list[str], cells: list[str], column: str) -> float:
    if column not in header:
        raise InputError(
            f"calls segments bad and has no column {column}",
            file=path,
            where=f"row {line}",
            remedy=f"add {column}, in seconds",
        )
    cell = cells[header.index(column)]
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f"the {column} of a bad segment is no number",
            file=path,
            where=f"row {line}, column {column}",
            value=cell,
            remedy="write seconds, with a point",
        )
    return value


def merged(spans: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Return spans in order, those that overlap or touch as one.

    Examples
    --------
    >>> merged([(9.0, 9.0), (3.0, 5.0), (4.5, 6.0)])
    ((3.0, 6.0), (9.0, 9.0))
    """
    made: list[tuple[float, float]] = []
    for first, last in sorted(spans):
        if made and first <= made[-1][1]:
            made[-1] = made[-1][0], max(made[-1][1], last)
        else:
            made.append((first, last))
    return tuple(made)
