"""The command `ketadask plan` and its output."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ketadask.cli.tables import console, plain_table, print_line

if TYPE_CHECKING:
    from ketadask.study.plan import TrialPlan

RUNS = Path("runs")
_HEADERS = {
    "outcomes": "outcomes",
    "randomised": "randomise",
    "screened": "screen",
    "cost": "cost",
    "months": "months",
    "power": "power",
    "assurance": "assurance",
}


def plan_command(
    persona: Annotated[Path, typer.Argument(metavar="PERSONA.json", help="Locked persona.")],
    power: Annotated[float, typer.Option(help="Power at the shrunken difference.")] = 0.8,
    alpha: Annotated[
        float, typer.Option(help="One-sided level, as that of `ketadask confirm`.")
    ] = 0.025,
    drop_out: Annotated[float, typer.Option(help="Fraction randomised without outcome.")] = 0.1,
    reliability: Annotated[
        float, typer.Option(help="Correlation of a feature with its value at discovery.")
    ] = 1.0,
    inside_fraction: Annotated[
        float | None,
        typer.Option(help="Fraction inside in the stratified design; default: as screened."),
    ] = None,
    screening_cost: Annotated[float, typer.Option(help="Cost of one person's features.")] = 0.0,
    visit_cost: Annotated[float, typer.Option(help="Cost of one visit.")] = 0.0,
    visits: Annotated[int, typer.Option(help="Visits per participant.")] = 1,
    people_per_month: Annotated[float, typer.Option(help="People screened per month.")] = 10.0,
    follow_up_months: Annotated[float, typer.Option(help="Months to the last outcome.")] = 1.0,
    first_stage: Annotated[
        float, typer.Option(help="Two-stage: fraction of participants in the first stage.")
    ] = 0.5,
    futility: Annotated[float, typer.Option(help="Two-stage: stop if p inside is above.")] = 0.5,
    enrichment: Annotated[
        float, typer.Option(help="Two-stage: enrol inside only if p outside is above.")
    ] = 0.3,
    interim_alpha: Annotated[
        float, typer.Option(help="Two-stage: one-sided level of a claim at the interim analysis.")
    ] = 0.0,
    simulations: Annotated[int, typer.Option(min=500, help="Simulated trials per size.")] = 4_000,
    seed: Annotated[int, typer.Option(help="Seed of the simulations.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    cluster: Annotated[
        Path | None,
        typer.Option(
            "--cluster", metavar="PROFILE.yaml", help="Cluster profile; default: this machine."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of the run folders.")] = RUNS,
) -> None:
    """Plan all comers, stratified, enriched and two-stage trials; write a table and a page."""
    from ketadask.inference.trial_assumptions import TrialAssumptions
    from ketadask.kernels.two_stage import InterimRule
    from ketadask.study.plan import plan_next_trial

    interim = InterimRule(first_stage, futility, enrichment, interim_alpha=interim_alpha)
    trial = TrialAssumptions(
        alpha=alpha, power=power, drop_out=drop_out, reliability=reliability,
        inside_fraction=inside_fraction, screening_cost=screening_cost, visit_cost=visit_cost,
        visits=visits, people_per_month=people_per_month, follow_up_months=follow_up_months,
        interim=interim,
    )  # fmt: skip
    plan = plan_next_trial(
        persona, trial, out=out, cluster=cluster, simulations=simulations, seed=seed
    )
    print_plan(plan, as_json=as_json)


def print_plan(plan: TrialPlan, *, as_json: bool) -> None:
    """Print a row per design, or JSON; the last line is the path of the page."""
    if as_json:
        typer.echo(plan.table.to_json(orient="records", indent=1))
        return
    out = console()
    grid = plain_table("Next trial")
    for name in ("design", "tests"):
        grid.add_column(name)
    for name in _HEADERS.values():
        grid.add_column(name, justify="right")
    for row in plan.table.to_dict("records"):
        cells = [_cell(str(name), row[name]) for name in _HEADERS]
        grid.add_row(row["design"], row["question"], *cells)
    out.print(grid)
    print_line(
        out,
        "Power at the shrunken difference. Assurance: power averaged over the uncertainty of the "
        "effect. Two-stage: expected numbers, "
        "simulated. -: no size suffices.",
    )
    print(plan.page)


def _cell(name: str, value: float) -> str:
    if isnan(value):
        return "-"
    if name in ("power", "assurance"):
        return f"{value:.0%}"
    return f"{value:,.1f}" if name == "months" else f"{value:,.0f}"
