"""Whether training sets are large enough for a persona, checked before a study computes.

A persona includes at least `search.min_support` units and excludes at least one. A smaller training
set gives no hit; in a small study that can be every split.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ketadask import names as nm
from ketadask.cohort.designs import cluster_codes
from ketadask.cohort.splits import BY_SIZE

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ketadask.cohort.splits import HoldoutSplit
    from ketadask.search.persona_search import PersonaSearch

MAX_CHECKED = 200
"""Splits whose training sets are counted."""


@dataclass(frozen=True)
class SplitCapacity:
    """Training sets that are too small for any persona.

    Parameters
    ----------
    n_checked, n_too_small
        Splits that were checked, and those with such a training set.
    train, min_support
        Units of the smallest of these training sets, and the least support of a persona in it.
    units, min_train
        Units in all, and the least size of a training set that can contain a persona.
    has_train_size
        Whether `splits.train_size` determines the size of the training sets.
    """

    n_checked: int
    n_too_small: int
    train: int
    min_support: int
    units: int
    min_train: int
    has_train_size: bool

    def line(self) -> str:
        """Return the warning, with the numbers and the remedies."""
        all_units = "" if self.min_support < self.units else " and all units together"
        count = f"{self.n_too_small:,} of " if self.n_too_small < self.n_checked else "all "
        remedies = []
        fraction = math.ceil(100 * self.min_train / self.units) / 100
        if self.has_train_size and round(self.units * (1 - fraction)) >= 2:
            remedies.append(f"splits.train_size of {fraction:g} or more")
        if self.train > 1:
            remedies.append(f"search.min_support below {self.train:,}")
        remedies.append("more participants")
        return (
            f"Warning: training sets of {count}{self.n_checked:,} splits{all_units} are too small "
            f"for a persona: {self.train:,} of {self.units:,} units, expected more than "
            f"{self.min_support:,}; possible remedies: {', '.join(remedies)}"
        )


def split_capacity(
    search: PersonaSearch, splitter: HoldoutSplit, units: xr.Dataset
) -> SplitCapacity | None:
    """Return the training sets that are too small for a persona; None if there are none."""
    if splitter.scheme in BY_SIZE:
        _, smallest, _ = splitter.smallest_sides(cluster_codes(units))
        if not is_too_small(search, smallest):  # others are larger, and need not be drawn
            return None
    n_checked = min(splitter.n_splits, MAX_CHECKED)
    sizes = [int(splitter.train_mask(i, units).sum()) for i in range(n_checked)]
    too_small = [size for size in sizes if is_too_small(search, size)]
    if not too_small:
        return None
    train = min(too_small)
    min_support = search.support_floor(train)
    return SplitCapacity(
        n_checked=n_checked,
        n_too_small=len(too_small),
        train=train,
        min_support=min_support,
        units=int(units.sizes[nm.UNIT]),
        min_train=min_support + 1,
        has_train_size=splitter.scheme == "holdout",
    )


def is_too_small(search: PersonaSearch, units: int) -> bool:
    """Return whether no persona is admissible among so few units."""
    return search.support_floor(units) >= units


def splits_too_small(search: PersonaSearch, searches: pd.DataFrame) -> int:
    """Return the number of splits whose training set was too small."""
    sizes = searches.groupby("split")[f"n_{nm.TRAIN}"].first()
    return sum(is_too_small(search, int(size)) for size in sizes)
