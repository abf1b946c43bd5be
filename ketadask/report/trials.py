"""The section on several trials: forest plots, and personas tested in trials left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.inference.trial_effects import AMONG
from ketadask.report.canvas import ACTIVE, INK, LINE, MUTED, PAPER, Drawing, Surface, draw
from ketadask.report.cards import MIN_ROWS, leading
from ketadask.report.context import ReportContext
from ketadask.report.downloads import Download, as_download
from ketadask.report.facts import LeftOutFacts
from ketadask.report.format import format_fixed, format_percentage
from ketadask.report.labels import Endpoint, shorten
from ketadask.report.personas import PersonaView, rows_as
from ketadask.sources.names_order import natural_key

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW_HEIGHT, _TOP, _BOTTOM = 25, 34, 50
_MAX_MARKER, _MIN_MARKER = 11.0, 3.5


@dataclass(frozen=True)
class ForestRow:
    """Effect of a persona in one trial; columns as in `schema.TRIALS`."""

    rank: int
    trial: str
    n: int
    inside: int
    effect: float
    se: float
    low: float
    high: float
    weight: float
    rank_without: int

    @property
    def is_rediscovered(self) -> bool:
        """Whether the search without this trial lists the persona among its first ones."""
        return 1 <= self.rank_without <= AMONG


@dataclass(frozen=True)
class ForestSummary:
    """Effect of a persona over all trials; columns as in `schema.SUMMARIES`."""

    rank: int
    n_estimated: int
    effect: float
    low: float
    high: float
    prediction_low: float
    prediction_high: float
    i2: float
    n_agreeing: int
    n_excluding_zero: int
    n_rediscovered: int
    consistency: str
    only_trial: str


@dataclass(frozen=True)
class LeftOutRow:
    """The best persona found without a trial, tested in it; columns as in `schema.LEFT_OUT`."""

    trial: str
    polarity: str
    text: str
    n: int
    inside: int
    effect: float
    low: float
    high: float
    confirmed: bool


@dataclass(frozen=True)
class ForestView:
    """The forest plot of one persona."""

    persona: PersonaView
    summary: ForestSummary
    trials: tuple[ForestRow, ...]
    figure: Drawing


@dataclass(frozen=True)
class AcrossView:
    """All personas over all trials."""

    n_trials: int
    rows: tuple[tuple[PersonaView, ForestSummary], ...]
    n_open: int
    forests: tuple[ForestView, ...]
    max_rank: int
    left_out: dict[str, tuple[LeftOutFacts | None, tuple[LeftOutRow, ...]]]
    downloads: tuple[Download, ...]


def across_view(context: ReportContext) -> AcrossView | None:
    """Return the section, or None where the study has one trial."""
    tables = context.data.trials
    if tables is None or len(tables["trials"]) == 0:
        return None
    trials = _by_rank(tables["trials"])
    summaries = {row.rank: row for row in rows_as(tables["summaries"], ForestSummary)}
    personas = tuple(row for row in context.personas if row.rank in summaries)
    forests = tuple(
        ForestView(
            row,
            summaries[row.rank],
            trials[row.rank],
            _forest_figure(row, summaries[row.rank], trials[row.rank], context.endpoint),
        )
        for row in leading(personas)
    )
    left_out = sorted(rows_as(tables["left_out"], LeftOutRow), key=lambda r: natural_key(r.trial))
    return AcrossView(
        n_trials=len(trials[personas[0].rank]) if personas else 0,
        rows=tuple((row, summaries[row.rank]) for row in personas),
        n_open=max(len(forests), MIN_ROWS),
        forests=forests,
        max_rank=AMONG,
        left_out={
            polarity: (context.summary.left_out.get(polarity), rows)
            for polarity in nm.POLARITIES
            if (rows := tuple(r for r in left_out if r.polarity == polarity))
        },
        downloads=tuple(
            as_download(tables[name], f"{name}.csv") for name in ("trials", "summaries", "left_out")
        ),
    )


def _by_rank(table: pd.DataFrame) -> dict[int, tuple[ForestRow, ...]]:
    """Return the trials of each persona, in natural order of their names."""
    groups: dict[int, list[ForestRow]] = {}
    for row in sorted(rows_as(table, ForestRow), key=lambda r: natural_key(r.trial)):
        groups.setdefault(row.rank, []).append(row)
    return {rank: tuple(rows) for rank, rows in groups.items()}


def _forest_figure(
    persona: PersonaView, summary: ForestSummary, trials: tuple[ForestRow, ...], endpoint: Endpoint
) -> Drawing:
    """Draw the effect of one persona in each trial, the mean and the prediction interval."""
    lines = [
        f"{row.trial} {_effect_text(row, endpoint)}"
        if np.isfinite(row.se)
        else f"{row.trial} not estimated"
        for row in trials
    ]
    if np.isfinite(summary.low):
        lines.append(f"mean {_effect_text(summary, endpoint)}")
    if np.isfinite(summary.prediction_low):
        lines.append(f"prediction for a new trial {_prediction_text(summary, endpoint)}")
    alt = f"Persona {persona.rank}, benefit inside minus outside: " + "; ".join(lines)
    height = _TOP + _BOTTOM + _ROW_HEIGHT * (len(trials) + 2)
    return draw(
        f"forest-{persona.rank}",
        alt,
        (height, height),
        lambda s: _paint_forest(s, trials, summary, endpoint),
    )


def _effect_text(row: ForestRow | ForestSummary, endpoint: Endpoint) -> str:
    effect, low, high = (format_fixed(x, endpoint.places) for x in (row.effect, row.low, row.high))
    return f"{effect} ({low} to {high})"


def _prediction_text(summary: ForestSummary, endpoint: Endpoint) -> str:
    ends = (summary.prediction_low, summary.prediction_high)
    return " to ".join(format_fixed(end, endpoint.places) for end in ends)


def _paint_forest(
    surface: Surface, trials: tuple[ForestRow, ...], summary: ForestSummary, endpoint: Endpoint
) -> None:
    narrow, count = surface.narrow, len(trials)
    axes = surface.axes(92 if narrow else 130, _BOTTOM, 14 if narrow else 170, _TOP)
    low, high = _limits(trials, summary)
    axes.set(xlim=(low, high), ylim=(count + 1.5, -0.7))
    axes.axvline(0, color=LINE, linewidth=1.2)
    if np.isfinite(summary.low):
        axes.plot([summary.effect] * 2, [-0.5, count], color=LINE, linestyle=(0, (2, 3)))
    max_weight = max((row.weight for row in trials), default=0.0) or 1.0
    for y, row in enumerate(trials):
        if np.isfinite(row.se):
            _paint_trial(surface, axes, row, y, endpoint, max_weight)
        else:
            surface.annotate(axes, "not estimated", (max(low, 0.0), y), (6, 0), color=MUTED)
    _paint_summary(surface, axes, summary, endpoint, count)
    labels = [shorten(row.trial, 13 if narrow else 18) for row in trials]
    axes.set_yticks(range(count + 2), [*labels, "all trials", "new trial"])
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=11.5 if narrow else 12.5)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("benefit inside minus outside" + ("" if narrow else f", {endpoint.unit}"))
    surface.legend(
        [("found without it", "s", ACTIVE, ACTIVE), ("only with it", "s", ACTIVE, PAPER)]
    )


def _paint_trial(
    surface: Surface, axes: Axes, row: ForestRow, y: int, endpoint: Endpoint, max_weight: float
) -> None:
    """Draw effect and interval, with an arrow where the interval extends beyond the axes."""
    ends = np.clip([row.low, row.high], *axes.get_xlim())
    axes.plot(ends, [y, y], color=INK, linewidth=1.5, zorder=2, solid_capstyle="butt")
    for end, bound, marker in ((ends[0], row.low, "<"), (ends[1], row.high, ">")):
        if end != bound:
            axes.plot([end], [y], marker, color=INK, markersize=5, zorder=2, clip_on=False)
    (square,) = axes.plot(
        [row.effect], [y], "s", markeredgewidth=1.8, zorder=3, markeredgecolor=ACTIVE,
        markersize=_MIN_MARKER + (_MAX_MARKER - _MIN_MARKER) * np.sqrt(row.weight / max_weight),
        markerfacecolor=ACTIVE if row.is_rediscovered else PAPER,
    )  # fmt: skip
    text = _effect_text(row, endpoint)
    surface.add_title(
        square,
        f"{row.trial}: {text}, {row.inside} of {row.n} inside, "
        f"weight {format_percentage(row.weight)}, "
        f"{'found' if row.is_rediscovered else 'not found'} without this trial",
    )
    _annotate_right(surface, axes, text, y)


def _paint_summary(
    surface: Surface, axes: Axes, summary: ForestSummary, endpoint: Endpoint, y: int
) -> None:
    """Draw the diamond of the mean and the bar of the prediction interval."""
    if np.isfinite(summary.low):
        x = [summary.low, summary.effect, summary.high, summary.effect]
        (diamond,) = axes.fill(x, [y, y - 0.32, y, y + 0.32], color=INK, zorder=3)
        text = _effect_text(summary, endpoint)
        surface.add_title(diamond, f"mean of {summary.n_estimated} trials: {text}")
        _annotate_right(surface, axes, text, y)
    if not np.isfinite(summary.prediction_low):
        surface.annotate(axes, "needs three trials", (0, y + 1), (6, 0), color=MUTED)
        return
    ends = [summary.prediction_low, summary.prediction_high]
    (bar,) = axes.plot(ends, [y + 1] * 2, color=MUTED, linewidth=4, solid_capstyle="butt")
    axes.plot(ends, [y + 1] * 2, "|", color=MUTED, markersize=11, markeredgewidth=1.8)
    text = _prediction_text(summary, endpoint)
    surface.add_title(bar, f"prediction interval for a new trial: {text}")
    _annotate_right(surface, axes, text, y + 1)


def _annotate_right(surface: Surface, axes: Axes, text: str, y: int) -> None:
    """Write numbers to the right of wide axes."""
    if not surface.narrow:
        x = axes.get_xlim()[1]
        surface.annotate(axes, text, (x, y), (12, 0), color=INK, fontsize=12)


def _limits(trials: tuple[ForestRow, ...], summary: ForestSummary) -> tuple[float, float]:
    """Return limits that contain effects, mean and prediction, and long intervals in part."""
    means = [summary.effect, summary.low, summary.high]
    means += [summary.prediction_low, summary.prediction_high]
    centre = np.array([0.0, *means, *(row.effect for row in trials)])
    centre = centre[np.isfinite(centre)]
    ends = np.array([end for row in trials for end in (row.low, row.high)])
    ends = np.append(ends[np.isfinite(ends)], centre)
    span = float(np.ptp(centre)) or 1.0
    low, high = max(ends.min(), centre.min() - span), min(ends.max(), centre.max() + span)
    margin = 0.04 * (high - low)
    return float(low - margin), float(high + margin)
