"""A cohort brought to the columns of a locked model, or refused with the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ketadask.predict.classifier_data import ClassifierData
from ketadask.schema.errors import InputError
from ketadask.sources.regions import unified

if TYPE_CHECKING:
    from ketadask.predict.locked import LockedModel

_SHOWN = 5
_FACTOR = 5.0


def matched(
    model: LockedModel, cases: ClassifierData, absent: str
) -> tuple[ClassifierData, list[str]]:
    """Return the cases with the model's regions and covariates in its order, and notes."""
    if absent not in ("stop", "median"):
        raise InputError(
            "no such choice", where="absent", value=absent, remedy="use stop or median"
        )
    notes: list[str] = []
    value = _regions(model, cases, absent, notes)
    _check_unit(model, value)
    covariate = _covariates(model, cases)
    known = set(model.about.get("sites", ()))
    strange = sorted({str(site) for site in cases.site} - known)
    if strange and model.preparations[0].sites is not None:
        how = "by their own mean and spread, without outcomes"
        if model.preparations[0].unseen != "own":
            how = "not at all"
        notes.append(f"sites the model has never seen are harmonised {how}: {_few(strange)}")
    return replace(
        cases,
        value=value,
        region=model.region,
        covariate=covariate,
        covariate_names=model.covariate_names,
    ), notes


def _regions(
    model: LockedModel, cases: ClassifierData, absent: str, notes: list[str]
) -> np.ndarray:
    columns: dict[str, int] = {}
    for j, name in enumerate(cases.region):
        known = unified(name) or name
        if known in columns:
            raise InputError(
                f"{known} is there twice",
                where=f"columns {cases.region[columns[known]]} and {name}",
                remedy="keep one of them",
            )
        columns[known] = j
    wanted = [unified(name) or name for name in model.region]
    empty = np.isnan(cases.value).all(axis=0)
    lacking = [name for name in wanted if name not in columns or empty[columns[name]]]
    if lacking and (absent == "stop" or len(lacking) == len(wanted)):
        raise InputError(
            f"{len(lacking)} of the {len(wanted)} regions of the model are not in this cohort",
            where="regions",
            value=_few(lacking),
            remedy="add the tables that hold them, or apply with absent='median', which takes "
            "the training median for them",
        )
    if lacking:
        notes.append(f"the training median stands for regions that are not there: {_few(lacking)}")
    nothing = np.full(len(cases), np.nan)
    return np.column_stack(
        [cases.value[:, columns[name]] if name in columns else nothing for name in wanted]
    )


def _check_unit(model: LockedModel, value: np.ndarray) -> None:
    """Raise where volumes are not in the unit the model has learnt."""
    learnt = np.median([p.fill for p in model.preparations], axis=0)
    seen = ~np.isnan(value).all(axis=0)
    here = np.nanmedian(value[:, seen], axis=0)
    both = (learnt[seen] > 0) & (here > 0)
    if both.mean() < 0.5:
        return
    factor = float(np.median(here[both] / learnt[seen][both]))
    if not 1 / _FACTOR < factor < _FACTOR:
        raise InputError(
            f"volumes are {factor:.3g} times those the model has learnt from",
            where="regions",
            remedy="give them in the same unit, mm3, and not as shares of the whole brain",
        )


def _covariates(model: LockedModel, cases: ClassifierData) -> np.ndarray:
    known = {unified(name) or name: j for j, name in enumerate(cases.covariate_names)}
    wanted = [unified(name) or name for name in model.covariate_names]
    lacking = [name for name in wanted if name not in known]
    if lacking:
        raise InputError(
            "the model removes covariates that this cohort does not have",
            where="covariates",
            value=_few(lacking),
            remedy="add them to the table of participants or to the volumes",
        )
    return cases.covariate[:, [known[name] for name in wanted]].reshape(len(cases), -1)


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
