"""Output of `ketadask power`, and the power preview of `ketadask check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ketadask.cli.tables import console, plain_table, print_line

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.study.check import StudyCheck
    from ketadask.study.power import PowerPreview
    from ketadask.study.study import Study

_HEADERS = {
    "design": "design",
    "participants": "n",
    "features": "features",
    "effect": "d",
    "prevalence": "prevalence",
    "critical_value": "critical\nvalue",  # so that the table fits 80 columns
    "power": "power",
    "recovered": "recovered",
}
_MAX_CELLS = 250_000


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
    """Simulate studies and print the power table or its JSON; the last line is the figure."""
    from ketadask.study import power

    if not (participants and features):
        sizes = power.default_sizes(*power.size_of(study))
        participants, features = participants or sizes[0], features or sizes[1]
    scenarios = power.plan(
        study.settings,
        participants,
        features,
        effects or list(power.EFFECTS),
        prevalences or [power.PREVALENCE],
    )
    table, folder = power.study_power(study, scenarios, simulations=simulations)
    if as_json:
        typer.echo(table.to_json(orient="records", indent=1))
    else:
        _print_power_table(table, folder)


def _print_power_table(table: pd.DataFrame, folder: Path) -> None:
    out = console()
    grid = plain_table("Power")
    for name in _HEADERS.values():
        grid.add_column(name, justify="left" if name == "design" else "right", no_wrap=True)
    for row in table.to_dict("records"):
        grid.add_row(
            row["design"],
            f"{row['participants']:,}",
            f"{row['features']:,}",
            f"{row['effect']:g}",
            f"{row['prevalence']:.0%}",
            f"{row['critical_value']:.2f}",
            f"{row['power']:.0%}\n{row['power_low']:.0%} to {row['power_high']:.0%}",
            f"{row['recovered']:.0%}",
        )
    out.print(grid)
    count = int(table["simulations"].iloc[0])
    print_line(
        out,
        f"{count:,} simulated studies per row of n participants. Power: rate of studies with a "
        "supported persona (95 % interval). Recovered: rate of studies whose best persona is the "
        "planted one. "
        "Prevalence: fraction of participants inside. Critical value: statistic needed for "
        "support.",
    )
    print(folder / "power.svg")


def print_power_preview(study: Study, check: StudyCheck) -> None:
    """Print the power of a study of this size for a large persona."""
    from ketadask.study.power import preview_power

    units_per_participant = 2 if study.settings.design.kind == "pooled" else 1
    participants = round(check.units / units_per_participant)
    features = int(check.modalities["features"].sum())
    if participants < 8 or features < 1:
        return
    out = console()
    if participants * features > _MAX_CELLS:  # a check takes seconds
        size = f"{participants:,} participants and {features:,} features"
        print_line(out, f"Power: not simulated for {size}; see `ketadask power`")
        return
    study.progress.print("power: simulating studies of this size")
    for line in preview_lines(preview_power(study.settings, participants, features)):
        print_line(out, line)


def preview_lines(preview: PowerPreview) -> list[str]:
    """Return the power preview as sentences."""
    scenario = preview.scenario
    rate = f"{preview.n_detected} of {preview.simulations} simulated studies of this size"
    persona = (
        f"a persona as large as the published ones (d = {scenario.effect:g}, "
        f"prevalence {scenario.prevalence:.0%})"
    )
    smaller = ", ".join(f"d = {d:g} in {n} of {count}" for d, n, count in preview.smaller)
    others = f"smaller ones: {smaller}" if smaller else "see `ketadask power` for smaller effects"
    if not preview.is_very_low:
        return [f"Power: {persona} was supported in {rate}; {others}"]
    remedies = []
    if scenario.design == "pooled":
        remedies.append("design.kind: crossover, if participants have both arms")
    if scenario.features > 20:
        remedies.append(f"a prespecified list of 20 features ({scenario.features:,} now)")
    if scenario.literals > 1:
        remedies.append(f"fewer than {scenario.literals} value ranges in a persona")
    remedies.append(f"more than {scenario.participants:,} participants")
    return [
        f"Very low power: even {persona} was supported in only {rate}; {others}. "
        "Its findings will rarely be distinguishable from search noise.",
        f"  To increase power: {'; '.join(remedies)}. `ketadask power` estimates the gain.",
    ]
