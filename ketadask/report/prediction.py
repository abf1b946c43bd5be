"""Response foretold from brain structure: every cohort side by side, curves, and the regions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask.predict.performance import calibration, decision_curve
from ketadask.report.canvas import ACCENT, ACTIVE, CONTROL, INK, LINE, MUTED, Drawing, Surface, draw
from ketadask.report.downloads import as_download
from ketadask.report.format import fixed, percent, percent_given
from ketadask.report.labels import Mask, shortened

if TYPE_CHECKING:
    import pandas as pd

MOST_REGIONS = 20
_COLOURS = (ACTIVE, CONTROL, ACCENT, INK, MUTED)
_STYLES = ("-", (0, (5, 3)), (0, (2, 2)), (0, (7, 2, 2, 2)), "-")


def prediction_view(part: Mapping[str, Any] | None, mask: Mask) -> dict[str, Any] | None:
    """Return what the section shows; ``part`` holds summary, cases and weights."""
    if part is None or not part["summary"].get("cohorts"):
        return None
    summary, cases, weights = part["summary"], part["cases"], part["weights"]
    cohorts = {mask(name): summary["cohorts"][name] for name in summary["order"]}
    learnt = cases[cases["cohort"] == summary["order"][0]]
    probability, label = learnt["probability"].to_numpy(), learnt["label"].to_numpy()
    return {
        "summary": summary,
        "cohorts": list(cohorts.items()),
        "discovery": summary["cohorts"][summary["order"][0]],
        "baselines": list(summary.get("baselines", {}).items()),
        "notes": [mask(note) for note in summary.get("notes", ())],
        "accuracy": _accuracy_figure(cohorts),
        "roc": _roc_figure(cases, mask),
        "calibration": _calibration_figure(calibration(probability, label)),
        "benefit": _benefit_figure(decision_curve(probability, label)),
        "weights": _weights_figure(weights) if len(weights) else None,
        "regions": weights.head(MOST_REGIONS).to_dict("records"),
        "download": as_download(weights, "weights.csv") if len(weights) else None,
    }


def _accuracy_figure(cohorts: Mapping[str, Mapping[str, float]]) -> Drawing:
    told = [
        f"{name}: {percent(m['bac'])} ({percent(m['bac_low'])} to {percent(m['bac_high'])})"
        for name, m in cohorts.items()
    ]
    height = 70 + 34 * len(cohorts)
    return draw(
        "accuracy",
        "Balanced accuracy. " + "; ".join(told),
        (height, height),
        lambda s: _accuracy(s, cohorts, told),
    )


def _accuracy(
    surface: Surface, cohorts: Mapping[str, Mapping[str, float]], told: list[str]
) -> None:
    axes = surface.axes(110 if surface.narrow else 150, 46, 18, 10)
    axes.axvline(0.5, color=LINE, linewidth=1.2, linestyle=(0, (4, 3)))
    for k, m in enumerate(cohorts.values()):
        axes.plot([m["bac_low"], m["bac_high"]], [k, k], color=ACTIVE, linewidth=2)
        (dot,) = axes.plot([m["bac"]], [k], "o", color=ACTIVE, markersize=7)
        surface.tell(dot, told[k])
    names = [shortened(name, 16 if surface.narrow else 22) for name in cohorts]
    axes.set_yticks(range(len(names)), names)
    axes.set(xlim=(0, 1), ylim=(len(names) - 0.4, -0.6), xlabel="balanced accuracy, 95 % interval")
    _percent_ticks(axes.xaxis)


def roc(score: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rate as the threshold falls; ties move both at once.

    Examples
    --------
    >>> false, true = roc(np.array([3.0, 2.0, 1.0]), np.array([1, 0, 1]))
    >>> false.tolist(), true.tolist()
    ([0.0, 0.0, 1.0, 1.0], [0.0, 0.5, 0.5, 1.0])
    """
    order = np.argsort(-score, kind="stable")
    score, label = score[order], label[order]
    ends = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    positive, negative = max((label == 1).sum(), 1), max((label == 0).sum(), 1)
    true = np.concatenate([[0.0], np.cumsum(label == 1)[ends] / positive])
    false = np.concatenate([[0.0], np.cumsum(label == 0)[ends] / negative])
    return false, true


def _roc_figure(cases: pd.DataFrame, mask: Mask) -> Drawing:
    from ketadask.predict.performance import auc

    curves, told = [], []
    for name, table in cases.groupby("cohort", sort=False):
        score, label = table["decision"].to_numpy(), table["label"].to_numpy()
        curves.append(roc(score, label))
        told.append(f"{mask(name)}: AUC {fixed(auc(score, label))}")
    return draw("roc", "ROC. " + "; ".join(told), (360, 330), lambda s: _roc(s, curves, told))


