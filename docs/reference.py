"""Pages of the reference, written from the code: functions, keys, commands and columns."""

from __future__ import annotations

import importlib
import pkgutil
import shutil
from collections.abc import Iterator
from inspect import cleandoc
from operator import attrgetter
from pathlib import Path
from typing import Any

import typer.main

import ketadask
import ketadask.plot
import ketadask.schema
from ketadask.cli.app import app
from ketadask.cluster.profile import Profile
from ketadask.config.reference import keys_page
from ketadask.config.study import StudySettings
from ketadask.schema.checks import Column, DatasetContract, TableContract

# Headings of the public names, by the floor they live on.
HEADINGS = {
    "simulate": "Simulate and read",
    "sources": "Simulate and read",
    "features": "Features",
    "cohort": "Cohort and splits",
    "search": "Search",
    "inference": "Inference",
    "report": "Report",
    "plot": "Figures",
    "schema": "Errors",
}
KINDS = {"f": "number", "i": "whole number", "b": "true or false", "O": "text"}


def write_pages(folder: Path) -> None:
    """Write all pages of the reference to ``folder``."""
    folder.mkdir(exist_ok=True)
    shutil.rmtree(folder / "api", ignore_errors=True)
    pages = {
        "python.rst": python_page(),
        "keys.md": keys_page(StudySettings, Profile),
        "commands.md": commands_page(),
        "columns.md": columns_page(),
    }
    for name, text in pages.items():
        (folder / name).write_text(text)


def homes() -> dict[str, str]:
    """Return the module of each public name; those of `ketadask.plot` begin with ``plot.``."""
    names = [name for name in ketadask.__all__ if name[0] != "_" and name != "plot"]
    names += [f"plot.{name}" for name in ketadask.plot.__all__]
    return {name: attrgetter(name)(ketadask).__module__ for name in names}


def python_page() -> str:
    """Return the page of the public names, one page each below it."""
    groups: dict[str, list[str]] = {heading: [] for heading in HEADINGS.values()}
    for name, module in homes().items():
        floor = module.split(".")[1]
        groups.setdefault(HEADINGS.get(floor, floor.capitalize()), []).append(name)
    title = "Python functions and classes"
    lines = [title, "=" * len(title), "", ".. currentmodule:: ketadask", ""]
    lines += ["``import ketadask as kd`` loads nothing else; each name is loaded on first use.", ""]
    for heading, names in groups.items():
        if names:
            lines += [heading, "-" * len(heading), "", ".. autosummary::"]
            lines += ["   :toctree: api", "   :nosignatures:", ""]
            lines += [*(f"   {name}" for name in names), ""]
    return "\n".join(lines)


def commands_page() -> str:
    """Return the page of all commands with their arguments and options."""
    group: Any = typer.main.get_command(app)
    context = group.context_class(group, info_name="ketadask")
    parts = ["# Commands\n", f"{group.help}\n\n{group.epilog}\n"]
    for name, command in sorted(group.commands.items()):
        if not command.hidden:
            parts += [f"## ketadask {name}\n", *_command(command, name, context)]
    return "\n".join(parts)


def _command(command: Any, name: str, parent: Any) -> Iterator[str]:
    context = command.context_class(command, info_name=name, parent=parent)
    yield f"{cleandoc(command.help or '')}\n"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```text\nketadask {name} {usage}\n```\n"
    rows = [_parameter(each, context) for each in command.get_params(context)]
    rows = [row for row in rows if row and "--help" not in row]
    if rows:
        yield "| argument or option | meaning |\n|---|---|"
        yield "\n".join(rows) + "\n"


def _parameter(parameter: Any, context: Any) -> str:
    meaning = parameter.help or ""
    if parameter.param_type_name == "argument":
        return _row(f"`{parameter.metavar or parameter.name}`", meaning)
    record = parameter.get_help_record(context)
    if record is None:
        return ""
    default = parameter.default
    if isinstance(default, int | float | str | Path) and not isinstance(default, bool):
        meaning += f" Default: {default}."
    return _row(f"`{record[0]}`", meaning)


def contracts() -> Iterator[TableContract | DatasetContract]:
    """Yield the contracts of all tables and datasets."""
    for module in pkgutil.iter_modules(ketadask.schema.__path__, "ketadask.schema."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, TableContract | DatasetContract):
                yield value


def columns_page() -> str:
    """Return the page of the columns of all tables and datasets."""
    parts = ["# Columns of tables and datasets\n"]
    unique = {(type(each).__name__, each.name): each for each in contracts()}
    for contract in sorted(unique.values(), key=lambda each: each.name):
        if isinstance(contract, TableContract):
            parts += [f"## Table `{contract.name}`\n", _columns("column", contract.columns)]
        else:
            parts += [f"## Dataset `{contract.name}`\n", _columns("variable", contract.variables)]
            parts += [_columns("coordinate", contract.coordinates)]
            if contract.attributes:
                names = ", ".join(f"`{name}`" for name in contract.attributes)
                parts.append(f"Attributes: {names}.\n")
    return "\n".join(parts)


def _columns(title: str, columns: Any) -> str:
    rows = [f"| {title} | kind | meaning |", "|---|---|---|"]
    rows += [_row(f"`{name}`", _kind(column), column.meaning) for name, column in columns.items()]
    return "\n".join(rows) + "\n"


def _kind(column: Column) -> str:
    kind = KINDS[column.kinds[0]]
    dimensions = f" ({', '.join(column.dims)})" if column.dims else ""
    return f"{kind}{dimensions}{', optional' if column.optional else ''}"


def _row(*cells: str) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
