"""BIDS sidecars of a recording: bad channels, mains, what was said to be recorded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.schema.errors import InputError
from ketadask.sources.cells import read_object
from ketadask.sources.codes import is_blank
from ketadask.sources.delimited import text_rows
from ketadask.sources.meg.channels import bare_name

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["bad_channels", "mains_frequency", "read_channels", "read_object", "sampling_rate"]

_NEEDED = ("name", "type")


def read_channels(path: Path) -> pd.DataFrame:
    """Read ``*_channels.tsv``: one row per channel, text, with the name freed of its number."""
    import pandas as pd

    (_, header), *rows = text_rows(path, "\t")
    table = pd.DataFrame([cells for _, cells in rows], columns=header, dtype=str)
    for column in _NEEDED:
        if column not in table:
            raise InputError(
                f"has no column {column}", file=path, remedy="see the BIDS specification of MEG"
            )
    table["name"] = [bare_name(name) for name in table["name"]]
    return table


def bad_channels(table: pd.DataFrame) -> list[str]:
    """Return the channels whose status is bad.

    Examples
    --------
    >>> import pandas as pd
    >>> bad_channels(pd.DataFrame({"name": ["MLC11", "MLC12"], "status": ["good", "Bad"]}))
    ['MLC12']
    """
    if "status" not in table:
        return []
    bad = table["status"].str.strip().str.lower() == "bad"
    return [str(name) for name in table.loc[bad, "name"]]


def mains_frequency(sidecar: Mapping[str, Any], file: Path | None = None) -> float | None:
    """Return PowerLineFrequency, None where it is not said.

    Examples
    --------
    >>> mains_frequency({"PowerLineFrequency": 60}), mains_frequency({"PowerLineFrequency": "n/a"})
    (60.0, None)
    """
    return _positive(sidecar, "PowerLineFrequency", file, "write 50 or 60 without quotes, or n/a")


def sampling_rate(sidecar: Mapping[str, Any], file: Path | None = None) -> float | None:
    """Return SamplingFrequency, None where it is not said.

    Examples
    --------
    >>> sampling_rate({"SamplingFrequency": 1200.0}), sampling_rate({})
    (1200.0, None)
    """
    remedy = "write time points per second without quotes, or n/a"
    return _positive(sidecar, "SamplingFrequency", file, remedy)


def _positive(sidecar: Mapping[str, Any], key: str, file: Path | None, remedy: str) -> float | None:
    value = sidecar.get(key)
    if value is None or (isinstance(value, str) and is_blank(value)):
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise InputError("no frequency", file=file, where=key, value=value, remedy=remedy)
    return float(value)


_KIND, _ONSET, _DURATION = "trial_type", "onset", "duration"
_BAD = "bad"


def read_bad_segments(path: Path) -> tuple[tuple[float, float], ...]:
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
