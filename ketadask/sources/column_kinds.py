"""What the values and the name of a column alone say about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ketadask.schema.roles import CATEGORY, CONSTANT, DATE, FEATURE, TEXT
from ketadask.sources.codes import (
    MISSING_CODES,
    is_blank,
    missing_words,
    parse_number,
    parse_numbers,
)
from ketadask.sources.visits import parse_date

MAX_LEVELS = 20


def plain_name(column: str) -> str:
    """Return a column's name in lower case with underscores: ``preWeight kg`` as ``pre_weight_kg``.

    Examples
    --------
    >>> plain_name("TRT01P"), plain_name("Subject ID"), plain_name("horTh")
    ('trt01p', 'subject_id', 'hor_th')
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", column)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


@dataclass(frozen=True)
class ColumnProfile:
    """The values of a column without blanks and codes for missing ones."""

    levels: frozenset[str]
    n_values: int
    n_words: int

    @classmethod
    def of(cls, values: Sequence[str]) -> ColumnProfile:
        """Return the profile of the cells of a column."""
        distinct = set(values)
        numbers = parse_numbers(values)
        if numbers is not None and not np.isin(numbers, list(MISSING_CODES)).any():
            levels = frozenset(value for value in distinct if value and not is_blank(value))
            return cls(levels, int(np.isfinite(numbers).sum()), 0)
        blank = missing_words(values)
        levels = frozenset(distinct - blank)
        n_blank = sum(value in blank for value in values) if blank else 0
        n_words = sum(parse_number(value) is None for value in levels)
        return cls(levels, len(values) - n_blank, n_words)

    @property
    def is_numeric(self) -> bool:
        """Whether all values are numbers."""
        return bool(self.levels) and not self.n_words


def kind_of(profile: ColumnProfile) -> tuple[str, str]:
    """Return the role of a column by its values alone, and the reason."""
    n_levels = len(profile.levels)
    if n_levels <= 1:
        return CONSTANT, "has one value" if n_levels else "is empty"
    if profile.is_numeric:
        return FEATURE, "numbers"
    if profile.n_words * 2 < n_levels:
        return FEATURE, f"numbers, but for {profile.n_words} words"
    if all(parse_date(value) for value in sorted(profile.levels)[:50]):
        return DATE, "dates are no features"
    if n_levels <= MAX_LEVELS and (n_levels < profile.n_values or n_levels == 2):
        return CATEGORY, f"text of {n_levels} levels"
    return TEXT, f"text of {n_levels:,} different values"


def column_kind(values: Sequence[str], *, any_text: bool = False) -> tuple[str, str]:
    """Return whether values are a feature, a category or neither, and the reason.

    With ``any_text``, a text of any number of levels is a category.

    Examples
    --------
    >>> column_kind(["1", "2.5", ""]), column_kind(["yes", "no", "no"])
    (('feature', 'numbers'), ('category', 'text of 2 levels'))
    """
    role, reason = kind_of(ColumnProfile.of(values))
    return (CATEGORY, reason) if any_text and role == TEXT else (role, reason)
