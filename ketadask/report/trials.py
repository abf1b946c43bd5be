"""The section on several trials: forest plots, and what is found without a trial inside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ketadask.inference.trial_effects import AMONG
from ketadask.report.canvas import ACTIVE, INK, LINE, MUTED, PAPER, Drawing, Surface, draw
from ketadask.report.cards import LEAST_ROWS, foremost
from ketadask.report.downloads import as_download
from ketadask.report.format import fixed, lookup, percent
from ketadask.report.labels import POLARITY_WORDS, Endpoint, endpoint, shortened, unit_word
from ketadask.report.personas import ranked, records
from ketadask.report.report_data import ReportData
from ketadask.sources.names_order import natural

_ROW, _TOP, _BOTTOM = 25, 34, 50
_LARGEST, _SMALLEST = 11.0, 3.5
_Row = dict[str, Any]


def across_view(findings: ReportData) -> dict[str, Any] | None:
    """Return what the section shows, or None where the study has one trial."""
    tables = findings.trials
    if tables is None or len(tables["trials"]) == 0:
        return None
    each = _by_rank(tables["trials"])
    told = {row["rank"]: row for row in records(tables["summaries"])}
    rows = [row | {"told": told[row["rank"]]} for row in ranked(findings) if row["rank"] in told]
    unit = endpoint(findings)
    shown = [
        row | {"figure": _forest(row, each[row["rank"]], unit), "trials": each[row["rank"]]}
        for row in foremost(rows)
    ]
    numbers = lookup(findings.summary, "trials.left_out", {})
    first = sorted(records(tables["left_out"]), key=lambda r: natural(str(r["trial"])))
    return {
        "count": len(each[rows[0]["rank"]]) if rows else 0,
        "rows": rows,
        "folded": max(len(shown), LEAST_ROWS),
        "shown": shown,
        "word": unit_word(findings, 2),
        "per": unit.per,
        "places": unit.places,
        "among": AMONG,
        "left_out": [
            {
                "words": words,
                "told": numbers.get(p),
                "rows": [r for r in first if r["polarity"] == p],
            }
            for p, words in POLARITY_WORDS.items()
            if any(r["polarity"] == p for r in first)
        ],
        "downloads": [
            as_download(tables[name], f"{name}.csv") for name in ("trials", "summaries", "left_out")
        ],
    }


def _by_rank(trials: pd.DataFrame) -> dict[int, list[_Row]]:
    """Return the rows of each persona, trials in the order a reader expects."""
    return {
        int(str(rank)): sorted(records(mine), key=lambda row: natural(str(row["trial"])))
        for rank, mine in trials.groupby("rank", sort=True)
    }


def _forest(row: _Row, trials: list[_Row], unit: Endpoint) -> Drawing:
    """Draw the effect of one persona in each trial, the mean, and a further trial's."""
    told = row["told"]
    lines = [
        f"{t['trial']} {_spoken(t, unit)}" if np.isfinite(t["se"]) else f"{t['trial']} not known"
        for t in trials
    ]
    alt = f"Persona {row['rank']}, benefit inside minus outside: " + "; ".join(lines)
    alt += f"; mean {_spoken(told, unit)}" if np.isfinite(told["low"]) else ""
    if np.isfinite(told["predicted_low"]):
        alt += f"; a further trial {_range(told, unit, 'predicted_')}"
    height = _TOP + _BOTTOM + _ROW * (len(trials) + 2)
    name = f"forest-{row['rank']}"
    return draw(name, alt, (height, height), lambda s: _paint(s, trials, told, unit))


def _spoken(row: _Row, unit: Endpoint) -> str:
    return f"{fixed(row['effect'], unit.places)} ({_range(row, unit)})"


def _range(row: _Row, unit: Endpoint, which: str = "") -> str:
    return f"{fixed(row[which + 'low'], unit.places)} to {fixed(row[which + 'high'], unit.places)}"


