"""A YAML file and `a.b=c` words into a checked model; every fault is one line with its remedy."""

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

_WANTED = {
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
    """Several things are wrong at once: one line for each."""

    def __init__(self, errors: Iterable[InputError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in self.errors))

    def __reduce__(self) -> tuple[object, ...]:
        """Travel as the list of its parts."""
        return (ManyInputsError, (self.errors,))


def read_settings(path: Path | str, model: type[Model], overrides: Iterable[str] = ()) -> Model:
    """Return ``model`` filled from the YAML file at ``path``, then changed by ``a.b=c`` words.

    Paths in the file are relative to the file; paths in ``overrides`` to where you are.
    """
    path = Path(path)
    values = _absolute(read_mapping(path), model, path.resolve().parent)
    for word in overrides:
        values = _overridden(values, word, model)
    values = _absolute(values, model, Path.cwd())
    try:
        text = json.dumps(values, default=str)
        return model.model_validate_json(text)
    except ValidationError as error:
        faults = [_fault(path, detail, model) for detail in error.errors(include_url=False)]
        raise faults[0] if len(faults) == 1 else ManyInputsError(faults) from None


def keys(model: type, prefix: str = "") -> Iterator[str]:
    """Yield the dotted name of every key of a model, sections included.

    Examples
    --------
    >>> from ketadask.config.analysis import Gates
    >>> list(keys(Gates, "gates."))
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
    made = dict(values)
    for name, field in section_fields(model).items():
        section = section_type(field.annotation)
        if section is not None:
            made |= {name: _absolute(made[name], section, base)} if name in made else {}
        elif name in made and _is_path(field.annotation):
            made[name] = _based(made[name], base)
    return made


def _based(value: Any, base: Path) -> Any:
    """Return a path under ``base``, or a mapping of such paths; what is no text stays."""
    if isinstance(value, dict):
        return {name: _based(each, base) for name, each in value.items()}
    return str(base / os.path.expanduser(value)) if isinstance(value, str) else value


def _is_path(annotation: Any) -> bool:
    return annotation is Path or Path in getattr(annotation, "__args__", ())


def _overridden(values: dict[str, Any], word: str, model: type) -> dict[str, Any]:
    dotted, equals, text = word.partition("=")
    dotted = dotted.strip()
    if not equals or not dotted:
        raise InputError(
            "must look like a.b=c", file="--set", value=word, remedy="for example splits.count=200"
        )
    if not _known(dotted, model):
        remedy = _nearest_key(dotted, model)
        raise InputError("unknown key", file="--set", where=dotted, remedy=remedy)
    return _with(values, dotted.split("."), parse_value(text, where=f"--set {dotted}"))


def _known(dotted: str, model: type) -> bool:
    """Tell whether a key exists; below a free mapping (literals.cut_points.NAME) any does."""
    if dotted in set(keys(model)):
        return True
    parent, _, _ = dotted.rpartition(".")
    return bool(parent) and _is_free(parent, model)


def _is_free(dotted: str, model: type) -> bool:
    head, _, rest = dotted.partition(".")
    field = section_fields(model).get(head)
    if field is None:
        return False
    section = section_type(field.annotation)
    if section is not None:
        return bool(rest) and _is_free(rest, section)
    return not rest and "Mapping" in str(field.annotation)


def _with(values: Any, steps: list[str], value: Any) -> dict[str, Any]:
    made = dict(values) if isinstance(values, Mapping) else {}
    made[steps[0]] = value if len(steps) == 1 else _with(made.get(steps[0]), steps[1:], value)
    return made


def _fault(path: Path, detail: Any, model: type) -> InputError:
    steps = [str(step) for step in detail["loc"]]
    dotted = ".".join(steps)
    kind, found, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        remedy = _nearest_key(dotted, model)
        return InputError("unknown key", file=path, where=dotted, remedy=remedy)
    if kind == "missing":
        return InputError("is missing", file=path, where=dotted, remedy=f"add `{dotted}: ...`")
    if kind == "literal_error":
        valid = [word.strip("' ") for word in context["expected"].replace(" or ", ",").split(",")]
        new_word = _NEW_WORDS.get(dotted, {}).get(str(found))
        remedy = f"it is now {new_word!r}" if new_word else nearest(str(found), valid)
        return InputError("unknown word", file=path, where=dotted, value=found, remedy=remedy)
    if kind == "value_error":
        problem, _, remedy = str(context["error"]).partition("; ")
        shown = None if isinstance(found, dict) else found
        return InputError(problem, file=path, where=dotted or None, value=shown, remedy=remedy)
    problem = _WANTED.get(kind, detail["msg"]).format(**context)
    remedy = _about(dotted, model)
    return InputError(problem, file=path, where=dotted, value=found, remedy=remedy)


def _about(dotted: str, model: type) -> str:
    """Return what the key means, as the remedy of a value that cannot be it."""
    head, _, rest = dotted.partition(".")
    field = section_fields(model).get(head)
    if field is None:
        return "correct the value"
    section = section_type(field.annotation)
    if rest and section is not None:
        return _about(rest, section)
    return f"it means: {field.description}"


def _nearest_key(dotted: str, model: type) -> str:
    """Name the key meant: a sibling that looks alike, else the same word in another section."""
    valid = list(keys(model))
    new = _NEW_KEYS.get(".".join(step for step in dotted.split(".") if not step.isdecimal()))
    if new is not None:
        return f"it is now {new}"
    parent, _, last = dotted.rpartition(".")
    siblings = [k.rpartition(".")[2] for k in valid if k.rpartition(".")[0] == parent]
    close = nearest(last, siblings) if siblings else ""
    if close.startswith("did you mean"):
        sibling = close.split("'")[1]
        key = f"{parent}.{sibling}" if parent else sibling
        return f"did you mean {key!r}?"
    elsewhere = [key for key in valid if key.rpartition(".")[2] == last]
    if elsewhere:
        return f"did you mean {elsewhere[0]!r}?"
    whole = nearest(dotted, valid)
    if whole.startswith("did you mean"):
        return whole
    return close or nearest(parent, valid) or "see config/demo.yaml"
