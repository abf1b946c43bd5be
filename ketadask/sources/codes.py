"""The content of cells: blanks, codes for a missing value, numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

BLANK = frozenset({"", "n/a", "na", "nan", "n.a.", "none", "null", "."})
MISSING_CODES = frozenset({-9.0, 999.0, -999.0, -777.0})
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


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
    value = parse_number(cell)
    return value is not None and (math.isnan(value) or value in MISSING_CODES)


def parse_number(cell: str) -> float | None:
    """Return the number in a cell, NaN for a blank one, None where it is not a number.

    Examples
    --------
    >>> parse_number("4.5"), parse_number("1_000"), parse_number("4,5")
    (4.5, None, None)
    """
    if is_blank(cell):
        return math.nan
    text = cell.strip()
    if not _DECIMAL.fullmatch(text):
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
    cells = [str(level) for level in levels]
    values = [parse_number(cell) for cell in cells if not is_missing(cell)]
    numbers = [value for value in values if value is not None]
    return (min(numbers), max(numbers)) if numbers else (-math.inf, math.inf)


def first_duplicate(keys: Iterable[Any]) -> tuple[int, int] | None:
    """Return the positions of the first key that appears again, or None.

    Examples
    --------
    >>> first_duplicate(["a", "b", "a"])
    (0, 2)
    """
    first_position: dict[Any, int] = {}
    for position, key in enumerate(keys):
        if first_position.setdefault(key, position) != position:
            return first_position[key], position
    return None
