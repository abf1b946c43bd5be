"""A persona as a frozen value: what a trial found, in a form that other trials can use."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from ketadask import names as nm
from ketadask.cohort.locked_adjustment import (
    HeadSizeAdjustment,
    Record,
    SiteAdjustment,
    table_column,
)
from ketadask.schema.errors import InputError
from ketadask.schema.notebook_card import NotebookCard
from ketadask.sources.regions import region_name
from ketadask.store.checksums import content_hash
from ketadask.store.disk import write_locked
from ketadask.store.json_values import render_json

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1
INSIDE, OUTSIDE, UNKNOWN = "inside", "outside", "unknown"
_FORMAT = "ketadask persona"
_THOUSAND = 1000.0


class PersonaLiteral(Record):
    """One feature, what it is, and the values that are inside."""

    feature: str = Field(description="name of the feature")
    low: float | None = Field(description="values inside are above it; null: no lower end")
    high: float | None = Field(description="values inside are at most this; null: no upper end")
    text: str = Field(description="the value range as a reader sees it")
    modality: str = Field(description="demographic, scale, volume or meg")
    kind: Literal["ordinal", "continuous"] = Field(description="ordinal or continuous")
    measurement_unit: str = Field(description="unit of the values; empty where there is none")
    label: str = Field(description="the feature in words")
    instrument: str = Field(default="", description="rating scale or other instrument")
    item: str = Field(default="", description="item or total of the instrument")
    atlas: str = Field(default="", description="atlas of the region")
    region: str = Field(default="", description="region of the brain")
    lowest: float = Field(description="lowest value at discovery, rounded down")
    highest: float = Field(description="highest value at discovery, rounded up")
    mean: float = Field(description="mean at discovery")
    sd: float = Field(description="standard deviation at discovery")
    head_size: HeadSizeAdjustment | None = Field(
        default=None, description="adjustment for intracranial volume, applied first"
    )
    sites: SiteAdjustment | None = Field(
        default=None, description="harmonisation of sites, applied second"
    )

    def values(self, table: pd.DataFrame) -> np.ndarray:
        """Return the feature (row,) as the discovery trial treated it; NaN where missing."""
        value = table_column(table, self.feature)
        for adjustment in (self.head_size, self.sites):
            if adjustment is not None:
                value = adjustment.apply(value, table)
        return value

    def contains(self, value: np.ndarray) -> np.ndarray:
        """Return bool (row,): values inside the range of the literal."""
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return np.asarray((value > low) & (value <= high))


class PersonaOutcome(Record):
    """The outcome of the discovery trial."""

    scale: str = Field(description="rating scale or other outcome")
    day: int | None = Field(description="days after the intervention; null where there is no day")
    endpoint: str = Field(description="improvement, response, percent or another endpoint")
    unit: str = Field(description="unit of the benefit")
    direction: str = Field(default="", description="which values are better: lower or higher")
    definition: str = Field(default="", description="the endpoint in words")
    response_threshold: float | None = Field(
        default=None, description="minimum relative improvement of a responder"
    )


class DiscoveryEffect(Record):
    """Effect and prevalence in the discovery trial; summary values only."""

    units: int = Field(description="participants or cases of the analysis")
    inside: int = Field(description="units inside")
    outside: int = Field(description="units outside")
    unknown: int = Field(description="units of unknown membership")
    prevalence: float = Field(description="inside over inside and outside")
    prevalence_low: float = Field(description="95 % Wilson interval")
    prevalence_high: float = Field(description="95 % Wilson interval")
    benefit_inside: float = Field(description="mean benefit inside")
    benefit_outside: float = Field(description="mean benefit outside")
    difference: float = Field(description="benefit inside minus outside; selection biases it")
    difference_low: float | None = Field(description="95 % interval, corrected for the search")
    difference_high: float | None = Field(description="95 % interval, corrected for the search")
    difference_shrunken: float | None = Field(description="difference without what selection adds")
    p_adjusted: float = Field(description="p, corrected for the search")
    verdict: str = Field(description="supported, suggestive or not distinguishable from noise")
    score_sd: float = Field(
        description="standard deviation of the scores inside and outside, whose means are compared"
    )
    outcome_sd: float = Field(
        description="standard deviation of the outcome: in a crossover of the difference between "
        "the arms, else within the arms"
    )


class DiscoveryRun(Record):
    """Where a persona comes from."""

    name: str = Field(description="name of the study")
    fingerprint: str = Field(description="fingerprint of settings, inputs and code")
    inputs: str = Field(description="fingerprint of the input files")
    ketadask: str = Field(description="version of ketadask")


class Persona(Record, NotebookCard):
    """A persona of a finished study: frozen, without data of participants.

    ``ketadask lock`` writes it to a file, see `read` and `write`.

    Examples
    --------
    >>> import ketadask as kd
    >>> kd.Persona.json_schema()["required"][:3]
    ['format', 'version', 'sentence']
    """

    persona: str = Field(description="stable id, a hash of the value ranges")
    polarity: Literal["favourable", "unfavourable"] = Field(
        description="whether those inside benefit more or less than the others"
    )
    literals: tuple[PersonaLiteral, ...] = Field(
        min_length=1, max_length=nm.MAX_LITERALS, description="all of them hold inside"
    )
    outcome: PersonaOutcome = Field(description="outcome of the discovery trial")
    arms: Mapping[str, str] = Field(description="names of the arms: active and control")
    design: Literal["pooled", "crossover", "parallel"] = Field(
        description="design of the discovery trial"
    )
    baseline: Literal["mean", "first", "own"] = Field(
        description="value of a feature with several baselines: their mean, the first, or that of "
        "the period"
    )
    discovery: DiscoveryEffect = Field(description="effect in the discovery trial")
    run: DiscoveryRun = Field(description="the run that found it")
    anyway: bool = Field(default=False, description="locked although the study does not support it")

    @property
    def sign(self) -> float:
        """1 where those inside benefit more, -1 where they benefit less."""
        return -1.0 if self.polarity == nm.UNFAVOURABLE else 1.0

    def sentence(self) -> str:
        """Return the inclusion criterion for a protocol."""
        return "; and ".join(_criterion(literal) for literal in self.literals)

    def members(self, table: pd.DataFrame, units: Mapping[str, str] | None = None) -> pd.DataFrame:
        """Return who is inside, outside or unknown.

        Nobody is inside or outside by a value that is missing or that the discovery trial has not
        seen; one literal that does not hold is enough for outside.

        Parameters
        ----------
        table
            A row per participant, a column per feature, untreated; columns in any order, regions
            of the brain under any of FreeSurfer's names. Adjusted features also need the columns
            ``EstimatedTotalIntraCranialVol``, or ``trial``, ``site``, ``age`` and ``sex``.
        units
            Units of measurement by column, where known.

        Returns
        -------
        Columns ``member`` (inside, outside or unknown) and ``reason``, with the rows of ``table``.
        """
        import pandas as pd

        table, units = with_common_names(
            table, units or {}, [literal.feature for literal in self.literals]
        )
        inside = np.ones(len(table), dtype=bool)
        outside = np.zeros(len(table), dtype=bool)
        reasons: list[list[str]] = [[] for _ in range(len(table))]
        for literal in self.literals:
            value = literal.values(table)
            is_known = np.isfinite(table_column(table, literal.feature))
            other = other_unit(literal, table, units)
            beyond = _is_beyond(literal, value)
            is_valid = np.isfinite(value) & ~beyond & (not other)
            holds = literal.contains(value)
            inside &= is_valid & holds
            outside |= is_valid & ~holds
            for row in np.flatnonzero(~is_valid):
                reasons[row].append(other or _reason(literal, beyond[row], is_known[row]))
        member = np.select([inside, outside], [INSIDE, OUTSIDE], UNKNOWN)
        texts = ["; ".join(r) if m == UNKNOWN else "" for m, r in zip(member, reasons, strict=True)]
        return pd.DataFrame({"member": member, "reason": texts}, index=table.index)

    def to_json(self) -> bytes:
        """Return the content of the file, with its hash."""
        content = {
            "format": _FORMAT,
            "version": VERSION,
            "sentence": self.sentence(),
            **self.model_dump(mode="json"),
        }
        text = json.dumps(content | {"hash": _hash(content)}, indent=2, ensure_ascii=False)
        return f"{text}\n".encode()

    def write(self, path: Path | str) -> Path:
        """Write the persona as JSON, whole or not at all; never replace another persona."""
        return write_locked(Path(path), self.to_json(), kind="locked persona")

    @classmethod
    def read(cls, path: Path | str) -> Persona:
        """Read a persona; refuse a file that was edited or is of a newer version."""
        path = Path(path)
        content = _read_object(path)
        version = content.get("version")
        if content.get("format") != _FORMAT or not isinstance(version, int):
            raise InputError(
                "not the file of a persona", file=path, remedy="write one with `ketadask lock`"
            )
        if version > VERSION:
            raise InputError(
                f"written by a newer ketadask; this one reads versions up to {VERSION}",
                file=path,
                where="version",
                value=version,
                remedy="update ketadask",
            )
        if not _has_own_hash(content):
            raise InputError(
                "edited since it was locked: the content does not match its hash",
                file=path,
                where="hash",
                remedy="restore the original file, or lock the persona of the run again "
                "(`ketadask lock`)",
            )
        others = ("format", "version", "sentence", "hash")
        fields = {k: v for k, v in content.items() if k not in others}
        try:
            return cls.model_validate_json(json.dumps(fields))
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(
                first["msg"],
                file=path,
                where=".".join(map(str, first["loc"])),
                remedy="lock the persona of the run again (`ketadask lock`)",
            ) from error

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON schema of the file."""
        schema = cls.model_json_schema()
        schema["properties"] = {
            "format": {"const": _FORMAT},
            "version": {"const": VERSION, "description": "version of this schema"},
            "sentence": {"type": "string", "description": "inclusion criterion for a protocol"},
            **schema["properties"],
            "hash": {"type": "string", "description": "SHA-256 of all other content"},
        }
        schema["required"] = ["format", "version", "sentence", *schema["required"], "hash"]
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def other_unit(literal: PersonaLiteral, table: pd.DataFrame, units: Mapping[str, str]) -> str:
    """Return why a column is in another unit than the literal; empty where it is not.

    Without a unit, values that are all out of range, and all but a few in range once multiplied
    or divided by 1000, are in another unit.
    """
    unit, name = literal.measurement_unit, literal.feature
    own_unit = units.get(name, "")
    if own_unit and unit and plain_unit(own_unit) != plain_unit(unit):
        return f"{name} is in {own_unit}, not {unit}"
    value = table_column(table, name)
    value = value[np.isfinite(value)]
    if literal.modality != nm.VOLUME or not unit or not value.size:
        return ""
    for factor, word in ((_THOUSAND, "smaller"), (1 / _THOUSAND, "larger")):
        middle = float(np.median(value)) * factor
        if _is_beyond(literal, value).all() and literal.lowest <= middle <= literal.highest:
            return f"{name} is about 1000 times {word} than in {unit}"
    return ""


