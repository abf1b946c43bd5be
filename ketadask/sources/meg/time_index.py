"""Time of a recording in seconds, computed from whole numbers and never stored."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr
from xarray.core.indexing import IndexSelResult
from xarray.indexes import RangeIndex

from ketadask import names as nm

_TINY = 1e-6  # of a time point: labels such as 0.1 have no exact binary form


class SecondsIndex(RangeIndex):
    """Seconds from the first time point, k / rate; windows are chosen by ``slice(60, 90)``."""

    def sel(
        self, labels: dict[Any, Any], method: Any = None, tolerance: Any = None
    ) -> IndexSelResult:
        """Return the positions of labels; both ends of a slice belong to it."""
        label = labels.get(self.dim)
        if not isinstance(label, slice) or label.step is not None:
            return super().sel(labels, method=method, tolerance=tolerance)
        first = 0 if label.start is None else math.ceil(self._place(label.start) - _TINY)
        last = self.size - 1 if label.stop is None else math.floor(self._place(label.stop) + _TINY)
        return IndexSelResult({self.dim: slice(max(first, 0), max(last + 1, 0))})

    def isel(self, indexers: Any) -> Any:
        """Return the index of a part; a stretch of seconds is seconds again."""
        chosen = super().isel(indexers)
        return SecondsIndex(chosen.transform) if isinstance(chosen, RangeIndex) else chosen

    def _place(self, seconds: Any) -> float:
        number = (
            seconds / np.timedelta64(1, "s") if isinstance(seconds, np.timedelta64) else seconds
        )
        return (float(number) - self.start) / self.step


def time_coordinate(length: int, rate: float) -> xr.Coordinates:
    """Return the coordinate time of ``length`` points.

    Examples
    --------
    >>> field = xr.Dataset(coords=seconds(2400, 1200.0))
    >>> field.sel(time=slice(0.5, 1.0)).sizes["time"]
    601
    """
    index = SecondsIndex.linspace(0.0, length / rate, length, endpoint=False, dim=nm.TIME)
    return xr.Coordinates.from_xindex(index)
