"""The figure of a study's power: participants needed for each effect."""

from __future__ import annotations

import pandas as pd

from ketadask.report.canvas import (
    ACCENT,
    CONTROL,
    DASHED,
    INK,
    LINE,
    Drawing,
    Surface,
    draw,
    set_percent_ticks,
)
from ketadask.report.format import format_percentage

_COLOURS = (CONTROL, ACCENT, INK)
_LIGHT = (
    "--ink:#1c1f23;--muted:#5a616b;--line:#d9dbd7;--soft:#c3c9d1;--active:#0067a6;"
    "--control:#a8480f;--accent:#0067a6;--paper:#fdfdfb"
)


def power_figure(table: pd.DataFrame) -> Drawing:
    """Draw power against participants, a line per effect; dashed for the shorter feature list.

    Parameters
    ----------
    table
        Rows of `ketadask.inference.power.power` of one design.
    """
    best = table.iloc[int(table["power"].to_numpy().argmax())]
    alt = (
        f"Power in the {best['design']} design, at most {format_percentage(best['power'])}: "
        f"{best['participants']} participants, {best['features']} features, effect d = "
        f"{best['effect']}"
    )
    return draw("power", alt, (340, 320), lambda surface: _paint_power(surface, table))


def _paint_power(surface: Surface, table: pd.DataFrame) -> None:
    axes = surface.axes(64, 48, 96, 34)
    shortest, longest = table["features"].min(), table["features"].max()
    axes.axhline(0.8, color=LINE, linewidth=1.2, linestyle=DASHED)
    for k, effect in enumerate(sorted(table["effect"].unique())):
        colour = _COLOURS[k % len(_COLOURS)]
        for features in sorted(table["features"].unique()):
            rows = table[(table["effect"] == effect) & (table["features"] == features)]
            rows = rows.sort_values("participants")
            style = "solid" if features == longest else DASHED
            axes.plot(rows["participants"], rows["power"], linestyle=style, color=colour, lw=1.8)
            for row in rows.to_dict("records"):
                (dot,) = axes.plot([row["participants"]], [row["power"]], "o", color=colour, ms=6)
                power, low, high = (
                    format_percentage(row[name]) for name in ("power", "power_low", "power_high")
                )
                scenario = f"{row['participants']} participants, {features} features, d = {effect}"
                surface.add_title(dot, f"{scenario}: {power} ({low} to {high})")
            if features == longest:
                end = (rows["participants"].iloc[-1], rows["power"].iloc[-1])
                surface.annotate(axes, f"d = {effect}", end, (10, 0), color=colour)
    axes.set(ylim=(-0.02, 1.02), xlabel="participants", ylabel="power")
    set_percent_ticks(axes.yaxis)
    axes.set_xticks(sorted(table["participants"].unique()))
    if shortest != longest:
        text = f"solid: {longest} features; dashed: {shortest} features"
        axes.set_title(text, fontsize=12.5, loc="left", color=INK)


def standalone(drawing: Drawing) -> str:
    """Return the wide drawing as the text of an SVG file with its own colours."""
    style = f"<style>svg{{{_LIGHT};background:var(--paper);font-family:sans-serif}}</style>"
    opening, rest = str(drawing.wide).split(">", 1)
    return f'{opening} xmlns="http://www.w3.org/2000/svg">{style}{rest}\n'