def _is_beyond(literal: PersonaLiteral, value: np.ndarray) -> np.ndarray:
    return (value < literal.lowest) | (value > literal.highest)


def plain_unit(unit: str) -> str:
    """Return a unit of measurement in one spelling.

    Examples
    --------
    >>> plain_unit("mm^3"), plain_unit("cm³"), plain_unit("kg/m**2")
    ('mm3', 'cm3', 'kg/m2')
    """
    powers = str.maketrans({"²": "2", "³": "3", "^": "", "*": "", " ": ""})
    return unit.translate(powers).lower()


def _criterion(literal: PersonaLiteral) -> str:
    """Return one literal for a protocol: label, range, unit, feature and adjustment."""
    if nm.LEVEL_SIGN in literal.feature:  # one level of a text, 0 or 1
        return literal.text
    unit = f" {literal.measurement_unit}" if literal.measurement_unit else ""
    words = f"above {literal.low:.12g}" if literal.low is not None else ""
    if words and ">= " in literal.text:  # whole numbers
        words = f"at least {literal.text.rpartition('>= ')[2]}"
    if literal.high is not None:
        words += f"{' and ' if words else ''}at most {literal.high:.12g}"
    notes = [literal.feature] if literal.feature != literal.label else []
    if literal.head_size is not None:
        notes.append("adjusted for intracranial volume")
    if literal.sites is not None:
        notes.append("harmonised across sites")
    return f"{literal.label} {words}{unit}" + (f" ({', '.join(notes)})" if notes else "")


