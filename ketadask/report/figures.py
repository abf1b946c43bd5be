"""The larger figures: relabelled trials, stability over splits, benefit differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.report.canvas import (
    ACTIVE,
    CONTROL,
    DASHED,
    INK,
    LINE,
    MUTED,
    PAPER,
    SOFT,
    Drawing,
    Surface,
    draw,
    set_percent_ticks,
)
from ketadask.report.context import ReportContext
from ketadask.report.facts import SelectionFacts
from ketadask.report.format import format_fixed, format_percentage
from ketadask.report.labels import shorten
from ketadask.report.personas import FeatureLabels, PersonaView

MAX_FEATURES = 20
MAX_PERSONAS = 10
_ANY = "selected"
_MARKERS = {nm.FAVOURABLE: ("o", ACTIVE), nm.UNFAVOURABLE: ("s", CONTROL), _ANY: ("o", ACTIVE)}


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
    nulls = context.data.nulls
    if nulls is None or len(nulls) == 0:
        return None
    column = "q" if context.summary.statistic == "q" else "t"
    maxima = nulls.groupby("relabelling")[column].max().to_numpy(float)
    values = maxima[np.isfinite(maxima)]
    if not values.size:
        return None
    # Missing for a persona that is inadmissible on all data, or with too few units outside. By t,
    # only the candidates with the largest Q are compared; the others have p = 1.
    personas = [
        row
        for row in context.personas
        if np.isfinite(getattr(row, column)) and (column == "q" or row.p_single_step < 1)
    ]
    best_q = {
        polarity: max(getattr(row, column) for row in personas if row.polarity == polarity)
        for polarity in nm.POLARITIES
        if any(row.polarity == polarity for row in personas)
    }
    critical = context.summary.critical_value
    alt = (
        f"{maxima.size} relabelled trials, largest {column} from {format_fixed(values.min())} to "
        f"{format_fixed(values.max())}"
        + "".join(f"; best {p} persona {format_fixed(q)}" for p, q in best_q.items())
        + (f"; critical value {format_fixed(critical)}" if critical is not None else "")
    )
    figure = draw(
        "null", alt, (270, 250), lambda s: _paint_null(s, values, best_q, critical, column)
    )
    return NullView(figure, maxima.size, best_q, critical, column)


def _paint_null(
    surface: Surface,
    values: np.ndarray,
    best_q: dict[str, float],
    critical: float | None,
    statistic: str,
) -> None:
    axes = surface.axes(48, 46, 12, 10)
    lines = [(p, q, _MARKERS[p][1], "-") for p, q in best_q.items()]
    if critical is not None:
        lines.append(("critical", critical, INK, DASHED))
    ends = np.append(values, [q for _, q, _, _ in lines])
    low, high = ends.min(), ends.max()
    margin = 0.04 * (high - low or 1.0)
    bins = int(np.clip(2 * np.sqrt(values.size), 8, 24 if surface.narrow else 40))
    edges = np.linspace(values.min(), max(values.max(), values.min() + 1e-6), bins + 1)
    counts, _ = np.histogram(values, edges)
    bars = axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=SOFT)
    for bar, count, left, right in zip(bars, counts, edges, edges[1:], strict=False):
        bar.set_edgecolor(PAPER)
        span = f"{format_fixed(left)} to {format_fixed(right)}"
        surface.add_title(bar, f"{count} relabelled trials between {span}")
    top = (1.1 + 0.2 * len(lines)) * max(counts.max(), 1)
    axes.set(xlim=(low - margin, high + margin), ylim=(0, top))
    axes.set(xlabel=f"largest {statistic} in the trial", ylabel="trials")
    axes.locator_params(axis="y", nbins=3, integer=True)
    height = 0.98 * top
    for name, q, colour, style in lines:
        axes.plot([q, q], [0, height], color=colour, linestyle=style, linewidth=2)
        side = "right" if q > (low + high) / 2 else "left"
        offset = (-6 if side == "right" else 6, 0)
        text, xy = f"{name} {format_fixed(q)}", (q, height - 0.04 * top)
        surface.annotate(axes, text, xy, offset, ha=side, color=colour)
        height -= 0.12 * top


def stability_view(context: ReportContext) -> StabilityView | None:
    """Draw how often each feature was selected over the splits, the most frequent first."""
    table = context.data.stability
    if table is None or len(table) == 0:
        return None
    if "polarity" not in table:
        table = table.assign(polarity=_ANY)
    polarities = tuple(p for p in (*nm.POLARITIES, _ANY) if (table["polarity"] == p).any())
    highest = table.groupby("feature", sort=True)["frequency"].max()
    features = highest.sort_values(ascending=False, kind="stable").head(MAX_FEATURES).index
    labels = FeatureLabels(context.data.features)
    rows = tuple(
        _feature_stability(feature, labels.label(feature), table[table["feature"] == feature])
        for feature in features
    )
    first = "; ".join(
        f"{shorten(row.label, 60)} "
        + ", ".join(f"{p} {format_percentage(f)}" for p, f in row.frequency.items())
        for row in rows[:3]
    )
    alt = f"Fraction of splits in which each feature was selected; highest: {first}"
    height = 92 + 26 * len(rows)
    return StabilityView(
        figure=draw("stability", alt, (height, height), lambda s: _paint_stability(s, rows)),
        features=rows,
        polarities=polarities,
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


def _paint_stability(surface: Surface, rows: tuple[FeatureStability, ...]) -> None:
    polarities = [p for p in _MARKERS if any(p in row.frequency for row in rows)]
    axes = surface.axes(132 if surface.narrow else 250, 48, 46, 34)
    spread = 0.3 * (len(polarities) - 1)
    for index, row in enumerate(rows):
        end = 0.0
        for k, (polarity, frequency) in enumerate(row.frequency.items()):
            marker, colour = _MARKERS[polarity]
            y = index - spread / 2 + spread * k
            axes.plot([0, frequency], [y, y], color=LINE, linewidth=1.5, zorder=1)
            low, high = row.interval[polarity]
            if np.isfinite(low):
                axes.plot([low, high], [y, y], color=colour, linewidth=1.5, zorder=2)
                end = max(end, high)
            (dot,) = axes.plot(
                [frequency], [y], marker, color=colour, markersize=6, zorder=3, clip_on=False
            )
            title = f"{row.label}, {polarity}: {format_percentage(frequency)} of splits"
            surface.add_title(dot, title)
            end = max(end, frequency)
        text = format_percentage(max(row.frequency.values()))
        surface.annotate(axes, text, (end, index), (8, 0), color=MUTED, fontsize=11.5)
    limit = 18 if surface.narrow else 36
    axes.set_yticks(range(len(rows)), [shorten(row.label, limit) for row in rows])
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=11.5 if surface.narrow else 12.5)
    axes.spines["left"].set_visible(False)
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.4, -0.7), xlabel="fraction of splits")
    set_percent_ticks(axes.xaxis)
    if len(polarities) > 1:
        surface.legend([(p, *_MARKERS[p], _MARKERS[p][1]) for p in polarities])


def benefit_view(context: ReportContext) -> BenefitView | None:
    """Draw the benefit difference of the first personas, corrected and as selected."""
    rows = context.personas[:MAX_PERSONAS]
    if not rows:
        return None
    alt = "Benefit inside minus outside: " + "; ".join(_difference_text(row) for row in rows)
    height = 84 + 26 * len(rows)
    return BenefitView(
        draw("benefit", alt, (height, height), lambda s: _paint_benefits(s, rows)), rows
    )


def _difference_text(row: PersonaView) -> str:
    text = f"persona {row.rank} {format_fixed(row.difference)} on these data"
    if row.has_interval:
        low, high = format_fixed(row.difference_low), format_fixed(row.difference_high)
        text += f", {format_fixed(row.difference_shrunken)} ({low} to {high}) corrected"
    return text


def _paint_benefits(surface: Surface, rows: tuple[PersonaView, ...]) -> None:
    axes = surface.axes(40, 48, 16, 34)
    axes.axvline(0, color=LINE, linewidth=1)
    for y, row in enumerate(rows):
        points = [(row.difference, "on these data", PAPER)]
        if row.has_interval:
            ends = [row.difference_low, row.difference_high]
            axes.plot(ends, [y, y], color=ACTIVE, linewidth=1.5, zorder=1)
            points.append((row.difference_shrunken, "corrected", ACTIVE))
        for value, name, face in points:
            (dot,) = axes.plot(
                [value], [y], "o", markersize=8, markeredgewidth=1.8, zorder=3,
                markerfacecolor=face, markeredgecolor=ACTIVE,
            )  # fmt: skip
            surface.add_title(dot, f"persona {row.rank}, {name}: {format_fixed(value)}")
    names = [("corrected", "o", ACTIVE, ACTIVE), ("on these data", "o", ACTIVE, PAPER)]
    surface.legend(names[0 if any(row.has_interval for row in rows) else 1 :])
    axes.set_yticks(range(len(rows)), [f"#{row.rank}" for row in rows])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.margins(x=0.06)
    axes.set_xlabel("benefit inside minus outside")
