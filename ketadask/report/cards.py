"""The verdict table and the persona cards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.report.findings import Findings
from ketadask.report.marks import range_bar, shared_axis
from ketadask.report.wording import endpoint, measure, unit_word

MOST_CARDS = 5
LEAST_CARDS = 3
SHOWN_ROWS = 12
_LITERALS = [f"literal_{k}" for k in range(1, nm.MAX_LITERALS + 1)]
_ARMS = (nm.ACTIVE, nm.CONTROL)


def verdict_rows(findings: Findings) -> dict[str, Any] | None:
    """Return the rows of the verdict table in the order of their rank, or None without verdicts."""
    if findings.verdicts is None:
        return None
    rows = ranked(findings)
    for row in rows:
        row["place"] = _ORDER.get(row["verdict"], 3)
    units = None if findings.units is None else findings.units.sizes[nm.UNIT]
    return {"rows": rows, "units": units, "shown": SHOWN_ROWS, "word": unit_word(findings, 2)}


def cards(findings: Findings) -> dict[str, Any] | None:
    """Return the cards of the leading verdicts, drawn on one common axis."""
    if findings.verdicts is None or len(findings.verdicts) == 0:
        return None
    rows = ranked(findings)
    leading = [r for r in rows if r["verdict"] in (nm.SUPPORTED, nm.SUGGESTIVE)]
    chosen = leading[:MOST_CARDS] if len(leading) >= LEAST_CARDS else rows[:LEAST_CARDS]
    ends = [r.get(f"{a}_{e}", np.nan) for r in chosen for a in _ARMS for e in ("low", "high")]
    known = _Features(findings)
    for row in chosen:
        row["variables"] = _variables(findings, row, known)
        row["arms"] = [
            {"name": a, **{e: row.get(f"{a}_{e}", np.nan) for e in ("mean", "low", "high")}}
            for a in _ARMS
        ]
    units = None if findings.units is None else findings.units.sizes[nm.UNIT]
    return {
        "cards": chosen,
        "axis": shared_axis(ends),
        "endpoint": endpoint(findings),
        "units": units,
        "word": unit_word(findings, 2),
        "supported": any(r["verdict"] == nm.SUPPORTED for r in chosen),
    }


_ORDER = {nm.SUPPORTED: 0, nm.SUGGESTIVE: 1, nm.NOISE: 2}


def feature_names(row: dict[str, Any]) -> list[str]:
    """Return the names of the features of one verdict."""
    return [name for name in str(row["features"]).split(" | ") if name]


def ranked(findings: Findings) -> list[dict[str, Any]]:
    """Return the verdicts in the order of their rank, each with the lines a reader sees."""
    if findings.verdicts is None:
        return []
    rows = findings.verdicts.sort_values("rank", kind="stable").to_dict("records")
    texts: dict[int, str] = {}
    if findings.literals is not None and _LITERALS[0] in findings.verdicts:
        texts = dict(zip(findings.literals["literal"], findings.literals["text"], strict=True))
    known = _Features(findings)
    for row in rows:
        ids = [row.get(k, -1) for k in _LITERALS]
        lines = [texts.get(i) for i in ids if i >= 0]
        row["labels"] = [known.label(n) for n in feature_names(row) if known.label(n) != n]
        row["lines"] = [pretty(t or "") for t in (lines if lines and all(lines) else [row["text"]])]
    return rows


def pretty(text: str) -> str:
    """Return the text of a literal with the signs of print.

    Examples
    --------
    >>> pretty("age <= 30")
    'age ≤ 30'
    """
    return text.replace("<=", "≤").replace(">=", "≥")


class _Features:
    """Label, unit of measurement, family and values of each feature."""

    def __init__(self, findings: Findings) -> None:
        self.dataset = findings.features
        self.at: dict[str, int] = {}
        if self.dataset is not None:
            self.at = {str(n): k for k, n in enumerate(self.dataset[nm.FEATURE].values)}

    def _coordinate(self, kind: str, name: str) -> str:
        if self.dataset is None or name not in self.at or kind not in self.dataset.coords:
            return ""
        value = self.dataset[kind].values[self.at[name]]
        return "" if pd.isna(value) else str(value)

    def label(self, name: str) -> str:
        return self._coordinate("label", name) or name

    def family(self, name: str) -> str:
        return self._coordinate("family", name)

    def unit(self, name: str) -> str:
        return measure(self._coordinate("measure", name))

    def values(self, name: str) -> np.ndarray:
        if self.dataset is None or name not in self.at:
            return np.empty(0)
        return np.asarray(self.dataset["value"].values[:, self.at[name]], float)


def _variables(findings: Findings, row: dict[str, Any], known: _Features) -> list[dict[str, Any]]:
    """Return per literal the feature, its range in the data, and the part the persona takes."""
    listed = [{"feature": n, "low": None, "high": None} for n in feature_names(row)]
    if findings.literals is not None and _LITERALS[0] in row:
        table = findings.literals.set_index("literal")
        ids = [row[k] for k in _LITERALS if row[k] in table.index]
        if ids:
            listed = table.loc[ids, ["feature", "low", "high", "text"]].to_dict("records")
    for line in listed:
        name = line["feature"]
        line |= {"label": known.label(name), "unit": known.unit(name), "family": known.family(name)}
        line["cut"] = None if line["low"] is None else _cut(line)
        line["bar"] = None
        if line["low"] is not None:
            line["bar"] = range_bar(known.values(name), line["low"], line["high"])
    return listed


def _cut(line: dict[str, Any]) -> str:
    """Return a literal without the name of its feature, with its unit of measurement."""
    text, name = str(line["text"]), str(line["feature"])
    if not text.startswith(f"{name} "):
        signs = ((">", line["low"]), ("<=", line["high"]))
        text = " and ".join(f"{sign} {bound:g}" for sign, bound in signs if np.isfinite(bound))
    return f"{pretty(text.removeprefix(name).strip())} {line['unit']}".strip()
