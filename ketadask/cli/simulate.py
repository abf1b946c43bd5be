"""The command `simulate`: a study folder with a planted persona."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def simulate_command(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New study folder.")],
    participants: Annotated[int, typer.Option(help="Number of participants.")] = 33,
    seed: Annotated[int, typer.Option(help="Seed of the study.")] = 7,
    trials: Annotated[int, typer.Option(help="Number of trials.")] = 1,
    sites: Annotated[int, typer.Option(help="Number of sites per trial.")] = 1,
    effect: Annotated[float, typer.Option(help="Effect of the persona in SD; 0 for none.")] = 2.1,
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
        persona_trials=persona_trials,
        prognostic=prognostic,
        layout=layout,
        meg_seconds=20.0 if meg else 0.0,
        overwrite=overwrite,
    )
    typer.echo(folder)
