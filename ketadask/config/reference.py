"""The reference of all keys and the JSON schema for editors, from the fields of the settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ketadask.schema.errors import InputError, nearest

STUDY_SCHEMA = Path(__file__).with_name("study.schema.json")
PROFILE_SCHEMA = Path(__file__).with_name("profile.schema.json")
_TYPES = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
}
_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
}


def schema_text(model: type[BaseModel]) -> str:
    """Return the JSON schema of a YAML file, by which editors complete and check it."""
    schema = model.model_json_schema()
    _remove_titles(schema)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}) + "\n"


def _remove_titles(value: Any) -> None:
    """Remove the titles that pydantic derives from the names of the keys."""
    if isinstance(value, dict):
        if isinstance(value.get("title"), str):
            del value["title"]
        for part in value.values():
            _remove_titles(part)


def list_sections(model: type[BaseModel]) -> str:
    """Return a line per section or key of the top level."""
    schema = model.model_json_schema()
    names = schema["properties"]
    width = max(map(len, names)) + 2
    return "\n".join(f"{name:{width}}{names[name]['description']}" for name in names)


def describe_keys(model: type[BaseModel], section: str = "") -> str:
    """Return the reference of a section or key, or of all keys, as Markdown.

    Examples
    --------
    >>> from ketadask.config.study import StudySettings
    >>> print(describe_keys(StudySettings, "gates.d"))
    - `gates.d`: smallest Cohen's d (number, at least 0; default 0.5)
    """
    schema = model.model_json_schema()
    entries = list(_entries(schema, schema))
    if section:
        names = [name for name, _, _ in entries]
        if section not in names:
            raise InputError("unknown section", value=section, remedy=nearest(section, names))
        entries = [entry for entry in entries if f"{entry[0]}.".startswith(f"{section}.")]
    lines: list[str] = []
    for name, text, is_section in entries:
        if is_section and "." not in name:
            lines += ["", f"## {name}: {text}", ""] if lines else [f"## {name}: {text}", ""]
        else:
            lines.append(f"- `{name}`: {text}")
    return "\n".join(lines)


def keys_page(study: type[BaseModel], profile: type[BaseModel]) -> str:
    """Return the page of all keys of studies and cluster profiles, as Markdown."""
    parts = ["# Configuration keys\n"]
    for title, model in (("a study", study), ("a cluster profile", profile)):
        text = re.sub(r"^##", "###", describe_keys(model), flags=re.MULTILINE)
        parts.append(f"## Keys of {title}\n\n{text}\n")
    return "\n".join(parts)


def _entries(
    schema: Mapping[str, Any], section: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, str, bool]]:
    """Yield name, text, and whether it is a section, of every key, as the YAML file nests them."""
    for name, field in section["properties"].items():
        inner = _section_of(field, schema)
        text = field["description"]
        if inner is None:
            default = _default(field, name in section.get("required", ()))
            text += f" ({'; '.join(part for part in (_type(field), default) if part)})"
        yield prefix + name, text, inner is not None
        if inner is not None:
            yield from _entries(schema, inner, f"{prefix}{name}.")


def _section_of(field: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the section that a key, or each entry of its list, has as value; None if none."""
    for option in (field, field.get("items", {}), *field.get("anyOf", ())):
        if "$ref" in option:
            section: Mapping[str, Any] = schema["$defs"][option["$ref"].rpartition("/")[2]]
            return section
        if "items" in option and option is not field:
            return _section_of(option, schema)
    return None


def _type(field: Mapping[str, Any]) -> str:
    """Return type and bounds of a value in words.

    Examples
    --------
    >>> _type({"anyOf": [{"items": {"type": "integer", "minimum": 1}, "type": "array"},
    ...                  {"type": "null"}]})
    'list, each: whole number, at least 1'
    """
    if "anyOf" in field:
        return " or ".join(_type(part) for part in field["anyOf"] if part.get("type") != "null")
    if "enum" in field or "const" in field:
        return " | ".join(str(word) for word in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        return f"list, each: {_type(field.get('items', {}))}"
    if field.get("type") == "object":
        return f"`name: value` lines, each: {_type(field.get('additionalProperties', {}))}"
    word = "path" if field.get("format") == "path" else _TYPES.get(field.get("type", ""), "")
    bounds = [f"{text} {field[bound]:g}" for bound, text in _BOUNDS.items() if bound in field]
    return ", ".join([word, *bounds])


def _default(field: Mapping[str, Any], required: bool) -> str:
    default = field.get("default")
    if required:
        return "required"
    if default is None or default in ([], {}):
        return ""
    return f"default {json.dumps(default) if not isinstance(default, str) else default}"
