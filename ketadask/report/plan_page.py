"""The page of a plan: the designs of the next trial side by side, and their curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ketadask.inference.next_trial import ALL_COMERS, ENRICHED, STRATIFIED, TWO_STAGE
from ketadask.report.canvas import (
    ACTIVE,
    CONTROL,
    DASHED,
    INK,
    LINE,
    MUTED,
    Drawing,
    Surface,
    draw,
    set_percent_ticks,
)
from ketadask.report.format import format_number, format_percentage
from ketadask.report.page import page_text
from ketadask.store.disk import write_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ketadask.inference.trial_assumptions import PersonaEffect, TrialAssumptions
    from ketadask.search.persona import Persona

_COLOURS = {ALL_COMERS: MUTED, STRATIFIED: CONTROL, ENRICHED: ACTIVE, TWO_STAGE: INK}


def write_plan_page(
    persona: Persona,
    effect: PersonaEffect,
    trial: TrialAssumptions,
    table: pd.DataFrame,
    curves: pd.DataFrame,
    path: Path,
    *,
    simulations: int,
) -> Path:
    """Write the plan as one HTML file that needs no network, and return its path."""
    view = {
        "persona": persona,
        "effect": effect,
        "trial": trial,
        "rows": table.to_dict("records"),
        "power_figure": curve_figure(curves, trial.power),
        "cost_figure": cost_figure(curves, has_costs=bool((table["cost"] > 0).any())),
        "simulations": simulations,
    }
    title = f"Next trial of persona {persona.persona}"
    sections = [("plan", "The next trial")]
    text = page_text(title, sections, {"plan": view}, kind="Plan of a trial")
    return write_file(path, text.encode("utf-8"))


def curve_figure(curves: pd.DataFrame, target: float) -> Drawing:
    """Draw power (solid) and assurance (dashed) of each design against outcomes.

    Parameters
    ----------
    curves
        Columns ``design``, ``n``, ``power`` and ``assurance``.
    target
        Intended power, a grey line.
    """
    reach = [
        f"{design} {format_percentage(rows['power'].max())}"
        for design, rows in curves.groupby("design", sort=False)
    ]
    alt = "Power and assurance by number of participants with outcome; largest power: "

    def paint(surface: Surface) -> None:
        axes = surface.axes(64, 48, 104, 12)
        axes.axhline(target, color=LINE, linewidth=1.2)
        _paint_curves(surface, axes, curves, "n")
        axes.set_xscale("log")
        _plain_ticks(axes, curves["n"])
        axes.set(xlabel="participants with outcome", ylabel="power, assurance")

    return draw("plan-power", alt + ", ".join(reach), (330, 320), paint)


def cost_figure(curves: pd.DataFrame, *, has_costs: bool) -> Drawing:
    """Draw power and assurance of each design against its cost, or the people it needs."""
    column, label = ("cost", "cost") if has_costs else ("people", "people to screen or randomise")
    rows = curves.assign(people=np.maximum(curves["screened"], curves["randomised"]))
    rows = rows[rows[column] > 0]

    def paint(surface: Surface) -> None:
        axes = surface.axes(64, 48, 104, 12)
        _paint_curves(surface, axes, rows, column)
        axes.set_xscale("log")
        _plain_ticks(axes, rows[column])
        axes.set(xlabel=label, ylabel="power, assurance")

    return draw("plan-cost", f"Power and assurance by {label}", (330, 320), paint)


def _paint_curves(surface: Surface, axes: Axes, curves: pd.DataFrame, column: str) -> None:
    ends = []
    for design, rows in curves.sort_values(column).groupby("design", sort=False):
        colour = _COLOURS[str(design)]
        for name, style in (("power", "solid"), ("assurance", DASHED)):
            (line,) = axes.plot(rows[column], rows[name], linestyle=style, color=colour, lw=1.8)
            surface.add_title(line, f"{name} of the {design} design")
        ends.append((float(rows["power"].iloc[-1]), float(rows[column].iloc[-1]), str(design)))
    right = max(end for _, end, _ in ends)
    heights = _apart([height for height, _, _ in sorted(ends)], 0.07)
    for (_, _, design), height in zip(sorted(ends), heights, strict=True):
        surface.annotate(axes, design, (right, height), (10, 0), color=_COLOURS[design])
    axes.set(ylim=(-0.02, 1.04))
    set_percent_ticks(axes.yaxis)


def _apart(heights: list[float], gap: float) -> list[float]:
    """Return ascending heights at least ``gap`` apart, none above 1."""
    result: list[float] = []
    for height in heights:
        result.append(max(height, result[-1] + gap) if result else height)
    excess = max(result[-1] - 1.0, 0.0)
    return [height - excess for height in result]


def _plain_ticks(axes: Axes, values: pd.Series) -> None:
    low, high = float(values.min()), float(values.max())
    steps = [step * 10.0**power for power in range(9) for step in (1, 2, 3, 5)]
    ticks = [step for step in steps if low <= step <= high]
    axes.set_xticks(ticks, [format_number(tick) for tick in ticks])
    axes.minorticks_off()
