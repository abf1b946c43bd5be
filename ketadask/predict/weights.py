"""Weights of the regions over all models, and how consistent they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ketadask.features.volumes import region_label
from ketadask.sources.region_names import region_place

if TYPE_CHECKING:
    import pandas as pd

SUMS = ["models", "total", "squares", "positive", "pattern", "pattern_positive"]
_PLACES = ("hemisphere", "tissue", "lobe", "network")
_COLUMNS = ["region", "label", *_PLACES, "weight", "spread", "ratio", "consistency"]
_COLUMNS += ["pattern", "pattern_consistency", "models"]


def weight_table(regions: Sequence[str], sums: pd.DataFrame) -> pd.DataFrame:
    """Return weights and patterns of regions over all models, the most consistent weight first.

    Parameters
    ----------
    sums
        Columns number, column and `SUMS`: sums over the models of each outer fold, whose weights
        and patterns have unit length and count per standard deviation of a region.

    Returns
    -------
    Columns region, label, hemisphere, tissue, lobe, network, weight (mean over models), spread
    (their standard deviation), ratio (cross-validation ratio, weight over spread; models share
    cases, so it is no test statistic), consistency (fraction of models with the sign of the mean),
    pattern (mean Haufe pattern), pattern_consistency, models. Where the pattern is positive,
    participants predicted to respond have larger values, and smaller ones where it is negative.
    """
    import pandas as pd

    rows = sums.sort_values(["number", "column"], kind="stable")
    total = rows.groupby("column", sort=True)[SUMS].sum()
    models = total["models"].to_numpy()
    if not len(models) or not models.any():
        return pd.DataFrame(columns=_COLUMNS)
    mean, pattern = total["total"].to_numpy() / models, total["pattern"].to_numpy() / models
    spread = np.sqrt(np.maximum(total["squares"].to_numpy() / models - mean**2, 0.0))
    places = [region_place(name) for name in regions]
    table = pd.DataFrame(
        {
            "region": list(regions),
            "label": [
                region_label(name, anatomy.hemisphere, anatomy.tissue)
                for name, anatomy in zip(regions, places, strict=True)
            ],
            **{name: [getattr(anatomy, name) for anatomy in places] for name in _PLACES},
            "weight": mean,
            "spread": spread,
            "ratio": np.where(spread > 0, mean / np.where(spread > 0, spread, 1.0), 0.0),
            "consistency": _consistency(mean, total["positive"].to_numpy() / models),
            "pattern": pattern,
            "pattern_consistency": _consistency(
                pattern, total["pattern_positive"].to_numpy() / models
            ),
            "models": models.astype(np.int64),
        },
        columns=_COLUMNS,
    )
    order = np.argsort(-np.abs(table["ratio"].to_numpy()), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def _consistency(mean: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Return the fraction of models with the sign of the mean."""
    return np.asarray(np.where(mean >= 0, positive, 1 - positive))


def lobe_table(weights: pd.DataFrame) -> pd.DataFrame:
    """Return the mean pattern of each lobe and tissue, the largest first.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = {"lobe": ["frontal", "frontal", ""], "tissue": ["cortex", "cortex", "subcortical"]}
    >>> table = lobe_table(pd.DataFrame(rows | {"pattern": [0.25, 0.5, -0.1]}))
    >>> table.to_dict("records")[0]
    {'lobe': 'frontal cortex', 'regions': 2, 'pattern': 0.375, 'positive': 1.0}
    """
    import pandas as pd

    pairs = zip(weights["lobe"], weights["tissue"], strict=True)
    names = pd.Series([_lobe_name(*pair) for pair in pairs], index=weights.index)
    groups = weights["pattern"].groupby(names)
    table = pd.DataFrame(
        {
            "regions": groups.size(),
            "pattern": groups.mean(),
            "positive": groups.apply(lambda values: (values > 0).mean()),
        }
    )
    order = np.argsort(-np.abs(table["pattern"].to_numpy()), kind="stable")
    return table.iloc[order].rename_axis("lobe").reset_index()


def _lobe_name(lobe: str, tissue: str) -> str:
    """Return a lobe with its tissue; a tissue alone where a region lies in no lobe."""
    tissue = {"white": "white matter"}.get(tissue, tissue)
    return f"{lobe} {tissue}" if lobe and tissue in ("cortex", "white matter") else lobe or tissue
