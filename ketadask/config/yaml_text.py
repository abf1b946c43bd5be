"""YAML text to plain values by a safe loader that refuses duplicate keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ketadask.schema.errors import InputError

_MAX_BYTES, _MAX_DEPTH, _MAX_ALIASES = 1_000_000, 30, 20
_MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """The safe loader; a duplicate key is an error."""


def _mapping(loader: _Loader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    lines: dict[Any, int] = {}
    for key_node, _ in node.value:
        if key_node.tag == _MERGE:
            continue
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, str | int | float | bool | None):
            raise _YamlError("a key must be a word", line, key, "write `key: value`")
        if key in lines:
            remedy = f"remove one of the two; the first is in line {lines[key]}"
            raise _YamlError("duplicate key", line, key, remedy)
        lines[key] = line
    mapping = yaml.SafeLoader.construct_mapping(loader, node, deep=deep)
    # YAML reads the name of the section `null` as None.
    return {"null" if key is None else key: value for key, value in mapping.items()}


class _YamlError(Exception):
    def __init__(self, problem: str, line: int, value: object, remedy: str) -> None:
        super().__init__(problem)
        self.problem, self.line, self.value, self.remedy = problem, line, value, remedy


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
# YAML 1.1 reads 1e-05 as a text; YAML 1.2 and JSON, of which a submitted study consists, do not.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+[eE][-+]?\d+$"), [*"-+0123456789"]
)


def parse_value(text: str, *, where: str) -> Any:
    """Return the value of a YAML expression.

    Examples
    --------
    >>> parse_value("[1, two]", where="--set a")
    [1, 'two']
    """
    return _parse(text, file=where)


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file; errors name the file and the line."""
    values = _parse(_text(path), file=path)
    if values is None:
        raise InputError(
            "the file is empty", file=path, remedy="start from one of the files in config/"
        )
    if not isinstance(values, dict):
        raise InputError(
            "the file must contain `key: value` lines", file=path, value=type(values).__name__
        )
    return values


def _check_size(text: str, file: object) -> None:
    """Raise where a text would take very long to read: a few lines of aliases can mean gigabytes.

    A text of at most a megabyte, 30 nested levels and 20 aliases is read.
    """
    remedy = "start from one of the files in config/"
    if len(text) > _MAX_BYTES:
        raise InputError("the file is too large", file=file, value=len(text), remedy=remedy)
    depth = aliases = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        aliases += isinstance(event, yaml.AliasEvent)
        line = None if event.start_mark is None else f"line {event.start_mark.line + 1}"
        if depth > _MAX_DEPTH:
            raise InputError("too many nested levels", file=file, where=line, remedy=remedy)
        if aliases > _MAX_ALIASES:
            raise InputError("too many aliases (*name)", file=file, where=line, remedy=remedy)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        folders = (path.parent, path.parent / "config")
        files = sorted(str(p) for folder in folders for p in folder.glob("[!.]*.y*ml"))
        remedy = f"available: {', '.join(files)}" if files else "check the path"
        raise InputError("no such file", file=path, remedy=remedy) from None
    except IsADirectoryError:
        raise InputError(
            "this is a folder", file=path, remedy="give the path of the YAML file"
        ) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(
            "not UTF-8 text",
            file=path,
            where=f"line {line}",
            value=error.object[error.start : error.start + 1],
            remedy="save the file as UTF-8",
        ) from None
    except OSError as error:
        raise InputError(
            "cannot be read",
            file=path,
            value=error.strerror,
            remedy="check the path and its permissions",
        ) from None


def _parse(text: str, *, file: object) -> Any:
    try:
        _check_size(text, file)
        return yaml.load(text, Loader=_Loader)
    except _YamlError as error:
        raise InputError(
            error.problem,
            file=file,
            where=f"line {error.line}",
            value=error.value,
            remedy=error.remedy,
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise InputError(
            f"not valid YAML: {error.problem or error.context}",
            file=file,
            where=f"line {mark.line + 1}, column {mark.column + 1}" if mark else None,
            remedy="check indentation, colons, tabs and quotes there",
        ) from None
    except yaml.YAMLError as error:
        problem = str(error).splitlines()[0]
        raise InputError(
            f"not valid YAML: {problem}", file=file, remedy="remove characters that are not text"
        ) from None
