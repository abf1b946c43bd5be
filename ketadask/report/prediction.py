"""Response predicted from brain structure: performance by cohort, curves, and the regions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ketadask.kernels.roc import auc, roc_curve
from ketadask.plot.brain import BrainMap, brain_maps, brain_svg
from ketadask.predict.performance import calibration_curve, decision_curve
from ketadask.predict.weights import lobe_table
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
from ketadask.report.context import ReportContext
from ketadask.report.downloads import Download, as_download
from ketadask.report.format import format_fixed, format_percentage, format_setting_percent
from ketadask.report.labels import Mask, shorten
from ketadask.report.personas import rows_as

if TYPE_CHECKING:
    import pandas as pd
    from markupsafe import Markup

MAX_REGIONS = 20
_BRAINS = {
    "pattern": "Patterns: covariance of a region with the decision of the models. Blue: larger in "
    "participants predicted to respond; brown: smaller.",
    "weight": "Weights: what the models use. A weight may only cancel what other regions share.",
}
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
class LobePattern:
    """Mean pattern of the regions of a lobe, and the fraction above zero."""

    lobe: str
    regions: int
    pattern: float
    positive: float


@dataclass(frozen=True)
class BrainDrawing:
    """Maps of one column of the weights, as SVG."""

    name: str
    caption: str
    maps: tuple[Markup, ...]


@dataclass(frozen=True)
class CohortResult:
    """Performance in one cohort, and whether it is above chance by the p of its AUC."""

    name: str
    measures: Performance
    alpha: float

    @property
    def p_auc(self) -> float | None:
        """Permutation p of the AUC, None where it was not computed."""
        return self.measures.get("p_auc")

    @property
    def p_bac(self) -> float | None:
        """Permutation p of the balanced accuracy, None where it was not computed."""
        return self.measures.get("p_bac")

    @property
    def is_above(self) -> bool:
        """Whether the AUC is above chance at the level of the study."""
        return self.p_auc is not None and self.p_auc <= self.alpha

    @property
    def word(self) -> str:
        """The result in two or three words."""
        if self.p_auc is None:
            return "not tested"
        return "above chance" if self.is_above else "not above chance"


@dataclass(frozen=True)
class AnswerView:
    """First page of a study that only predicts; ``predictors`` names what it predicts from."""

    cohorts: tuple[CohortResult, ...]
    predictors: str
    n_regions: int
    permutations: int
    has_external: bool
    specificity: Mapping[str, float]
    alpha: float

    @property
    def discovery(self) -> CohortResult:
        """The cohort of the nested cross-validation."""
        return self.cohorts[0]


def answer_view(context: ReportContext) -> AnswerView | None:
    """Return the first page, or None where the study also searches personas."""
    part = context.data.prediction
    if not context.data.is_prediction_only or part is None or not part["summary"].get("cohorts"):
        return None
    summary, alpha = part["summary"], context.settings.alpha
    return AnswerView(
        cohorts=tuple(
            CohortResult(context.mask(name), summary["cohorts"][name], alpha)
            for name in summary["order"]
        ),
        predictors="brain structure",
        n_regions=summary["regions"],
        permutations=summary["permutations"],
        has_external=len(summary["order"]) > 2,
        specificity=summary.get("specificity") or {},
        alpha=alpha,
    )


@dataclass(frozen=True)
class PredictionView:
    """Response predicted from brain structure.

    ``locked_classifier`` differs from ``classifier`` where the latter cannot be locked; ``p`` are
    permutation p-values by measure, empty without permutations.
    """

    classifier: str
    locked_classifier: str
    cv: str
    folds: str
    n_regions: int
    covariates: tuple[str, ...]
    permutations: int
    p: Mapping[str, float]
    cohorts: Mapping[str, Performance]
    discovery: Performance
    other_classifiers: Mapping[str, Performance]
    notes: tuple[str, ...]
    figures: Mapping[str, Drawing]
    regions: tuple[RegionWeight, ...]
    lobes: tuple[LobePattern, ...]
    brains: tuple[BrainDrawing, ...]
    n_undrawn: int
    download: Download | None


def prediction_view(context: ReportContext) -> PredictionView | None:
    """Return the section, or None where the study predicts nothing."""
    part, mask = context.data.prediction, context.mask
    if part is None or not part["summary"].get("cohorts"):
        return None
    summary, cases, weights = part["summary"], part["cases"], part["weights"]
    names = summary["order"]
    cohorts = {mask(name): summary["cohorts"][name] for name in names}
    return PredictionView(
        classifier=summary["classifier"],
        locked_classifier=summary.get("locked", summary)["classifier"],
        cv=summary["cv"],
        folds=summary["folds"],
        n_regions=summary["regions"],
        covariates=tuple(summary["covariates"]),
        permutations=summary["permutations"],
        p=summary["p"] or {},
        cohorts=cohorts,
        discovery=summary["cohorts"][names[0]],
        other_classifiers=summary.get("other_classifiers", {}),
        notes=tuple(mask(note) for note in summary.get("notes", ())),
        figures=_figures(cohorts, cases, weights, names[0], mask),
        regions=tuple(rows_as(weights.head(MAX_REGIONS), RegionWeight)) if len(weights) else (),
        lobes=tuple(rows_as(lobe_table(weights), LobePattern)) if len(weights) else (),
        brains=_brain_drawings(weights),
        n_undrawn=len(weights) - sum(len(brain.values) for brain in _maps(weights, "weight")),
        download=as_download(weights, "weights.csv") if len(weights) else None,
    )


def _maps(weights: pd.DataFrame, column: str) -> list[BrainMap]:
    pairs = zip(weights["region"], weights[column], strict=True)
    return brain_maps({str(region): float(value) for region, value in pairs})


def _brain_drawings(weights: pd.DataFrame) -> tuple[BrainDrawing, ...]:
    """Return maps of the patterns and of the weights."""
    return tuple(
        BrainDrawing(column, text, tuple(brain_svg(brain, column) for brain in maps))
        for column, text in _BRAINS.items()
        if (maps := _maps(weights, column))
    )


def _figures(
    cohorts: Mapping[str, Performance],
    cases: pd.DataFrame,
    weights: pd.DataFrame,
    discovery: str,
    mask: Mask,
) -> dict[str, Drawing]:
    own = cases[cases["cohort"] == discovery]
    probability, label = own["probability"].to_numpy(), own["label"].to_numpy()
    figures = {
        "accuracy": _accuracy_figure(cohorts),
        "roc": _roc_figure(cases, mask),
        "calibration": _calibration_figure(calibration_curve(probability, label)),
        "net_benefit": _net_benefit_figure(decision_curve(probability, label)),
    }
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
            x, ends = row["predicted"], [row["observed_low"], row["observed_high"]]
            axes.plot([x, x], ends, color=ACTIVE, linewidth=1.6)
            (dot,) = axes.plot([x], [row["observed"]], "o", color=ACTIVE, markersize=6)
            surface.add_title(dot, text)
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