def _roc(surface: Surface, curves: list[tuple[np.ndarray, np.ndarray]], told: list[str]) -> None:
    right = 18 if surface.narrow else 320
    axes = surface.axes(64, 48, right, 12)
    axes.plot([0, 1], [0, 1], color=LINE, linewidth=1.2, linestyle=(0, (4, 3)))
    for k, (false, true) in enumerate(curves):
        colour, style = _COLOURS[k % len(_COLOURS)], _STYLES[k % len(_STYLES)]
        (line,) = axes.plot(false, true, color=colour, linewidth=1.8, linestyle=style)
        surface.tell(line, told[k])
        place = (
            (0.98, 0.04 + 0.075 * (len(told) - 1 - k)) if surface.narrow else (1.04, 0.9 - 0.1 * k)
        )
        surface.note(
            axes, told[k], place, (0, 0), ha="right" if surface.narrow else "left", color=colour
        )
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="1 − specificity", ylabel="sensitivity")
    _percent_ticks(axes.xaxis, axes.yaxis)


def _calibration_figure(table: pd.DataFrame) -> Drawing:
    told = [
        f"foretold {percent(r.foretold)}, seen {percent(r.seen)} of {r.n}"
        for r in table.itertuples()
    ]
    return draw("calibration", "Calibration. " + "; ".join(told), (300, 300),
                lambda s: _calibration(s, table, told))  # fmt: skip


def _calibration(surface: Surface, table: pd.DataFrame, told: list[str]) -> None:
    axes = surface.axes(64, 48, 24, 12)
    axes.plot([0, 1], [0, 1], color=LINE, linewidth=1.2, linestyle=(0, (4, 3)))
    for row, text in zip(table.itertuples(), told, strict=True):
        axes.plot([row.foretold] * 2, [row.seen_low, row.seen_high], color=ACTIVE, linewidth=1.6)
        (dot,) = axes.plot([row.foretold], [row.seen], "o", color=ACTIVE, markersize=6)
        surface.tell(dot, text)
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="response foretold", ylabel="response seen")
    _percent_ticks(axes.xaxis, axes.yaxis)


def _benefit_figure(table: pd.DataFrame) -> Drawing:
    best = table.loc[table["model"].idxmax()]
    alt = (
        f"Net benefit at thresholds from {percent_given(table['threshold'].min())} to "
        f"{percent_given(table['threshold'].max())}; largest {fixed(best['model'], 3)}"
    )
    return draw("net-benefit", alt, (280, 280), lambda s: _benefit(s, table))


def _benefit(surface: Surface, table: pd.DataFrame) -> None:
    axes = surface.axes(64, 48, 24, 30)
    top = max(0.05, float(table[["model", "everybody"]].to_numpy().max()))
    x = table["threshold"]
    axes.axhline(0, color=LINE, linewidth=1.2)
    axes.plot(x, table["everybody"], color=CONTROL, linewidth=1.6, linestyle=(0, (5, 3)))
    axes.plot(x, table["model"], color=ACTIVE, linewidth=2)
    axes.set(xlim=(0, 1), ylim=(-0.5 * top, 1.15 * top))
    axes.set(xlabel="threshold probability", ylabel="net benefit")
    _percent_ticks(axes.xaxis)
    surface.legend([("model", "o", ACTIVE, ACTIVE), ("everybody", "o", CONTROL, CONTROL)])


def _weights_figure(weights: pd.DataFrame) -> Drawing:
    table = weights.head(MOST_REGIONS)
    told = [f"{r.label}: {fixed(r.ratio)}" for r in table.itertuples()]
    height = 60 + 22 * len(table)
    return draw("weights", "Cross-validation ratio of the regions. " + "; ".join(told[:5]),
                (height, height), lambda s: _weights(s, table, told))  # fmt: skip


def _weights(surface: Surface, table: pd.DataFrame, told: list[str]) -> None:
    axes = surface.axes(160 if surface.narrow else 260, 46, 18, 8)
    ratio = table["ratio"].to_numpy()
    axes.axvline(0, color=LINE, linewidth=1.2)
    colours = [ACTIVE if r >= 0 else CONTROL for r in ratio]
    for bar, text in zip(
        axes.barh(np.arange(len(ratio)), ratio, color=colours, height=0.62), told, strict=True
    ):
        surface.tell(bar, text)
    names = [shortened(str(name), 24 if surface.narrow else 38) for name in table["label"]]
    axes.set_yticks(range(len(names)), names)
    reach = 1.1 * max(np.abs(ratio).max(), 0.1)
    axes.set(xlim=(-reach, reach), ylim=(len(names) - 0.4, -0.6))
    axes.set(xlabel="cross-validation ratio" if surface.narrow else
             "cross-validation ratio (right: larger volumes speak for response)")  # fmt: skip


def _percent_ticks(*several: Any) -> None:
    for axis in several:
        axis.set_ticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])
