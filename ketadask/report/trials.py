"""The section on several trials: forest plots, and personas tested in trials left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.inference.trial_effects import AMONG
from ketadask.plot.effects import (
    ESTIMATE,
    HOLLOW,
    MEAN,
    PREDICTION,
    XLABEL,
    draw_forest,
)
from ketadask.plot.style import is_narrow, legend
from ketadask.report.canvas import ACTIVE, PAPER, Drawing, draw_axes
from ketadask.report.cards import MIN_ROWS, leading
from ketadask.report.context import ReportContext
from ketadask.report.downloads import Download, as_download
from ketadask.report.facts import LeftOutFacts
from ketadask.report.format import format_fixed, format_percentage
from ketadask.report.labels import Endpoint
from ketadask.report.personas import PersonaView, rows_as
from ketadask.sources.names_order import natural_key

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    table = _forest_table(trials, summary)
    height = 74 + 27 * len(table)

    def paint(ax: Axes) -> None:
        unit = "" if is_narrow(ax) else f", {endpoint.unit}"
        draw_forest(table, places=endpoint.places, xlabel=XLABEL + unit, ax=ax)
        legend(
            ax, [("found without it", "s", ACTIVE, ACTIVE), ("only with it", "s", ACTIVE, PAPER)]
        )

    return draw_axes(f"forest-{persona.rank}", alt, (height, height), paint)


def _forest_table(trials: tuple[ForestRow, ...], summary: ForestSummary) -> pd.DataFrame:
    """Return the rows of a forest plot: the trials, their mean, the prediction interval."""
    rows = [
        {
            "label": row.trial,
            "effect": row.effect if np.isfinite(row.se) else np.nan,
            "low": row.low,
            "high": row.high,
            "weight": row.weight,
            "kind": ESTIMATE if row.is_rediscovered else HOLLOW,
            "hint": f"{row.inside} of {row.n} inside, weight {format_percentage(row.weight)}, "
            f"{'found' if row.is_rediscovered else 'not found'} without this trial",
        }
        for row in trials
    ]
    mean_text = f"mean of {summary.n_estimated} trials"
    mean = {"label": "all trials", "effect": summary.effect, "kind": MEAN, "hint": mean_text}
    new = {"label": "new trial", "kind": PREDICTION, "absent": "needs three trials"}
    return pd.DataFrame(
        [
            *rows,
            mean | {"low": summary.low, "high": summary.high},
            new | {"low": summary.prediction_low, "high": summary.prediction_high},
        ]
    )


def _effect_text(row: ForestRow | ForestSummary, endpoint: Endpoint) -> str:
    effect, low, high = (format_fixed(x, endpoint.places) for x in (row.effect, row.low, row.high))
    return f"{effect} ({low} to {high})"


def _prediction_text(summary: ForestSummary, endpoint: Endpoint) -> str:
    ends = (summary.prediction_low, summary.prediction_high)
    return " to ".join(format_fixed(end, endpoint.places) for end in ends)
