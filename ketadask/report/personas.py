"""Verdicts as a reader sees them: literals with labels, ranges and units of measurement."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.report.labels import format_measurement_unit
from ketadask.report.report_data import ReportData

if TYPE_CHECKING:
    import xarray as xr

_LONG_INTEGER = re.compile(r"(?<![\w.,])\d{4,15}(?![\w,])")
_SIGN = re.compile("([≤≥<>=]) ")
_NO_BREAK = "\u00a0"  # a sign, its number and its unit stay on one line
_Row = TypeVar("_Row")
_LITERAL_COLUMNS = [f"literal_{k}" for k in range(1, nm.MAX_LITERALS + 1)]


class FeatureLabels:
    """Label, unit of measurement, modality and values of each feature, by its name."""

    def __init__(self, dataset: xr.Dataset | None) -> None:
        self._dataset = dataset
        self._index: dict[str, int] = {}
        if dataset is not None:
            self._index = {str(n): k for k, n in enumerate(dataset[nm.FEATURE].values)}

    def text(self, coordinate: str, feature: str) -> str:
        """Return a coordinate of a feature, or ''."""
        if self._dataset is None or feature not in self._index:
            return ""
        if coordinate not in self._dataset.coords:
            return ""
        value = self._dataset[coordinate].values[self._index[feature]]
        return "" if pd.isna(value) else str(value)

    def label(self, feature: str) -> str:
        """Return the label of a feature, or its name."""
        return self.text("label", feature) or feature

    def values(self, feature: str) -> np.ndarray:
        """Return (unit,) the values of a feature; empty where it is unknown."""
        if self._dataset is None or feature not in self._index:
            return np.empty(0)
        return np.asarray(self._dataset["value"].values[:, self._index[feature]], float)


@dataclass(frozen=True)
class LiteralView:
    """One literal of a persona: feature and range (None where only the feature is known).

    ``neighbours`` are the values of the data on both sides of a rounded cut, or ''.
    """

    feature: str
    label: str
    modality: str
    unit: str
    low: float | None
    high: float | None
    text: str
    range_text: str
    neighbours: str


@dataclass(frozen=True)
class VerdictRow:
    """One row of the verdicts table; columns as in `schema.VERDICTS`."""

    rank: int
    persona: str
    polarity: str
    text: str
    features: str
    family_size: int
    q: float
    t: float
    support: int
    outside: int
    unknown: int
    prevalence: float
    p_adjusted: float
    p_single_step: float
    p_incremental: float
    verdict: str
    recurrence: float
    recurrence_low: float
    recurrence_high: float
    confirmed_rate: float
    confirmed_rate_low: float
    confirmed_rate_high: float
    p_mean: float
    p_mean_hits: float
    p_twice_mean: float
    p_twice_median: float
    p_quantile: float
    d_mean: float
    d_mean_hits: float
    p_full: float
    d_full: float
    g_full: float
    interaction_p_full: float
    active_mean: float
    active_low: float
    active_high: float
    control_mean: float
    control_low: float
    control_high: float
    benefit_inside: float
    benefit_outside: float
    difference: float
    difference_low: float
    difference_high: float
    difference_shrunken: float
    published_favourable: float
    published_unfavourable: float
    prevalence_train: float
    prevalence_holdout: float
    support_train_mean: float
    support_holdout_mean: float


@dataclass(frozen=True)
class PersonaView(VerdictRow):
    """A verdict with its literals and, for several trials, the trials that agree with it.

    ``lines`` are the literals with labels and units; ``texts`` those with the names of columns
    and the data on both sides of rounded cuts, where these say more.
    ``consistency`` and ``only_trial`` are '' with one trial, and for search noise: the search
    selects personas that point the same way in all trials.
    """

    literals: tuple[LiteralView, ...]
    lines: tuple[str, ...]
    texts: tuple[str, ...]
    consistency: str
    only_trial: str

    @property
    def is_claim(self) -> bool:
        """Whether the verdict is supported or suggestive."""
        return self.verdict in (nm.SUPPORTED, nm.SUGGESTIVE)

    @property
    def has_interval(self) -> bool:
        """Whether the benefit difference has an interval corrected for the search."""
        return bool(np.isfinite(self.difference_low))

    @property
    def has_responses(self) -> bool:
        """Whether it is known who responded."""
        return not np.isnan(self.published_favourable)

    @property
    def adds_p(self) -> float | None:
        """The p of what the persona adds to the findings above it; None where not tested."""
        return None if np.isnan(self.p_incremental) else float(self.p_incremental)


def rows_as(table: pd.DataFrame, cls: type[_Row]) -> list[_Row]:
    """Return the rows of a table as values of a dataclass whose fields are columns."""
    names = [f.name for f in fields(cls)]  # type: ignore[arg-type]
    rows = table[names].to_dict("records")
    return [cls(**{str(name): value for name, value in row.items()}) for row in rows]


def persona_views(data: ReportData) -> tuple[PersonaView, ...]:
    """Return the verdicts in the order of their rank."""
    if data.verdicts is None:
        return ()
    labels, literals = FeatureLabels(data.features), _literals_by_id(data)
    consistency: dict[int, tuple[str, str]] = {}
    if data.trials is not None:
        columns = data.trials["summaries"][["rank", "consistency", "only_trial"]]
        consistency = {rank: (words, only) for rank, words, only in columns.to_numpy()}
    table = data.verdicts.sort_values("rank", kind="stable")
    ids = table[_LITERAL_COLUMNS].to_numpy()
    return tuple(
        _persona_view(row, _literal_rows(row, row_ids, literals), labels, consistency)
        for row, row_ids in zip(rows_as(table, VerdictRow), ids.tolist(), strict=True)
    )


def _persona_view(
    row: VerdictRow,
    literal_rows: list[Mapping[str, Any]],
    labels: FeatureLabels,
    consistency: Mapping[int, tuple[str, str]],
) -> PersonaView:
    literals = tuple(_literal_view(literal, labels) for literal in literal_rows)
    lines = tuple(f"{v.label} {v.range_text}" for v in literals if v.range_text) or (
        _with_signs(row.text),
    )
    texts = tuple(_with_signs(v.text + _in_brackets(v.neighbours)) for v in literals if v.text)
    is_claim = row.verdict in (nm.SUPPORTED, nm.SUGGESTIVE)
    words, only_trial = consistency.get(row.rank, ("", "")) if is_claim else ("", "")
    return PersonaView(
        **vars(row),
        literals=literals,
        lines=lines,
        texts=() if texts == lines else texts,
        consistency=words,
        only_trial=only_trial,
    )


def _with_signs(text: str) -> str:
    return text.replace("<=", "≤").replace(">=", "≥")


def _literals_by_id(data: ReportData) -> dict[int, Mapping[str, Any]]:
    if data.literals is None:
        return {}
    rows = data.literals[["literal", "feature", "low", "high", "text", "neighbours"]].to_dict(
        "records"
    )
    return {row["literal"]: {str(k): v for k, v in row.items()} for row in rows}


def _literal_rows(
    row: VerdictRow, ids: list[int], literals: Mapping[int, Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return the literals of a persona, or only its features where the literals are unknown."""
    ids = [i for i in ids if i >= 0]
    if ids and all(i in literals for i in ids):
        return [literals[i] for i in ids]
    features = [name for name in row.features.split(" | ") if name]
    return [
        {"feature": name, "low": None, "high": None, "text": "", "neighbours": ""}
        for name in features
    ]


