"""Who is inside the leading personas: whom they share, and how their scores go on over the days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.kernels.resampling import t_interval
from ketadask.report.canvas import ACTIVE, CONTROL, INK, LINE, MUTED, Drawing, Surface, draw
from ketadask.report.format import fixed, percent
from ketadask.report.labels import design, unit_word
from ketadask.report.personas import FeatureLabels, ranked
from ketadask.report.report_data import ReportData

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

MOST_PERSONAS, MOST_COURSES = 12, 3
_LEAST_SEEN = 0.2
_INSIDE, _OUTSIDE = "inside", "outside"
_ARMS = {nm.ACTIVE: ("o", ACTIVE), nm.CONTROL: ("s", CONTROL)}


def members(findings: ReportData, rows: list[dict[str, Any]]) -> list[np.ndarray]:
    """Return bool (unit,) for each row of `ranked`: who is inside.

    Rows are left out from the first one whose members cannot be told, or do not add up to the
    support that the study wrote.
    """
    known, found = FeatureLabels(findings), []
    for row in rows if findings.units is not None else []:
        inside = np.ones(findings.units.sizes[nm.UNIT] if findings.units is not None else 0, bool)
        for v in row["variables"]:
            values = known.values(v["feature"])
            if v["low"] is None or not values.size:
                return found
            inside &= (values > v["low"]) & (values <= v["high"])
        if int(inside.sum()) != row.get("support"):
            return found
        found.append(inside)
    return found


def family_map(findings: ReportData) -> tuple[Drawing, dict[str, Any]] | None:
    """Draw which share of their members the leading personas have in common."""
    rows = ranked(findings)[:MOST_PERSONAS]
    covers = members(findings, rows)
    if len(covers) < 2:
        return None
    rows, cover = rows[: len(covers)], np.array(covers, dtype=np.int64)
    both = cover @ cover.T
    size = np.diag(both)
    either = size[:, None] + size[None, :] - both
    share = both / np.maximum(either, 1)
    pairs = [(share[i, j], i, j) for i in range(len(rows)) for j in range(i)]
    most = sorted(pairs, reverse=True)[:3]
    alt = "Members that personas share: " + "; ".join(
        f"{rows[j]['rank']} and {rows[i]['rank']} {percent(s)}" for s, i, j in most
    )
    view = {"rows": rows, "word": unit_word(findings, 2), "count": len(rows)}
    heights = (72 + 34 * len(rows), 60 + 23 * len(rows))
    return draw("families", alt, heights, lambda s: _map(s, rows, share, both, either)), view


def _map(
    surface: Surface,
    rows: list[dict[str, Any]],
    share: np.ndarray,
    both: np.ndarray,
    either: np.ndarray,
) -> None:
    count = len(rows)
    left = 44 if surface.narrow else 150
    cell = min((surface.width - left - 16) / count, (surface.height - 60) / count)
    axes = surface.axes(left, 44, surface.width - left - cell * count, 8)
    axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5))
    for i in range(count):
        for j in range(count):
            value = float(share[i, j])
            (box,) = axes.fill(
                [j - 0.47, j + 0.47, j + 0.47, j - 0.47], [i - 0.47, i - 0.47, i + 0.47, i + 0.47],
                color=LINE if i == j else ACTIVE, alpha=1.0 if i == j else 0.05 + 0.5 * value,
                linewidth=0,
            )  # fmt: skip
            a, b = rows[i]["rank"], rows[j]["rank"]
            told = f"persona {a}: {both[i, i]} members"
            if i != j:
                told = f"personas {a} and {b} share {both[i, j]} of {either[i, j]} members"
            surface.tell(box, told)
            if i != j and not surface.narrow:
                axes.text(
                    j, i, f"{100 * value:.0f}", ha="center", va="center", fontsize=11.5,
                    color=INK,
                )  # fmt: skip
    names = [f"#{r['rank']}" for r in rows]
    words = [f"{n} {r['polarity']}" for n, r in zip(names, rows, strict=True)]
    axes.set_xticks(range(count), names)
    axes.set_yticks(range(count), names if surface.narrow else words)
    axes.tick_params(length=0, labelcolor=INK, labelsize=10.5 if surface.narrow else 12)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel("% of the members of either that are in both")


def courses_view(findings: ReportData) -> list[dict[str, Any]] | None:
    """Draw the outcome scale over the days, by arm, inside and outside the leading personas."""
    table = findings.courses
    if table is None or len(table) == 0 or findings.units is None:
        return None
    rows = ranked(findings)
    leading = [r for r in rows if r["verdict"] != nm.NOISE][:MOST_COURSES] or rows[:1]
    table = _often_seen(table)
    told = []
    for row, inside in zip(leading, members(findings, leading), strict=False):
        points = _points(table.assign(inside=_who(findings, table, inside)).dropna())
        if not points:
            continue
        last = [p for p in points if p["day"] == points[-1]["day"]]
        alt = f"Mean score over the days, persona {row['rank']}; day {points[-1]['day']}: "
        alt += ", ".join(f"{p['where']} {p['arm']} {fixed(p['mean'], 1)}" for p in last)
        name = f"course-{row['rank']}"
        drawing = draw(name, alt, (300, 470), lambda s, p=points: _course(s, p))
        told.append({"row": row, "figure": drawing, "points": points})
    return told or None


def _often_seen(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out days on which few were seen: their means are about other people."""
    seen = table.groupby("day")["score"].transform("count")
    return table[seen >= _LEAST_SEEN * (table["day"] == 0).sum()]


