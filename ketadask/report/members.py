"""Members of the leading personas: their overlap, and their scores over the days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from ketadask import names as nm
from ketadask.kernels.resampling import t_interval
from ketadask.report.canvas import ACTIVE, CONTROL, INK, LINE, MUTED, Drawing, Surface, draw
from ketadask.report.context import ReportContext
from ketadask.report.format import format_fixed, format_percentage
from ketadask.report.personas import FeatureLabels, PersonaView

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

MAX_MAP, MAX_COURSES = 12, 3
_MIN_FRACTION_OF_BASELINE = 0.2
_ARM_MARKERS = {nm.ACTIVE: ("o", ACTIVE), nm.CONTROL: ("s", CONTROL)}


@dataclass(frozen=True)
class FamilyMap:
    """Overlap of the leading personas."""

    figure: Drawing
    rows: tuple[PersonaView, ...]


@dataclass(frozen=True)
class CoursePoint:
    """Mean outcome score with its 95 % interval on one day, on one arm, inside or outside."""

    day: int
    side: str
    arm: str
    n: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class CourseView:
    """Mean scores over the days for one persona."""

    persona: PersonaView
    figure: Drawing
    points: tuple[CoursePoint, ...]


def member_masks(context: ReportContext, personas: tuple[PersonaView, ...]) -> list[np.ndarray]:
    """Return the member mask (unit,) of each persona.

    The list ends before the first persona with unknown literals, or whose members disagree with
    the support in the verdicts.
    """
    labels = FeatureLabels(context.data.features)
    masks: list[np.ndarray] = []
    for persona in personas if context.n_units else ():
        mask = np.ones(context.n_units or 0, bool)
        for literal in persona.literals:
            values = labels.values(literal.feature)
            if literal.low is None or literal.high is None or not values.size:
                return masks
            mask &= (values > literal.low) & (values <= literal.high)
        if int(mask.sum()) != persona.support:
            return masks
        masks.append(mask)
    return masks


def family_map(context: ReportContext) -> FamilyMap | None:
    """Draw the overlap (Jaccard index) of the leading personas."""
    masks = member_masks(context, context.personas[:MAX_MAP])
    if len(masks) < 2:
        return None
    rows, covers = context.personas[: len(masks)], np.array(masks, dtype=np.int64)
    both = covers @ covers.T
    size = np.diag(both)
    either = size[:, None] + size[None, :] - both
    jaccard = both / np.maximum(either, 1)
    pairs = [(jaccard[i, j], i, j) for i in range(len(rows)) for j in range(i)]
    alt = "Overlap of personas: " + "; ".join(
        f"{rows[j].rank} and {rows[i].rank} {format_percentage(index)}"
        for index, i, j in sorted(pairs, reverse=True)[:3]
    )
    heights = (72 + 34 * len(rows), 60 + 23 * len(rows))
    figure = draw("families", alt, heights, lambda s: _paint_map(s, rows, both, either))
    return FamilyMap(figure, rows)


def _paint_map(
    surface: Surface, rows: tuple[PersonaView, ...], both: np.ndarray, either: np.ndarray
) -> None:
    count = len(rows)
    left = 44 if surface.narrow else 150
    cell = min((surface.width - left - 16) / count, (surface.height - 60) / count)
    axes = surface.axes(left, 44, surface.width - left - cell * count, 8)
    axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5))
    for i, j in np.ndindex(count, count):
        jaccard = float(both[i, j] / max(either[i, j], 1))
        (box,) = axes.fill(
            [j - 0.47, j + 0.47, j + 0.47, j - 0.47], [i - 0.47, i - 0.47, i + 0.47, i + 0.47],
            color=LINE if i == j else ACTIVE, alpha=1.0 if i == j else 0.05 + 0.5 * jaccard,
            linewidth=0,
        )  # fmt: skip
        first, second = rows[i].rank, rows[j].rank
        title = f"personas {first} and {second} share {both[i, j]} of {either[i, j]} members"
        surface.add_title(box, title if i != j else f"persona {first}: {both[i, i]} members")
        if i != j and not surface.narrow:
            text = f"{100 * jaccard:.0f}"
            axes.text(j, i, text, ha="center", va="center", fontsize=11.5, color=INK)
    names = [f"#{row.rank}" for row in rows]
    labels = [f"#{row.rank} {row.polarity}" for row in rows]
    axes.set_xticks(range(count), names)
    axes.set_yticks(range(count), names if surface.narrow else labels)
    axes.tick_params(length=0, labelcolor=INK, labelsize=10.5 if surface.narrow else 12)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel("members in both, % of the members of either")


def courses_view(context: ReportContext) -> tuple[CourseView, ...] | None:
    """Draw the outcome scale over the days, by arm, inside and outside the leading personas."""
    table = context.data.courses
    if table is None or len(table) == 0:
        return None
    claims = tuple(row for row in context.personas if row.is_claim)
    rows = claims[:MAX_COURSES] or context.personas[:1]
    table = _frequent_days(table)
    courses = []
    for row, mask in zip(rows, member_masks(context, rows), strict=False):
        inside = _inside(context, table, mask)
        points = _points(table.assign(inside=inside).dropna())
        if points:
            courses.append(CourseView(row, _course_figure(row, points), points))
    return tuple(courses) or None


def _frequent_days(table: pd.DataFrame) -> pd.DataFrame:
    """Remove days with few visits, whose means describe a different group of participants."""
    visits = table.groupby("day")["score"].transform("count")
    return table[visits >= _MIN_FRACTION_OF_BASELINE * (table["day"] == 0).sum()]


def _inside(context: ReportContext, table: pd.DataFrame, mask: np.ndarray) -> np.ndarray:
    """Return per row of the table whether its unit is a member; NaN where it was not searched."""
    import pandas as pd

    units = context.data.units
    assert units is not None
    keys = [nm.PARTICIPANT, "period"] if context.design == "pooled" else [nm.PARTICIPANT]
    index = pd.MultiIndex.from_arrays([units[key].to_numpy() for key in keys])
    flags = pd.Series(mask.astype(float), index=index)
    return flags.reindex(pd.MultiIndex.from_frame(table[keys])).to_numpy()


def _points(table: pd.DataFrame) -> tuple[CoursePoint, ...]:
    """Return means with intervals, except those of a single participant (privacy)."""
    points = []
    for key, rows in table.groupby(["day", "inside", nm.ARM], sort=True):
        day, inside, arm = cast("tuple[int, float, str]", key)
        if rows[nm.PARTICIPANT].nunique() >= 2:
            interval = t_interval(rows["score"].to_numpy())
            side = "inside" if inside else "outside"
            points.append(CoursePoint(int(day), side, arm, len(rows), *interval))
    return tuple(points)


def _course_figure(row: PersonaView, points: tuple[CoursePoint, ...]) -> Drawing:
    last_day = points[-1].day
    alt = f"Mean score over the days, persona {row.rank}; day {last_day}: " + ", ".join(
        f"{p.side} {p.arm} {format_fixed(p.mean, 1)}" for p in points if p.day == last_day
    )
    return draw(f"course-{row.rank}", alt, (300, 470), lambda s: _paint_course(s, points))


def _paint_course(surface: Surface, points: tuple[CoursePoint, ...]) -> None:
    ends = np.array([end for p in points for end in (p.mean, p.low, p.high)])
    low, high = min(0.0, np.nanmin(ends)), np.nanmax(ends)
    half_w, half_h = (surface.width + 20) / 2, (surface.height - 26) / 2
    for k, side in enumerate(("inside", "outside")):
        if surface.narrow:
            axes = surface.axes(44, 44 + half_h * (1 - k), 12, 46 + half_h * k)
        else:
            axes = surface.axes(44 + half_w * k, 46, 12 + (half_w - 20) * (1 - k), 56)
        axes.set_title(side, loc="left", fontsize=12.5, color=MUTED, pad=6)
        axes.set(ylim=(low, high + 0.06 * (high - low)), xlabel="day after the infusion")
        _paint_side(surface, axes, [p for p in points if p.side == side])
    surface.legend([(arm, marker, c, c) for arm, (marker, c) in _ARM_MARKERS.items()])


def _paint_side(surface: Surface, axes: Axes, points: list[CoursePoint]) -> None:
    days = sorted({p.day for p in points})
    axes.set_xticks(days, [str(day) for day in days])
    for arm, (marker, colour) in _ARM_MARKERS.items():
        course = [p for p in points if p.arm == arm]
        axes.plot([p.day for p in course], [p.mean for p in course], color=colour, linewidth=1.8)
        for p in course:
            if np.isfinite(p.low):
                axes.plot([p.day] * 2, [p.low, p.high], color=colour, linewidth=1.2)
            (dot,) = axes.plot([p.day], [p.mean], marker, color=colour, markersize=6)
            title = f"{p.side}, {arm}, day {p.day}: {format_fixed(p.mean, 1)}, {p.n} cases"
            surface.add_title(dot, title)
