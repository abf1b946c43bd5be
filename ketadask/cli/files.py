"""Commands that write files: `simulate`, `init` and `configs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ketadask.schema.errors import InputError


def simulate_command(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New study folder.")],
    participants: Annotated[int, typer.Option(help="Number of participants.")] = 33,
    seed: Annotated[int, typer.Option(help="Seed of the study.")] = 7,
    trials: Annotated[int, typer.Option(help="Number of trials.")] = 1,
    sites: Annotated[int, typer.Option(help="Number of sites per trial.")] = 1,
    effect: Annotated[float, typer.Option(help="Effect of the persona in SD; 0 for none.")] = 2.1,
    persona: Annotated[str, typer.Option(help="Planted persona: volume or meg.")] = "volume",
    persona_trials: Annotated[
        int | None,
        typer.Option(help="Number of trials, the first ones, with the persona; default: all."),
    ] = None,
    prognostic: Annotated[
        float, typer.Option(help="Improvement lost per SD of age, on both arms, in SD.")
    ] = 0.4,
    layout: Annotated[str, typer.Option(help="bids, nda or both.")] = "bids",
    meg: Annotated[bool, typer.Option(help="Add short MEG recordings.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace a folder that is not empty.")] = False,
) -> None:
    """Simulate a study folder with a planted persona, in the file formats of real studies."""
    from ketadask.simulate.study import simulate_study

    folder = simulate_study(
        out,
        participants=participants,
        seed=seed,
        trials=trials,
        sites=sites,
        effect=effect,
        persona=persona,
        persona_trials=persona_trials,
        prognostic=prognostic,
        layout=layout,
        meg_seconds=20.0 if meg or persona == "meg" else 0.0,
        overwrite=overwrite,
    )
    typer.echo(folder)


def init_command(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Table or folder of a trial.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="STUDY.yaml", help="New file.")
    ] = Path("study.yaml"),
    overwrite: Annotated[bool, typer.Option(help="Replace a file that exists.")] = False,
) -> None:
    """Read the tables of a trial, guess the role of each column, write a commented STUDY.yaml."""
    from ketadask.store.disk import write_file
    from ketadask.study.draft import DECIDE, draft_study

    if out.exists() and not overwrite:
        raise InputError(
            "the file exists", file=out, remedy="give another name with -o, or add --overwrite"
        )
    text = draft_study(data, out)
    write_file(out, text.encode("utf-8"))
    for line in text.splitlines():
        if DECIDE in line:
            typer.echo(line.strip())
    typer.echo(f"wrote {out}; next: ketadask check {out}")


def configs_command(
    copy: Annotated[
        Path | None, typer.Option("--copy", metavar="FOLDER", help="Copy all files to a folder.")
    ] = None,
) -> None:
    """List the studies and cluster profiles of the package; `ketadask run NAME` runs one."""
    from ketadask.config.shipped import config_title, copy_configs, shipped_configs

    if copy is not None:
        for file in copy_configs(copy):
            typer.echo(file)
        return
    for name, file in shipped_configs().items():
        typer.echo(f"{name:16}{config_title(file)}")
