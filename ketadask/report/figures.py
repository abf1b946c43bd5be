"""The larger figures: relabelled trials, stability over splits, benefit inside and outside."""

from __future__ import annotations

from typing import Any

import numpy as np

from ketadask import names as nm
from ketadask.report.canvas import (
    ACTIVE,
    CONTROL,
    INK,
    LINE,
    MUTED,
    PAPER,
    SOFT,
    Drawing,
    Surface,
    draw,
)
from ketadask.report.format import fixed, lookup, percent
from ketadask.report.labels import shortened
from ketadask.report.personas import records
from ketadask.report.report_data import ReportData

MOST_FEATURES = 20
MOST_PERSONAS = 10
_MARKS = {nm.FAVOURABLE: ("o", ACTIVE), nm.UNFAVOURABLE: ("s", CONTROL), "selected": ("o", ACTIVE)}


def null_figure(findings: ReportData) -> tuple[Drawing, dict[str, Any]] | None:
    """Draw the largest Q of each relabelled trial, with the observed and the critical value.

    The largest is taken over both polarities, as the adjusted p does.
    """
    nulls = findings.nulls
    if nulls is None or len(nulls) == 0:
        return None
    largest = nulls.groupby("relabelling")["q"].max().to_numpy(float)
    values = largest[np.isfinite(largest)]
    if not values.size:
        return None
    view: dict[str, Any] = {
        "count": largest.size,
        "polarities": sorted(set(nulls["polarity"])),
        "observed": _observed(findings),
        "critical": lookup(findings.summary, "critical_value"),
    }
    alt = (
        f"{largest.size} relabelled trials, largest Q from {fixed(values.min())} to "
        f"{fixed(values.max())}"
        + "".join(f"; best {p} persona {fixed(q)}" for p, q in view["observed"])
        + (f"; critical value {fixed(view['critical'])}" if view["critical"] is not None else "")
    )
    return draw("null", alt, (270, 250), lambda s: _null(s, values, view)), view


def _observed(findings: ReportData) -> list[tuple[str, float]]:
    """Return the largest Q among the verdicts, per polarity."""
    table = findings.verdicts
    if table is None or not {"q", "polarity"} <= set(table.columns):
        return []
    best = table.groupby("polarity")["q"].max().dropna()
    return [(p, float(best[p])) for p in nm.POLARITIES if p in best.index]


def _null(surface: Surface, values: np.ndarray, view: dict[str, Any]) -> None:
    axes = surface.axes(48, 46, 12, 10)
    marks: list[tuple[str, float, str, Any]] = [
        (p, q, _MARKS[p][1], "-") for p, q in view["observed"]
    ]
    if view["critical"] is not None:
        marks.append(("critical", view["critical"], INK, (0, (4, 3))))
    every = np.append(values, [m[1] for m in marks])
    low, high = every.min(), every.max()
    room = 0.04 * (high - low or 1.0)
    bins = int(np.clip(2 * np.sqrt(values.size), 8, 24 if surface.narrow else 40))
    edges = np.linspace(values.min(), max(values.max(), values.min() + 1e-6), bins + 1)
    counts, _ = np.histogram(values, edges)
    bars = axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=SOFT)
    for bar, count, left, right in zip(bars, counts, edges, edges[1:], strict=False):
        bar.set_edgecolor(PAPER)
        surface.tell(bar, f"{count} relabelled trials with Q {fixed(left)} to {fixed(right)}")
    top = (1.1 + 0.2 * len(marks)) * max(counts.max(), 1)
    axes.set(xlim=(low - room, high + room), ylim=(0, top))
    axes.set(xlabel="largest Q in the trial", ylabel="trials")
    axes.yaxis.set_major_locator(_whole_numbers())
    height = 0.98 * top
    for name, value, colour, style in marks:
        axes.plot([value, value], [0, height], color=colour, linestyle=style, linewidth=2)
        right = value > (low + high) / 2
        surface.note(
            axes,
            f"{name} {fixed(value)}",
            (value, height - 0.04 * top),
            (-6 if right else 6, 0),
            ha="right" if right else "left",
            color=colour,
        )
        height -= 0.12 * top


def _whole_numbers() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=3, integer=True)


