"""Baseline values of people who may enter a trial: no outcome, arm or infusion is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ketadask import names as nm
from ketadask.features.feature_table import ABOUT, FeatureTable
from ketadask.features.scales import demographic_features, scale_features
from ketadask.features.volumes import asymmetries
from ketadask.pipeline.executor import load
from ketadask.schema.phenotype import Participants, Phenotype
from ketadask.sources.visit_tables import place_visits

MEAN, FIRST, OWN = "mean", "first", "own"
_OF_PEOPLE = ("trial", "site")


@dataclass(frozen=True, eq=False)
class BaselineTables:
    """Untreated features by participant and period, as the readers return them.

    Parameters
    ----------
    tables
        Features of each modality.
    people
        Table of `Participants`; None where there is none.
    """

    tables: tuple[FeatureTable, ...]
    people: pd.DataFrame | None = None

    @property
    def units(self) -> dict[str, str]:
        """Units of measurement by feature."""
        return {
            str(name): str(unit)
            for table in self.tables
            for name, unit in table.about["measurement_unit"].items()
        }

    def visits(self) -> list[tuple[str, int]]:
        """Return (participant, period) of all values; period 0 counts as the first."""
        pairs = {
            (str(participant), max(int(period), 1))
            for table in self.tables
            for participant, period in table.values.index
        }
        return sorted(pairs)

    def at(self, participants: Sequence[str], periods: Sequence[int], choice: str) -> pd.DataFrame:
        """Return the features of some participants and periods, a row each.

        ``choice`` is `Persona.baseline`: the ``mean`` of both baselines, which skips missing
        values, the ``first``, or that of the ``own`` period.
        """
        if choice == MEAN:
            first, second = (self._values(participants, [k] * len(participants)) for k in (1, 2))
            half = 0.5 * (first + second)
            values = np.where(np.isnan(first), second, np.where(np.isnan(second), first, half))
        else:
            values = self._values(participants, [1] * len(periods) if choice == FIRST else periods)
        names = [str(name) for table in self.tables for name in table.values.columns]
        frame = pd.DataFrame(values, columns=names)
        if self.people is not None:
            people = self.people.set_index(nm.PARTICIPANT).reindex(list(participants))
            for name in _OF_PEOPLE:
                frame[name] = people[name].to_numpy()
        return frame

    def _values(self, participants: Sequence[str], periods: Sequence[int]) -> np.ndarray:
        parts = [table.at(list(participants), list(periods)) for table in self.tables]
        return np.concatenate([np.empty((len(participants), 0)), *parts], axis=1)


def baseline_tables(
    scales: Phenotype | None,
    images: xr.Dataset | None,
    participants: Participants | None,
    *tables: FeatureTable,
) -> BaselineTables:
    """Return the baselines of scales, volumes, participants and other features.

    Volumes are in mm3 as read: no region is dropped and nothing depends on other participants.
    """
    parts = list(tables)
    if participants is not None:
        parts.append(demographic_features(participants.table))
        if participants.covariates is not None:
            parts.append(covariate_table(participants.covariates, participants.family))
    if scales is not None:
        known_sequences: Mapping[str, str] = participants.sequences if participants else {}
        names = scales.table[nm.PARTICIPANT].unique()
        sequences = {name: known_sequences.get(name, "") for name in names}
        parts.append(scale_features(place_visits(scales, sequences), subscales=True))
    if images is not None:
        parts.append(_volume_table(load(images)))
    return BaselineTables(tuple(parts), None if participants is None else participants.table)


def covariate_table(covariates: pd.DataFrame, family: str) -> FeatureTable:
    """Return numbers, and 0 or 1 for every level of a text, however rare it is here."""
    values: dict[str, np.ndarray] = {}
    for name in covariates.columns:
        column = covariates[name]
        if pd.api.types.is_numeric_dtype(column):
            values[str(name)] = column.to_numpy(dtype=np.float64)
            continue
        words = column.to_numpy(dtype=object)
        for level in sorted(set(words) - {""}):
            values[f"{name}{nm.LEVEL_SIGN}{level}"] = np.where(words == "", np.nan, words == level)
    index = pd.MultiIndex.from_product(
        [[str(name) for name in covariates.index], [0]], names=[nm.PARTICIPANT, "period"]
    )
    about = pd.DataFrame("", index=list(values), columns=list(ABOUT)).assign(modality=family)
    return FeatureTable(pd.DataFrame(values, index=index).astype(np.float64), about)


def _volume_table(images: xr.Dataset) -> FeatureTable:
    raw = pd.DataFrame(
        images[nm.VOLUME].transpose(nm.PARTICIPANT, nm.REGION).to_numpy(),
        index=images[nm.PARTICIPANT].values,
        columns=images[nm.REGION].values,
    )
    ratio = asymmetries(images)
    values = pd.concat([raw, ratio], axis=1)
    values.index = pd.MultiIndex.from_product(
        [[str(name) for name in raw.index], [0]], names=[nm.PARTICIPANT, "period"]
    )
    values.columns = [str(name) for name in values.columns]
    units = [*images["measurement_unit"].to_numpy().astype(str), *[""] * ratio.shape[1]]
    about = pd.DataFrame("", index=values.columns, columns=list(ABOUT))
    about["modality"], about["measurement_unit"] = nm.VOLUME, units
    return FeatureTable(values, about)
