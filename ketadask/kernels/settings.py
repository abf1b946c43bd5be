"""Settings of a search, each with its type, default, bounds and meaning.

A study's YAML file, `PersonaSearch`, the encoder of literals and the kernel share these classes. To
add an option, add a field here and use it where it acts.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from numbers import Integral, Real
from typing import Any, Literal, get_args

Objective = Literal["heterogeneity", "effect"]
Polarity = Literal["both", "favourable", "unfavourable"]
Distinct = Literal["covers", "features"]
Strategy = Literal["exact", "beam"]


class SettingError(ValueError):
    """An option outside its bounds: its name and value, the problem and the remedy."""

    def __init__(self, name: str, value: object, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}, found {value!r}; {remedy}")
        self.name, self.value, self.problem, self.remedy = name, value, problem, remedy


def option(default: Any, description: str, **bounds: Any) -> Any:
    """Return a field; pydantic reads its description and its bounds ``ge`` and ``le``, too."""
    return dataclasses.field(default=default, metadata={"description": description, **bounds})


_KINDS: dict[str, tuple[type, str]] = {
    "int": (Integral, "a whole number"),
    "float": (Real, "a number"),
}


def _check_bounds(settings: Any) -> None:
    for field in fields(settings):
        name, value, bounds = field.name, getattr(settings, field.name), field.metadata
        if value is None:
            continue
        kind, meaning = _KINDS.get(str(field.type).partition(" |")[0], (object, ""))
        is_wrong = not isinstance(value, kind) or (bool(meaning) and isinstance(value, bool))
        if field.type == "bool":
            is_wrong, meaning = value not in (True, False), "true or false"
        if is_wrong:
            raise SettingError(name, value, f"{name} must be {meaning}", f"give {name} {meaning}")
        choices = bounds.get("choices", ())
        if choices and value not in choices:
            raise SettingError(name, value, f"unknown {name}", f"choose {' or '.join(choices)}")
        low, high = bounds.get("ge", -math.inf), bounds.get("le", math.inf)
        if ("ge" in bounds or "le" in bounds) and not low <= value <= high:
            remedy = f"give at least {low}" if high == math.inf else f"give {low} to {high}"
            raise SettingError(name, value, f"{name} out of range", remedy)


@dataclass(frozen=True, kw_only=True)
class LiteralSettings:
    """Cut points of features; chosen without the outcomes."""

    cuts: int = option(6, "inner quantiles at which a continuous feature may be cut", ge=1, le=64)
    whole_levels: int = option(
        20, "most values of a whole-number feature that is cut between all of them", ge=1, le=1_000
    )
    intervals: bool = option(False, "add two-sided ranges, one for every pair of cuts")
    cut_points: Mapping[str, Sequence[float]] | None = option(
        None, "cut points of single features, by name; they replace the quantiles"
    )

    def check(self) -> None:
        """Raise `SettingError` if an option is out of bounds."""
        _check_bounds(self)


@dataclass(frozen=True)
class SearchSettings:
    """Which personas are searched, and how."""

    max_literals: int = option(3, "most value ranges a persona may combine", ge=1, le=4)
    _: KW_ONLY
    min_support: int | None = option(
        None, "fewest units inside; the larger of 8 and 20 % if not given", ge=1
    )
    min_per_arm: int = option(2, "fewest units per arm inside, unpaired designs", ge=1)
    keep: int = option(100, "personas kept of each search", ge=1, le=100_000)
    objective: Objective = option(  # noqa: RUF009
        "heterogeneity",
        "heterogeneity: benefit above that of the other units; effect: benefit above zero",
        choices=get_args(Objective),
    )
    polarity: Polarity = option(  # noqa: RUF009
        "both",
        "favourable: who benefits more; unfavourable: who benefits less; or both",
        choices=get_args(Polarity),
    )
    distinct: Distinct = option(  # noqa: RUF009
        "covers",
        "personas kept differ in their covers, or in their features",
        choices=get_args(Distinct),
    )
    strategy: Strategy = option(  # noqa: RUF009
        "exact",
        "exact: branch and bound, with proof; beam: for large cohorts, without proof",
        choices=get_args(Strategy),
    )
    beam_width: int | None = option(
        None, "personas the beam keeps per size; the larger of keep and 64 if not given", ge=1
    )
    max_nodes: int | None = option(
        None, "most nodes an exact search visits; it then reports its gap", ge=1
    )
    priority: Sequence[str] | None = option(
        None, "modalities preferred where personas are equally good, best first"
    )
    min_modalities: int = option(1, "fewest modalities a persona must span", ge=1, le=4)

    def check(self) -> None:
        """Raise `SettingError` if an option is out of bounds, or two contradict each other."""
        _check_bounds(self)
        if self.min_modalities > self.max_literals:
            raise SettingError(
                "min_modalities",
                self.min_modalities,
                f"min_modalities cannot be reached with max_literals {self.max_literals}",
                "lower min_modalities",
            )

    def support_floor(self, units: int) -> int:
        """Return the smallest admissible support of a persona when ``units`` are searched.

        The default is the larger of 8 and 20 % of the units: in small trials, some personas of
        smaller support separate any data.

        Examples
        --------
        >>> settings = SearchSettings()
        >>> settings.support_floor(63), settings.support_floor(32)
        (13, 8)
        >>> SearchSettings(min_support=5).support_floor(63)
        5
        """
        return max(8, math.ceil(units / 5)) if self.min_support is None else self.min_support

    def width(self) -> int:
        """Return how many personas a beam keeps per size.

        With as many as literals, a beam tries all pairs of different covers.
        """
        return self.beam_width or max(self.keep, 64)


def describe_settings(settings: type[Any]) -> str:
    """Return the options of a settings class as the parameters of a docstring."""
    return "\n".join(
        f"    {field.name}\n        {field.metadata['description']}." for field in fields(settings)
    )
