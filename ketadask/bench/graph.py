"""Tasks that repeat a simulation: each makes a range of numbers and writes its own part.

Strategy: numbers are independent and address their own randomness, so a task is a range of them,
nothing is shared, and only the receipt travels back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dask.base import tokenize
from dask.delayed import Delayed, delayed

from ketadask.store import Parts, Range, Receipt, range_name

if TYPE_CHECKING:
    import pandas as pd


def repeats(
    make: Callable[[Range], pd.DataFrame], ranges: Sequence[Range], parts: Parts
) -> list[Delayed]:
    """One task per range of repetitions; each writes the table ``rows``."""
    token = tokenize(parts.key, parts.folder)[:12]
    return [
        delayed(_write)(
            parts, numbers, make, dask_key_name=f"repeat-{range_name(*numbers)}-{token}"
        )
        for numbers in ranges
    ]


def _write(parts: Parts, numbers: Range, make: Callable[[Range], pd.DataFrame]) -> Receipt:
    return parts.write(range_name(*numbers), {"rows": make(numbers)})
