"""Settings, saturation of the search, the headline numbers, and how to reproduce the study."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ketadask.report.context import ReportContext
from ketadask.report.facts import SearchFacts, lookup
from ketadask.report.format import flatten, is_number
from ketadask.report.labels import Mask

Pairs = list[tuple[str, Any]]
_MAX_RUNS, _MAX_INPUTS = 5, 60
_SEARCH_COLUMNS = {
    "q_best": "best Q",
    "kept": "kept",
    "saturation": "saturation",
    "candidates": "candidates",
    "nodes": "nodes visited",
    "proven": "proven best",
    "gap": "largest possible gap",
}


@dataclass(frozen=True)
class SaturationView:
    """The search of all data by polarity, with the columns that are available."""

    searches: Mapping[str, SearchFacts]
    columns: dict[str, str]
    proven: bool


@dataclass(frozen=True)
class ReproduceView:
    """The command of the study, its fingerprint, and its settings as JSON."""

    command: str | None
    fingerprint: str | None
    settings: str | None


def all_settings(context: ReportContext) -> Pairs | None:
    """Return every setting as (key, value)."""
    return _masked_pairs(context.data.settings, context.mask) or None


def saturation_view(context: ReportContext) -> SaturationView | None:
    """Return the search of all data, by polarity."""
    searches = context.summary.searches
    if not searches:
        return None
    columns = {
        name: words
        for name, words in _SEARCH_COLUMNS.items()
        if any(getattr(search, name) is not None for search in searches.values())
    }
    return SaturationView(searches, columns, all(s.proven is not False for s in searches.values()))


def headline_numbers(context: ReportContext) -> Pairs | None:
    """Return every number of the summary as (key, value), in its own order."""
    return _masked_pairs(context.data.summary, context.mask) or None


def provenance_pairs(context: ReportContext) -> Pairs | None:
    """Return the origin of the results as (key, value), long lists in part."""
    origin = {k: v for k, v in context.data.provenance.items() if k != "settings"}
    if isinstance(origin.get("runs"), list):
        origin["runs"] = origin["runs"][-_MAX_RUNS:]
    inputs = origin.get("inputs")
    if isinstance(inputs, Mapping) and len(inputs) > _MAX_INPUTS:
        origin["inputs"] = dict(list(inputs.items())[:_MAX_INPUTS])
        origin["more_inputs"] = f"{len(inputs) - _MAX_INPUTS} files, see provenance.json"
    return _masked_pairs(origin, context.mask) or None


def _masked_pairs(values: Mapping[str, Any], mask: Mask) -> Pairs:
    return [(mask(k), _mask_value(v, mask)) for k, v in flatten(values)]


def _mask_value(value: Any, mask: Mask) -> Any:
    if isinstance(value, list | tuple):
        return [_mask_value(v, mask) for v in value]
    return value if is_number(value) or value is None or isinstance(value, bool) else mask(value)


def reproduce_view(context: ReportContext) -> ReproduceView:
    """Return the command that repeats the study, and its settings."""
    data = context.data
    command = lookup(data.provenance, "command")
    if isinstance(command, list):
        command = " ".join(map(str, command))
    settings = json.dumps(data.settings, indent=2, ensure_ascii=False, default=str)
    return ReproduceView(
        command=context.mask(command) if command else None,
        fingerprint=lookup(data.provenance, "fingerprint"),
        settings=context.mask(settings) if data.settings else None,
    )
