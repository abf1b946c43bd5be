"""The larger figures: relabelled trials, stability over splits, benefit differences."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from ketadask.plot.effects import draw_personas
from ketadask.plot.search_figures import (
    best_statistics,
    draw_null,
    draw_stability,
    largest_statistics,
    most_frequent,
)
from ketadask.plot.style import is_narrow, wrap_label
from ketadask.report.canvas import Drawing, draw_axes
from ketadask.report.context import ReportContext
from ketadask.report.facts import SelectionFacts
from ketadask.report.format import format_fixed, format_percentage
from ketadask.report.labels import shorten
from ketadask.report.personas import FeatureLabels, PersonaView

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_PERSONAS = 10


@dataclass(frozen=True)
class NullView:
    """The largest Q of each relabelled trial, the best Q by polarity, and the critical value."""

    figure: Drawing
    n_relabellings: int
    best_q: dict[str, float]
    critical: float | None
    statistic: str


@dataclass(frozen=True)
class FeatureStability:
    """Selection frequency of one feature by polarity, each with an interval (NaN if unknown)."""

    feature: str
    label: str
    frequency: dict[str, float]
    interval: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class StabilityView:
    """The features selected most often, and the stability index of each polarity."""

    figure: Drawing
    features: tuple[FeatureStability, ...]
    polarities: tuple[str, ...]
    selection: dict[str, SelectionFacts]


@dataclass(frozen=True)
class BenefitView:
    """Benefit difference of the first personas, with corrected intervals where there are any."""

    figure: Drawing
    rows: tuple[PersonaView, ...]

    @property
    def has_intervals(self) -> bool:
        """Whether a persona has a corrected interval."""
        return any(row.has_interval for row in self.rows)


def null_view(context: ReportContext) -> NullView | None:
    """Draw the largest statistic of each relabelled trial, as in the adjusted p."""
    nulls, verdicts = context.data.nulls, context.data.verdicts
    if nulls is None or len(nulls) == 0:
        return None
    column = "q" if context.summary.statistic == "q" else "t"
    values = largest_statistics(nulls, column)
    if not values.size:
        return None
    best_q = {} if verdicts is None else best_statistics(verdicts, column)
    count = int(nulls["relabelling"].nunique())
    critical = context.summary.critical_value
    alt = (
        f"{count} relabelled trials, largest {column} from {format_fixed(values.min())} to "
        f"{format_fixed(values.max())}"
        + "".join(f"; best {p} persona {format_fixed(q)}" for p, q in best_q.items())
        + (f"; critical value {format_fixed(critical)}" if critical is not None else "")
    )
    figure = draw_axes(
        "null", alt, (270, 250),
        lambda ax: draw_null(nulls, verdicts, statistic=column, critical=critical, ax=ax),
    )  # fmt: skip
    return NullView(figure, count, best_q, critical, column)


def stability_view(context: ReportContext) -> StabilityView | None:
    """Draw how often each feature was selected over the splits, the most frequent first."""
    if context.data.stability is None or len(context.data.stability) == 0:
        return None
    table = most_frequent(context.data.stability)
    names = FeatureLabels(context.data.features)
    labels = {feature: names.label(feature) for feature in dict.fromkeys(table["feature"])}
    rows = tuple(
        _feature_stability(feature, label, table[table["feature"] == feature])
        for feature, label in labels.items()
    )
    first = "; ".join(
        f"{shorten(row.label, 60)} "
        + ", ".join(f"{p} {format_percentage(f)}" for p, f in row.frequency.items())
        for row in rows[:3]
    )
    alt = f"Fraction of splits in which each feature was selected; highest: {first}"
    heights = (96 + 30 * len(rows), 96 + 40 * len(rows))
    paint = partial(draw_stability, table, labels=labels)
    return StabilityView(
        figure=draw_axes("stability", alt, heights, lambda ax: paint(ax=ax)),
        features=rows,
        polarities=tuple(dict.fromkeys(p for row in rows for p in row.frequency)),
        selection={p: s for p, s in context.summary.selection.items() if s.stability is not None},
    )


def _feature_stability(feature: str, label: str, rows: pd.DataFrame) -> FeatureStability:
    by_polarity = rows.set_index("polarity").reindex(columns=["frequency", "low", "high"])
    return FeatureStability(
        feature,
        label,
        frequency={str(p): float(f) for p, f in by_polarity["frequency"].items()},
        interval={
            str(p): (float(low), float(high))
            for p, low, high in zip(
                by_polarity.index, by_polarity["low"], by_polarity["high"], strict=True
            )
        },
    )


def benefit_view(context: ReportContext) -> BenefitView | None:
    """Draw the benefit difference of the first personas, corrected and as selected."""
    rows, verdicts = context.personas[:MAX_PERSONAS], context.data.verdicts
    if not rows or verdicts is None:
        return None
    alt = "Benefit inside minus outside: " + "; ".join(_difference_text(row) for row in rows)
    names = [
        [f"#{row.rank} {' and '.join(row.lines)}" for row in rows],
        [f"#{row.rank}" for row in rows],
    ]
    heights = (
        90 + 19 * sum(wrap_label(name, 44).count("\n") + 1 for name in names[0]) + 6 * len(rows),
        84 + 26 * len(rows),
    )
    places = context.endpoint.places

    def paint(ax: Axes) -> None:
        labels = names[int(is_narrow(ax))]
        draw_personas(verdicts, labels=labels, top=MAX_PERSONAS, places=places, ax=ax)

    return BenefitView(draw_axes("benefit", alt, heights, paint), rows)


def _difference_text(row: PersonaView) -> str:
    text = f"persona {row.rank} {format_fixed(row.difference)} on these data"
    if row.has_interval:
        low, high = format_fixed(row.difference_low), format_fixed(row.difference_high)
        text += f", {format_fixed(row.difference_shrunken)} ({low} to {high}) corrected"
    return text
