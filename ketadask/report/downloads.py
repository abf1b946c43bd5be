"""Tables that travel inside the page as CSV, behind data: links."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ketadask.report.report_data import ReportData

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Download:
    """A file name, the link that holds the whole file, and how many rows it has."""

    name: str
    href: str
    rows: int


def as_download(table: pd.DataFrame, name: str) -> Download:
    """Return ``table`` as a CSV file inside a data: link.

    Examples
    --------
    >>> import pandas as pd
    >>> as_download(pd.DataFrame({"a": [1]}), "a.csv").href
    'data:text/csv;charset=utf-8;base64,YQoxCg=='
    """
    text = table.to_csv(index=False, lineterminator="\n")
    inside = base64.b64encode(text.encode()).decode("ascii")
    return Download(name, f"data:text/csv;charset=utf-8;base64,{inside}", len(table))


def downloads(findings: ReportData) -> dict[str, Download | None]:
    """Return every table that may leave the page, or None; none of them names a participant."""
    tables = {
        "verdicts": findings.verdicts,
        "literals": _named(findings),
        "nulls": findings.nulls,
        "stability": findings.stability,
    }
    return {
        name: None if table is None else as_download(table, f"{name}.csv")
        for name, table in tables.items()
    }


def _named(findings: ReportData) -> pd.DataFrame | None:
    """Return the literals the verdicts name: all of them would be most of the page's bytes."""
    if findings.literals is None or findings.verdicts is None:
        return None
    ids = findings.verdicts.filter(regex=r"^literal_\d$").to_numpy().ravel()
    return findings.literals[findings.literals["literal"].isin(ids)]
