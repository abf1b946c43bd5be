"""Cases explained by the hits of the splits, and the gain of enrolling by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ketadask import names as nm
from ketadask.plot.curves import draw_risk_coverage
from ketadask.report.canvas import Drawing, draw_axes
from ketadask.report.context import ReportContext
from ketadask.report.downloads import Download, as_download
from ketadask.report.format import flatten, format_percentage
from ketadask.report.labels import Mask

_MAX_ROWS = 100
# Results beside relabelled trials, and the gain of enrichment: printed where all are available.
_ACCURACY = ["splits", "relabelled", "tau", "explained", "coverage"]
_ACCURACY += ["accuracy", "accuracy_null", "accuracy_p", "auc", "auc_null", "auc_p"]
_ESTIMATES = ("gain", "benefit", "benefit_enrolled", "n_all", "n_enriched", "n_screened")
_GAIN = ["share_enrolled", "splits", "splits_empty"]
_GAIN += [name + end for name in _ESTIMATES for end in ("", "_low", "_high")]


@dataclass(frozen=True)
class ExtraTable:
    """A table of any columns, its first rows on the page and all of them in the download."""

    name: str
    columns: tuple[tuple[str, str], ...]
    rows: list[list[Any]]
    n_rows: int
    download: Download


@dataclass(frozen=True)
class ExplainedView:
    """Counts of explained cases and the risk-coverage curve.

    ``accuracy`` is None without relabelled trials; ``numbers`` then lists what is available.
    ``has_p`` says whether these are enough for a p below the significance level.
    """

    accuracy: Mapping[str, float] | None
    has_p: bool
    numbers: list[tuple[str, Any]]
    counts: dict[str, int]
    figure: Drawing | None
    tables: tuple[ExtraTable, ...]


@dataclass(frozen=True)
class EnrichmentView:
    """The gain of enrichment, or any other numbers and tables that were passed for it."""

    gain: Mapping[str, float] | None
    numbers: list[tuple[str, Any]]
    tables: tuple[ExtraTable, ...]


def explained_view(context: ReportContext) -> ExplainedView | None:
    """Return the section on explained cases.

    A table with a row per participant is counted, and printed only with identifiers.
    """
    numbers, tables = _numbers_and_tables(context.data.explained)
    if not numbers and not tables:
        return None
    counts: dict[str, int] = {}
    for table in tables.values():
        if {"explained", nm.PARTICIPANT} <= set(table.columns):
            counts = {str(k): int(n) for k, n in table["explained"].value_counts().items()}
    curve = context.data.curve
    order = [*nm.POLARITIES, *sorted(set(counts) - set(nm.POLARITIES))]
    accuracy = _complete_numbers(numbers, _ACCURACY)
    return ExplainedView(
        accuracy=accuracy,
        has_p=accuracy is not None and accuracy["accuracy_p"] is not None,
        numbers=numbers,
        counts={word: counts.get(word, 0) for word in order} if counts else {},
        figure=None if curve is None else risk_figure(curve),
        tables=tuple(
            _extra_table(name, table, context.mask)
            for name, table in tables.items()
            if context.identifiers or nm.PARTICIPANT not in table
        ),
    )


def enrichment_view(context: ReportContext) -> EnrichmentView | None:
    """Return the gain of enrolling by the best training persona."""
    numbers, tables = _numbers_and_tables(context.data.enrichment)
    if not numbers and not tables:
        return None
    anonymous = {n: t.drop(columns=nm.PARTICIPANT, errors="ignore") for n, t in tables.items()}
    return EnrichmentView(
        gain=_complete_numbers(numbers, _GAIN),
        numbers=numbers,
        tables=tuple(_extra_table(n, t, context.mask) for n, t in anonymous.items()),
    )


def _numbers_and_tables(part: Any) -> tuple[list[tuple[str, Any]], dict[str, pd.DataFrame]]:
    """Return the numbers and the tables of a table or a dict of both."""
    if part is None:
        return [], {}
    entries: Mapping[str, Any] = {"table": part} if isinstance(part, pd.DataFrame) else part
    tables = {str(k): v for k, v in entries.items() if isinstance(v, pd.DataFrame)}
    numbers = flatten({k: v for k, v in entries.items() if k not in tables})
    return numbers, {name: table for name, table in tables.items() if len(table)}


def _complete_numbers(numbers: list[tuple[str, Any]], names: list[str]) -> dict[str, float] | None:
    """Return the numbers by name, or None where one of ``names`` is absent."""
    values = dict(numbers)
    return values if set(names) <= set(values) else None


def _extra_table(name: str, table: pd.DataFrame, mask: Mask) -> ExtraTable:
    texts = table.select_dtypes(exclude="number").columns
    table = table.assign(**{c: table[c].map(mask) for c in texts if c != nm.PARTICIPANT})
    return ExtraTable(
        name.replace("_", " "),
        tuple((str(c), "text" if c in texts else "number") for c in table.columns),
        table.head(_MAX_ROWS).to_dict("split")["data"],
        len(table),
        as_download(table, f"{name.replace(' ', '_')}.csv"),
    )


def risk_figure(curve: pd.DataFrame) -> Drawing | None:
    """Draw accuracy against coverage: fewer cases are explained, more of them correctly."""
    curve = curve.dropna(subset=["coverage", "accuracy"]).sort_values("coverage", kind="stable")
    if curve.empty:
        return None
    ends = [
        f"{format_percentage(row['accuracy'])} at coverage {format_percentage(row['coverage'])}"
        for row in (curve.iloc[0], curve.iloc[-1])
    ]
    alt = "Accuracy " + ", ".join(ends)
    if "null_mean" in curve:
        alt += (
            f"; on relabelled trials {format_percentage(curve['null_mean'].iloc[-1])} at the latter"
        )
    return draw_axes("risk", alt, (300, 280), lambda ax: draw_risk_coverage(curve, ax=ax))
