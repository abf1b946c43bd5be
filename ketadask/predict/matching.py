"""A cohort brought to the columns of a locked model, or refused with the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ketadask.predict.classifier_data import ClassifierData
from ketadask.schema.errors import InputError
from ketadask.sources.regions import region_name

if TYPE_CHECKING:
    from ketadask.predict.locked import LockedModel

_N_NAMES = 5
_FACTOR = 5.0


def match_to_model(
    model: LockedModel, cases: ClassifierData, missing_region: str
) -> tuple[ClassifierData, list[str]]:
    """Return the cases with the model's regions and covariates in its order, and notes."""
    if missing_region not in ("stop", "median"):
        raise InputError(
            "unknown value of missing_region",
            where="missing_region",
            value=missing_region,
            remedy="use stop or median",
        )
    value, notes = _regions(model, cases, missing_region)
    _check_unit(model, value)
    new_sites = {str(site) for site in cases.site} - set(model.about.get("sites", ()))
    if new_sites and model.preparations[0].sites is not None:
        method = "not harmonised"
        if model.preparations[0].unseen_site == "own":
            method = "harmonised by their own mean and spread, without outcomes"
        notes.append(f"sites that are not in the training data are {method}: {_few(new_sites)}")
    return replace(
        cases,
        value=value,
        region=model.region,
        covariate=_covariates(model, cases),
        covariate_names=model.covariate_names,
    ), notes


def _regions(
    model: LockedModel, cases: ClassifierData, missing_region: str
) -> tuple[np.ndarray, list[str]]:
    columns: dict[str, int] = {}
    for j, region in enumerate(cases.region):
        name = region_name(region) or region
        if name in columns:
            raise InputError(
                f"region {name} occurs twice",
                where=f"columns {cases.region[columns[name]]} and {region}",
                remedy="keep one of them",
            )
        columns[name] = j
    names = [region_name(name) or name for name in model.region]
    empty = np.isnan(cases.value).all(axis=0)
    missing = [name for name in names if name not in columns or empty[columns[name]]]
    if missing and (missing_region == "stop" or len(missing) == len(names)):
        raise InputError(
            f"{len(missing)} of the {len(names)} regions of the model are not in this cohort",
            where="regions",
            value=_few(missing),
            remedy="add their tables, or use missing_region: median, which replaces them by the "
            "median of the training data",
        )
    notes = [f"regions replaced by the training median: {_few(missing)}"] if missing else []
    no_values = np.full(len(cases), np.nan)
    table = [cases.value[:, columns[name]] if name in columns else no_values for name in names]
    return np.column_stack(table), notes


def _check_unit(model: LockedModel, value: np.ndarray) -> None:
    """Raise where volumes are not in the unit of the training data."""
    train = np.median([preparation.fill for preparation in model.preparations], axis=0)
    present = ~np.isnan(value).all(axis=0)
    here = np.nanmedian(value[:, present], axis=0)
    both = (train[present] > 0) & (here > 0)
    if both.mean() < 0.5:
        return
    factor = float(np.median(here[both] / train[present][both]))
    if not 1 / _FACTOR < factor < _FACTOR:
        raise InputError(
            f"volumes are {factor:.3g} times those of the training data",
            where="regions",
            remedy="use the unit of the training data, mm3, not fractions of the brain",
        )


def _covariates(model: LockedModel, cases: ClassifierData) -> np.ndarray:
    columns = {region_name(name) or name: j for j, name in enumerate(cases.covariate_names)}
    names = [region_name(name) or name for name in model.covariate_names]
    missing = [name for name in names if name not in columns]
    if missing:
        raise InputError(
            "covariates of the model are not in this cohort",
            where="covariates",
            value=_few(missing),
            remedy="add them to the table of participants or to the volumes",
        )
    return cases.covariate[:, [columns[name] for name in names]].reshape(len(cases), -1)


def _few(names: list[str] | set[str]) -> str:
    texts = sorted(names) if isinstance(names, set) else names
    more = f" and {len(texts) - _N_NAMES} more" if len(texts) > _N_NAMES else ""
    return ", ".join(texts[:_N_NAMES]) + more