def _literal_view(literal: Mapping[str, Any], labels: FeatureLabels) -> LiteralView:
    feature = str(literal["feature"])
    unit = format_measurement_unit(labels.text("measurement_unit", feature))
    return LiteralView(
        feature=feature,
        label=labels.label(feature),
        modality=labels.text("modality", feature),
        unit=unit,
        low=literal["low"],
        high=literal["high"],
        text=str(literal["text"]),
        range_text="" if literal["low"] is None else _range_text(literal, unit),
        neighbours=str(literal["neighbours"]),
    )


def _range_text(literal: Mapping[str, Any], unit: str) -> str:
    """Return a literal without the name of its feature, with its unit of measurement."""
    text, name = str(literal["text"]), str(literal["feature"])
    if not text.startswith(f"{name} "):
        signs = ((">", literal["low"]), ("<=", literal["high"]))
        text = " and ".join(f"{sign} {bound:g}" for sign, bound in signs if np.isfinite(bound))
    text = _with_thousands(text.removeprefix(name))
    text = _SIGN.sub(rf"\1{_NO_BREAK}", _with_signs(text.strip()))
    return f"{text}{_NO_BREAK}{unit}" if unit else text


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _with_thousands(text: str) -> str:
    return _LONG_INTEGER.sub(lambda match: f"{int(match.group()):,}", text)
