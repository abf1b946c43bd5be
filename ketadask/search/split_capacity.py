"""Whether a search of a train side could find anything, said before a study computes.

A persona holds at least `search.min_support` units and leaves somebody out. A train side with no
more units than that gives no hit; in a small study that can be every split.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ketadask.cohort.splits import HoldoutSplit
    from ketadask.search.persona_search import PersonaSearch

LOOKED_AT = 200
"""Splits whose train sides are counted; more would say the same."""


@dataclass(frozen=True)
class SplitCapacity:
    """Train sides that are too small for any persona.

    Parameters
    ----------
    looked, without
        Splits that were looked at, and how many of them have such a train side.
    train, least
        Units on the smallest of these train sides, and the fewest that a persona there must hold.
    units, needed
        Units in all, and the fewest a train side must have for there to be room.
    by_share
        Whether the size of the sides follows `splits.train_size`.
    """

    looked: int
    without: int
    train: int
    least: int
    units: int
    needed: int
    by_share: bool

    def line(self) -> str:
        """Return the warning, with the numbers and what helps."""
        whole = "" if self.least < self.units else ", nor among all units"
        of = f"{self.without:,} of " if self.without < self.looked else "all "
        helps = []
        share = math.ceil(100 * self.needed / self.units) / 100
        if self.by_share and round(self.units * (1 - share)) >= 2:
            helps.append(f"a smaller holdout (splits.train_size of {share:g} or more)")
        if self.train > 1:
            helps.append(f"search.min_support below {self.train:,}")
        helps.append("more participants")
        return (
            f"WARNING: nothing can be found in {of}{self.looked:,} splits{whole}: a train side has "
            f"{self.train:,} of {self.units:,} units, and a persona holds {self.least:,} or more "
            f"and leaves somebody out; what helps: {', '.join(helps)}"
        )


def split_capacity(
    search: PersonaSearch, splitter: HoldoutSplit, units: xr.Dataset
) -> SplitCapacity | None:
    """Return how many train sides hold no persona at all; None where each of them may hold one."""
    roles = [units[name].to_numpy() for name in (nm.PARTICIPANT, "split_stratum", "trial")]
    looked = min(splitter.n_splits, LOOKED_AT)
    sizes = np.array([int(splitter.mask(i, *roles).sum()) for i in range(looked)])
    narrow = sizes[[too_small_message(search, size) for size in sizes.tolist()]]
    if not narrow.size:
        return None
    train = int(narrow.min())
    least = search.support_floor(train)
    return SplitCapacity(
        looked=looked,
        without=int(narrow.size),
        train=train,
        least=least,
        units=int(units.sizes[nm.UNIT]),
        needed=least + 1,
        by_share=splitter.scheme == "holdout",
    )


def too_small_message(search: PersonaSearch, units: int) -> bool:
    """Return whether so few units are searched that no persona is admissible."""
    return search.support_floor(units) >= units


def splits_too_small(search: PersonaSearch, searches: pd.DataFrame) -> int:
    """Return in how many of the splits that were searched the train side was too small."""
    sizes = searches.groupby("split")[f"n_{nm.TRAIN}"].first()
    return sum(too_small_message(search, int(size)) for size in sizes)
