"""The command `keys`: every key of a study or a cluster profile, from its description."""

from __future__ import annotations

from typing import Annotated

import typer

from ketadask.schema.errors import InputError


def complete_section(incomplete: str) -> list[str]:
    """Return the keys and sections of a study that begin with a text, for the shell."""
    from ketadask.config.reading import keys
    from ketadask.config.study import StudySettings

    return [key for key in keys(StudySettings) if key.startswith(incomplete)]


def complete_change(incomplete: str) -> list[str]:
    """Return the keys of ``--set`` that begin with a text, for the shell."""
    return [f"{key}=" for key in complete_section(incomplete)]


def keys_command(
    section: Annotated[
        str,
        typer.Argument(metavar="SECTION", help="Section or key.", autocompletion=complete_section),
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="Print all sections.")] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Keys of a cluster profile instead.")
    ] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema.")] = False,
) -> None:
    """Describe the keys of a study; --all prints every key of studies and cluster profiles."""
    from ketadask.cluster.profile import Profile
    from ketadask.config.reference import describe_keys, keys_page, list_sections, schema_text
    from ketadask.config.study import StudySettings

    model = Profile if profile else StudySettings
    if sum((bool(section), every, schema)) > 1:
        raise InputError("give a section, --all or --schema, one of them", where="keys")
    if schema:
        typer.echo(schema_text(model), nl=False)
    elif every:
        typer.echo(keys_page(StudySettings, Profile), nl=False)
    elif section:
        typer.echo(describe_keys(model, section))
    else:
        typer.echo(list_sections(model))
        typer.echo("\n`ketadask keys SECTION` describes the keys of a section.")
