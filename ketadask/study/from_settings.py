"""Settings to values: participants, cohort, units, search and splits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.config.analysis import MODALITIES, FeatureSettings
from ketadask.config.study import StudySettings
from ketadask.schema.errors import InputError
from ketadask.study.inputs import volumes_folder

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ketadask.cohort.splits import HoldoutSplit
    from ketadask.features.feature_table import FeatureTable
    from ketadask.schema.cohort import Cohort
    from ketadask.schema.phenotype import Participants, Phenotype
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.sources.cells import Cells


def read_cohort(
    settings: StudySettings,
    folder: Path,
    recordings: FeatureTable | None = None,
    participants: Participants | None = None,
) -> Cohort:
    """Read the tables in ``folder`` and assemble the cohort.

    Parameters
    ----------
    recordings
        MEG features; by default they are columns of missing values.
    participants
        The table of participants if it is already read.
    """
    from ketadask.cohort.assemble import assemble

    features = settings.features
    if participants is None:
        participants = read_study_participants(settings, folder)
    sources: list[Any] = [read_scales(settings, folder, participants)]
    sources += brain_sources(settings, folder)
    if features.recording_modality:
        sources.append(_empty_features(features) if recordings is None else recordings)
    return assemble(
        *sources,
        participants=participants,
        outcome=settings.outcome,
        groups=settings.data.groups,
        modalities=None if features.modalities == MODALITIES else features.modalities,
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


def brain_sources(settings: StudySettings, folder: Path) -> list[xr.Dataset]:
    """Return the regional measures of a study: volumes of FreeSurfer, and data.regions."""
    from ketadask.sources.freesurfer import open_volumes
    from ketadask.sources.regional import open_regions, single_session

    regions = [
        single_session(
            open_regions(
                folder / table.file,
                measure=table.measure,
                atlas=table.atlas,
                columns=table.columns or None,
            ),
            table.session,
        )
        for table in settings.data.regions
    ]
    if any("volume" in table for table in regions):
        return regions
    if "volume" in settings.features.modalities and _has_volumes(settings, folder):
        regions.append(open_volumes(volumes_folder(settings, folder)))
    return regions


def _empty_features(features: FeatureSettings) -> FeatureTable:
    """Return a set of MEG or EEG features without values, for a study that is only checked."""
    from ketadask.features.meg.registry import feature_set
    from ketadask.features.meg.table import empty_meg_table

    return empty_meg_table(feature_set(features.meg, features.recording_modality))


def later_features(settings: StudySettings, cohort: Cohort) -> list[str]:
    """Return the MEG features of a cohort without recordings: a run computes them."""
    features = settings.features
    if not features.recording_modality:
        return []
    from ketadask.features.meg.registry import feature_set

    names = {own.name for own in feature_set(features.meg, features.recording_modality)}
    return [name for name in cohort.dropped if name in names]


def _has_volumes(settings: StudySettings, folder: Path) -> bool:
    volumes = volumes_folder(settings, folder)
    if volumes.is_dir():
        return True
    if "modalities" not in settings.features.model_fields_set:
        return False  # by default, volumes are optional
    raise InputError(
        "no such folder",
        file=volumes,
        where="features.modalities",
        value="volume",
        remedy="set data.freesurfer to the folder of the volume tables, or remove volume",
    )


def read_study_participants(settings: StudySettings, folder: Path) -> Participants:
    """Read the participants, from ``participants.tsv`` or the table of the settings."""
    from ketadask.sources.participants import read_participants

    data, table = settings.data, settings.data.participants
    if data.table is not None:
        return _read_one_table(settings, folder / data.table.file)
    options: dict[str, Any] = {
        "bad_cells": data.bad_cells, "cluster": settings.design.cluster, "arms": data.arms
    }  # fmt: skip
    if table is None:
        return read_participants(folder, **options)
    return read_participants(
        folder / table.file,
        columns=table.columns,
        sheet=table.sheet,
        delimiter=table.delimiter,
        decimal=table.decimal,
        features=None if table.features == "all" else table.features,
        family=table.family,
        **options,
    )


def _read_one_table(settings: StudySettings, path: Path) -> Participants:
    """Read the table of the whole trial; what the settings say is not guessed."""
    from ketadask.sources.trial_table import read_trial_table

    data, outcome = settings.data, settings.outcome
    table = data.table
    assert table is not None
    cells, role_columns = _trial_cells(settings, path)
    return read_trial_table(
        cells,
        role_columns=role_columns,
        arms=data.arms,
        features=None if table.features == "all" else table.features,
        ignore=table.ignore,
        day=outcome.day,
        level=outcome.level,
        family=table.family,
        bad_cells=data.bad_cells,
    )


def _trial_cells(settings: StudySettings, path: Path) -> tuple[Cells, dict[str, str]]:
    """Return the table of the whole trial, and the columns whose role the settings say."""
    from ketadask.schema import roles
    from ketadask.sources.adam import is_parameter_table, wide_parameters
    from ketadask.sources.arm_columns import visit_rows
    from ketadask.sources.spreadsheets import read_table

    table, outcome = settings.data.table, settings.outcome
    assert table is not None

    def read(file: Path) -> Cells:
        return read_table(file, sheet=table.sheet, delimiter=table.delimiter, decimal=table.decimal)

    cells = read(path)
    if is_parameter_table(cells):
        cells = wide_parameters(cells, read)
    cells = cells.rename(table.columns)
    if table.wide_pattern is not None:
        cells = visit_rows(cells, table.wide_pattern, table.sequence)
    columns = {
        roles.PARTICIPANT: table.participant,
        roles.ARM: table.arm,
        roles.PERIOD: table.period,
        roles.DAY: table.day,
        roles.SESSION: table.session,
        roles.SITE: table.site,
        roles.TRIAL: table.trial,
        roles.CLUSTER: settings.design.cluster,
        roles.OUTCOME: outcome.column,
        roles.BASELINE: outcome.baseline,
        roles.EVENT: outcome.event,
        roles.TIME: outcome.exposure,
    }
    cells = replace(cells, missing=cells.missing | frozenset(table.na_values))
    return cells, {role: column for role, column in columns.items() if column is not None}


def table_levels(settings: StudySettings, folder: Path) -> set[str]:
    """Return the values of the column of arms in the table of the whole trial."""
    from ketadask.sources.column_roles import guess_roles
    from ketadask.sources.trial_rows import arm_level

    table = settings.data.table
    assert table is not None
    roles = guess_roles(*_trial_cells(settings, folder / table.file), table.ignore)
    return {arm_level(level) for level in roles.arms}


def study_arms(settings: StudySettings, units: xr.Dataset) -> dict[str, str]:
    """Return ``active`` or ``control`` by the name of each arm, as set or guessed."""
    return dict(units.attrs.get("arms") or settings.data.arms or {})


def read_scales(
    settings: StudySettings, folder: Path, participants: Participants | None
) -> Phenotype:
    """Read the rating scales: plain tables if the settings have some, else BIDS, else NDA."""
    if participants is not None and participants.scales is not None:
        return participants.scales
    from ketadask.sources.nda import read_nda
    from ketadask.sources.phenotype import read_phenotype
    from ketadask.sources.plain_tables import PlainTable, read_tables
    from ketadask.sources.visits import PERIODS

    data = settings.data
    options: dict[str, Any] = {
        "session_pattern": data.session_pattern or PERIODS,
        "participants": participants,
        "bad_cells": data.bad_cells,
    }
    if data.tables is not None:
        tables = [PlainTable(**table.model_dump()) for table in data.tables]
        return read_tables(folder, tables, arms=data.arms, **options)
    is_bids = (folder / "phenotype").is_dir() or not (folder / "nda").is_dir()
    read = read_phenotype if is_bids else read_nda
    return read(folder, data.scales, ignore=data.ignore, **options)


def units_of(settings: StudySettings, cohort: Cohort) -> xr.Dataset:
    """Return the search matrix of the cohort."""
    from ketadask.cohort.units import score_units

    design = settings.design
    return score_units(
        cohort,
        design=design.kind,
        endpoint=settings.outcome.endpoint,
        baseline=design.baseline,
        adjust=design.adjust,
        within_arm=design.within_arm,
        missing=settings.features.missing,
    )


def search_of(settings: StudySettings) -> PersonaSearch:
    """Return the search of the study."""
    from ketadask.search.persona_search import PersonaSearch

    return PersonaSearch(**vars(settings.literals), **vars(settings.search))


def splitter_of(settings: StudySettings, units: xr.Dataset) -> HoldoutSplit:
    """Return the splitter; the scheme leave-trial-out has one split per trial."""
    from ketadask.cohort.designs import cluster_codes
    from ketadask.cohort.splits import HoldoutSplit

    splits = settings.splits
    splitter = HoldoutSplit(
        splits.count,
        seed=settings.seed,
        train_size=splits.train_size,
        group_by=splits.group_by,
        scheme=splits.scheme,
        stratify=splits.stratify,
    )
    splitter.check_sides(cluster_codes(units), where="splits.train_size")
    count = splitter.get_n_splits(units)
    if count == splits.count:
        return splitter
    return replace(splitter, n_splits=count)


def exclusions_of(settings: StudySettings, cohort: Cohort) -> pd.DataFrame:
    """Return the excluded participants and cases with the reasons."""
    from ketadask.cohort.units import design_exclusions

    kind, endpoint = settings.design.kind, settings.outcome.endpoint
    return design_exclusions(cohort, design=kind, endpoint=endpoint)
