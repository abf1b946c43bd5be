"""The search on arrays and DataFrames: literals, personas, and the membership of new rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.kernels.exact import search_packed
from ketadask.kernels.settings import LiteralSettings, SearchSettings, SettingError, option
from ketadask.schema.errors import InputError
from ketadask.search.encoding import encode_values
from ketadask.search.literals import Literals

if TYPE_CHECKING:
    from ketadask.kernels.result import SearchResult


@dataclass(frozen=True, kw_only=True)
class PersonaSettings(SearchSettings, LiteralSettings):
    """All options of `PersonaSearch`: those of a study, and those of a notebook only."""

    include: Sequence[str] | None = option(
        None, "features or modalities to search, by name; all if not given"
    )
    exclude: Sequence[str] | None = option(None, "features or modalities to exclude, by name")
    max_seconds: float | None = option(
        None, "most seconds of an exact search; the results then depend on the machine", ge=0
    )

    def check(self) -> None:
        """Raise `InputError` if an option is out of bounds, or two contradict each other."""
        try:
            super().check()
        except SettingError as error:
            of_literals = error.name in {field.name for field in fields(LiteralSettings)}
            section = "literals" if of_literals else "search"
            raise InputError(
                error.problem,
                where=f"{section}.{error.name}",
                value=error.value,
                remedy=error.remedy,
            ) from None

    @property
    def polarities(self) -> tuple[str, ...]:
        """Polarities that are searched."""
        return nm.POLARITIES if self.polarity == "both" else (self.polarity,)


def search_values(
    values: np.ndarray,
    score: np.ndarray,
    settings: PersonaSettings,
    *,
    names: Sequence[str] | None = None,
    modalities: Sequence[str] | None = None,
    polarities: Sequence[str],
) -> tuple[Literals, dict[str, SearchResult]]:
    """Search one score per row of (unit, feature); return literals and results by polarity."""
    literals = encode_values(
        values, settings, names=names, modalities=modalities,
        include=settings.include, exclude=settings.exclude, priority=settings.priority,
    )  # fmt: skip
    results = {
        polarity: search_packed(
            literals.rows,
            -score if polarity == nm.UNFAVOURABLE else score,
            literals.feature,
            settings,
            modality=literals.modality,
            max_seconds=settings.max_seconds,
        )
        for polarity in polarities
    }
    return literals, results


def require_numbers(X: Any) -> None:
    """Raise where a column of a DataFrame holds text, and name a value."""
    for name, column in X.items() if hasattr(X, "columns") else ():
        if column.dtype.kind not in "OUSTM" and str(column.dtype) not in ("str", "category"):
            continue
        text = next((value for value in column if isinstance(value, str)), None)
        if text is not None:
            raise InputError(
                "features must be numbers",
                where=f"X, column {name}",
                value=text,
                remedy="encode its categories as numbers, or drop the column; kd.discover takes "
                "text with few levels",
            )


def membership(values: np.ndarray, literals: Literals, ids: np.ndarray) -> np.ndarray:
    """Return (unit, persona): 1 inside, 0 outside, NaN where missing values leave it open.

    Parameters
    ----------
    values
        (unit, feature) numbers of any units, with the features of the literals.
    ids
        (persona, k) literals of each persona, padded with -1.

    Examples
    --------
    >>> literals = encode_values(np.array([[0.0, 0.0], [1.0, 1.0]]), names=["a", "b"])
    >>> new = np.array([[0.0, -3.0], [0.0, np.nan], [5.0, np.nan]])
    >>> membership(new, literals, np.array([[0, 2, -1, -1]]))[:, 0]  # a <= 0 and b <= 0
    array([ 1., nan,  0.])
    """
    inside = np.empty((len(values), len(ids)))
    for persona, row in enumerate(ids):
        own = row[row >= 0]
        value = values[:, literals.feature[own]]
        is_outside = (value <= literals.low[own]) | (value > literals.high[own])
        is_open = np.isnan(value).any(axis=1)
        inside[:, persona] = np.where(is_outside.any(axis=1), 0.0, np.where(is_open, np.nan, 1.0))
    return inside
