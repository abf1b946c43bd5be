"""The content of cells: blanks, codes for a missing value, numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

MAX_WORDS = 20
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


def missing_words(cells: Sequence[str]) -> frozenset[str]:
    """Return the distinct cells of a column that are missing; ``none`` is a word among few words.

    Examples
    --------
    >>> sorted(missing_words(["None", "some", "NA"])), sorted(missing_words(["None", "3", "NA"]))
    (['NA'], ['NA', 'None'])
    """
    distinct = set(cells)
    missing = {cell for cell in distinct if is_missing(cell)}
    words = distinct - missing
    if 0 < len(words) <= MAX_WORDS and all(parse_number(word) is None for word in words):
        missing = {cell for cell in missing if cell.strip().lower() != "none"}
    return frozenset(missing)


def is_word(cell: str) -> bool:
    """Return whether a cell holds no number.

    Examples
    --------
    >>> is_word("None"), is_word("3")
    (True, False)
    """
    value = parse_number(cell)
    return value is None or math.isnan(value)


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


def parse_numbers(cells: Sequence[str]) -> np.ndarray | None:
    """Return the numbers of a column at once, NaN where blank; None where a cell is no number.

    The cells count as in `parse_number`.

    Examples
    --------
    >>> parse_numbers(["4.5", "", "n/a"]), parse_numbers(["1_000"]), parse_numbers(["1", "x"])
    (array([4.5, nan, nan]), None, None)
    """
    blank = {cell for cell in set(cells) if is_blank(cell)}
    if blank:
        cells = ["nan" if cell in blank else cell for cell in cells]
    text = "".join(cells)
    if "_" in text or not text.isascii():
        return None
    try:
        values = np.array([float(cell) for cell in cells], dtype=np.float64)
    except ValueError:
        return None
    is_number = np.isfinite(values)
    return values if is_number.sum() + cells.count("nan") == len(cells) else None


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
