"""Time of a recording in seconds, computed from integers and never stored."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr
from xarray.core.indexing import IndexSelResult
from xarray.indexes import RangeIndex

from ketadask import names as nm

_TOLERANCE = 1e-6  # of a time point: labels such as 0.1 have no exact binary form


class SecondsIndex(RangeIndex):
    """Seconds from the first time point, k / rate; select windows by ``slice(60, 90)``."""

    def sel(
        self, labels: dict[Any, Any], method: Any = None, tolerance: Any = None
    ) -> IndexSelResult:
        """Return the positions of labels; a slice includes both ends."""
        label = labels.get(self.dim)
        if not isinstance(label, slice) or label.step is not None:
            return super().sel(labels, method=method, tolerance=tolerance)
        start, stop = self._position(label.start, 0), self._position(label.stop, self.size - 1)
        first, last = math.ceil(start - _TOLERANCE), math.floor(stop + _TOLERANCE)
        return IndexSelResult({self.dim: slice(max(first, 0), max(last + 1, 0))})

    def isel(self, indexers: Any) -> Any:
        """Return the index of a part; a range of seconds is a SecondsIndex again."""
        index = super().isel(indexers)
        return SecondsIndex(index.transform) if isinstance(index, RangeIndex) else index

    def _position(self, label: Any, default: int) -> float:
        if label is None:
            return default
        seconds = label / np.timedelta64(1, "s") if isinstance(label, np.timedelta64) else label
        return (float(seconds) - self.start) / self.step


def time_coordinate(length: int, rate: float) -> xr.Coordinates:
    """Return the coordinate time of ``length`` points.

    Examples
    --------
    >>> field = xr.Dataset(coords=time_coordinate(2400, 1200.0))
    >>> field.sel(time=slice(0.5, 1.0)).sizes["time"]
    601
    """
    index = SecondsIndex.linspace(0.0, length / rate, length, endpoint=False, dim=nm.TIME)
    return xr.Coordinates.from_xindex(index)
