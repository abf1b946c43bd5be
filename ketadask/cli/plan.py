"""Output of `ketadask plan`."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from ketadask.cli.tables import console

if TYPE_CHECKING:
    from ketadask.study.plan import TrialPlan

_HEADERS = {
    "outcomes": "outcomes",
    "randomised": "randomise",
    "screened": "screen",
    "cost": "cost",
    "months": "months",
    "power": "power",
    "assurance": "assurance",
    "assurance_limit": "its limit",
}


def print_plan(plan: TrialPlan, *, as_json: bool) -> None:
    """Print a row per design, or JSON; the last line is the path of the page."""
    if as_json:
        typer.echo(plan.table.to_json(orient="records", indent=1))
        return
    out = console()
    grid = Table(
        title="Next trial", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0),
        pad_edge=False,
    )  # fmt: skip
    for name in ("design", "tests"):
        grid.add_column(name)
    for name in _HEADERS.values():
        grid.add_column(name, justify="right")
    for row in plan.table.to_dict("records"):
        cells = [_cell(str(name), row[name]) for name in _HEADERS]
        grid.add_row(row["design"], row["question"], *cells)
    out.print(grid)
    out.print(
        "Power at the shrunken difference. Assurance: power averaged over the uncertainty of the "
        "effect; its limit is the probability that there is one. Two-stage: expected numbers, "
        "simulated. -: no size suffices.",
        soft_wrap=out.width > 100,
    )
    print(plan.page)


def _cell(name: str, value: float) -> str:
    if isnan(value):
        return "-"
    if name in ("power", "assurance", "assurance_limit"):
        return f"{value:.0%}"
    return f"{value:,.1f}" if name == "months" else f"{value:,.0f}"
