"""The report of a confirmation: what was locked, and what a new trial says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from ketadask import names as nm
from ketadask.plot.effects import ESTIMATE, HOLLOW, draw_forest
from ketadask.plot.style import is_narrow, legend
from ketadask.report.canvas import ACTIVE, PAPER, Drawing, draw_axes
from ketadask.report.format import format_fixed
from ketadask.report.labels import Endpoint, format_scale
from ketadask.report.page import page_environment, page_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ketadask.search.persona import Persona

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
        outcome.endpoint,
        format_scale(outcome.scale),
        "" if outcome.day is None else str(outcome.day),
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
    height = 90 + 40 * len(rows)
    figure = draw_axes(
        f"forest-{persona.persona}", alt, (height, height), lambda ax: _paint(ax, rows, endpoint)
    )
    return ConfirmationView(persona, row, tuple(rows), reasons, figure)


def effect_text(row: EffectRow, endpoint: Endpoint) -> str:
    """Return estimate and interval as text."""
    effect, low, high = (format_fixed(x, endpoint.places) for x in (row.effect, row.low, row.high))
    return f"{effect} ({low} to {high})" if np.isfinite(row.low) else f"{effect} (no interval)"


def _paint(ax: Axes, rows: list[EffectRow], endpoint: Endpoint) -> None:
    """Draw every row with its interval; discovery as an open square, the new trial filled."""
    table = pd.DataFrame([vars(row) for row in rows]).assign(
        label=[f"{row.trial}: {row.name}" for row in rows],
        kind=[HOLLOW if row.trial == DISCOVERY else ESTIMATE for row in rows],
    )
    unit = "" if is_narrow(ax) else f", {endpoint.unit}"
    draw_forest(table, places=endpoint.places, xlabel="benefit" + unit, ax=ax)
    legend(ax, [(DISCOVERY, "s", ACTIVE, PAPER), (CONFIRMATION, "s", ACTIVE, ACTIVE)])


def direction(persona: Persona) -> str:
    """Return what the persona claims of those inside."""
    return "less" if persona.polarity == nm.UNFAVOURABLE else "more"
