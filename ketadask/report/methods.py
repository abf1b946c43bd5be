"""The methods paragraph, the settings, the headline numbers, and how to do it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ketadask.report.format import flattened, is_number, lookup
from ketadask.report.labels import DESIGNS, Mask, design, endpoint, unit_word
from ketadask.report.report_data import ReportData


def methods(findings: ReportData, mask: Mask) -> dict[str, Any] | None:
    """Return what the methods paragraph needs; a setting nobody gave is None and not mentioned."""
    if not findings.settings:
        return None
    units = findings.units
    return {
        "endpoint": endpoint(findings),
        "design": design(findings),
        "design_words": DESIGNS.get(design(findings), ""),
        "units": None if units is None else units.sizes["unit"],
        "unit_word": unit_word(findings, 2),
        "features": None if findings.features is None else findings.features.sizes["feature"],
        "alone": lookup(findings.summary, "units_alone", 0),
        "carry_over": _carry_over(findings.summary, mask),
        "seed": lookup(findings.settings, "seed"),
        "version": lookup(findings.provenance, "ketadask"),
        "value": _Setting(findings),
        "settings": _masked_pairs(findings.settings, mask),
    }


def _carry_over(summary: Mapping[str, Any], mask: Mask) -> list[tuple[str, float]]:
    """Return (trial, p) of the tests of carry-over; one without a name where there is one trial."""
    told = lookup(summary, "carry_over") or {}
    by_trial = {"": told} if "p" in told else {mask(name): each for name, each in told.items()}
    return [(name, each["p"]) for name, each in by_trial.items()]


class _Setting:
    """A setting by its dotted name, or None where the study did not say."""

    def __init__(self, findings: ReportData) -> None:
        self._settings = findings.settings

    def __call__(self, path: str) -> Any:
        return lookup(self._settings, path)


_MOST_LISTED, _MOST_INPUTS = 5, 60
_SEARCH_WORDS = {
    "q_best": "best Q",
    "kept": "kept",
    "saturation": "saturation",
    "candidates": "candidates",
    "nodes": "nodes visited",
    "proven": "proven best",
    "gap": "gap left",
}


def saturation(findings: ReportData) -> dict[str, Any] | None:
    """Return the search of all data, by polarity: saturation, and whether it is proven."""
    rows = lookup(findings.summary, "polarities")
    if not isinstance(rows, Mapping) or not rows:
        return None
    known = [k for k in _SEARCH_WORDS if any(k in row for row in rows.values())]
    return {
        "rows": rows,
        "columns": [(k, _SEARCH_WORDS[k]) for k in known],
        "proven": all(row.get("proven", True) for row in rows.values()),
    }


def headline_numbers(findings: ReportData, mask: Mask) -> list[tuple[str, Any]] | None:
    """Return every number of the summary as (key, value), in its own order."""
    return _masked_pairs(findings.summary, mask) or None


def provenance(findings: ReportData, mask: Mask) -> list[tuple[str, Any]] | None:
    """Return where the results come from as (key, value)."""
    told = {k: v for k, v in findings.provenance.items() if k != "settings"}
    if isinstance(told.get("runs"), list):
        told["runs"] = told["runs"][-_MOST_LISTED:]
    inputs = told.get("inputs")
    if isinstance(inputs, Mapping) and len(inputs) > _MOST_INPUTS:
        told["inputs"] = dict(list(inputs.items())[:_MOST_INPUTS])
        told["inputs_not_listed"] = f"{len(inputs) - _MOST_INPUTS} files, see provenance.json"
    return _masked_pairs(told, mask) or None


def _masked_pairs(values: Mapping[str, Any], mask: Mask) -> list[tuple[str, Any]]:
    return [(mask(k), _masked(v, mask)) for k, v in flattened(values)]


def _masked(value: Any, mask: Mask) -> Any:
    if isinstance(value, list | tuple):
        return [_masked(v, mask) for v in value]
    return value if is_number(value) or value is None or isinstance(value, bool) else mask(value)


def reproduce(findings: ReportData, mask: Mask) -> dict[str, Any]:
    """Return the command that makes the study again, and its settings as one JSON text."""
    command = lookup(findings.provenance, "command")
    if isinstance(command, list):
        command = " ".join(map(str, command))
    settings = json.dumps(findings.settings, indent=2, ensure_ascii=False, default=str)
    return {
        "command": mask(command or "ketadask run STUDY.yaml"),
        "known": command is not None,
        "version": lookup(findings.provenance, "ketadask"),
        "fingerprint": lookup(findings.provenance, "fingerprint"),
        "settings": mask(settings) if findings.settings else None,
    }
