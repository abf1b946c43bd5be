"""The figure of a study's power: participants needed for each effect."""

from __future__ import annotations

import pandas as pd

from ketadask.plot.curves import draw_power
from ketadask.report.canvas import Drawing, draw_axes
from ketadask.report.format import format_percentage


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
    return draw_axes("power", alt, (340, 320), lambda ax: draw_power(table, ax=ax))
