"""Measures of brain regions as features; volumes in mm3, raw or adjusted for head size."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import xarray as xr

from ketadask import names as nm
from ketadask.features.feature_table import ABOUT, FeatureTable
from ketadask.pipeline.executor import load
from ketadask.schema.errors import InputError, nearest
from ketadask.sources.region_names import UNITS, region_stem
from ketadask.sources.regions import ETIV

RAW, RESIDUAL = "raw", "residual"
NEAR_CONSTANT = 0.9
_TISSUE = {"cortex": "cortex", "white": "white matter", "subcortical": "", "global": ""}
_JOINED_WORDS = re.compile(
    "^(rostral|caudal|isthmus|posterior|inferior|superior|middle|lateral|medial|transverse|pars"
    "|frontal(?=pole)|temporal(?=pole))(anterior|middle(?=frontal))?(?=[a-z])"
)


def residual_volumes(volumes: xr.Dataset) -> xr.Dataset:
    """Return volumes (participant, region) adjusted for intracranial volume, lazily.

    Least squares of each region on eTIV, one row per participant, over the participants who have
    both; the mean is added back, so that a value reads as mm3 at the average head size. Outcomes
    are not used. Dividing by eTIV is not enough: the proportion still correlates with eTIV
    (Voevodskaya et al. 2014, Front Aging Neurosci 6:264).
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
    distance = (head - head.where(both).mean(nm.PARTICIPANT)).where(both)
    squares = (distance**2).sum(nm.PARTICIPANT)
    slope = (distance * volume).sum(nm.PARTICIPANT) / squares.where(squares > 0)
    residual = volume - (slope.fillna(0.0) * distance)
    is_head = volumes[nm.REGION] == ETIV
    return volumes.assign({nm.VOLUME: residual.where(~is_head, volume).transpose(*volume.dims)})


def volume_features(
    volumes: xr.Dataset, *, method: str = RAW, asymmetry: bool = False
) -> FeatureTable:
    """Return one feature per region, shared by both periods; near-constant regions are dropped.

    Parameters
    ----------
    volumes
        What ``open_volumes`` returns; only the participants of the study.
    method
        ``raw`` or ``residual``.
    asymmetry
        Whether to add ``asymmetries``.
    """
    if method not in (RAW, RESIDUAL):
        raise InputError(
            "unknown treatment of volumes",
            where="volumes",
            value=method,
            remedy=nearest(str(method), (RAW, RESIDUAL)),
        )
    volumes = load(volumes)
    varies, reasons = _varying_regions(volumes, nm.VOLUME)
    dataset = residual_volumes(volumes) if method == RESIDUAL else volumes
    table = _feature_table(dataset.isel({nm.REGION: varies}), nm.VOLUME, reasons)
    return _with_asymmetries(table, volumes.isel({nm.REGION: varies})) if asymmetry else table


def region_features(regions: xr.Dataset) -> FeatureTable:
    """Return one feature per region of any measure; the measure is the modality.

    ``regions`` is what ``open_regions`` returns, of one session.
    """
    measure = str(regions.attrs["measure"])
    regions = load(regions)
    varies, reasons = _varying_regions(regions, measure)
    return _feature_table(regions.isel({nm.REGION: varies}), measure, reasons)


def _varying_regions(dataset: xr.Dataset, measure: str) -> tuple[np.ndarray, dict[str, str]]:
    """Return a mask of the regions whose values differ, and the others with the reason."""
    values = dataset[measure].transpose(nm.PARTICIPANT, nm.REGION).to_numpy()
    fractions = np.array([_mode_fraction(column) for column in values.T])
    reasons = {
        str(region): f"near-constant: {fraction:.0%} of participants have the same value"
        for region, fraction in zip(dataset[nm.REGION].values, fractions, strict=True)
        if fraction > NEAR_CONSTANT
    }
    return fractions <= NEAR_CONSTANT, reasons


