"""Sums over items of a rating scale: totals that a file lacks, and factors that were published."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from ketadask.sources import rating_scales


class Subscale(NamedTuple):
    """A sum of items: its name, the scale and items it is made of, what a reader sees, source."""

    name: str
    scale: str
    items: tuple[int, ...]
    label: str
    source: str


# Seen in public sources: the two sums of the HAM-A (scoring sheets), the six items of Bech (Bech
# 2006, PMC3181766), the four factors of the MADRS and their names (Quilty et al., PMC6878407). Not
# seen there, and so from the papers as cited: which items of the MADRS and of the BDI are in which.
_QUILTY = "Quilty et al. 2013, Int J Methods Psychiatr Res 22:175, 10.1002/mpr.1388"
# Of the second edition: other items have these numbers in the first.
_BECK = "Beck, Steer & Brown 1996, BDI-II manual; Steer et al. 1999, J Clin Psychol 55:117"
_HAMILTON = "Hamilton 1959, Br J Med Psychol 32:50"

FACTORS = (
    Subscale("hama_psychic", "hama", (1, 2, 3, 4, 5, 6, 14), "HAM-A psychic anxiety", _HAMILTON),
    Subscale("hama_somatic", "hama", (7, 8, 9, 10, 11, 12, 13), "HAM-A somatic anxiety", _HAMILTON),
    Subscale("bdi_cognitive", "bdi", (1, 2, 3, 5, 6, 7, 8, 9, 14), "BDI cognitive", _BECK),
    Subscale(
        "bdi_somatic",
        "bdi",
        (4, 10, 11, 12, 13, 15, 16, 17, 18, 19, 20, 21),
        "BDI somatic-affective",
        _BECK,
    ),
    Subscale("madrs_sadness", "madrs", (1, 2), "MADRS sadness", _QUILTY),
    Subscale("madrs_neurovegetative", "madrs", (3, 4, 5), "MADRS neurovegetative", _QUILTY),
    Subscale("madrs_detachment", "madrs", (6, 7, 8), "MADRS detachment", _QUILTY),
    Subscale("madrs_negative", "madrs", (9, 10), "MADRS negative thoughts", _QUILTY),
    Subscale(
        "hamd6_total",
        "hamd",
        rating_scales.BECH,
        "HAM-D6 total",
        "Bech et al. 1975, Acta Psychiatr Scand 51:161",
    ),
)


def item_sums(
    values: pd.DataFrame, *, subscales: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return sums that are not there yet, and their lowest, highest and label.

    A total is added where a table has all items of a known scale and no total. A sum with a
    missing item is missing.

    Parameters
    ----------
    values
        Items and totals, one column each under its canonical name.
    subscales
        Whether to add the factors of ``FACTORS``, too.

    Examples
    --------
    >>> items = pd.DataFrame({f"hama_{n}": [1.0, n] for n in range(1, 15)})
    >>> item_sums(items, subscales=True)[0].to_dict("list")
    {'hama_total': [14.0, 105.0], 'hama_psychic': [7.0, 35.0], 'hama_somatic': [7.0, 70.0]}
    """
    whole = [
        Subscale(f"{known.name}_total", known.name, tuple(range(1, len(known.items) + 1)), "", "")
        for known in rating_scales.INSTRUMENTS.values()
    ]
    sums, about = {}, {}
    for factor in (*whole, *(FACTORS if subscales else ())):
        items = [f"{factor.scale}_{n}" for n in factor.items]
        if factor.name in values or factor.name in sums or not set(items) <= set(values):
            continue
        sums[factor.name] = values[items].to_numpy(dtype=np.float64).sum(axis=1)
        highest = sum(rating_scales.limits(item)[1] for item in items)
        about[factor.name] = (0.0, highest, factor.label or rating_scales.label(factor.name))
    return (
        pd.DataFrame(sums, index=values.index),
        pd.DataFrame(about, index=["low", "high", "label"]).T,
    )
