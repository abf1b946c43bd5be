"""Verdicts in words: the literals of each persona with labels, cuts and units of measurement."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.report.labels import format_unit
from ketadask.report.report_data import ReportData

_WHOLE = re.compile(r"(?<![\w.,])\d{4,15}(?![\w,])")
_LITERALS = [f"literal_{k}" for k in range(1, nm.MAX_LITERALS + 1)]


class FeatureLabels:
    """Label, unit of measurement, family and values of each feature, by its name."""

    def __init__(self, findings: ReportData) -> None:
        self._dataset = findings.features
        self._at: dict[str, int] = {}
        self._told: dict[str, np.ndarray] = {}
        if self._dataset is not None:
            self._at = {str(n): k for k, n in enumerate(self._dataset[nm.FEATURE].values)}
            about = self._dataset.coords.items()
            self._told = {str(n): c.values for n, c in about if c.dims == (nm.FEATURE,)}

    def told(self, kind: str, name: str) -> str:
        """Return what the dataset says of a feature, or ''."""
        if name not in self._at or kind not in self._told:
            return ""
        value = self._told[kind][self._at[name]]
        return "" if pd.isna(value) else str(value)

    def label(self, name: str) -> str:
        """Return the text a reader sees for a feature."""
        return self.told("label", name) or name

    def values(self, name: str) -> np.ndarray:
        """Return (unit,) the values of a feature, empty where they are not known."""
        if self._dataset is None or name not in self._at:
            return np.empty(0)
        return np.asarray(self._dataset["value"].values[:, self._at[name]], float)


def ranked(findings: ReportData) -> list[dict[str, Any]]:
    """Return the verdicts in the order of their rank, each with what a reader sees of it.

    Added are ``names`` of the features, ``variables`` (one dict per literal), ``lines`` (the
    literals as the study words them), ``spoken`` (the same with labels and units) and ``labels``
    that say more than the names. ``adds`` is the p of what the persona adds to the findings above
    it, None where nobody asked that, as of the first; ``where`` says in which of several trials it
    holds, ``only`` in which single one, '' where there is one trial or nothing to claim: search
    noise may point the same way in all trials, because the search chose it for that.
    """
    if findings.verdicts is None:
        return []
    rows = records(findings.verdicts.sort_values("rank", kind="stable"))
    known, literals = FeatureLabels(findings), _literals(findings)
    held = _held(findings)
    for row in rows:
        row["names"] = [name for name in str(row["features"]).split(" | ") if name]
        row["variables"] = [_variable(v, known) for v in _listed(row, literals)]
        lines = [pretty(v["text"]) for v in row["variables"] if v["text"]]
        row["lines"] = lines or [pretty(row["text"])]
        row["spoken"] = [f"{v['label']} {v['cut']}" for v in row["variables"] if v["cut"]] or lines
        row["spoken"] = row["spoken"] or row["lines"]
        row["adds"] = _known(row.get("p_beyond"))
        row["claimed"] = row["verdict"] in (nm.SUPPORTED, nm.SUGGESTIVE)
        row["where"], row["only"] = held.get(row["rank"], ("", "")) if row["claimed"] else ("", "")
        row["labels"] = [known.label(n) for n in row["names"] if known.label(n) != n]
    return rows


def _held(findings: ReportData) -> dict[Any, tuple[str, str]]:
    """Return in which trials each rank holds; nothing where there is one trial."""
    if findings.trials is None:
        return {}
    rows = records(findings.trials["summaries"])
    return {row["rank"]: (str(row["where"]), str(row["only"])) for row in rows}


def _known(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table, each as column: value."""
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def pretty(text: str) -> str:
    """Return the text of a literal with the signs of print.

    Examples
    --------
    >>> pretty("age <= 30")
    'age ≤ 30'
    """
    return text.replace("<=", "≤").replace(">=", "≥")


def _literals(findings: ReportData) -> dict[int, dict[str, Any]]:
    """Return the literals by number; none where the verdicts do not point to them."""
    if findings.literals is None or findings.verdicts is None:
        return {}
    if _LITERALS[0] not in findings.verdicts:
        return {}
    rows = records(findings.literals[["literal", "feature", "low", "high", "text"]])
    return {row["literal"]: row for row in rows}


def _listed(row: dict[str, Any], literals: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the literals of a persona, or only its features where the literals are not known."""
    ids = [row.get(k, -1) for k in _LITERALS]
    found = [literals[i] for i in ids if i in literals]
    if found and len(found) == sum(i >= 0 for i in ids):
        return found
    return [{"feature": n, "low": None, "high": None, "text": ""} for n in row["names"]]


def _variable(literal: dict[str, Any], known: FeatureLabels) -> dict[str, Any]:
    name = str(literal["feature"])
    unit = format_unit(known.told("measure", name))
    return {
        **literal,
        "feature": name,
        "label": known.label(name),
        "family": known.told("family", name),
        "unit": unit,
        "cut": "" if literal["low"] is None else _cut(literal, unit),
    }


def _cut(literal: dict[str, Any], unit: str) -> str:
    """Return a literal without the name of its feature, with its unit of measurement."""
    text, name = str(literal["text"]), str(literal["feature"])
    if not text.startswith(f"{name} "):
        signs = ((">", literal["low"]), ("<=", literal["high"]))
        text = " and ".join(f"{sign} {bound:g}" for sign, bound in signs if np.isfinite(bound))
    text = _WHOLE.sub(lambda found: f"{int(found.group()):,}", text.removeprefix(name))
    return f"{pretty(text.strip())} {unit}".strip()
