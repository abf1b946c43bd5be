"""What `power` prints, and what `check` says of a study's chances."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from ketadask.cli.tables import console

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.study.check import StudyCheck
    from ketadask.study.power import PowerPreview
    from ketadask.study.study import Study

_SHOWN = {
    "design": "design",
    "participants": "people",
    "features": "features",
    "effect": "d",
    "prevalence": "prevalence",
    "critical_value": "critical Q",
    "power": "supported",
    "recovered": "the true one",
}


def print_power(
    study: Study,
    *,
    participants: list[int],
    features: list[int],
    effects: list[float],
    prevalences: list[float],
    simulations: int,
    as_json: bool,
) -> None:
    """Simulate and print the table, as JSON where asked; the folder of the figure comes last."""
    from ketadask.study import power

    if not (participants and features):
        sizes = power.default_sizes(*power.size_of(study))
        participants, features = participants or sizes[0], features or sizes[1]
    asked = power.plan(
        study.settings,
        participants,
        features,
        effects or list(power.EFFECTS),
        prevalences or [power.PREVALENCE],
    )
    table, folder = power.study_power(study, asked, simulations=simulations)
    if as_json:
        typer.echo(table.to_json(orient="records", indent=1))
        return
    _show(table, folder)


def _show(table: pd.DataFrame, folder: Path) -> None:
    out = console()
    shown = Table(
        title="Power", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    for name in _SHOWN.values():
        shown.add_column(name, justify="left" if name == "design" else "right")
    for row in table.to_dict("records"):
        span = f"{row['power']:.0%} ({row['power_low']:.0%} to {row['power_high']:.0%})"
        shown.add_row(
            row["design"],
            f"{row['participants']:,}",
            f"{row['features']:,}",
            f"{row['effect']:g}",
            f"{row['prevalence']:.0%}",
            f"{row['critical_value']:.2f}",
            span,
            f"{row['recovered']:.0%}",
        )
    out.print(shown)
    count = int(table["simulations"].iloc[0])
    out.print(
        f"{count:,} simulated studies per row. Supported: rate of those with a supported persona "
        "(95 % interval). The true one: rate of studies whose best persona is the planted one. "
        "Prevalence: fraction of participants inside. Critical Q: the best persona must exceed it.",
        soft_wrap=out.width > 100,
    )
    print(folder / "power.svg")


def print_outlook(study: Study, checked: StudyCheck) -> None:
    """Say whether a study of this size could find anything, before it runs."""
    from ketadask.study.power import quick_look

    design = study.settings.design.kind
    people = round(checked.units / 2) if design == "pooled" else checked.units
    features = int(checked.modalities["features"].sum())
    if people < 8 or features < 1:
        return
    study.progress.print("outlook: simulating some studies of this size")
    out = console()
    for line in outlook_lines(quick_look(study.settings, people, features)):
        out.print(line, soft_wrap=True)


def outlook_lines(told: PowerPreview) -> list[str]:
    """Return the outlook of a study in words."""
    s = told.scenario
    found = f"{told.detected} of {told.simulations}"
    persona = (
        f"a persona as large as the published ones (d = {s.effect:g}, {s.prevalence:.0%} of all)"
    )
    if not told.hopeless:
        return [
            f"Outlook: {persona} was supported in {found} simulated studies of this size; "
            "see `ketadask power` for smaller effects"
        ]
    remedies = [f"a list of 20 features written down before looking ({s.features:,} now)"]
    if s.features <= 20:
        remedies = []
    if s.design == "pooled":
        remedies.insert(0, "design.kind: crossover, where participants have both arms")
    if s.literals > 1:
        remedies.append(f"fewer value ranges than {s.literals} in a persona")
    remedies.append(f"more participants than {s.participants:,}")
    return [
        f"Outlook: HOPELESS. Even {persona} was supported in only {found} simulated studies of "
        "this size: what it finds will hardly ever be distinguishable from search noise.",
        f"  what helps: {'; '.join(remedies)}; `ketadask power` says how much",
    ]
