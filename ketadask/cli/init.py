"""The command `init`: a first YAML file from the tables of a trial."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ketadask.schema.errors import InputError


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
