"""Range bars and axes with lengths in percent, so that text keeps its size on narrow pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MAX_LEVELS = 8


@dataclass(frozen=True)
class BarSegment:
    """A segment of a range bar, in percent, and whether it is inside the persona."""

    start: float
    width: float
    inside: bool


@dataclass(frozen=True)
class HistogramBar:
    """A histogram bar above a range bar: position, width and height in percent."""

    start: float
    width: float
    height: float


@dataclass(frozen=True)
class RangeBar:
    """The range of a variable in the data, and the part inside a persona.

    ``ticks`` are (position in percent, value): the levels of an ordinal variable, else the ends.
    """

    low: float
    high: float
    segments: tuple[BarSegment, ...]
    histogram: tuple[HistogramBar, ...]
    ticks: tuple[tuple[float, float], ...]


def range_bar(values: np.ndarray, low: float, high: float, bins: int = 28) -> RangeBar | None:
    """Mark the range (low, high] of a persona on the range of ``values``; NaN are ignored.

    Up to eight distinct values are levels of equal width; more are a line from minimum to maximum.
    Returns None where a variable has fewer than two distinct values.

    Examples
    --------
    >>> range_bar(np.array([0.0, 1.0, 1.0, 3.0]), 0.0, np.inf).segments[0]
    BarSegment(start=0.0, width=33.33, inside=False)
    >>> range_bar(np.arange(101.0), 25.0, np.inf).segments[1]
    BarSegment(start=25.0, width=75.0, inside=True)
    """
    finite = values[np.isfinite(values)]
    levels = np.unique(finite)
    if levels.size < 2:
        return None
    if levels.size <= MAX_LEVELS:
        return _level_bar(finite, levels, low, high)
    return _line_bar(finite, low, high, bins)


def _level_bar(values: np.ndarray, levels: np.ndarray, low: float, high: float) -> RangeBar:
    width = 100 / levels.size
    inside = (levels > low) & (levels <= high)
    counts = np.array([(values == level).sum() for level in levels])
    heights = (100 * counts / counts.max()).round(1).tolist()
    starts = [round(k * width, 2) for k in range(levels.size)]
    segments = zip(starts, inside, strict=True)
    return RangeBar(
        float(levels[0]),
        float(levels[-1]),
        tuple(BarSegment(start, round(width, 2), bool(flag)) for start, flag in segments),
        tuple(HistogramBar(s, round(width, 2), h) for s, h in zip(starts, heights, strict=True)),
        tuple((round((k + 0.5) * width, 2), float(level)) for k, level in enumerate(levels)),
    )


def _line_bar(values: np.ndarray, low: float, high: float, bins: int) -> RangeBar:
    minimum, maximum = float(values.min()), float(values.max())
    start, end = (
        round(100 * float(np.clip((bound - minimum) / (maximum - minimum), 0, 1)), 2)
        for bound in (low, high)
    )
    counts, _ = np.histogram(values, bins=bins, range=(minimum, maximum))
    heights = (100 * counts / counts.max()).round(1).tolist()
    width = round(100 / bins, 2)
    segments = (
        BarSegment(0.0, start, False),
        BarSegment(start, round(max(end - start, 0), 2), True),
        BarSegment(end, round(100 - end, 2), False),
    )
    return RangeBar(
        minimum,
        maximum,
        tuple(segment for segment in segments if segment.width > 0),
        tuple(HistogramBar(round(k * 100 / bins, 2), width, h) for k, h in enumerate(heights) if h),
        ((0.0, minimum), (100.0, maximum)),
    )


@dataclass(frozen=True)
class Axis:
    """A horizontal axis shared by several drawings: its ends and ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Return the position of ``value`` in percent of the width, within 3 and 97."""
        return round(3 + 94 * (value - self.low) / (self.high - self.low), 2)


def shared_axis(values: Sequence[float], max_ticks: int = 5) -> Axis:
    """Return an axis with round ticks that contains every finite value and zero.

    Examples
    --------
    >>> shared_axis([3.2, 17.0]).ticks
    (0.0, 5.0, 10.0, 15.0, 20.0)
    """
    ends = np.asarray(values, float)
    ends = np.append(ends[np.isfinite(ends)], 0.0)
    low, high = float(ends.min()), float(ends.max())
    if high - low < 1e-300:
        high = low + 1.0
    rough = (high - low) / (max_ticks - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Axis(first * step, last * step, tuple(k * step for k in range(first, last + 1)))