def _feature_table(dataset: xr.Dataset, measure: str, reasons: dict[str, str]) -> FeatureTable:
    index = pd.MultiIndex.from_product(
        [dataset[nm.PARTICIPANT].values.tolist(), [0]], names=[nm.PARTICIPANT, "period"]
    )
    regions = [str(region) for region in dataset[nm.REGION].values]
    values = dataset[measure].transpose(nm.PARTICIPANT, nm.REGION).to_numpy()
    about = [
        (measure, nm.CONTINUOUS, UNITS.get(measure, ""), region_label(*words))
        for words in zip(
            regions, dataset["hemisphere"].values, dataset["tissue"].values, strict=True
        )
    ]
    return FeatureTable(
        pd.DataFrame(values, index=index, columns=regions),
        pd.DataFrame(about, index=regions, columns=list(ABOUT)),
        reasons,
    )


def asymmetries(volumes: xr.Dataset) -> pd.DataFrame:
    """Return (left - right) over the mean of both for every pair of regions, by participant.

    Positive where the left one is larger; of the volumes in mm3, since head size cancels (Kong et
    al. 2018, PNAS 115:E5154). NaN where both are 0.

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
    asymmetry = {}
    for j, region in enumerate(regions):
        opposite, bare = _opposite(region)
        if opposite in regions:
            left, right = volume[:, j], volume[:, regions.index(opposite)]
            mean = (left + right) / 2
            asymmetry[f"asymmetry-{bare}"] = (left - right) / np.where(mean > 0, mean, np.nan)
    return pd.DataFrame(asymmetry, index=volumes[nm.PARTICIPANT].values.tolist())


def _opposite(region: str) -> tuple[str, str]:
    """Return the right counterpart of a left region and their common name, else empty text."""
    for left, right in (("wm-lh-", "wm-rh-"), ("lh_", "rh_"), ("Left-", "Right-")):
        if region.startswith(left):
            bare = region.removeprefix(left)
            return right + bare, "wm-" + bare if left == "wm-lh-" else bare
    return "", ""


def _with_asymmetries(table: FeatureTable, volumes: xr.Dataset) -> FeatureTable:
    values = asymmetries(volumes)
    about = pd.DataFrame(
        [
            (nm.VOLUME, nm.CONTINUOUS, "", f"asymmetry {name.removeprefix('asymmetry-')}")
            for name in values.columns
        ],
        index=values.columns,
        columns=list(ABOUT),
    )
    values = pd.concat([table.values, values.set_axis(table.values.index)], axis=1)
    return FeatureTable(values, pd.concat([table.about, about]), table.dropped)


def _mode_fraction(column: np.ndarray) -> float:
    """Return the fraction of values that equal the most frequent one, 0 where all are missing."""
    values = column[~np.isnan(column)]
    if values.size == 0:
        return 0.0
    return float(np.unique(values, return_counts=True)[1].max() / values.size)


def region_label(region: str, hemisphere: str, tissue: str) -> str:
    """Return the text for a region in tables and figures.

    Examples
    --------
    >>> region_label("wm-lh-posteriorcingulate", "left", "white")
    'left posterior cingulate white matter'
    >>> region_label("Left-Thalamus", "left", "subcortical")
    'left thalamus'
    """
    if tissue == "global" and "_whole_" not in region:
        return "intracranial volume (eTIV)" if region == ETIV else region
    bare = region_stem(region)
    measure = next((name for name in UNITS if region.endswith(f"_{name}")), nm.VOLUME)
    if tissue == "subcortical":
        bare = bare.replace("-", " ").lower() if hemisphere != "both" else bare
    else:
        bare = _JOINED_WORDS.sub(lambda m: " ".join(filter(None, m.groups())) + " ", bare)
    words = ["" if hemisphere == "both" else hemisphere, bare, _TISSUE[tissue]]
    if measure != nm.VOLUME:
        words.append(measure.replace("_", " "))
    return " ".join(word for word in words if word)
