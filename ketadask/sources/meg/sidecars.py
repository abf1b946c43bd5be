"""BIDS sidecars of a recording: bad channels, bad segments, mains frequency, sampling rate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.schema.errors import InputError
from ketadask.sources.codes import is_blank
from ketadask.sources.delimited import text_rows
from ketadask.sources.meg.channels import bare_name

if TYPE_CHECKING:
    import pandas as pd


def read_channels(path: Path) -> pd.DataFrame:
    """Read ``*_channels.tsv``: one row of text per channel, names without serial numbers."""
    import pandas as pd

    (_, header), *rows = text_rows(path, "\t")
    table = pd.DataFrame([cells for _, cells in rows], columns=header, dtype=str)
    for column in ("name", "type"):
        if column not in table:
            raise InputError(
                f"has no column {column}", file=path, remedy="see the BIDS specification of MEG"
            )
    table["name"] = [bare_name(name) for name in table["name"]]
    return table


def bad_channels(table: pd.DataFrame) -> list[str]:
    """Return the names of the channels whose status is bad.

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


def ecg_channel(table: pd.DataFrame) -> str | None:
    """Return the name of the first good channel of type ECG, None where there is none.

    Examples
    --------
    >>> import pandas as pd
    >>> ecg_channel(pd.DataFrame({"name": ["MLC11", "EEG057"], "type": ["MEGGRADAXIAL", "ECG"]}))
    'EEG057'
    """
    is_ecg = (table["type"].str.upper() == "ECG") & ~table["name"].isin(bad_channels(table))
    return next(iter(table.loc[is_ecg, "name"]), None)


def mains_frequency(sidecar: Mapping[str, Any], file: Path | None = None) -> float | None:
    """Return PowerLineFrequency, None where it is not given.

    Examples
    --------
    >>> mains_frequency({"PowerLineFrequency": 60}), mains_frequency({"PowerLineFrequency": "n/a"})
    (60.0, None)
    """
    return _frequency(sidecar, "PowerLineFrequency", file, "write 50 or 60 without quotes, or n/a")


def sampling_rate(sidecar: Mapping[str, Any], file: Path | None = None) -> float | None:
    """Return SamplingFrequency, None where it is not given.

    Examples
    --------
    >>> sampling_rate({"SamplingFrequency": 1200.0}), sampling_rate({})
    (1200.0, None)
    """
    remedy = "write time points per second without quotes, or n/a"
    return _frequency(sidecar, "SamplingFrequency", file, remedy)


def _frequency(
    sidecar: Mapping[str, Any], key: str, file: Path | None, remedy: str
) -> float | None:
    value = sidecar.get(key)
    if value is None or (isinstance(value, str) and is_blank(value)):
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise InputError("not a frequency", file=file, where=key, value=value, remedy=remedy)
    return float(value)


def read_bad_segments(path: Path) -> tuple[tuple[float, float], ...]:
    """Return first and last second of the rows whose ``trial_type`` begins with BAD, in any case.

    ``onset`` counts from the first value of the recording, as in BIDS; it may be negative. Other
    rows are ignored. The column ``duration`` is required: 0 marks a moment as bad.
    """
    rows = text_rows(path, "\t")
    _, header = next(rows)
    if "trial_type" not in header:
        return ()
    spans = []
    for line, cells in rows:
        row = dict(zip(header, cells, strict=True))
        if not row["trial_type"].lower().startswith("bad"):
            continue
        onset, duration = (row_seconds(path, line, row, column) for column in ("onset", "duration"))
        if duration < 0:
            raise InputError(
                "a bad segment ends before it begins",
                file=path,
                where=f"row {line}, column duration",
                value=row["duration"],
                remedy="write its duration in seconds",
            )
        if onset + duration >= 0:
            spans.append((onset, onset + duration))
    return tuple(spans)


def row_seconds(path: Path, line: int, row: Mapping[str, str], column: str) -> float:
    """Return the seconds in a cell of ``events.tsv``."""
    if column not in row:
        raise InputError(
            f"has events and no column {column}",
            file=path,
            where=f"row {line}",
            remedy=f"add {column}, in seconds",
        )
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f"the {column} of an event is not a number",
            file=path,
            where=f"row {line}, column {column}",
            value=row[column],
            remedy="write seconds, with a point",
        )
    return value


def merge_spans(spans: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Return spans in order; those that overlap or touch become one.

    Examples
    --------
    >>> merge_spans([(9.0, 9.0), (3.0, 5.0), (4.5, 6.0)])
    ((3.0, 6.0), (9.0, 9.0))
    """
    union: list[tuple[float, float]] = []
    for first, last in sorted(spans):
        if union and first <= union[-1][1]:
            union[-1] = union[-1][0], max(union[-1][1], last)
        else:
            union.append((first, last))
    return tuple(union)
