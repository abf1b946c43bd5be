"""Results of later stages, shown as the numbers and tables they consist of."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ketadask import names as nm
from ketadask.report.downloads import as_download
from ketadask.report.numerals import flattened
from ketadask.report.wording import Mask

_MOST_ROWS = 100


def extra(part: Any, mask: Mask, identifiers: bool) -> dict[str, Any] | None:
    """Return the numbers and the tables of ``part``, without participants unless asked for."""
    if part is None or len(part) == 0:
        return None
    if isinstance(part, pd.DataFrame):
        part = {"table": part}
    scalars = {k: v for k, v in part.items() if not isinstance(v, pd.DataFrame)}
    tables = []
    for name, table in part.items():
        if isinstance(table, pd.DataFrame):
            kept = table if identifiers else table.drop(columns=nm.PARTICIPANT, errors="ignore")
            text = kept.select_dtypes(exclude="number").columns
            kept = kept.assign(**{c: kept[c].map(mask) for c in text if c in kept})
            tables.append(
                {
                    "name": name.replace("_", " "),
                    "columns": list(map(str, kept.columns)),
                    "rows": kept.head(_MOST_ROWS).to_dict("split")["data"],
                    "total": len(kept),
                    "download": as_download(kept, f"{name}.csv"),
                }
            )
    return {"numbers": flattened(scalars), "tables": tables}
