"""Locked personas and predictors applied to the tables of people who may enter a trial."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.cohort.baselines import OWN, BaselineTables, baseline_tables, covariate_table
from ketadask.config.inputs import DataSettings
from ketadask.config.study import StudySettings, read_study
from ketadask.features.feature_table import FeatureTable
from ketadask.pipeline.progress import Progress
from ketadask.schema.errors import InputError
from ketadask.search.persona import Persona, other_unit, with_common_names
from ketadask.study.from_settings import (
    brain_sources,
    read_scales,
    read_study_participants,
    table_levels,
)
from ketadask.study.inputs import volumes_folder
from ketadask.study.paths import prepare_data

if TYPE_CHECKING:
    import pandas as pd

_UNIT = re.compile(r"(?P<name>.+?)\s*[(\[](?P<unit>[^)\]]+)[)\]]\s*")
_YAML = (".yaml", ".yml")


def apply_persona(persona: Persona, tables: Path) -> pd.DataFrame:
    """Return who is inside, outside or unknown: participant, period, member, reason.

    Parameters
    ----------
    persona
        A locked persona.
    tables
        A study folder, the YAML file of a study, or a table with ``participant_id`` and a column
        per feature.
    """
    baselines = read_baselines(tables, persona)
    visits = baselines.visits()
    if persona.baseline != OWN:
        visits = [(name, 1) for name in sorted({name for name, _ in visits})]
    names, periods = [name for name, _ in visits], [period for _, period in visits]
    table = baselines.at(names, periods, persona.baseline)
    members = classify(persona, table, baselines.units, tables)
    members.insert(0, nm.PARTICIPANT, names)
    members.insert(1, "period", periods)
    return members


def classify(
    persona: Persona, table: pd.DataFrame, units: Mapping[str, str], file: Path
) -> pd.DataFrame:
    """Return `Persona.members` of untreated features; raise where a column has another unit."""
    features = [literal.feature for literal in persona.literals]
    table, units = with_common_names(table, units, features)
    for literal in persona.literals:
        problem = other_unit(literal, table, units)
        if problem:
            raise InputError(
                problem,
                file=file,
                where=literal.feature,
                remedy=f"convert the column to {literal.measurement_unit}",
            )
    return persona.members(table, units)


def apply_model(path: Path, tables: Path) -> pd.DataFrame:
    """Return the predictions of a locked predictor for the participants of some tables."""
    from ketadask.predict.classifier_data import build_classifier_data
    from ketadask.predict.locked import read_locked_model

    model, baselines = read_locked_model(path), read_baselines(tables)
    names = sorted({name for name, _ in baselines.visits()})
    table = baselines.at(names, [1] * len(names), "first")
    absent = [name for name in model.covariate_names if name not in table]
    if absent:
        raise InputError(
            "the predictor needs this covariate", file=tables, value=absent[0],
            remedy="add a column to the table of participants",
        )  # fmt: skip
    sites = np.array(["1"] * len(table), dtype=object)
    if "site" in table:
        sites = table["site"].to_numpy(dtype=object)
        if table["trial"].nunique() > 1:
            sites = (table["trial"] + "/" + table["site"]).to_numpy(dtype=object)
    regions = [name for name in table if name in model.region]
    has_volumes = table[regions].notna().any(axis=1).to_numpy()
    if not has_volumes.any():
        raise InputError(
            "no participant has a region of the predictor", file=tables,
            remedy="give a folder with FreeSurfer volumes",
        )  # fmt: skip
    rows = np.flatnonzero(has_volumes)
    cases = build_classifier_data(
        table[regions].to_numpy(dtype=np.float64)[rows],
        np.full(len(rows), -1),
        region=regions,
        participant=np.array(names)[rows],
        site=sites[rows].astype(str),
        covariate=table[list(model.covariate_names)].to_numpy(dtype=np.float64)[rows],
        covariate_names=model.covariate_names,
    )
    return model.apply(cases).drop(columns="label")


def read_baselines(tables: Path, *personas: Persona) -> BaselineTables:
    """Return the untreated baseline features in a study folder, of a study, or in one table."""
    if tables.is_file() and tables.suffix.lower() not in _YAML:
        return _one_table(tables)
    if tables.is_file():
        settings = with_locked_arms(read_study(tables), personas)
        return study_baselines(settings, prepare_data(settings, Path("runs"), Progress()))
    if not tables.is_dir():
        raise InputError("no such file or folder", file=tables, remedy="check the path")
    data = DataSettings(folder=tables)
    return study_baselines(StudySettings(name="screening", data=data), tables)


def with_locked_arms(settings: StudySettings, personas: Sequence[Persona]) -> StudySettings:
    """Return the settings of a trial whose arms have the names they had at discovery.

    Only where the trial is one table, the settings do not name the arms, and the table has both
    arms under locked names. Elsewhere the settings remain as they are.
    """
    data = settings.data
    if data.table is None or data.folder is None or data.arms is not None:
        return settings
    levels = table_levels(settings, data.folder)
    names: dict[str, str] = {}
    for persona in personas:
        names |= {name: arm for name, arm in arm_names(persona).items() if name in levels}
    if set(names.values()) != set(nm.ARMS):
        return settings
    return settings.model_copy(update={"data": data.model_copy(update={"arms": names})})


def arm_names(persona: Persona) -> dict[str, str]:
    """Return ``active`` or ``control`` by the names of the arms at discovery."""
    return {name: arm for arm, text in persona.arms.items() for name in text.split(" or ")}


def study_baselines(settings: StudySettings, folder: Path, *tables: FeatureTable) -> BaselineTables:
    """Return the baselines of the tables of a study, and of further ``tables``."""
    from ketadask.features.volumes import region_features
    from ketadask.sources.freesurfer import open_volumes

    volumes, data = volumes_folder(settings, folder), settings.data
    brain = brain_sources(settings, folder) if data.regions else []
    images = [image for image in brain if "volume" in image]
    if not images and volumes.is_dir():
        images = [open_volumes(volumes)]
    has_people = data.participants is not None or data.table is not None
    has_people |= (folder / "participants.tsv").is_file()
    people = read_study_participants(settings, folder) if has_people else None
    has_scales = data.tables is not None or (people is not None and people.scales is not None)
    has_scales |= any((folder / name).is_dir() for name in ("phenotype", "nda"))
    return baseline_tables(
        read_scales(settings, folder, people) if has_scales else None,
        images[0] if images else None,
        people,
        *(region_features(image) for image in brain if "volume" not in image),
        *tables,
    )


def _one_table(path: Path) -> BaselineTables:
    """Return the features of a table with a row per participant; units from headers or JSON."""
    import pandas as pd

    from ketadask.features.scales import demographic_features
    from ketadask.schema.roles import CATEGORY, CONSTANT, FEATURE, PARTICIPANT
    from ketadask.sources.cells import read_sidecar
    from ketadask.sources.column_kinds import column_kind
    from ketadask.sources.column_roles import guess_roles
    from ketadask.sources.data_issues import DataIssues
    from ketadask.sources.participants import participant_column, read_participants
    from ketadask.sources.spreadsheets import read_table

    cells, issues, columns = read_table(path), DataIssues("stop"), {}
    if "participant_id" not in cells.columns:
        own = guess_roles(cells).column_of(PARTICIPANT)
        columns = {} if own is None else {own: "participant_id"}
    cells = cells.rename(columns)
    people = read_participants(path, columns=columns, bad_cells="missing").table  # arms are no use
    names, sidecar = participant_column(cells, issues), read_sidecar(path.with_suffix(".json"))
    demographics = demographic_features(people)
    values, units = {}, {}
    for header, texts in cells.columns.items():
        match = _UNIT.fullmatch(header)
        name = match["name"] if match else header
        kind = column_kind(texts)[0]
        if name in demographics.values or kind not in (FEATURE, CATEGORY, CONSTANT):
            continue
        units[name] = match["unit"] if match else str(sidecar.get(header, {}).get("Units", ""))
        is_number = kind == FEATURE or (kind == CONSTANT and _has_numbers(texts))
        values[name] = cells.numbers(header, issues) if is_number else cells.words(header)
    features = covariate_table(pd.DataFrame(values, index=names), "")
    features.about["measurement_unit"] = [units.get(name, "") for name in features.about.index]
    return BaselineTables((demographics, features), people)


def _has_numbers(texts: list[str]) -> bool:
    from ketadask.sources.codes import is_missing, parse_number

    return any(not is_missing(text) and parse_number(text) is not None for text in texts)