def _paint(surface: Surface, trials: list[_Row], told: _Row, unit: Endpoint) -> None:
    narrow, count = surface.narrow, len(trials)
    axes = surface.axes(92 if narrow else 130, _BOTTOM, 14 if narrow else 170, _TOP)
    low, high = _limits(trials, told)
    axes.set(xlim=(low, high), ylim=(count + 1.5, -0.7))
    axes.axvline(0, color=LINE, linewidth=1.2)
    if np.isfinite(told["low"]):
        axes.plot([told["effect"]] * 2, [-0.5, count], color=LINE, linestyle=(0, (2, 3)))
    heaviest = max((t["weight"] for t in trials), default=0.0) or 1.0
    for at, row in enumerate(trials):
        if not np.isfinite(row["se"]):
            surface.note(axes, "too few to tell", (max(low, 0.0), at), (6, 0), color=MUTED)
            continue
        _whisker(surface, axes, row, at, (low, high))
        size = _SMALLEST + (_LARGEST - _SMALLEST) * np.sqrt(row["weight"] / heaviest)
        found = 1 <= row["found_rank"] <= AMONG
        (square,) = axes.plot(
            [row["effect"]], [at], "s", markersize=size, markeredgewidth=1.8, zorder=3,
            markeredgecolor=ACTIVE, markerfacecolor=ACTIVE if found else PAPER,
        )  # fmt: skip
        surface.tell(
            square,
            f"{row['trial']}: {_spoken(row, unit)}, {row['inside']} of {row['n']} inside, "
            f"weight {percent(row['weight'])}"
            + (", found without this trial" if found else ", not found without this trial"),
        )
        _beside(surface, axes, _spoken(row, unit), high, at)
    labels = [shortened(str(t["trial"]), 13 if narrow else 18) for t in trials]
    _sums(surface, axes, told, unit, count, high)
    axes.set_yticks(range(count + 2), [*labels, "all trials", "a further trial"])
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=11.5 if narrow else 12.5)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("benefit inside minus outside" + ("" if narrow else f", {unit.per}"))
    surface.legend(
        [("found without it", "s", ACTIVE, ACTIVE), ("only with it", "s", ACTIVE, PAPER)]
    )


def _sums(surface: Surface, axes: Any, told: _Row, unit: Endpoint, count: int, high: float) -> None:
    """The diamond of the mean, and the bar of a further trial."""
    if np.isfinite(told["low"]):
        x = [told["low"], told["effect"], told["high"], told["effect"]]
        (diamond,) = axes.fill(x, [count, count - 0.32, count, count + 0.32], color=INK, zorder=3)
        surface.tell(diamond, f"mean of {told['measured']} trials: {_spoken(told, unit)}")
        _beside(surface, axes, _spoken(told, unit), high, count)
    if not np.isfinite(told["predicted_low"]):
        surface.note(axes, "needs three trials", (0, count + 1), (6, 0), color=MUTED)
        return
    ends = [told["predicted_low"], told["predicted_high"]]
    (bar,) = axes.plot(ends, [count + 1] * 2, color=MUTED, linewidth=4, solid_capstyle="butt")
    axes.plot(ends, [count + 1] * 2, "|", color=MUTED, markersize=11, markeredgewidth=1.8)
    text = _range(told, unit, "predicted_")
    surface.tell(bar, f"expected in a further trial: {text}")
    _beside(surface, axes, text, high, count + 1)


def _beside(surface: Surface, axes: Any, text: str, at: float, row: int) -> None:
    """Write numbers to the right of the axes, where there is room for them."""
    if not surface.narrow:
        surface.note(axes, text, (at, row), (12, 0), color=INK, fontsize=12)


def _whisker(surface: Surface, axes: Any, row: _Row, at: int, limits: tuple[float, float]) -> None:
    """Draw an interval, with an arrow where it goes on beyond the axes."""
    ends = np.clip([row["low"], row["high"]], *limits)
    axes.plot(ends, [at, at], color=INK, linewidth=1.5, zorder=2, solid_capstyle="butt")
    for end, true, shape in ((ends[0], row["low"], "<"), (ends[1], row["high"], ">")):
        if end != true:
            axes.plot([end], [at], shape, color=INK, markersize=5, zorder=2, clip_on=False)


def _limits(trials: list[_Row], told: _Row) -> tuple[float, float]:
    """Return an axis that holds effects, mean and prediction, and intervals up to twice that."""
    keys = ("effect", "low", "high", "predicted_low", "predicted_high")
    middle = np.array([t["effect"] for t in trials] + [told[k] for k in keys] + [0.0])
    middle = middle[np.isfinite(middle)]
    ends = np.array([t[k] for t in trials for k in ("low", "high")])
    ends = np.append(ends[np.isfinite(ends)], middle)
    span = float(np.ptp(middle)) or 1.0
    low, high = max(ends.min(), middle.min() - span), min(ends.max(), middle.max() + span)
    room = 0.04 * (high - low)
    return float(low - room), float(high + room)
