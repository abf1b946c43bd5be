"""The report of a confirmation: what was locked, and what a new trial says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from ketadask import names as nm
from ketadask.report.canvas import ACTIVE, INK, LINE, PAPER, Drawing, Surface, draw
from ketadask.report.format import format_fixed
from ketadask.report.labels import Endpoint
from ketadask.report.page import page_environment, page_style

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.search.persona import Persona

_ROW_HEIGHT, _TOP, _BOTTOM = 25, 34, 50
DISCOVERY, CONFIRMATION = "discovery", "this trial"
_ROWS = (
    ("difference", "inside minus outside"),
    ("benefit_inside", "inside"),
    ("benefit_outside", "outside"),
)


@dataclass(frozen=True)
class ConfirmationData:
    """What the report of a confirmation shows; ``table`` keeps ``schema.CONFIRMATIONS``.

    ``reasons`` are the numbers of units of unknown membership by reason, for each persona.
    """

    title: str
    personas: tuple[Persona, ...]
    table: pd.DataFrame
    reasons: tuple[Mapping[str, int], ...]
    design: str
    alpha: float
    relabellings: int
    adjust: str
    provenance: Mapping[str, Any]


@dataclass(frozen=True)
class EffectRow:
    """One line of the forest plot: an estimate with its interval, NaN where there is none."""

    trial: str
    name: str
    effect: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class ConfirmationView:
    """One persona: as locked, as tested, and both in one figure."""

    persona: Persona
    result: Mapping[str, Any]
    rows: tuple[EffectRow, ...]
    reasons: Mapping[str, int]
    figure: Drawing


def render_confirmation(data: ConfirmationData, headline: str) -> str:
    """Return the report as HTML text that needs no network; its first line is ``headline``."""
    views = [
        _view(persona, row, reasons)
        for persona, row, reasons in zip(
            data.personas, data.table.to_dict("records"), data.reasons, strict=True
        )
    ]
    template = page_environment().get_template("confirmation.html.j2")
    outcome = data.personas[0].outcome
    return template.render(
        data=data,
        headline=headline,
        views=views,
        endpoint=_endpoint(data.personas[0]),
        outcome=outcome,
        style=Markup(page_style()),
    )


def _endpoint(persona: Persona) -> Endpoint:
    outcome = persona.outcome
    return Endpoint(
        outcome.endpoint, outcome.scale, "" if outcome.day is None else str(outcome.day)
    )


def _view(persona: Persona, row: dict[Any, Any], reasons: Mapping[str, int]) -> ConfirmationView:
    discovery, endpoint = persona.discovery, _endpoint(persona)
    ends = (discovery.difference_low, discovery.difference_high)
    low, high = (np.nan if end is None else end for end in ends)
    shrunken = discovery.difference_shrunken
    effect = discovery.difference if shrunken is None else shrunken
    rows = [
        EffectRow(
            DISCOVERY,
            _ROWS[0][1],
            effect,
            low,
            high,
            discovery.inside + discovery.outside,
        )
    ]
    sizes = (row["inside"] + row["outside"], row["inside"], row["outside"])
    rows += [
        EffectRow(CONFIRMATION, text, row[name], row[f"{name}_low"], row[f"{name}_high"], n)
        for (name, text), n in zip(_ROWS, sizes, strict=True)
    ]
    alt = f"Persona {persona.persona}: " + "; ".join(
        f"{r.trial}, {r.name} {effect_text(r, endpoint)}" for r in rows
    )
    height = _TOP + _BOTTOM + _ROW_HEIGHT * len(rows)
    figure = draw(
        f"forest-{persona.persona}",
        alt,
        (height, height),
        lambda surface: _paint(surface, rows, endpoint),
    )
    return ConfirmationView(persona, row, tuple(rows), reasons, figure)


def effect_text(row: EffectRow, endpoint: Endpoint) -> str:
    """Return estimate and interval as text."""
    effect, low, high = (format_fixed(x, endpoint.places) for x in (row.effect, row.low, row.high))
    return f"{effect} ({low} to {high})" if np.isfinite(row.low) else f"{effect} (no interval)"


def _paint(surface: Surface, rows: list[EffectRow], endpoint: Endpoint) -> None:
    """Draw every row with its interval; discovery as an open square, the new trial filled."""
    narrow = surface.narrow
    axes = surface.axes(150 if narrow else 220, _BOTTOM, 14 if narrow else 150, _TOP)
    axes.axvline(0, color=LINE, linewidth=1.2)
    for y, row in enumerate(rows):
        if np.isfinite(row.low):
            axes.plot([row.low, row.high], [y, y], color=INK, linewidth=1.5, zorder=2)
        (square,) = axes.plot(
            [row.effect], [y], "s", markersize=8, markeredgewidth=1.8, zorder=3,
            markeredgecolor=ACTIVE, markerfacecolor=PAPER if row.trial == DISCOVERY else ACTIVE,
        )  # fmt: skip
        text = effect_text(row, endpoint)
        surface.add_title(square, f"{row.trial}, {row.name}: {text}, {row.n} units")
        if not narrow:
            surface.annotate(
                axes, text, (1.0, y), (12, 0), color=INK, fontsize=12,
                xycoords=("axes fraction", "data"),
            )  # fmt: skip
    axes.set_yticks(range(len(rows)), [f"{row.trial}: {row.name}" for row in rows])
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=10.5 if narrow else 12.5)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.margins(x=0.06)
    axes.set_xlabel("benefit" + ("" if narrow else f", {endpoint.unit}"))
    surface.legend([(DISCOVERY, "s", ACTIVE, PAPER), (CONFIRMATION, "s", ACTIVE, ACTIVE)])


def direction(persona: Persona) -> str:
    """Return what the persona claims of those inside."""
    return "less" if persona.polarity == nm.UNFAVOURABLE else "more"
