"""The figure of a study's power: how many participants it would take."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ketadask.report.canvas import ACCENT, CONTROL, INK, LINE, Drawing, Surface, draw
from ketadask.report.format import percent

_COLOURS = (CONTROL, ACCENT, INK)
_LIGHT = (
    "--ink:#1c1f23;--muted:#5a616b;--line:#d9dbd7;--soft:#c3c9d1;--active:#0067a6;"
    "--control:#a8480f;--accent:#0067a6;--paper:#fdfdfb"
)


def power_figure(table: pd.DataFrame) -> Drawing:
    """Draw power against participants, a line per effect; dashed with the shorter feature list.

    Parameters
    ----------
    table
        Rows of `ketadask.inference.power.power` of one design.
    """
    best = table.loc[table["power"].idxmax()]
    alt = (
        f"Power in the {best['design']} design, at most {percent(best['power'])}: "
        f"{best['participants']} participants, {best['features']} features, effect d = "
        f"{best['effect']}"
    )
    return draw("power", alt, (340, 320), lambda surface: _power(surface, table))


def _power(surface: Surface, table: pd.DataFrame) -> None:
    axes = surface.axes(64, 48, 96, 34)
    longest = table["features"].max()
    axes.axhline(0.8, color=LINE, linewidth=1.2, linestyle=(0, (4, 3)))
    for k, (effect, of_effect) in enumerate(table.groupby("effect", sort=True)):
        colour = _COLOURS[k % len(_COLOURS)]
        for features, mine in of_effect.groupby("features", sort=True):
            rows = mine.sort_values("participants")
            dashes: Any = "solid" if features == longest else (0, (5, 3))
            x, y = rows["participants"], rows["power"]
            axes.plot(x, y, linestyle=dashes, color=colour, linewidth=1.8)
            for row in rows.to_dict("records"):
                (dot,) = axes.plot([row["participants"]], [row["power"]], "o", color=colour, ms=6)
                told = f"{row['participants']} participants, {features} features, d = {effect}: "
                span = f"{percent(row['power_low'])} to {percent(row['power_high'])}"
                surface.tell(dot, f"{told}{percent(row['power'])} ({span})")
            last = rows.iloc[-1]
            if features == longest:
                at = (last["participants"], last["power"])
                surface.note(axes, f"d = {effect}", at, (10, 0), color=colour)
    axes.set(ylim=(-0.02, 1.02), xlabel="participants", ylabel="chance to be supported")
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])
    axes.set_xticks(sorted(table["participants"].unique()))
    shortest = table["features"].min()
    if shortest != longest:
        text = f"solid: {longest} features; dashed: {shortest} features"
        axes.set_title(text, fontsize=12.5, loc="left", color=INK)


def standalone(drawing: Drawing) -> str:
    """Return the wide drawing as the text of an SVG file that needs no page around it."""
    style = f"<style>svg{{{_LIGHT};background:var(--paper);font-family:sans-serif}}</style>"
    opening, rest = str(drawing.wide).split(">", 1)
    return f'{opening} xmlns="http://www.w3.org/2000/svg">{style}{rest}\n'
