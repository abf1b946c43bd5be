"""From the study folder to the search problem: tables, cohort, units, literals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.config import Settings
from ketadask.schema import InputError, nearest
from ketadask.study.inputs import volumes_folder

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ketadask.cohort import HoldoutSplit
    from ketadask.search import PersonaSearch


def read_cohort(settings: Settings, folder: Path) -> xr.Dataset:
    """Read the tables in ``folder`` and assemble the cohort the settings ask for."""
    from ketadask.cohort import assemble
    from ketadask.features import scale_features, volume_features
    from ketadask.sources import open_volumes, read_participants

    asked, wanted = settings.features, settings.features.families
    participants = _of_groups(
        read_participants(folder, bad_cells=settings.data.bad_cells), settings, folder
    )
    people = [str(name) for name in participants["participant"]]
    phenotype = read_scales(settings, folder)
    features: list[Any] = []
    raise NotImplementedError(assemble, scale_features, volume_features, open_volumes, asked,
                              wanted, people, phenotype, features)


def read_scales(settings: Settings, folder: Path) -> pd.DataFrame:
    """Read the rating scales, from BIDS tables or, where there are none, from NDA texts."""
    from ketadask.sources import read_nda, read_phenotype

    scales, bad = settings.data.scales, settings.data.bad_cells
    if (folder / "phenotype").is_dir() or not (folder / "nda").is_dir():
        return read_phenotype(folder, scales, bad_cells=bad)
    return read_nda(folder / "nda", scales, bad_cells=bad)


def _of_groups(participants: pd.DataFrame, settings: Settings, folder: Path) -> pd.DataFrame:
    if settings.data.groups is None:
        return participants
    known = sorted(set(participants["group"]))
    for group in settings.data.groups:
        if group not in known:
            raise InputError(
                "no participant of this group",
                file=folder / "participants.tsv",
                where="data.groups",
                value=group,
                remedy=nearest(group, known),
            )
    kept = participants[participants["group"].isin(settings.data.groups)]
    return kept.reset_index(drop=True)


def units_of(settings: Settings, cohort: xr.Dataset) -> xr.Dataset:
    """Return the search matrix of the cohort."""
    from ketadask.cohort import units

    design = settings.design
    return units(
        cohort,
        design=design.kind,
        endpoint=settings.outcome.endpoint,
        baseline=design.baseline,
        adjust=design.adjust,
        within_arm=design.within_arm,
    )


def search_of(settings: Settings) -> PersonaSearch:
    """Return the search the settings ask for."""
    from ketadask.search import PersonaSearch

    search, features, literals = settings.search, settings.features, settings.literals
    return PersonaSearch(
        max_literals=search.max_literals,
        min_support=search.min_support,
        min_arm=search.min_arm,
        keep=search.keep,
        cuts=literals.cuts,
        intervals=literals.intervals,
        explicit=dict(literals.explicit) or None,
        objective=search.objective,
        polarity=search.polarity,
        distinct=search.distinct,
        strategy=search.strategy,
        min_families=search.min_families,
        include=features.include,
        exclude=features.exclude or None,
    )


def splitter_of(settings: Settings, units: xr.Dataset) -> HoldoutSplit:
    """Return the splits the settings ask for; leaving trials out gives as many as trials."""
    from ketadask.cohort import HoldoutSplit

    asked = settings.splits
    splitter = HoldoutSplit(
        asked.count,
        seed=settings.seed,
        share=asked.share,
        keep=asked.keep,
        scheme=asked.scheme,
        stratify=asked.stratify,
    )
    count = splitter.get_n_splits(units)
    if count == asked.count:
        return splitter
    from dataclasses import replace

    return replace(splitter, n_splits=count)


def exclusions_of(dataset: xr.Dataset) -> pd.DataFrame:
    """Return who was left out, and why, as a table."""
    import pandas as pd

    from ketadask.schema import EXCLUSIONS

    listed = json.loads(dataset.attrs.get("exclusions", "[]"))
    return pd.DataFrame(listed, columns=list(EXCLUSIONS.columns))
