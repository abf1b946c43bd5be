"""The search on arrays and DataFrames: literals, personas, and the membership of new rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.kernels.exact import search_packed
from ketadask.schema.errors import InputError
from ketadask.search.encoding import encode_values
from ketadask.search.literals import Literals

if TYPE_CHECKING:
    from ketadask.kernels.result import SearchResult
    from ketadask.search.settings import LengthSettings, PersonaSettings


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

    def search(polarity: str, **changes: Any) -> SearchResult:
        return search_packed(
            literals.rows,
            -score if polarity == nm.UNFAVOURABLE else score,
            literals.feature,
            replace(settings, **changes),
            modality=literals.modality,
            max_seconds=settings.max_seconds,
        )

    results = {
        polarity: best_of_length(partial(search, polarity), settings, settings.keep)
        for polarity in polarities
    }
    return literals, results


def best_of_length(
    search: Callable[..., SearchResult], settings: LengthSettings, keep: int
) -> SearchResult:
    """Return the ``keep`` best personas that fewer than ``min_literals`` literals do not describe.

    Of equal covers a search lists the shortest conjunction, so every cover that few literals
    describe takes one place in the list. The list grows until enough personas are left, which are
    therefore the best; a search that a budget ended returns what is left.

    Parameters
    ----------
    search
        From ``keep`` and ``beam_width`` to the best personas of any length.
    """
    least, length, width = settings.min_literals, keep, settings.width()
    while True:
        result = search(keep=length, beam_width=width)
        rows = np.flatnonzero(result.n_literals >= least)[:keep]
        is_complete = result.q.size < length or not (result.proven or settings.strategy == "beam")
        if rows.size == keep or is_complete:
            break
        length *= 2
    if rows.size == result.q.size:
        return result
    columns = {name: getattr(result, name)[rows] for name in ("ids", "n_literals", "q", "support")}
    upper = float(columns["q"].max(initial=-math.inf)) if result.proven else result.upper
    return replace(result, **columns, upper=upper)


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
