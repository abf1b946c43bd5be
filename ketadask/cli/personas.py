"""Commands for the personas of a run: explore, lock, and apply or test in the next trial."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ketadask.cli.keys import complete_change

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.study.confirm import ConfirmationSummary

RUNS, RELABELLINGS = Path("runs"), 1_999


def explore_command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder with verdicts.")],
    other: Annotated[
        Path | None, typer.Argument(metavar="OTHER", help="Run folder beside it.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="HTML file; default: explore.html in RUN.")
    ] = None,
) -> None:
    """Write a page to choose value ranges and see members, arms and courses; it tests nothing."""
    from ketadask.study.explore import explore_runs

    typer.echo(explore_runs(run, other, to=to))


def lock_command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder with verdicts.")],
    persona: Annotated[
        list[str] | None,
        typer.Option(
            "--persona",
            metavar="ID",
            help="Id of a persona, or predictor; may be repeated; default: all supported.",
        ),
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Lock what is not supported; the file says so.")
    ] = False,
    to: Annotated[Path, typer.Option("--to", help="Folder of the files.")] = Path(),
) -> None:
    """Write supported personas to files that other trials can use; no data of participants."""
    from ketadask.search.persona import Persona
    from ketadask.study.lock import lock_run

    for path in lock_run(run, persona or [], anyway=anyway, to=to):
        if path.suffix == ".json":
            value = Persona.read(path)
            typer.echo(f"{value.persona}: {value.sentence()}")
        typer.echo(path)


def apply_command(
    file: Annotated[
        Path, typer.Argument(metavar="PERSONA.json|PREDICTOR.npz", help="Locked file.")
    ],
    tables: Annotated[
        Path,
        typer.Argument(metavar="TABLES", help="Study folder, STUDY.yaml, or a table of features."),
    ],
    to: Annotated[
        Path | None, typer.Option("--to", help="CSV file; default: standard output.")
    ] = None,
) -> None:
    """Write who is inside a locked persona, or the predictions of a locked predictor, as CSV."""
    from ketadask.search.persona import Persona
    from ketadask.study.screening import apply_model, apply_persona

    if file.suffix == ".npz":
        table = apply_model(file, tables)
        for note in table.attrs.get("notes", ()):
            typer.echo(f"Note: {note}", err=True)
    else:
        table = apply_persona(Persona.read(file), tables)
        counts = table["member"].value_counts()
        words = (f"{counts.get(word, 0):,} {word}" for word in ("inside", "outside", "unknown"))
        typer.echo(", ".join(words), err=True)
    _write_csv(table, to)


def confirm_command(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="PERSONA.json... STUDY.yaml", help="Locked personas, new trial."),
    ],
    alpha: Annotated[
        float, typer.Option(help="One-sided level, Holm's over several personas.")
    ] = 0.025,
    relabellings: Annotated[int, typer.Option(help="Number of relabelled trials.")] = RELABELLINGS,
    cluster: Annotated[
        Path | None,
        typer.Option(
            "--cluster", metavar="PROFILE.yaml", help="Cluster profile; default: this machine."
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="a.b=c",
            help="Override of one key; may be repeated.",
            autocompletion=complete_change,
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of the run folders.")] = RUNS,
) -> None:
    """Test locked personas in a new trial; the last line is the path of the report."""
    from ketadask.study.confirm import read_personas
    from ketadask.study.study import Study

    *personas, study = files
    if not personas:
        raise typer.BadParameter("give at least one persona and the study of the new trial")
    values = read_personas(personas)
    print_confirmation(
        Study.read(study, changes=changes, out=out, cluster=cluster).confirm(
            values, alpha=alpha, relabellings=relabellings
        )
    )


def print_confirmation(summary: ConfirmationSummary) -> None:
    """Print the first line of the report, a table of effects, and the path of the report."""
    from ketadask.cli.tables import console, plain_table
    from ketadask.inference.confirmation import power_text

    out = console()
    out.print(summary.headline)
    table = plain_table()
    for name in ("persona", "conclusion", "difference", "inside", "outside", "p", "p inside"):
        table.add_column(name)
    table.add_column("power")
    for row in summary.table.to_dict("records"):
        effects = [
            f"{row[name]:.{summary.places}f} ({row[f'{name}_low']:.{summary.places}f} to "
            f"{row[f'{name}_high']:.{summary.places}f})"
            for name in ("difference", "benefit_inside", "benefit_outside")
        ]
        numbers = f"{row['p_adjusted']:.2g}", f"{row['p_inside']:.2g}", power_text(row["power"])
        table.add_row(row["persona"], row["conclusion"], *effects, *numbers)
    out.print(table)
    typer.echo(summary.report)


def _write_csv(table: pd.DataFrame, to: Path | None) -> None:
    from ketadask.store.disk import write_file
    from ketadask.store.tables import csv_text

    text = csv_text(table)
    if to is None:
        sys.stdout.write(text)
    else:
        write_file(to, text.encode())
        typer.echo(to)