def _who(findings: ReportData, table: pd.DataFrame, inside: np.ndarray) -> np.ndarray:
    """Return per row of the table whether its unit is inside; NaN where it was not searched."""
    import pandas as pd

    assert findings.units is not None
    keys = [nm.PARTICIPANT, "period"] if design(findings) == "pooled" else [nm.PARTICIPANT]
    where = pd.MultiIndex.from_arrays([findings.units[k].to_numpy() for k in keys])
    flag = pd.Series(inside.astype(float), index=where)
    return flag.reindex(pd.MultiIndex.from_frame(table[keys])).to_numpy()


def _points(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return means with intervals; the score of a single person is not for everybody."""
    points = []
    for (day, within, arm), rows in table.groupby(["day", "inside", nm.ARM], sort=True):
        if rows[nm.PARTICIPANT].nunique() < 2:
            continue
        mean, low, high = t_interval(rows["score"].to_numpy())
        where = _INSIDE if within else _OUTSIDE
        ends = {"mean": mean, "low": low, "high": high}
        points.append({"day": int(day), "where": where, "arm": str(arm), "n": len(rows), **ends})
    return points


def _course(surface: Surface, points: list[dict[str, Any]]) -> None:
    finite = [p[e] for p in points for e in ("mean", "low", "high") if np.isfinite(p[e])]
    low, high = min(0.0, *finite), max(finite)
    half_w, half_h = (surface.width + 20) / 2, (surface.height - 26) / 2
    for k, where in enumerate((_INSIDE, _OUTSIDE)):
        if surface.narrow:
            axes = surface.axes(44, 44 + half_h * (1 - k), 12, 46 + half_h * k)
        else:
            axes = surface.axes(44 + half_w * k, 46, 12 + (half_w - 20) * (1 - k), 56)
        axes.set_title(where, loc="left", fontsize=12.5, color=MUTED, pad=6)
        axes.set(ylim=(low, high + 0.06 * (high - low)), xlabel="day after the infusion")
        _lines(surface, axes, [p for p in points if p["where"] == where], where)
    surface.legend([(a, shape, colour, colour) for a, (shape, colour) in _ARMS.items()])


def _lines(surface: Surface, axes: Axes, points: list[dict[str, Any]], where: str) -> None:
    days = sorted({p["day"] for p in points})
    axes.set_xticks(days, [str(d) for d in days])
    for arm, (shape, colour) in _ARMS.items():
        mine = [p for p in points if p["arm"] == arm]
        axes.plot([p["day"] for p in mine], [p["mean"] for p in mine], color=colour, linewidth=1.8)
        for p in mine:
            if np.isfinite(p["low"]):
                axes.plot([p["day"]] * 2, [p["low"], p["high"]], color=colour, linewidth=1.2)
            (dot,) = axes.plot([p["day"]], [p["mean"]], shape, color=colour, markersize=6)
            told = f"{where}, {arm}, day {p['day']}: {fixed(p['mean'], 1)}, {p['n']} cases"
            surface.tell(dot, told)
