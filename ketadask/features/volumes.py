"""Volumes of the brain as features: in mm3, or freed of head size, still in mm3."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from ketadask import names as nm
from ketadask.features.feature_table import ABOUT, FeatureTable
from ketadask.schema import InputError, nearest
from ketadask.sources.regions import ETIV

RAW, RESIDUAL = "raw", "residual"
NEAR_CONSTANT = 0.9
_TISSUE = {"cortex": "cortex", "white": "white matter", "subcortical": "", "global": ""}


def residual_volumes(volumes: xr.Dataset) -> xr.Dataset:
    """Return volumes (participant, region) without their linear part in intracranial volume.

    Least squares of each region on eTIV, one row per participant, over the participants who have
    both; the mean is added back, so that a value reads as mm3 at the average head. Outcomes play
    no part. Dividing by eTIV would not do: the proportion still goes with eTIV (Voevodskaya et al.
    2014, Front Aging Neurosci 6:264).
    Stays lazy.
    """
    volume = volumes[nm.VOLUME]
    if ETIV not in volumes[nm.REGION]:
        raise InputError(
            f"volumes have no {ETIV}",
            where="volumes",
            remedy="add the aseg table, or use volumes: raw",
        )
    head = volume.sel({nm.REGION: ETIV}, drop=True)
    both = volume.notnull() & head.notnull()
    centred = (head - head.where(both).mean(nm.PARTICIPANT)).where(both)
    squares = (centred**2).sum(nm.PARTICIPANT)
    slope = (centred * volume).sum(nm.PARTICIPANT) / squares.where(squares > 0)
    residual = volume - (slope.fillna(0.0) * centred)
    kept = volumes[nm.REGION] == ETIV
    return volumes.assign({nm.VOLUME: residual.where(~kept, volume).transpose(*volume.dims)})


def volume_features(volumes: xr.Dataset, *, how: str = RAW) -> FeatureTable:
    """Return one feature per region, shared by both periods; near-constant regions are dropped.

    Parameters
    ----------
    volumes
        What ``open_volumes`` returns; only the participants of the study.
    how
        ``raw`` or ``residual``.
    """
    if how not in (RAW, RESIDUAL):
        raise InputError(
            "unknown way to use volumes",
            where="volumes",
            value=how,
            remedy=nearest(str(how), (RAW, RESIDUAL)),
        )
    volumes = volumes.compute()
    raw = volumes[nm.VOLUME].transpose(nm.PARTICIPANT, nm.REGION).to_numpy()
    shares = np.array([_commonest_share(column) for column in raw.T])
    kept = shares <= NEAR_CONSTANT
    dropped = {
        str(region): f"near-constant: {share:.0%} of participants have the same value"
        for region, share in zip(volumes[nm.REGION].values, shares, strict=True)
        if share > NEAR_CONSTANT
    }
    used = (residual_volumes(volumes) if how == RESIDUAL else volumes).isel({nm.REGION: kept})
    index = pd.MultiIndex.from_product(
        [used[nm.PARTICIPANT].values.tolist(), [0]], names=[nm.PARTICIPANT, "period"]
    )
    regions = [str(region) for region in used[nm.REGION].values]
    values = used[nm.VOLUME].transpose(nm.PARTICIPANT, nm.REGION).to_numpy()
    about = [
        (nm.VOLUME, nm.CONTINUOUS, "mm3", region_label(*words))
        for words in zip(regions, used["hemisphere"].values, used["tissue"].values, strict=True)
    ]
    return FeatureTable(
        pd.DataFrame(values, index=index, columns=regions),
        pd.DataFrame(about, index=regions, columns=list(ABOUT)),
        dropped,
    )


def _commonest_share(column: np.ndarray) -> float:
    seen = column[~np.isnan(column)]
    if seen.size == 0:
        return 0.0  # nothing seen is missing, not constant
    return float(np.unique(seen, return_counts=True)[1].max() / seen.size)


def region_label(region: str, hemisphere: str, tissue: str) -> str:
    """Return what a reader sees for a region.

    Examples
    --------
    >>> region_label("wm-lh-posteriorcingulate", "left", "white")
    'left posteriorcingulate white matter'
    >>> region_label("Left-Thalamus", "left", "subcortical")
    'left thalamus'
    """
    if tissue == "global":
        return {ETIV: "intracranial volume (eTIV)"}.get(region, region)
    bare = region.removeprefix("wm-").removeprefix("lh").removeprefix("rh").strip("-_")
    bare = bare.removeprefix("Left-").removeprefix("Right-").removesuffix("_volume")
    if tissue == "subcortical":
        bare = bare.replace("-", " ").lower() if hemisphere != "both" else bare
    words = ["" if hemisphere == "both" else hemisphere, bare, _TISSUE[tissue]]
    return " ".join(word for word in words if word)
