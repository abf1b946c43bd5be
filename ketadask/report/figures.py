"""The larger figures: relabelled trials, stability over splits, benefit inside and outside."""

from __future__ import annotations

from typing import Any

import numpy as np

from ketadask import names as nm
from ketadask.report.canvas import (
    ACCENT,
    ACTIVE,
    INK,
    LINE,
    MUTED,
    PAPER,
    SOFT,
    Drawing,
    Surface,
    draw,
)
from ketadask.report.findings import Findings
from ketadask.report.numerals import lookup, number, percent
from ketadask.report.wording import shortened

MOST_FEATURES = 20
MOST_PERSONAS = 10


def null_figure(findings: Findings) -> tuple[Drawing, list[dict[str, Any]]] | None:
    """Draw the largest Q of each relabelled trial, with the observed and the critical value."""
    nulls = findings.nulls
    if nulls is None or len(nulls) == 0:
        return None
    panels = []
    for polarity in nm.POLARITIES:
        values = nulls.loc[nulls["polarity"] == polarity, "q"].to_numpy(float)
        values = values[np.isfinite(values)]
        if values.size:
            panels.append(
                {
                    "polarity": polarity,
                    "values": values,
                    "observed": _observed(findings, polarity),
                    "critical": critical(findings, polarity),
                }
            )
    if not panels:
        return None
    told = [
        f"{p['polarity']}: {p['values'].size} relabelled trials, largest Q from "
        f"{number(p['values'].min())} to {number(p['values'].max())}"
        + (f", observed {number(p['observed'])}" if p["observed"] is not None else "")
        + (f", critical value {number(p['critical'])}" if p["critical"] is not None else "")
        for p in panels
    ]
    height = 20 + 190 * len(panels)
    return draw("null", "; ".join(told), (height, height), lambda s: _nulls(s, panels)), panels


def critical(findings: Findings, polarity: str) -> float | None:
    """Return the critical value of Q the study wrote, or None."""
    for path in (f"polarities.{polarity}.critical_value", "critical_value"):
        value = lookup(findings.summary, path)
        if value is not None:
            return float(value)
    return None


def _observed(findings: Findings, polarity: str) -> float | None:
    table = findings.verdicts
    if table is None or "q" not in table or "polarity" not in table:
        return None
    values = table.loc[table["polarity"] == polarity, "q"]
    return float(values.max()) if len(values) else None


def _nulls(surface: Surface, panels: list[dict[str, Any]]) -> None:
    marks = [p[k] for p in panels for k in ("observed", "critical") if p[k] is not None]
    every = np.concatenate([*(p["values"] for p in panels), marks])
    low, high = every.min(), every.max()
    room = 0.04 * (high - low or 1.0)
    edges = np.linspace(low, high, 25 if surface.narrow else 41)
    for row, panel in enumerate(panels):
        above = 34 + 190 * row
        axes = surface.axes(44, surface.height - above - 120, 12, above)
        counts, _ = np.histogram(panel["values"], edges)
        bars = axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=SOFT)
        for bar, count, left, right in zip(bars, counts, edges, edges[1:], strict=False):
            bar.set_edgecolor(PAPER)
            surface.tell(bar, f"{count} relabelled trials with Q {number(left)}–{number(right)}")
        top = 1.5 * max(counts.max(), 1)
        axes.set(xlim=(low - room, high + room), ylim=(0, top))
        axes.set_ylabel("trials", fontsize=11.5)
        axes.yaxis.set_major_locator(_whole_numbers())
        axes.set_title(panel["polarity"], loc="left", fontsize=12.5, color=INK, pad=10)
        middle = (low + high) / 2
        for name, colour, style, at in (
            ("observed", ACCENT, "-", 0.99),
            ("critical", INK, (0, (4, 3)), 0.84),
        ):
            value = panel[name]
            if value is None:
                continue
            axes.plot([value, value], [0, at * top], color=colour, linestyle=style, linewidth=2)
            side = "right" if value > middle else "left"
            gap = -6 if side == "right" else 6
            axes.annotate(
                f"{name} {number(value)}",
                (value, at * top),
                (gap, 0),
                textcoords="offset points",
                ha=side,
                va="top",
                color=colour,
            )
        if row == len(panels) - 1:
            axes.set_xlabel("largest Q in the trial")


def _whole_numbers() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=3, integer=True)


