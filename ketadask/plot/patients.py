"""Participants: who is in the analysis, the benefit of each, scores over the days."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.kernels.resampling import t_interval
from ketadask.plot.results import member_mask, results_of, table_of
from ketadask.plot.style import (
    ACTIVE,
    ARM_MARKERS,
    CONTROL,
    INK,
    MUTED,
    SOFT,
    WIDE,
    axes_or_new,
    caption,
    decimal,
    is_narrow,
    legend,
    styled,
)
from ketadask.schema.errors import InputError

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

SIDES = ("inside", "outside")
_MIN_FRACTION_OF_BASELINE = 0.2
_LINE_HEIGHT, _GAP = 17.0, 26.0


@styled
def draw_waterfall(
    units: Any, inside: Any = None, *, rank: int = 1, ax: Axes | None = None
) -> Axes:
    """Draw the benefit score of every unit, the largest first, coloured by membership.

    The score of one unit is an unbiased but very uncertain estimate of its benefit; only means of
    many are of use. The figure shows how the scores inside and outside overlap.

    Parameters
    ----------
    units
        What `score_units` returns, the scores (unit,), or what `discover` returns.
    inside
        (unit,) whether each unit is inside; missing values are unknown. By default the persona of
        the results.
    rank
        The persona of the results.
    ax
        Axes; those of a new figure by default.

    Returns
    -------
    The axes.

    Examples
    --------
    >>> import numpy as np
    >>> import ketadask as kd
    >>> score = np.linspace(9.0, -6.0, 31)
    >>> ax = kd.plot.waterfall(score, inside=np.arange(31) % 5 < 8 - np.arange(31) / 3)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['inside (n = 18, mean 4.6)', 'outside (n = 13, mean −2.8)']
    """
    score, inside = _scores_and_members(units, inside, rank)
    order = np.argsort(-score, kind="stable")
    ax = axes_or_new(ax, 260)
    kinds = [("inside", inside == 1, ACTIVE), ("outside", inside == 0, CONTROL)]
    if np.isnan(inside).any():
        kinds.append(("unknown", np.isnan(inside), SOFT))
    for name, mask, colour in kinds:
        position = np.flatnonzero(mask[order])
        bars = ax.bar(position, score[order][position], width=0.86, color=colour)
        for bar, value in zip(bars, score[order][position], strict=True):
            caption(bar, f"{name}: {decimal(value)}")
    ax.axhline(0, color=INK, linewidth=1)
    for name, mask, colour in kinds[:2]:
        if mask.any():
            mean = float(score[mask].mean())
            (line,) = ax.plot([-0.5, len(score) - 0.5], [mean, mean], "--", color=colour, lw=1.4)
            caption(line, f"mean {name}: {decimal(mean)}")
    legend(ax, [(_side_text(name, score[mask]), "s", c, c) for name, mask, c in kinds])
    ax.set(xlim=(-1, len(score)), xlabel="units, by score", ylabel="benefit score")
    ax.set_xticks([])
    return ax


def _side_text(name: str, score: np.ndarray) -> str:
    mean = f", mean {decimal(float(score.mean()))}" if score.size else ""
    return f"{name} (n = {score.size:,}{mean})"


def _scores_and_members(units: Any, inside: Any, rank: int) -> tuple[np.ndarray, np.ndarray]:
    results = results_of(units)
    if hasattr(results, "verdicts") and inside is None:
        units = results.units
        row = results.verdicts.set_index("rank").loc[rank]
        inside = member_mask(units, results.literals, row)
    score = np.asarray(units["score"] if hasattr(units, "data_vars") else units, float)
    if inside is None or np.shape(inside) != score.shape:
        raise InputError(
            "membership is needed for each score",
            where="inside of kd.plot.waterfall",
            value=None if inside is None else np.shape(inside),
            remedy=f"give {len(score)} values: whether each unit is inside",
        )
    return score, np.asarray(inside, float)


@styled
def draw_courses(
    courses: Any, inside: Any = None, *, rank: int = 1, ax: Sequence[Axes] | None = None
) -> Sequence[Axes]:
    """Draw the mean outcome scale over the days, by arm, inside and outside a persona.

    Parameters
    ----------
    courses
        `Cohort.courses`: participant, arm, day, score; or what `discover` returns.
    inside
        Whether each participant is inside, a Series by participant; or a column ``inside``.
    rank
        The persona of the results.
    ax
        Two axes, inside and outside; those of a new figure by default.

    Returns
    -------
    Both axes.

    Examples
    --------
    >>> import pandas as pd
    >>> import ketadask as kd
    >>> rows = [(k, k < 12, arm, day, 30 + k % 5 - day * (k < 12) * (arm == "active") / 2)
    ...     for k in range(24) for arm in ("active", "control") for day in (0, 7, 14, 28)]
    >>> table = pd.DataFrame(rows, columns=["participant", "inside", "arm", "day", "score"])
    >>> [axes.get_title(loc="left") for axes in kd.plot.courses(table)]
    ['inside', 'outside']
    """
    table = _with_members(courses, inside, rank)
    points = course_points(table)
    if ax is None:
        import matplotlib.pyplot as plt

        size = (WIDE / 72, 300 / 72)
        ax = plt.subplots(1, 2, figsize=size, dpi=80, facecolor="white", layout="constrained")[1]
    ends = points[["mean", "low", "high"]].to_numpy(float)
    low, high = min(0.0, float(np.nanmin(ends))), float(np.nanmax(ends))
    for axes, side in zip(ax, SIDES, strict=True):
        axes.set_title(side, loc="left", fontsize=12.5, color=MUTED, pad=26)
        axes.set(ylim=(low, high + 0.06 * (high - low)), xlabel="day after the infusion")
        _draw_side(axes, points[points["side"] == side])
    legend(ax[0], [(arm, marker, c, c) for arm, (marker, c) in ARM_MARKERS.items()])
    return ax


def course_points(table: pd.DataFrame) -> pd.DataFrame:
    """Return means with 95 % intervals by day, side and arm.

    Days with few visits describe a different group of participants, and are left out; so is the
    mean of a single participant (privacy).
    """
    table = table.dropna(subset=["score", "inside"])
    visits = table.groupby("day")["score"].transform("count")
    table = table[visits >= _MIN_FRACTION_OF_BASELINE * (table["day"] == 0).sum()]
    rows = []
    for key, group in table.groupby(["day", "inside", nm.ARM], sort=True):
        day, inside, arm = cast("tuple[int, float, str]", key)
        if group[nm.PARTICIPANT].nunique() >= 2:
            mean, low, high = t_interval(group["score"].to_numpy())
            rows.append((int(day), SIDES[not inside], arm, len(group), mean, low, high))
    return pd.DataFrame(rows, columns=["day", "side", "arm", "n", "mean", "low", "high"])


def _with_members(courses: Any, inside: Any, rank: int) -> pd.DataFrame:
    table = table_of(courses, "courses")
    if inside is not None:
        return table.assign(inside=table[nm.PARTICIPANT].map(pd.Series(inside)).astype(float))
    if "inside" in table:
        return table
    results = results_of(courses)
    if not hasattr(results, "units"):
        raise InputError(
            "membership is needed for each participant",
            where="inside of kd.plot.courses",
            remedy="give a Series by participant: whether each is inside",
        )
    row = results.verdicts.set_index("rank").loc[rank]
    return with_members(table, results.units, member_mask(results.units, results.literals, row))


def with_members(table: pd.DataFrame, units: xr.Dataset, inside: np.ndarray) -> pd.DataFrame:
    """Return a table of visits with the membership of its unit; NaN where it was not searched."""
    is_pooled = units.attrs["design"] == "pooled"
    keys = [nm.PARTICIPANT, "period"] if is_pooled else [nm.PARTICIPANT]
    index = pd.MultiIndex.from_arrays([units[key].to_numpy() for key in keys])
    flags = pd.Series(np.asarray(inside, float), index=index)
    return table.assign(inside=flags.reindex(pd.MultiIndex.from_frame(table[keys])).to_numpy())


def _draw_side(ax: Axes, points: pd.DataFrame) -> None:
    days = sorted(set(points["day"]))
    ax.set_xticks(days, [str(day) for day in days])
    for arm, (marker, colour) in ARM_MARKERS.items():
        course = points[points["arm"] == arm]
        ax.plot(course["day"], course["mean"], color=colour, linewidth=1.8)
        for p in course.to_dict("records"):
            if np.isfinite(p["low"]):
                ax.plot([p["day"]] * 2, [p["low"], p["high"]], color=colour, linewidth=1.2)
            (dot,) = ax.plot([p["day"]], [p["mean"]], marker, color=colour, markersize=6)
            title = f"{p['side']}, {arm}, day {p['day']}: {decimal(p['mean'])}, {p['n']} cases"
            caption(dot, title)


@styled
def draw_flow(flow: Any, *, ax: Axes | None = None) -> Axes:
    """Draw the flow of participants as boxes, with the reasons of exclusion beside them.

    Parameters
    ----------
    flow
        A cohort; or (text, reasons) of each step, where the reasons stand between this step and
        the next.
    ax
        Axes; those of a new figure by default.

    Returns
    -------
    The axes.

    Examples
    --------
    >>> import ketadask as kd
    >>> steps = [("80 participants assessed", ["3 without outcome"]), ("77 participants", [])]
    >>> [text.get_text() for text in kd.plot.flow(steps).texts if text.get_text()]
    ['80 participants assessed', '3 without outcome', '77 participants']
    """
    steps = flow_steps(flow.flow) if hasattr(flow, "flow") else list(flow)
    narrow = ax is not None and is_narrow(ax)
    boxes = flow_lines(steps, narrow=narrow)
    heights = flow_heights(boxes)
    total = sum(heights)
    ax = axes_or_new(ax, total)
    ax.set(xlim=(0, 1), ylim=(total, 0))
    ax.set_axis_off()
    y = 0.0
    for k, ((lines, reasons), height) in enumerate(zip(boxes, heights, strict=True)):
        ax.text(
            0.02, y + 6, "\n".join(lines), va="top", color=INK, linespacing=1.25,
            bbox={"boxstyle": "round,pad=0.45", "facecolor": "none",
                  "edgecolor": ACTIVE if k == len(boxes) - 1 else SOFT},
        )  # fmt: skip
        if k < len(boxes) - 1:
            start = y + 14 + _LINE_HEIGHT * len(lines)
            arrow = {"arrowstyle": "->", "color": MUTED}
            ax.annotate("", (0.06, y + height), (0.06, start), arrowprops=arrow)
            if reasons:
                text = "\n".join(reasons)
                ax.text(
                    0.1, start + 8, text, va="top", color=MUTED, fontsize=11.5, linespacing=1.25
                )
        y += height
    return ax


def flow_lines(
    steps: Sequence[tuple[str, Sequence[str]]], *, narrow: bool
) -> list[tuple[list[str], list[str]]]:
    """Return the lines of the text of each step, and those of its reasons."""
    widths = (34, 38) if narrow else (60, 78)
    return [
        (_wrap(text, widths[0]), [line for r in reasons for line in _wrap(r, widths[1])])
        for text, reasons in steps
    ]


def flow_heights(boxes: Sequence[tuple[Sequence[str], Sequence[str]]]) -> list[float]:
    """Return the height of each step: its lines, and those of the reasons below it."""
    return [
        _LINE_HEIGHT * (len(lines) + len(reasons)) + _GAP * (1 + bool(reasons))
        for lines, reasons in boxes
    ]


def flow_steps(flow: Any) -> list[tuple[str, list[str]]]:
    """Return the steps of `Cohort.flow`."""
    reasons = [f"{_people(r['participants'])}: {r['reason']}" for r in flow["excluded"]]
    analysed = flow["analysed"]
    arms = ", ".join(f"{analysed[arm]:,} {arm}" for arm in nm.ARMS)
    return [
        (f"{_people(flow['assessed'])} assessed", reasons),
        (f"{_people(analysed['participants'])} with {analysed['cases']:,} cases ({arms})", []),
    ]


def _people(count: int) -> str:
    return f"{count:,} participant{'' if count == 1 else 's'}"


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width) or [""]
