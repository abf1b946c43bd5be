"""Thresholds a persona has to pass."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Gates:
    """Largest p and smallest Cohen's d of the published gate; p serves the interaction, too."""

    p: float = 0.05
    d: float = 0.5


def support_floor(units: int, min_support: int | None = None) -> int:
    """Return the fewest units a persona must hold when ``units`` are searched.

    The default, the larger of 8 and 20 % of the units, keeps small trials off the ceiling where
    some candidate separates any data.

    Examples
    --------
    >>> support_floor(63), support_floor(32), support_floor(63, min_support=5)
    (13, 8, 5)
    """
    if min_support is not None:
        return min_support
    return max(8, math.ceil(units / 5))
