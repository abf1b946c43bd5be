"""Small drawings whose lengths are percentages, so that text never shrinks with the page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Bar:
    """The range of a variable in the data, and the part of it a persona takes (percent)."""

    start: float
    width: float
    low: float
    high: float
    heights: tuple[float, ...]


def range_bar(values: np.ndarray, low: float, high: float, bins: int = 28) -> Bar | None:
    """Place the persona range (low, high] on the data range of ``values``; NaN is left out.

    Returns None where a variable has no value or only one.

    Examples
    --------
    >>> bar = range_bar(np.array([0.0, 1.0, 2.0, 4.0]), 1.0, np.inf, bins=4)
    >>> bar.start, bar.width, bar.heights
    (25.0, 75.0, (100.0, 100.0, 100.0, 100.0))
    """
    seen = values[np.isfinite(values)]
    if seen.size == 0 or seen.min() == seen.max():
        return None
    least, most = float(seen.min()), float(seen.max())
    start = float(np.clip((low - least) / (most - least), 0, 1)) if math.isfinite(low) else 0.0
    end = float(np.clip((high - least) / (most - least), 0, 1)) if math.isfinite(high) else 1.0
    counts, _ = np.histogram(seen, bins=bins, range=(least, most))
    tallest = int(counts.max())
    heights = tuple(round(100.0 * c / tallest, 1) for c in counts.tolist())
    return Bar(round(100 * start, 2), round(100 * max(end - start, 0), 2), least, most, heights)


@dataclass(frozen=True)
class Axis:
    """A horizontal axis shared by several drawings: where it begins, ends and has ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Return the position of ``value`` in percent of the width, within 2 and 98."""
        return round(2 + 96 * (value - self.low) / (self.high - self.low), 2)


def shared_axis(values: Any, most_ticks: int = 5) -> Axis:
    """Return an axis with round ticks that holds every finite value and zero.

    Examples
    --------
    >>> shared_axis([3.2, 17.0]).ticks
    (0.0, 5.0, 10.0, 15.0, 20.0)
    """
    seen = np.asarray(list(values), float)
    seen = np.append(seen[np.isfinite(seen)], 0.0)
    low, high = float(seen.min()), float(seen.max())
    if low == high:
        high = low + 1.0
    rough = (high - low) / (most_ticks - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Axis(first * step, last * step, tuple(k * step for k in range(first, last + 1)))