def stability_figure(findings: Findings) -> tuple[Drawing, list[dict[str, Any]]] | None:
    """Draw how often each feature was selected over the splits, the most frequent first."""
    table = findings.stability
    if table is None or len(table) == 0:
        return None
    order = table.sort_values(["frequency", "feature"], ascending=[False, True], kind="stable")
    rows = order.head(MOST_FEATURES).to_dict("records")
    dataset = findings.features
    labels = {}
    if dataset is not None:
        names = map(str, dataset[nm.FEATURE].values)
        labels = dict(zip(names, map(str, dataset["label"].values), strict=True))
    for row in rows:
        row["label"] = labels.get(row["feature"], row["feature"])
    first = ", ".join(f"{shortened(r['label'], 60)} {percent(r['frequency'])}" for r in rows[:3])
    alt = f"Share of splits in which each feature was selected; most often: {first}"
    height = 60 + 24 * len(rows)
    return draw("stability", alt, (height, height), lambda s: _stability(s, rows)), rows


def _stability(surface: Surface, rows: list[dict[str, Any]]) -> None:
    axes = surface.axes(132 if surface.narrow else 250, 48, 46, 8)
    for at, row in enumerate(rows):
        value = float(row["frequency"])
        axes.plot([0, value], [at, at], color=LINE, linewidth=2, zorder=1)
        if np.isfinite(row.get("low", np.nan)):
            axes.plot([row["low"], row["high"]], [at, at], color=ACTIVE, linewidth=1.5, zorder=2)
        (dot,) = axes.plot([value], [at], "o", color=ACTIVE, markersize=7, zorder=3)
        surface.tell(dot, f"{row['label']}: {percent(value)} of splits")
        end = max(value, float(row.get("high", value)))
        axes.annotate(
            percent(value),
            (end, at),
            (8, 0),
            textcoords="offset points",
            va="center",
            color=MUTED,
            fontsize=11.5,
            annotation_clip=False,
        )
    most = 18 if surface.narrow else 36
    axes.set_yticks(range(len(rows)), [shortened(r["label"], most) for r in rows])
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=11.5 if surface.narrow else 12.5)
    axes.spines["left"].set_visible(False)
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.4, -0.6))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])
    axes.set_xlabel("share of splits")


def benefit_figure(findings: Findings) -> tuple[Drawing, list[dict[str, Any]]] | None:
    """Draw the mean benefit inside and outside the first personas."""
    table = findings.verdicts
    needed = {"benefit_inside", "benefit_outside", "polarity"}
    if table is None or len(table) == 0 or not needed <= set(table.columns):
        return None
    rows = table.sort_values("rank", kind="stable").head(MOST_PERSONAS).to_dict("records")
    alt = "Mean benefit inside and outside: " + "; ".join(
        f"persona {r['rank']} {number(r['benefit_inside'])} inside, "
        f"{number(r['benefit_outside'])} outside"
        for r in rows
    )
    height = 84 + 26 * len(rows)
    return draw("benefit", alt, (height, height), lambda s: _benefits(s, rows)), rows


def _benefits(surface: Surface, rows: list[dict[str, Any]]) -> None:
    axes = surface.axes(40, 48, 16, 34)
    axes.axvline(0, color=LINE, linewidth=1)
    for at, row in enumerate(rows):
        inside, outside = float(row["benefit_inside"]), float(row["benefit_outside"])
        axes.plot([outside, inside], [at, at], color=LINE, linewidth=3, zorder=1)
        for value, where, face in ((outside, "outside", PAPER), (inside, "inside", ACTIVE)):
            (dot,) = axes.plot(
                [value], [at], "o", markersize=8, markeredgewidth=1.8, zorder=3,
                markerfacecolor=face, markeredgecolor=ACTIVE,
            )  # fmt: skip
            surface.tell(dot, f"persona {row['rank']}, {where}: {number(value)}")
    for x, face, text in ((0.0, ACTIVE, "inside"), (0.3, PAPER, "outside")):
        axes.plot(
            [x + 0.02], [1.06 + 0.3 / len(rows)], "o", transform=axes.transAxes, clip_on=False,
            markersize=8, markeredgewidth=1.8, markerfacecolor=face, markeredgecolor=ACTIVE,
        )  # fmt: skip
        axes.annotate(
            text,
            (x + 0.02, 1.06 + 0.3 / len(rows)),
            (9, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
        )
    axes.set_yticks(range(len(rows)), [f"#{r['rank']}" for r in rows])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.margins(x=0.06)
    axes.set_xlabel("mean benefit, active minus control")
