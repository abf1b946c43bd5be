"""YAML files and `a.b=c` overrides to validated settings; each error is one line with a remedy."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from ketadask.config.yaml_text import parse_value, read_mapping
from ketadask.schema.errors import InputError, nearest

Model = TypeVar("Model", bound=BaseModel)

_PROBLEMS = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "path_type": "must be a path",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be `key: value` lines",
    "dataclass_type": "must be a section of `key: value` lines",
    "model_type": "must be a section of `key: value` lines",
    "model_attributes_type": "must be a section of `key: value` lines",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must match {pattern}",
}

# Keys by the name they had before, in studies and in cluster profiles.
_NEW_KEYS = {
    "data.visits": "data.session_pattern",
    "data.tables.wide": "data.tables.wide_pattern",
    "data.tables.missing": "data.tables.na_values",
    "data.simulate.recordings": "data.simulate.meg_seconds",
    "features.families": "features.modalities",
    "features.factors": "features.subscales",
    "features.heart": "features.cardiac_artefact",
    "literals.explicit": "literals.cut_points",
    "search.width": "search.beam_width",
    "search.nodes": "search.max_nodes",
    "search.min_families": "search.min_modalities",
    "search.min_arm": "search.min_per_arm",
    "splits.share": "splits.train_size",
    "splits.keep": "splits.group_by",
    "null.how": "null.method",
    "null.studies": "null.calibration_studies",
    "null.study_splits": "null.calibration_splits",
    "predict.learner": "predict.classifier",
    "predict.baselines": "predict.other_classifiers",
    "predict.frame": "predict.cv",
    "predict.energies": "predict.explained_variance",
    "predict.unseen": "predict.unseen_site",
    "predict.absent": "predict.missing_region",
    "job.successor": "job.renew_seconds",
    "head.lead": "head.requeue_seconds",
    "worker_deaths": "allowed_failures",
}
# Words by the name they had before, per key.
_NEW_WORDS = {
    "features.cardiac_artefact": {"keep": "none", "project": "ssp"},
    "splits.stop": {"settled": "early"},
    "null.stop": {"settled": "early"},
}


class ManyInputsError(InputError):
    """Several errors, one line each."""

    def __init__(self, errors: Iterable[InputError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in self.errors))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle as the tuple of errors."""
        return (ManyInputsError, (self.errors,))


def read_settings(path: Path | str, model: type[Model], overrides: Iterable[str] = ()) -> Model:
    """Return the settings in the YAML file at ``path`` after the overrides ``a.b=c``.

    Paths in the file are relative to the file, paths in ``overrides`` to the current folder.
    """
    return build_settings(read_mapping(Path(path)), model, Path(path), overrides)


def build_settings(
    values: Mapping[str, Any], model: type[Model], path: Path, overrides: Iterable[str] = ()
) -> Model:
    """Return the settings in the ``values`` of a YAML file at ``path``, as `read_settings` does."""
    absolute = _absolute(values, model, path.resolve().parent)
    for override in overrides:
        absolute = _apply_override(absolute, override, model)
    absolute = _absolute(absolute, model, Path.cwd())
    try:
        return model.model_validate_json(json.dumps(absolute, default=str))
    except ValidationError as error:
        errors = [_input_error(path, detail, model) for detail in error.errors(include_url=False)]
        raise errors[0] if len(errors) == 1 else ManyInputsError(errors) from None


