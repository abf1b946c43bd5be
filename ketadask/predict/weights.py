"""Which regions the models lean on, and how steadily."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ketadask.features.volumes import region_label
from ketadask.sources.regions import REGIONS

if TYPE_CHECKING:
    import pandas as pd


def weight_table(regions: Sequence[str], sums: pd.DataFrame) -> pd.DataFrame:
    """Return weights of regions over all models, the steadiest first.

    Parameters
    ----------
    sums
        Columns number, column, models, total, squares, positive: what outer folds added up over
        their models, whose weights have unit length and count per standard deviation of a region.

    Returns
    -------
    Columns region, label, hemisphere, tissue, weight (mean over models), spread (their standard
    deviation), ratio (cross-validation ratio, weight over spread; models share cases, so it is no
    test statistic), consistency (share of models with the sign of the mean), models. A positive
    weight says that larger volumes speak for response.
    """
    import pandas as pd

    ordered = sums.sort_values(["number", "column"], kind="stable")
    added = ordered.groupby("column", sort=True)[["models", "total", "squares", "positive"]].sum()
    models = added["models"].to_numpy()
    if not len(models) or not models.any():
        return pd.DataFrame(columns=list(_COLUMNS))
    mean = added["total"].to_numpy() / models
    spread = np.sqrt(np.maximum(added["squares"].to_numpy() / models - mean**2, 0.0))
    positive = added["positive"].to_numpy() / models
    known = [REGIONS.get(name) for name in regions]
    made = pd.DataFrame(
        {
            "region": list(regions),
            "label": [
                name if r is None else region_label(name, r.hemisphere, r.tissue)
                for name, r in zip(regions, known, strict=True)
            ],
            "hemisphere": ["" if r is None else r.hemisphere for r in known],
            "tissue": ["" if r is None else r.tissue for r in known],
            "weight": mean,
            "spread": spread,
            "ratio": np.where(spread > 0, mean / np.where(spread > 0, spread, 1.0), 0.0),
            "consistency": np.where(mean >= 0, positive, 1 - positive),
            "models": models.astype(np.int64),
        },
        columns=list(_COLUMNS),
    )
    order = np.argsort(-np.abs(made["ratio"].to_numpy()), kind="stable")
    return made.iloc[order].reset_index(drop=True)


_COLUMNS = (
    "region",
    "label",
    "hemisphere",
    "tissue",
    "weight",
    "spread",
    "ratio",
    "consistency",
    "models",
)
