"""From the study folder to the search problem: tables, cohort, units, literals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.config.study import StudySettings
from ketadask.schema.errors import InputError
from ketadask.study.paths import volumes_folder

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ketadask.cohort.splits import HoldoutSplit
    from ketadask.features.feature_table import FeatureTable
    from ketadask.schema.cohort import Cohort
    from ketadask.schema.phenotype import Participants, Phenotype
    from ketadask.search.persona_search import PersonaSearch


def read_cohort(
    settings: StudySettings, folder: Path, measured: FeatureTable | None = None
) -> Cohort:
    """Read the tables in ``folder`` and assemble the cohort the settings ask for.

    ``measured`` are features of recordings, where the study uses some.
    """
    from ketadask.cohort.assemble import assemble
    from ketadask.sources.freesurfer import open_volumes

    outcome, features = settings.outcome, settings.features
    participants = read_people(settings, folder)
    sources: list[Any] = [read_scales(settings, folder, participants)]
    if "volume" in features.modalities and _has_volumes(settings, folder):
        sources.append(open_volumes(volumes_folder(settings, folder)))
    if "meg" in features.modalities:
        sources.append(_unmeasured(features.meg) if measured is None else measured)
    return assemble(
        *sources,
        participants=participants,
        outcome=outcome.scale,
        day=outcome.day,
        window=outcome.window,
        response_threshold=outcome.response_threshold,
        groups=settings.data.groups,
        modalities=features.modalities,
        volumes=features.volumes,
        asymmetry=features.asymmetry,
        subscales=features.subscales,
        harmonise=features.harmonise,
        washout=settings.design.washout,
        include=features.include,
        exclude=features.exclude,
        max_missing=features.max_missing,
        max_missing_case=features.max_missing_case,
    )


def _unmeasured(which: str) -> FeatureTable:
    """Return MEG features without values, where a study is only looked at."""
    from ketadask.features.meg.registry import features
    from ketadask.features.meg.table import unmeasured

    return unmeasured(features(which))


def awaited(settings: StudySettings, cohort: Cohort) -> list[str]:
    """Return the MEG features of a study that was only looked at: its run measures them."""
    if "meg" not in settings.features.modalities:
        return []
    from ketadask.features.meg.registry import features

    known = {each.name for each in features(settings.features.meg)}
    return [name for name in cohort.dropped if name in known]


def _has_volumes(settings: StudySettings, folder: Path) -> bool:
    place = volumes_folder(settings, folder)
    if place.is_dir():
        return True
    if "modalities" not in settings.features.model_fields_set:
        return False  # volumes are taken where there are some, unless asked for by name
    raise InputError(
        "no such folder",
        file=place,
        where="features.modalities",
        value="volume",
        remedy="set data.freesurfer to the folder of the volume tables, or take volume out",
    )


def read_people(settings: StudySettings, folder: Path) -> Participants:
    """Read who took part, from ``participants.tsv`` or the table the settings name."""
    from ketadask.sources.participants import read_participants

    table = settings.data.participants
    if table is None:
        return read_participants(folder, bad_cells=settings.data.bad_cells)
    return read_participants(
        folder / table.file,
        bad_cells=settings.data.bad_cells,
        columns=table.columns,
        sheet=table.sheet,
        delimiter=table.delimiter,
        decimal=table.decimal,
    )


def read_scales(settings: StudySettings, folder: Path, people: Participants) -> Phenotype:
    """Read the rating scales: plain tables if the settings list some, else BIDS, else NDA."""
    from ketadask.sources.nda import read_nda
    from ketadask.sources.participants import roster
    from ketadask.sources.phenotype import read_phenotype
    from ketadask.sources.plain_tables import PlainTable, read_tables
    from ketadask.sources.visits import PERIODS

    data = settings.data
    how: dict[str, Any] = {
        "session_pattern": data.session_pattern or PERIODS,
        "participants": roster(people),
        "bad_cells": data.bad_cells,
    }
    if data.tables is not None:
        tables = [PlainTable(**table.model_dump()) for table in data.tables]
        return read_tables(folder, tables, **how)
    bids = (folder / "phenotype").is_dir() or not (folder / "nda").is_dir()
    read = read_phenotype if bids else read_nda
    return read(folder, data.scales, ignore=data.ignore, **how)


def units_of(settings: StudySettings, cohort: Cohort) -> xr.Dataset:
    """Return the search matrix of the cohort."""
    from ketadask.cohort.designs import score_units

    design = settings.design
    return score_units(
        cohort,
        design=design.kind,
        endpoint=settings.outcome.endpoint,
        baseline=design.baseline,
        adjust=design.adjust,
        within_arm=design.within_arm,
    )


def search_of(settings: StudySettings) -> PersonaSearch:
    """Return the search the settings ask for."""
    from ketadask.search.persona_search import PersonaSearch

    return PersonaSearch(**vars(settings.literals), **vars(settings.search))


def splitter_of(settings: StudySettings, units: xr.Dataset) -> HoldoutSplit:
    """Return the splits the settings ask for; leaving trials out gives as many as trials."""
    from ketadask.cohort.splits import HoldoutSplit

    asked = settings.splits
    splitter = HoldoutSplit(
        asked.count,
        seed=settings.seed,
        train_size=asked.train_size,
        group_by=asked.group_by,
        scheme=asked.scheme,
        stratify=asked.stratify,
    )
    splitter.need_two_sides(units["participant"].to_numpy(), where="splits.train_size")
    count = splitter.get_n_splits(units)
    if count == asked.count:
        return splitter
    from dataclasses import replace

    return replace(splitter, n_splits=count)


def exclusions_of(settings: StudySettings, cohort: Cohort) -> pd.DataFrame:
    """Return the participants and cases that are not searched, and why."""
    from ketadask.cohort.designs import design_exclusions

    kind, endpoint = settings.design.kind, settings.outcome.endpoint
    return design_exclusions(cohort, design=kind, endpoint=endpoint)
