"""The command `configs`: studies and cluster profiles that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


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
