"""Figures of a predictor: accuracy, ROC, calibration, net benefit, learning curve, weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ketadask.kernels.roc import auc, roc_curve
from ketadask.predict.performance import calibration_curve, decision_curve
from ketadask.report.canvas import (
    ACTIVE,
    CONTROL,
    DASHED,
    INK,
    LINE,
    MUTED,
    SOFT,
    Drawing,
    Surface,
    draw,
    set_percent_ticks,
)
from ketadask.report.format import format_fixed, format_percentage, format_setting_percent
from ketadask.report.labels import Mask, shorten
from ketadask.report.personas import rows_as

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

MAX_REGIONS = 20
_COLOURS = (ACTIVE, CONTROL, INK, MUTED, SOFT)
_STYLES = ("-", (0, (5, 3)), (0, (2, 2)), (0, (7, 2, 2, 2)), "-")
Performance = Mapping[str, float]  # as `ketadask.predict.performance.performance` returns it


@dataclass(frozen=True)
class RegionWeight:
    """Weight of one region: mean, mean over its spread, fraction of models with the same sign."""

    label: str
    weight: float
    ratio: float
    consistency: float
    pattern: float
    pattern_consistency: float


@dataclass(frozen=True)
class LearningPoint:
    """Performance after training with some of the cases, in the same test cases."""

    training_cases: float
    auc: float
    auc_low: float
    auc_high: float
    bac: float
    bac_low: float
    bac_high: float


def prediction_figures(
    cohorts: Mapping[str, Performance],
    cases: pd.DataFrame,
    weights: pd.DataFrame,
    curve: Sequence[LearningPoint],
    discovery: str,
    mask: Mask,
) -> dict[str, Drawing]:
    """Return the figures of the section by name."""
    own = cases[cases["cohort"] == discovery]
    probability, label = own["probability"].to_numpy(), own["label"].to_numpy()
    figures = {
        "accuracy": _accuracy_figure(cohorts),
        "roc": _roc_figure(cases, mask),
        "calibration": _calibration_figure(calibration_curve(probability, label)),
        "net_benefit": _net_benefit_figure(decision_curve(probability, label)),
    }
    figures |= {"learning": _learning_figure(curve)} if curve else {}
    return figures | ({"weights": _weights_figure(weights)} if len(weights) else {})


def _accuracy_figure(cohorts: Mapping[str, Performance]) -> Drawing:
    texts = [
        f"{name}: {format_percentage(m['bac'])} "
        f"({format_percentage(m['bac_low'])} to {format_percentage(m['bac_high'])})"
        for name, m in cohorts.items()
    ]

    def paint(surface: Surface) -> None:
        axes = surface.axes(110 if surface.narrow else 150, 46, 18, 10)
        axes.axvline(0.5, color=LINE, linewidth=1.2, linestyle=DASHED)
        for y, (m, text) in enumerate(zip(cohorts.values(), texts, strict=True)):
            axes.plot([m["bac_low"], m["bac_high"]], [y, y], color=ACTIVE, linewidth=2)
            (dot,) = axes.plot([m["bac"]], [y], "o", color=ACTIVE, markersize=7)
            surface.add_title(dot, text)
        names = [shorten(name, 16 if surface.narrow else 22) for name in cohorts]
        axes.set_yticks(range(len(names)), names)
        axes.set(xlim=(0, 1), ylim=(len(names) - 0.4, -0.6))
        axes.set(xlabel="balanced accuracy, 95 % interval")
        set_percent_ticks(axes.xaxis)

    height = 70 + 34 * len(cohorts)
    return draw("accuracy", "Balanced accuracy. " + "; ".join(texts), (height, height), paint)


def _roc_figure(cases: pd.DataFrame, mask: Mask) -> Drawing:
    curves, texts = [], []
    for name, table in cases.groupby("cohort", sort=False):
        score, label = table["decision"].to_numpy(), table["label"].to_numpy()
        curves.append(roc_curve(score, label))
        texts.append(f"{mask(name)}: AUC {format_fixed(auc(score, label))}")

    def paint(surface: Surface) -> None:
        narrow = surface.narrow
        axes = surface.axes(64, 48, 18 if narrow else 320, 12)
        axes.plot([0, 1], [0, 1], color=LINE, linewidth=1.2, linestyle=DASHED)
        for k, (false, true) in enumerate(curves):
            colour, style = _COLOURS[k % len(_COLOURS)], _STYLES[k % len(_STYLES)]
            (line,) = axes.plot(false, true, color=colour, linewidth=1.8, linestyle=style)
            surface.add_title(line, texts[k])
            xy = (0.98, 0.04 + 0.075 * (len(texts) - 1 - k)) if narrow else (1.04, 0.9 - 0.1 * k)
            side = "right" if narrow else "left"
            surface.annotate(axes, texts[k], xy, (0, 0), ha=side, color=colour)
        axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="1 − specificity", ylabel="sensitivity")
        set_percent_ticks(axes.xaxis, axes.yaxis)

    return draw("roc", "ROC. " + "; ".join(texts), (360, 330), paint)


def _add_dot(
    surface: Surface, axes: Axes, x: float, values: tuple[float, float, float], text: str
) -> None:
    """Draw an estimate with its interval (value, low, high), and its text as title."""
    value, low, high = values
    axes.plot([x, x], [low, high], color=ACTIVE, linewidth=1.6)
    (dot,) = axes.plot([x], [value], "o", color=ACTIVE, markersize=6)
    surface.add_title(dot, text)


def _learning_figure(curve: Sequence[LearningPoint]) -> Drawing:
    texts = [
        f"{point.training_cases:.0f} training cases: AUC {format_fixed(point.auc)} "
        f"({format_fixed(point.auc_low)} to {format_fixed(point.auc_high)})"
        for point in curve
    ]

    def paint(surface: Surface) -> None:
        axes = surface.axes(64, 48, 24, 12)
        x = [point.training_cases for point in curve]
        axes.axhline(0.5, color=LINE, linewidth=1.2, linestyle=DASHED)
        axes.plot(x, [point.auc for point in curve], color=ACTIVE, linewidth=1.6)
        for point, text in zip(curve, texts, strict=True):
            values = point.auc, point.auc_low, point.auc_high
            _add_dot(surface, axes, point.training_cases, values, text)
        axes.set(xlim=(0, 1.05 * max(x)), ylim=(0, 1.01))
        axes.set(xlabel="training cases", ylabel="AUC, 95 % interval")

    return draw("learning", "Learning curve. " + "; ".join(texts), (260, 260), paint)


def _calibration_figure(table: pd.DataFrame) -> Drawing:
    rows = table.to_dict("records")
    texts = [
        f"predicted {format_percentage(row['predicted'])}, "
        f"observed {format_percentage(row['observed'])} of {row['n']}"
        for row in rows
    ]

    def paint(surface: Surface) -> None:
        axes = surface.axes(64, 48, 24, 12)
        axes.plot([0, 1], [0, 1], color=LINE, linewidth=1.2, linestyle=DASHED)
        for row, text in zip(rows, texts, strict=True):
            values = row["observed"], row["observed_low"], row["observed_high"]
            _add_dot(surface, axes, row["predicted"], values, text)
        axes.set(xlim=(0, 1), ylim=(0, 1.01))
        axes.set(xlabel="predicted response rate", ylabel="observed response rate")
        set_percent_ticks(axes.xaxis, axes.yaxis)

    return draw("calibration", "Calibration. " + "; ".join(texts), (300, 300), paint)


def _net_benefit_figure(table: pd.DataFrame) -> Drawing:
    alt = (
        f"Net benefit at thresholds from {format_setting_percent(table['threshold'].min())} to "
        f"{format_setting_percent(table['threshold'].max())}; "
        f"largest {format_fixed(table['model'].max(), 3)}"
    )

    def paint(surface: Surface) -> None:
        axes = surface.axes(64, 48, 24, 30)
        top = max(0.05, float(table[["model", "treat_all"]].to_numpy().max()))
        x = table["threshold"]
        axes.axhline(0, color=LINE, linewidth=1.2)
        axes.plot(x, table["treat_all"], color=CONTROL, linewidth=1.6, linestyle=(0, (5, 3)))
        axes.plot(x, table["model"], color=ACTIVE, linewidth=2)
        axes.set(xlim=(0, 1), ylim=(-0.5 * top, 1.15 * top))
        axes.set(xlabel="threshold probability", ylabel="net benefit")
        set_percent_ticks(axes.xaxis)
        surface.legend([("model", "o", ACTIVE, ACTIVE), ("treat all", "o", CONTROL, CONTROL)])

    return draw("net-benefit", alt, (280, 280), paint)


def _weights_figure(weights: pd.DataFrame) -> Drawing:
    rows = rows_as(weights.head(MAX_REGIONS), RegionWeight)
    texts = [f"{row.label}: {format_fixed(row.ratio)}" for row in rows]

    def paint(surface: Surface) -> None:
        axes = surface.axes(160 if surface.narrow else 260, 46, 18, 8)
        ratio = np.array([row.ratio for row in rows])
        axes.axvline(0, color=LINE, linewidth=1.2)
        colours = [ACTIVE if r >= 0 else CONTROL for r in ratio]
        bars = axes.barh(np.arange(len(ratio)), ratio, color=colours, height=0.62)
        for bar, text in zip(bars, texts, strict=True):
            surface.add_title(bar, text)
        names = [shorten(row.label, 24 if surface.narrow else 38) for row in rows]
        axes.set_yticks(range(len(names)), names)
        limit = 1.1 * max(np.abs(ratio).max(), 0.1)
        axes.set(xlim=(-limit, limit), ylim=(len(names) - 0.4, -0.6))
        direction = "" if surface.narrow else " (right: larger volumes predict response)"
        axes.set(xlabel=f"cross-validation ratio{direction}")

    height = 60 + 22 * len(rows)
    alt = "Cross-validation ratio of the regions. " + "; ".join(texts[:5])
    return draw("weights", alt, (height, height), paint)
