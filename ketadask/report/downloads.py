"""Tables inside the page as CSV, in data: links."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ketadask.report.report_data import ReportData
from ketadask.store.tables import csv_text

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Download:
    """A file name, the link that contains the file, and its number of rows."""

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
    content = base64.b64encode(csv_text(table).encode()).decode("ascii")
    return Download(name, f"data:text/csv;charset=utf-8;base64,{content}", len(table))


def result_downloads(data: ReportData) -> dict[str, Download | None]:
    """Return the main result tables, or None; none of them contains participant identifiers."""
    literals = data.literals
    if literals is not None and data.verdicts is not None:  # all literals would dominate the page
        ids = data.verdicts.filter(regex=r"^literal_\d$").to_numpy().ravel()
        literals = literals[literals["literal"].isin(ids)]
    tables = {
        "verdicts": data.verdicts,
        "literals": None if data.verdicts is None else literals,
        "nulls": data.nulls,
        "stability": data.stability,
    }
    return {
        name: None if table is None else as_download(table, f"{name}.csv")
        for name, table in tables.items()
    }
