"""Names of visits as trials write them: ``baseline``, ``week 4``, ``ses-day7``, ``V2``."""

from __future__ import annotations

import re

DAYS_OF_UNIT = {"day": 1, "week": 7, "month": 30, "year": 365}
_UNIT = r"(?P<unit>day|d|week|wk|w|month|mo|m|year|yr|y)s?"
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_UNIT} ?(?P<n>\d{{1,4}})",
        rf"(?P<n>\d{{1,4}}) ?{_UNIT}",
        r"(?:visit|v|time|t|wave|follow ?up|fu|assessment)? ?(?P<n>\d{1,4})(?P<unit>)",
    )
)
_BEFORE = re.compile(r"(?:baseline|base|bl|pre|before|screening|pretest|pre ?treatment)(?: visit)?")
_AFTER = re.compile(r"(?:post|after|end|endpoint|final|follow ?up|fu|posttest|post ?treatment)")


def visit_day(label: str) -> int | None:
    """Return the day of a visit by its name, in days after the treatment began; None if unknown.

    A week has 7 days and a month 30; numbered visits count as days. Words for before are day 0,
    words for after without a number are day 1.

    Examples
    --------
    >>> [visit_day(x) for x in ("ses-baseline", "Week 4", "3 months", "V2", "week_4_arm_1")]
    [0, 28, 90, 2, 28]
    >>> visit_day("unscheduled") is None
    True
    """
    words = re.sub(r"[\s_.\-]+", " ", label.strip().lower()).strip()
    words = re.sub(r"^(?:ses|session) ?(?=\D)", "", re.sub(r" arm \d+$", "", words)).strip()
    if _BEFORE.fullmatch(words):
        return 0
    for pattern in _PATTERNS:
        match = pattern.fullmatch(words)
        if match:
            return int(match["n"]) * unit_days(match["unit"])
    return 1 if _AFTER.fullmatch(words) else None


def unit_days(name: str) -> int:
    """Return the days of the unit that a column or a visit is named after; 1 for other names.

    Examples
    --------
    >>> unit_days("weeks"), unit_days("mo"), unit_days("visit")
    (7, 30, 1)
    """
    word = name.lower().rstrip("s")
    for unit, days in DAYS_OF_UNIT.items():
        if word in (unit, unit[0], unit[:2], f"{unit[0]}k", f"{unit[0]}r"):
            return days
    return 1