def stability_figure(
    findings: ReportData,
) -> tuple[Drawing, list[dict[str, Any]], list[tuple[str, dict[str, Any]]]] | None:
    """Draw how often each feature was selected over the splits, the most frequent first."""
    table = findings.stability
    if table is None or len(table) == 0:
        return None
    if "polarity" not in table:
        table = table.assign(polarity="selected")
    polarities = [p for p in (*nm.POLARITIES, "selected") if (table["polarity"] == p).any()]
    most = table.groupby("feature", sort=True)["frequency"].max()
    chosen = most.sort_values(ascending=False, kind="stable").head(MOST_FEATURES).index
    labels = _labels(findings)
    rows = []
    for feature in chosen:
        mine = table[table["feature"] == feature].set_index("polarity")
        found = {p: mine.loc[p].to_dict() for p in polarities if p in mine.index}
        rows.append({"feature": feature, "label": labels.get(feature, feature), "found": found})
    first = "; ".join(
        f"{shortened(r['label'], 60)} "
        + ", ".join(f"{p} {percent(f['frequency'])}" for p, f in r["found"].items())
        for r in rows[:3]
    )
    alt = f"Share of splits in which each feature was selected; most often: {first}"
    height = 92 + 26 * len(rows)
    drawing = draw("stability", alt, (height, height), lambda s: _stability(s, rows, polarities))
    return drawing, rows, _indices(findings)


def _indices(findings: ReportData) -> list[tuple[str, dict[str, Any]]]:
    """Return, per polarity, the stability index of the selection that the study wrote."""
    told = lookup(findings.summary, "selection", {})
    keys = {"stability", "stability_low", "stability_high", "features_per_split"}
    return [(p, told[p]) for p in nm.POLARITIES if p in told and keys <= set(told[p])]


def splits_without_room(findings: ReportData) -> dict[str, Any] | None:
    """Return in how many splits no persona fits on the train side, where there are such splits."""
    without = lookup(findings.summary, "splits_without_room")
    if not without:
        return None
    given = lookup(findings.settings, "search.min_support")
    least = "the larger of 8 and 20 % of its units" if given is None else f"{given:,}"
    return {"without": without, "splits": lookup(findings.summary, "splits"), "least": least}


def _labels(findings: ReportData) -> dict[str, str]:
    if findings.features is None:
        return {}
    names = map(str, findings.features[nm.FEATURE].values)
    return dict(zip(names, map(str, findings.features["label"].values), strict=True))


def _stability(surface: Surface, rows: list[dict[str, Any]], polarities: list[str]) -> None:
    axes = surface.axes(132 if surface.narrow else 250, 48, 46, 34)
    for at, row in enumerate(rows):
        end = 0.0
        spread = 0.3 * (len(polarities) - 1)
        for k, (polarity, found) in enumerate(row["found"].items()):
            shape, colour = _MARKS[polarity]
            value = float(found["frequency"])
            y = at - spread / 2 + spread * k
            axes.plot([0, value], [y, y], color=LINE, linewidth=1.5, zorder=1)
            if np.isfinite(found.get("low", np.nan)):
                ends = [found["low"], found["high"]]
                axes.plot(ends, [y, y], color=colour, linewidth=1.5, zorder=2)
                end = max(end, float(found["high"]))
            (dot,) = axes.plot(
                [value], [y], shape, color=colour, markersize=6, zorder=3, clip_on=False
            )
            surface.tell(dot, f"{row['label']}, {polarity}: {percent(value)} of splits")
            end = max(end, value)
        most = max(float(f["frequency"]) for f in row["found"].values())
        surface.note(axes, percent(most), (end, at), (8, 0), color=MUTED, fontsize=11.5)
    most = 18 if surface.narrow else 36
    axes.set_yticks(range(len(rows)), [shortened(r["label"], most) for r in rows])
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=11.5 if surface.narrow else 12.5)
    axes.spines["left"].set_visible(False)
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.4, -0.7))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])
    axes.set_xlabel("share of splits")
    if len(polarities) > 1:
        surface.legend([(p, *_MARKS[p], _MARKS[p][1]) for p in polarities])


def benefit_figure(findings: ReportData) -> tuple[Drawing, list[dict[str, Any]]] | None:
    """Draw the mean benefit inside and outside the first personas."""
    table = findings.verdicts
    needed = {"benefit_inside", "benefit_outside", "polarity"}
    if table is None or len(table) == 0 or not needed <= set(table.columns):
        return None
    rows = records(table.sort_values("rank", kind="stable").head(MOST_PERSONAS))
    alt = "Mean benefit inside and outside: " + "; ".join(
        f"persona {r['rank']} {fixed(r['benefit_inside'])} inside, "
        f"{fixed(r['benefit_outside'])} outside"
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
            surface.tell(dot, f"persona {row['rank']}, {where}: {fixed(value)}")
    surface.legend([("inside", "o", ACTIVE, ACTIVE), ("outside", "o", ACTIVE, PAPER)])
    axes.set_yticks(range(len(rows)), [f"#{r['rank']}" for r in rows])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.margins(x=0.06)
    axes.set_xlabel("mean benefit, active minus control")
