"""Sums over items of a rating scale: totals missing in a file, and published subscales."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from ketadask.sources.rating_scales import BECH, RATING_SCALES, score_label, score_range


class Subscale(NamedTuple):
    """A sum of items: its name, scale and items, its text in tables and figures, its source."""

    name: str
    scale: str
    items: tuple[int, ...]
    label: str
    source: str


# Checked in public sources: the two sums of the HAM-A (scoring sheets), the six items of Bech (Bech
# 2006, PMC3181766), the four factors of the MADRS and their names (Quilty et al., PMC6878407). Not
# checked, only as cited in the papers: which items of the MADRS and of the BDI belong to which.
_QUILTY = "Quilty et al. 2013, Int J Methods Psychiatr Res 22:175, 10.1002/mpr.1388"
# Of the second edition: other items have these numbers in the first.
_BECK = "Beck, Steer & Brown 1996, BDI-II manual; Steer et al. 1999, J Clin Psychol 55:117"
_HAMILTON = "Hamilton 1959, Br J Med Psychol 32:50"

SUBSCALES = (
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
        BECH,
        "HAM-D6 total",
        "Bech et al. 1975, Acta Psychiatr Scand 51:161",
    ),
)


def item_sums(
    values: pd.DataFrame, *, subscales: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return sums that the table lacks, and the lowest value, highest value and label of each.

    A total is added where a table has all items of a known scale and no total. A sum with a
    missing item is missing.

    Parameters
    ----------
    values
        Items and totals, one column each under its canonical name.
    subscales
        Whether to add those of ``SUBSCALES``.

    Examples
    --------
    >>> items = pd.DataFrame({f"hama_{n}": [1.0, n] for n in range(1, 15)})
    >>> item_sums(items, subscales=True)[0].to_dict("list")
    {'hama_total': [14.0, 105.0], 'hama_psychic': [7.0, 35.0], 'hama_somatic': [7.0, 70.0]}
    """
    candidates = [(f"{scale.name}_total", scale.columns, "") for scale in RATING_SCALES.values()]
    for subscale in SUBSCALES if subscales else ():
        items = [f"{subscale.scale}_{n}" for n in subscale.items]
        candidates.append((subscale.name, items, subscale.label))
    sums, about = {}, {}
    for name, items, label in candidates:
        if name not in values and name not in sums and set(items) <= set(values):
            sums[name] = values[items].to_numpy(dtype=np.float64).sum(axis=1)
            highest = sum(score_range(item)[1] for item in items)
            about[name] = (0.0, highest, label or score_label(name))
    return (
        pd.DataFrame(sums, index=values.index),
        pd.DataFrame(about, index=["low", "high", "label"]).T,
    )
