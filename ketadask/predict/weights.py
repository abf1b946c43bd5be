"""Weights of the regions over all models, and how consistent they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ketadask.features.volumes import region_label
from ketadask.sources.regions import REGIONS

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = [
    "region",
    "label",
    "hemisphere",
    "tissue",
    "weight",
    "spread",
    "ratio",
    "consistency",
    "models",
]


def weight_table(regions: Sequence[str], sums: pd.DataFrame) -> pd.DataFrame:
    """Return weights of regions over all models, the most consistent first.

    Parameters
    ----------
    sums
        Columns number, column, models, total, squares, positive: sums over the models of each
        outer fold, whose weights have unit length and count per standard deviation of a region.

    Returns
    -------
    Columns region, label, hemisphere, tissue, weight (mean over models), spread (their standard
    deviation), ratio (cross-validation ratio, weight over spread; models share cases, so it is no
    test statistic), consistency (fraction of models with the sign of the mean), models. Where the
    weight is positive, larger volumes predict response.
    """
    import pandas as pd

    rows = sums.sort_values(["number", "column"], kind="stable")
    total = rows.groupby("column", sort=True)[["models", "total", "squares", "positive"]].sum()
    models = total["models"].to_numpy()
    if not len(models) or not models.any():
        return pd.DataFrame(columns=_COLUMNS)
    mean = total["total"].to_numpy() / models
    spread = np.sqrt(np.maximum(total["squares"].to_numpy() / models - mean**2, 0.0))
    positive = total["positive"].to_numpy() / models
    atlas = [REGIONS.get(name) for name in regions]
    table = pd.DataFrame(
        {
            "region": list(regions),
            "label": [
                name if region is None else region_label(name, region.hemisphere, region.tissue)
                for name, region in zip(regions, atlas, strict=True)
            ],
            "hemisphere": ["" if region is None else region.hemisphere for region in atlas],
            "tissue": ["" if region is None else region.tissue for region in atlas],
            "weight": mean,
            "spread": spread,
            "ratio": np.where(spread > 0, mean / np.where(spread > 0, spread, 1.0), 0.0),
            "consistency": np.where(mean >= 0, positive, 1 - positive),
            "models": models.astype(np.int64),
        },
        columns=_COLUMNS,
    )
    order = np.argsort(-np.abs(table["ratio"].to_numpy()), kind="stable")
    return table.iloc[order].reset_index(drop=True)