def _reason(literal: PersonaLiteral, beyond: bool, is_known: bool) -> str:
    if beyond:
        span = f"{literal.lowest:.6g} to {literal.highest:.6g} {literal.measurement_unit}"
        return f"{literal.feature} is out of the range at discovery, {span.strip()}"
    if is_known:
        causes = ["no intracranial volume"] if literal.head_size else []
        causes += ["site not at discovery"] if literal.sites else []
        return f"{literal.feature} cannot be adjusted: {' or '.join(causes)}"
    return f"{literal.feature} is missing"


def with_common_names(
    table: pd.DataFrame, units: Mapping[str, str], features: list[str]
) -> tuple[pd.DataFrame, Mapping[str, str]]:
    """Return the table and its units under the names of the features."""
    names = {_bare(name): name for name in features}
    renames = {}
    for column in table.columns:
        name = region_name(str(column)) or names.get(_bare(str(column)))
        if name is not None and name not in table:
            renames[column] = name
    table = table.rename(columns=renames)
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise InputError(
            "two columns hold the same feature", where=str(twice[0]), remedy="remove one of them"
        )
    return table, {renames.get(name, name): unit for name, unit in units.items()}


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _hash(content: Mapping[str, Any]) -> str:
    return f"sha256:{content_hash(render_json(content))}"


def _has_own_hash(content: Mapping[str, Any]) -> bool:
    """Whether the hash of a file is that of its other content."""
    fields = {name: value for name, value in content.items() if name != "hash"}
    try:
        return bool(content.get("hash") == _hash(fields))
    except (UnicodeEncodeError, RecursionError):  # text or nesting that JSON cannot hold
        return False


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"cannot read the file ({error.strerror})", file=path, remedy="check the path"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"not valid JSON ({error})", file=path, remedy="restore the original file"
        ) from error
    if not isinstance(content, dict):
        raise InputError(
            "not the file of a persona", file=path, remedy="write one with `ketadask lock`"
        )
    return content
