"""Small drawings whose lengths are percentages, so that text never shrinks with the page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_LEVELS = 8


@dataclass(frozen=True)
class BarSegment:
    """A stretch of a range bar, in percent, and whether the persona takes it."""

    start: float
    width: float
    taken: bool


@dataclass(frozen=True)
class HistogramBar:
    """How many values lie in a stretch: a column over the bar, in percent of the tallest."""

    start: float
    width: float
    height: float


@dataclass(frozen=True)
class Bar:
    """The range of a variable in the data, and the part of it a persona takes.

    ``ticks`` are (position in percent, value): each level of an ordinal variable, else the ends.
    """

    low: float
    high: float
    pieces: tuple[BarSegment, ...]
    columns: tuple[HistogramBar, ...]
    ticks: tuple[tuple[float, float], ...]


def range_bar(values: np.ndarray, low: float, high: float, bins: int = 28) -> Bar | None:
    """Place the persona range (low, high] on the range of ``values``; NaN is left out.

    Up to eight distinct values are levels of equal width; more are a line from least to most.
    Returns None where a variable has no value or only one.

    Examples
    --------
    >>> range_bar(np.array([0.0, 1.0, 1.0, 3.0]), 0.0, np.inf).pieces[0]
    Piece(start=0.0, width=33.33, taken=False)
    >>> range_bar(np.arange(101.0), 25.0, np.inf).pieces[1]
    Piece(start=25.0, width=75.0, taken=True)
    """
    seen = values[np.isfinite(values)]
    levels = np.unique(seen)
    if levels.size < 2:
        return None
    if levels.size <= MOST_LEVELS:
        return _level_bar(seen, levels, low, high)
    return _line_bar(seen, low, high, bins)


def _level_bar(seen: np.ndarray, levels: np.ndarray, low: float, high: float) -> Bar:
    width = 100 / levels.size
    taken = (levels > low) & (levels <= high)
    counts = np.array([(seen == level).sum() for level in levels])
    heights = (100 * counts / counts.max()).round(1).tolist()
    starts = [round(k * width, 2) for k in range(levels.size)]
    return Bar(
        float(levels[0]),
        float(levels[-1]),
        tuple(BarSegment(s, round(width, 2), bool(t)) for s, t in zip(starts, taken, strict=True)),
        tuple(HistogramBar(s, round(width, 2), h) for s, h in zip(starts, heights, strict=True)),
        tuple((round((k + 0.5) * width, 2), float(v)) for k, v in enumerate(levels)),
    )


def _line_bar(seen: np.ndarray, low: float, high: float, bins: int) -> Bar:
    least, most = float(seen.min()), float(seen.max())
    start, end = (
        round(100 * float(np.clip((bound - least) / (most - least), 0, 1)), 2)
        for bound in (low, high)
    )
    counts, _ = np.histogram(seen, bins=bins, range=(least, most))
    heights = (100 * counts / counts.max()).round(1).tolist()
    width = round(100 / bins, 2)
    pieces = (
        BarSegment(0.0, start, False),
        BarSegment(start, round(max(end - start, 0), 2), True),
        BarSegment(end, round(100 - end, 2), False),
    )
    return Bar(
        least,
        most,
        tuple(p for p in pieces if p.width > 0),
        tuple(HistogramBar(round(k * 100 / bins, 2), width, h) for k, h in enumerate(heights) if h),
        ((0.0, least), (100.0, most)),
    )


@dataclass(frozen=True)
class Axis:
    """A horizontal axis shared by several drawings: where it begins, ends and has ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Return the position of ``value`` in percent of the width, within 3 and 97."""
        return round(3 + 94 * (value - self.low) / (self.high - self.low), 2)


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
    if high - low < 1e-300:
        high = low + 1.0
    rough = (high - low) / (most_ticks - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Axis(first * step, last * step, tuple(k * step for k in range(first, last + 1)))
