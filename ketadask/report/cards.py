"""The verdict table and the persona cards."""

from __future__ import annotations

from typing import Any

import numpy as np

from ketadask import names as nm
from ketadask.report.labels import unit_word
from ketadask.report.marks import range_bar, shared_axis
from ketadask.report.personas import FeatureLabels, ranked
from ketadask.report.report_data import ReportData

MOST_CARDS = 5
LEAST_CARDS = 3
LEAST_ROWS, MOST_ROWS = 5, 12
_ARMS = (nm.ACTIVE, nm.CONTROL)
_ORDER = {nm.SUPPORTED: 0, nm.SUGGESTIVE: 1, nm.NOISE: 2}


def verdict_rows(findings: ReportData) -> dict[str, Any] | None:
    """Return the rows of the verdict table in the order of their rank, or None without verdicts."""
    if findings.verdicts is None:
        return None
    rows = ranked(findings)
    for row in rows:
        row["place"] = _ORDER.get(row["verdict"], 3)
    units = None if findings.units is None else findings.units.sizes[nm.UNIT]
    leading = sum(row["place"] < _ORDER[nm.NOISE] for row in rows)
    return {
        "rows": rows,
        "units": units,
        "shown": min(max(leading + 2, LEAST_ROWS), MOST_ROWS),
        "word": unit_word(findings, 2),
        "adds": any(row["adds"] is not None for row in rows),
    }


def foremost(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that are shown at length: the supported and suggestive, or else the first."""
    words = [r for r in rows if r["verdict"] in (nm.SUPPORTED, nm.SUGGESTIVE)]
    return words[:MOST_CARDS] if len(words) >= LEAST_CARDS else rows[:LEAST_CARDS]


def cards(findings: ReportData) -> dict[str, Any] | None:
    """Return the cards of the leading verdicts, drawn on one common axis."""
    rows = ranked(findings)
    if not rows:
        return None
    chosen = foremost(rows)
    known = FeatureLabels(findings)
    for row in chosen:
        for v in row["variables"]:
            v["bar"] = None
            if v["low"] is not None:
                v["bar"] = range_bar(known.values(v["feature"]), v["low"], v["high"])
        row["arms"] = [
            {"name": a, **{e: row.get(f"{a}_{e}", np.nan) for e in ("mean", "low", "high")}}
            for a in _ARMS
        ]
    ends = [arm[e] for row in chosen for arm in row["arms"] for e in ("mean", "low", "high")]
    return {
        "cards": chosen,
        "axis": shared_axis(ends),
        "units": None if findings.units is None else findings.units.sizes[nm.UNIT],
        "word": unit_word(findings, 2),
        "supported": any(r["verdict"] == nm.SUPPORTED for r in chosen),
    }
