"""Volumes of the brain as features: in mm3, or freed of head size, still in mm3."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import xarray as xr

from ketadask import names as nm
from ketadask.features.feature_table import ABOUT, FeatureTable
from ketadask.pipeline.executor import load
from ketadask.schema.errors import InputError, nearest
from ketadask.sources.regions import ETIV

RAW, RESIDUAL = "raw", "residual"
NEAR_CONSTANT = 0.9
_TISSUE = {"cortex": "cortex", "white": "white matter", "subcortical": "", "global": ""}
_JOINED = re.compile(
    "^(rostral|caudal|isthmus|posterior|inferior|superior|middle|lateral|medial|transverse|pars"
    "|frontal(?=pole)|temporal(?=pole))(anterior|middle(?=frontal))?(?=[a-z])"
)


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


def volume_features(
    volumes: xr.Dataset, *, how: str = RAW, asymmetry: bool = False
) -> FeatureTable:
    """Return one feature per region, shared by both periods; near-constant regions are dropped.

    Parameters
    ----------
    volumes
        What ``open_volumes`` returns; only the participants of the study.
    how
        ``raw`` or ``residual``.
    asymmetry
        Whether to add ``asymmetries``.
    """
    if how not in (RAW, RESIDUAL):
        raise InputError(
            "unknown way to use volumes",
            where="volumes",
            value=how,
            remedy=nearest(str(how), (RAW, RESIDUAL)),
        )
    volumes = load(volumes)
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
    table = FeatureTable(
        pd.DataFrame(values, index=index, columns=regions),
        pd.DataFrame(about, index=regions, columns=list(ABOUT)),
        dropped,
    )
    return _with_asymmetries(table, volumes.isel({nm.REGION: kept})) if asymmetry else table


def asymmetries(volumes: xr.Dataset) -> pd.DataFrame:
    """Return (left - right) over the mean of both for every pair of regions, by participant.

    Positive where the left one is larger; of the volumes in mm3, which head size cancels from
    (Kong et al. 2018, PNAS 115:E5154). NaN where both are 0.

    Examples
    --------
    >>> volumes = xr.Dataset({"volume": (("participant", "region"), [[30.0, 10.0]])},
    ...                      {"participant": ["a"], "region": ["wm-lh-cuneus", "wm-rh-cuneus"]})
    >>> asymmetries(volumes)
       asymmetry-wm-cuneus
    a                  1.0
    """
    regions = [str(region) for region in volumes[nm.REGION].values]
    volume = volumes[nm.VOLUME].transpose(nm.PARTICIPANT, nm.REGION).to_numpy()
    found = {}
    for j, region in enumerate(regions):
        other, bare = _mirrored(region)
        if other in regions:
            left, right = volume[:, j], volume[:, regions.index(other)]
            both = (left + right) / 2
            found[f"asymmetry-{bare}"] = (left - right) / np.where(both > 0, both, np.nan)
    return pd.DataFrame(found, index=volumes[nm.PARTICIPANT].values.tolist())


def _mirrored(region: str) -> tuple[str, str]:
    """Return the region on the right of one on the left, and the name of both; else nothing."""
    for left, right in (("wm-lh-", "wm-rh-"), ("lh_", "rh_"), ("Left-", "Right-")):
        if region.startswith(left):
            bare = region.removeprefix(left)
            return right + bare, "wm-" + bare if left == "wm-lh-" else bare
    return "", ""


def _with_asymmetries(table: FeatureTable, volumes: xr.Dataset) -> FeatureTable:
    added = asymmetries(volumes)
    about = pd.DataFrame(
        [
            (nm.VOLUME, nm.CONTINUOUS, "", f"asymmetry {name.removeprefix('asymmetry-')}")
            for name in added.columns
        ],
        index=added.columns,
        columns=list(ABOUT),
    )
    values = pd.concat([table.values, added.set_axis(table.values.index)], axis=1)
    return FeatureTable(values, pd.concat([table.about, about]), table.dropped)


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
    'left posterior cingulate white matter'
    >>> region_label("Left-Thalamus", "left", "subcortical")
    'left thalamus'
    """
    if tissue == "global":
        return {ETIV: "intracranial volume (eTIV)"}.get(region, region)
    bare = region.removeprefix("wm-").removeprefix("lh").removeprefix("rh").strip("-_")
    bare = bare.removeprefix("Left-").removeprefix("Right-").removesuffix("_volume")
    if tissue == "subcortical":
        bare = bare.replace("-", " ").lower() if hemisphere != "both" else bare
    else:
        bare = _JOINED.sub(lambda found: " ".join(filter(None, found.groups())) + " ", bare)
    words = ["" if hemisphere == "both" else hemisphere, bare, _TISSUE[tissue]]
    return " ".join(word for word in words if word)
