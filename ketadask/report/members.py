"""Members of the leading personas: their overlap, and their scores over the days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ketadask.plot.patients import course_points, draw_courses, with_members
from ketadask.plot.search_figures import draw_overlap
from ketadask.report.canvas import Drawing, Surface, draw, draw_axes
from ketadask.report.context import ReportContext
from ketadask.report.format import format_fixed, format_percentage
from ketadask.report.personas import FeatureLabels, PersonaView, rows_as

if TYPE_CHECKING:
    import pandas as pd

MAX_MAP, MAX_COURSES = 12, 3


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
    names = [f"#{row.rank}" for row in rows]
    figure = draw_axes(
        "families", alt, heights, lambda ax: draw_overlap(np.array(masks), names, ax=ax)
    )
    return FamilyMap(figure, rows)


def courses_view(context: ReportContext) -> tuple[CourseView, ...] | None:
    """Draw the outcome scale over the days, by arm, inside and outside the leading personas."""
    table, units = context.data.courses, context.data.units
    if table is None or len(table) == 0 or units is None:
        return None
    claims = tuple(row for row in context.personas if row.is_claim)
    rows = claims[:MAX_COURSES] or context.personas[:1]
    courses = []
    for row, mask in zip(rows, member_masks(context, rows), strict=False):
        visits = with_members(table, units, mask)
        points = tuple(rows_as(course_points(visits), CoursePoint))
        if points:
            courses.append(CourseView(row, _course_figure(row, points, visits), points))
    return tuple(courses) or None


def _course_figure(
    row: PersonaView, points: tuple[CoursePoint, ...], visits: pd.DataFrame
) -> Drawing:
    last_day = points[-1].day
    alt = f"Mean score over the days, persona {row.rank}; day {last_day}: " + ", ".join(
        f"{p.side} {p.arm} {format_fixed(p.mean, 1)}" for p in points if p.day == last_day
    )

    def paint(surface: Surface) -> None:
        surface.figure.set_layout_engine("constrained")
        rows, columns = (2, 1) if surface.narrow else (1, 2)
        draw_courses(visits, ax=surface.figure.subplots(rows, columns))

    return draw(f"course-{row.rank}", alt, (300, 470), paint)
