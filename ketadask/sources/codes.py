"""Cells as people write them: blanks, codes for a missing value, numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

BLANK = frozenset({"", "n/a", "na", "nan", "n.a.", "none", "null", "."})
MISSING_CODES = frozenset({-9.0, 999.0, -999.0, -777.0})
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def is_blank(cell: str) -> bool:
    """Return whether a cell says that nothing was recorded.

    Examples
    --------
    >>> [is_blank(cell) for cell in ("", "n/a", "NA", "0")]
    [True, True, True, False]
    """
    return cell.strip().lower() in BLANK


def is_missing(cell: str) -> bool:
    """Return whether a cell is blank or holds one of the codes for a missing value.

    Examples
    --------
    >>> is_missing("-999"), is_missing("9")
    (True, False)
    """
    value = as_number(cell)
    return value is not None and (math.isnan(value) or value in MISSING_CODES)


def as_number(cell: str) -> float | None:
    """Return the number a cell spells, NaN for a blank one, None where it is no number.

    Examples
    --------
    >>> as_number("4.5"), as_number("1_000"), as_number("4,5")
    (4.5, None, None)
    """
    if is_blank(cell):
        return math.nan
    text = cell.strip()
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def levels_range(description: Mapping[str, Any]) -> tuple[float, float]:
    """Return the smallest and largest number among the Levels of a sidecar, else no limits.

    Examples
    --------
    >>> levels_range({"Levels": {"0": "never", "3": "always", "n/a": "missing"}})
    (0.0, 3.0)
    """
    levels = description.get("Levels")
    if not isinstance(levels, Mapping):
        return -math.inf, math.inf
    numbers = [as_number(str(level)) for level in levels]
    found = [n for n in numbers if n is not None and not math.isnan(n) and n not in MISSING_CODES]
    return (min(found), max(found)) if found else (-math.inf, math.inf)


def first_twice(keys: Iterable[Any]) -> tuple[int, int] | None:
    """Return the positions of the first key that appears again, or None.

    Examples
    --------
    >>> first_twice(["a", "b", "a"])
    (0, 2)
    """
    seen: dict[Any, int] = {}
    for position, key in enumerate(keys):
        if key in seen:
            return seen[key], position
        seen[key] = position
    return None