def keys(model: type, prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of the keys of a model, sections included.

    Examples
    --------
    >>> from ketadask.config.analysis import GateSettings
    >>> list(keys(GateSettings, "gates."))
    ['gates.p', 'gates.d', 'gates.use']
    """
    for name, field in section_fields(model).items():
        yield prefix + name
        section = section_type(field.annotation)
        if section is not None:
            yield from keys(section, f"{prefix}{name}.")


def section_fields(section: type[Any]) -> dict[str, FieldInfo]:
    """Return the fields of a section, a pydantic model or a dataclass, by name."""
    if issubclass(section, BaseModel):
        return section.model_fields
    hints = get_type_hints(section)
    return {
        field.name: FieldInfo.from_annotated_attribute(hints[field.name], field)
        for field in dataclasses.fields(section)
    }


def section_type(annotation: Any) -> type | None:
    """Return the section among the types of an annotation; None where there is none."""
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and (
            issubclass(candidate, BaseModel) or dataclasses.is_dataclass(candidate)
        ):
            return candidate
    return None


def _absolute(values: Any, model: type, base: Path) -> Any:
    """Make the paths among ``values`` absolute: those of fields annotated ``Path``."""
    if not isinstance(values, dict):
        return values
    absolute = dict(values)
    for name in absolute.keys() & section_fields(model).keys():
        annotation = section_fields(model)[name].annotation
        section = section_type(annotation)
        if section is not None:
            if isinstance(absolute[name], str) and "file" in section_fields(section):
                absolute[name] = {"file": absolute[name]}  # a path is enough for a table
            absolute[name] = _absolute(absolute[name], section, base)
        elif _is_path(annotation):
            absolute[name] = _join(base, absolute[name])
    return absolute


def _join(base: Path, value: Any) -> Any:
    """Join a path, or a mapping of paths, to ``base``; leave other values as they are."""
    if isinstance(value, dict):
        return {name: _join(base, path) for name, path in value.items()}
    return str(base / os.path.expanduser(value)) if isinstance(value, str) else value


def _is_path(annotation: Any) -> bool:
    return annotation is Path or Path in getattr(annotation, "__args__", ())


def _apply_override(values: dict[str, Any], override: str, model: type) -> dict[str, Any]:
    key, equals, text = override.partition("=")
    key = key.strip()
    if not equals or not key:
        raise InputError(
            "expected a.b=c", file="--set", value=override, remedy="for example splits.count=200"
        )
    if not _exists(key, model):
        remedy = _nearest_key(key, model)
        raise InputError("unknown key", file="--set", where=key, remedy=remedy)
    return _replace(values, key.split("."), parse_value(text, where=f"--set {key}"))


def _exists(key: str, model: type) -> bool:
    """Return whether a key exists; a mapping accepts any key (literals.cut_points.NAME)."""
    if key in set(keys(model)):
        return True
    parent, _, _ = key.rpartition(".")
    return bool(parent) and _is_mapping(parent, model)


def _is_mapping(key: str, model: type) -> bool:
    head, _, rest = key.partition(".")
    field = section_fields(model).get(head)
    if field is None:
        return False
    section = section_type(field.annotation)
    if section is not None:
        return bool(rest) and _is_mapping(rest, section)
    return not rest and "Mapping" in str(field.annotation)


def _replace(values: Any, steps: list[str], value: Any) -> dict[str, Any]:
    copy = dict(values) if isinstance(values, Mapping) else {}
    copy[steps[0]] = value if len(steps) == 1 else _replace(copy.get(steps[0]), steps[1:], value)
    return copy


def _input_error(path: Path, detail: Any, model: type) -> InputError:
    steps = [str(step) for step in detail["loc"]]
    key = ".".join(steps)
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        remedy = _nearest_key(key, model)
        return InputError("unknown key", file=path, where=key, remedy=remedy)
    if kind == "missing":
        return InputError("is missing", file=path, where=key, remedy=f"add `{key}: ...`")
    if kind == "literal_error":
        valid = [word.strip("' ") for word in context["expected"].replace(" or ", ",").split(",")]
        new_word = _NEW_WORDS.get(key, {}).get(str(value))
        remedy = f"it is now {new_word!r}" if new_word else nearest(str(value), valid)
        return InputError("unknown word", file=path, where=key, value=value, remedy=remedy)
    if kind == "value_error":
        problem, _, remedy = str(context["error"]).partition("; ")
        value = None if isinstance(value, dict) else value
        return InputError(problem, file=path, where=key or None, value=value, remedy=remedy)
    problem = _PROBLEMS.get(kind, detail["msg"]).format(**context)
    remedy = _meaning(key, model)
    return InputError(problem, file=path, where=key, value=value, remedy=remedy)


def _meaning(key: str, model: type) -> str:
    """Return the description of a key, as the remedy of an invalid value."""
    head, _, rest = key.partition(".")
    field = section_fields(model).get(head)
    if field is None:
        return "correct the value"
    section = section_type(field.annotation)
    if rest and section is not None:
        return _meaning(rest, section)
    return f"it means: {field.description}"


def _nearest_key(key: str, model: type) -> str:
    """Suggest a key: its new name, a similar one of the section, or the same of another section."""
    valid = list(keys(model))
    steps = [step for step in key.split(".") if not step.isdecimal()]
    for n in range(len(steps), 0, -1):  # a key of a mapping, literals.explicit.NAME, has a parent
        new = _NEW_KEYS.get(".".join(steps[:n]))
        if new is not None:
            return f"it is now {'.'.join([new, *steps[n:]])}"
    parent, _, last = key.rpartition(".")
    siblings = [k.rpartition(".")[2] for k in valid if k.rpartition(".")[0] == parent]
    close = nearest(last, siblings) if siblings else ""
    if close.startswith("did you mean"):
        sibling = close.split("'")[1]
        similar = f"{parent}.{sibling}" if parent else sibling
        return f"did you mean {similar!r}?"
    elsewhere = [other for other in valid if other.rpartition(".")[2] == last]
    if elsewhere:
        return f"did you mean {elsewhere[0]!r}?"
    similar = nearest(key, valid)
    if similar.startswith("did you mean"):
        return similar
    return close or nearest(parent, valid) or "see config/demo.yaml"
