"""The cohort: one labelled table of cases, joined from all inputs of a study.

The table does not depend on the order of rows or columns in any file: cases are sorted by
participant and period, features by modality and natural order of their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ketadask import names as nm
from ketadask.cohort.case_arrays import codes
from ketadask.cohort.case_endpoints import case_endpoints, censoring_text, with_horizon
from ketadask.cohort.column_uses import column_uses
from ketadask.cohort.consort import consort_counts
from ketadask.cohort.endpoints import Direction, Outcome
from ketadask.cohort.feature_matrix import MODALITIES, drop_features, feature_matrix
from ketadask.cohort.harmonise import NONE, SITE, harmonise
from ketadask.cohort.outcome_courses import outcome_courses
from ketadask.cohort.outcomes import (
    attach_outcome,
    columns_of_outcome,
    contradictions,
    drop_early_infusions,
    exclusion_table,
    infusion_cases,
    outcome_visits,
)
from ketadask.features.covariates import covariate_features
from ketadask.features.feature_table import ABOUT, FeatureTable
from ketadask.features.meg.table import dataset_table
from ketadask.features.scales import demographic_features, scale_features
from ketadask.features.volumes import RAW, region_features, volume_features
from ketadask.schema.cohort import Cohort
from ketadask.schema.datasets import COHORT
from ketadask.schema.errors import InputError, nearest
from ketadask.schema.phenotype import Participants, Phenotype
from ketadask.schema.tables import EXCLUSIONS
from ketadask.sources.participants import read_participants
from ketadask.sources.rating_scales import canonical_column
from ketadask.sources.regional import single_session
from ketadask.sources.visit_tables import place_visits
from ketadask.sources.visits import PERIODS

_OF_PEOPLE = ("sequence", "trial", "site", "cluster")


def assemble(
    *sources: Phenotype | xr.Dataset | FeatureTable,
    participants: Participants | None = None,
    outcome: str | Outcome = "madrs",
    day: int = 7,
    window: int = 0,
    response_threshold: float = 0.4,
    direction: Direction | None = None,
    groups: Sequence[str] | None = None,
    modalities: Sequence[str] | None = None,
    volumes: str = RAW,
    asymmetry: bool = False,
    subscales: bool = False,
    harmonise: str = NONE,
    washout: int | None = None,
    include: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    max_missing: float = 0.2,
    max_missing_case: float = 0.5,
) -> Cohort:
    """Join scales, volumes and other features on participant and period into a cohort.

    Parameters
    ----------
    sources
        What ``read_phenotype``, ``open_volumes``, ``open_regions`` and ``band_power`` return, and
        any ``FeatureTable``. Sessions of recordings are named as those of the scales.
    participants
        What ``read_participants`` returns; read beside the phenotype folder if None.
    outcome
        Scale, or an ``Outcome``, which replaces the next four.
    day, window
        Follow-up day after each infusion, and how many days off a visit may be.
    response_threshold
        Minimum relative improvement that counts as response.
    direction
        Which values of the scale are better, ``lower`` or ``higher``; known for common scales.
    groups
        Groups of participants that belong to the study; all if None.
    modalities
        Modalities of features used; all if None.
    volumes
        ``raw`` mm3, or ``residual``: adjusted for intracranial volume, outcome-blind.
    asymmetry, subscales
        Whether to add the asymmetries of the volumes and published factor sums of the scales.
    harmonise
        ``none``, or ``site``: volumes of all sites get one mean and spread, outcome-blind.
    washout
        Fewest days between the infusions; an earlier second infusion is excluded.
    include, exclude
        Names of features, or patterns with ``*``; ``exclude`` wins.
    max_missing
        Largest fraction of cases in which a feature may be missing.
    max_missing_case
        Largest fraction of features that may be missing in a case.

    Returns
    -------
    One case per participant and infusion in ``dataset``; its ``value`` holds features from before
    that infusion. Exclusions, dropped features, wrong cells, participant flow and the course of
    the outcome stand beside it.

    Examples
    --------
    >>> import ketadask as kd
    >>> folder = kd.simulate_study("study", participants=33)
    >>> kd.assemble(kd.read_phenotype(folder, ["madrs", "bdi"]), outcome="madrs", day=7)
    <Cohort: 63 cases of 33 participants, 36 features; 3 exclusions, 0 features dropped, 0 findings>
    """
    if isinstance(outcome, str):
        outcome = Outcome(
            outcome,
            day=day,
            window=window,
            response_threshold=response_threshold,
            direction=direction,
        )
    phenotype, images, tables, recordings = _by_kind(sources)
    everyone = _participants(participants, phenotype)
    selection = _selection(modalities, everyone, tables)
    pattern = phenotype.session_pattern or PERIODS
    tables += [
        dataset_table(r, session_pattern=pattern, sequences=everyone.sequences) for r in recordings
    ]
    people, other_groups = _study_group(everyone, groups)
    visits = place_visits(phenotype, people.sequences)
    outcomes = outcome_visits(visits, outcome)
    cases, no_infusion = infusion_cases(people)
    cases, early = drop_early_infusions(cases, people, washout)
    outcome.require_direction()
    cases, no_outcome = attach_outcome(cases, outcomes, outcome)
    clinical = _clinical_features(visits, people, outcome, selection, subscales)
    exclusions = [other_groups, no_infusion, early, no_outcome]
    if images is not None and nm.VOLUME in selection:
        images = _images_of(images, people.table)
        clinical.append(_volume_features(images, people.table, volumes, asymmetry, harmonise))
        cases, no_volumes = _cases_with_volumes(cases, images)
        exclusions.append(no_volumes)
    tables = clinical + [table for table in tables if set(table.about["modality"]) & selection]
    value, about, drop_reasons = feature_matrix(tables, cases, include, exclude)
    value, about, sparse = drop_features(value, about, max_missing)
    cases, value, incomplete = _drop_cases(cases, value, max_missing_case)
    exclusion_rows = _sort_exclusions([*exclusions, incomplete])
    _check_cases(cases, exclusion_rows, outcome)
    courses = outcome_courses(outcomes, cases)
    dataset, outcome = _dataset(cases, people.table, value, about, outcome, courses)
    dataset.attrs = {
        "outcome": outcome.name,
        "day": "" if outcome.day is None else outcome.day,
        "window": outcome.window,
        "response_threshold": outcome.response_threshold,
        "endpoint": outcome.endpoint,
        "direction": outcome.direction,
        "definition": outcome.definition + censoring_text(cases, outcome),
        "volumes": volumes,
        **({"arms": dict(everyone.arms)} if everyone.arms else {}),
    }
    return Cohort(
        COHORT.check(dataset),
        exclusions=exclusion_rows,
        flow=consort_counts(everyone.table, people.table, exclusion_rows, cases),
        findings=[*everyone.findings, *phenotype.findings, *contradictions(visits, people)],
        dropped=dict(sorted({**drop_reasons, **sparse}.items())),
        columns=column_uses(everyone, phenotype, about.index, {**drop_reasons, **sparse}),
        courses=courses,
    )


def _by_kind(
    sources: Sequence[Any],
) -> tuple[Phenotype, xr.Dataset | None, list[FeatureTable], list[xr.Dataset]]:
    phenotypes = [s for s in sources if isinstance(s, Phenotype)]
    tables = [s for s in sources if isinstance(s, FeatureTable)]
    datasets = [s for s in sources if isinstance(s, xr.Dataset)]
    recordings = [s for s in datasets if nm.RECORDING in s.dims]
    regions = [single_session(s) for s in datasets if nm.RECORDING not in s.dims]
    is_volume = [s.attrs.get("measure", nm.VOLUME) == nm.VOLUME for s in regions]
    images = [s for s, own in zip(regions, is_volume, strict=True) if own]
    n_valid = len(phenotypes) + len(datasets) + len(tables)
    if n_valid < len(sources) or len(phenotypes) != 1 or len(images) > 1:
        raise InputError(
            "assemble takes one phenotype table, at most one dataset of volumes, and feature "
            "tables",
            where="sources",
            value=[type(s).__name__ for s in sources],
            remedy="pass what read_phenotype and open_volumes return, or use kd.discover",
        )
    tables += [region_features(s) for s, own in zip(regions, is_volume, strict=True) if not own]
    return phenotypes[0], (images[0] if images else None), tables, recordings


def _participants(participants: Participants | None, phenotype: Phenotype) -> Participants:
    if participants is None:
        if phenotype.folder is None:
            raise InputError(
                "no participants",
                where="participants",
                remedy="pass what read_participants returns",
            )
        folder = Path(phenotype.folder)
        has_file = (folder / "participants.tsv").is_file()
        participants = read_participants(folder if has_file else folder.parent)
    if not isinstance(participants, Participants):
        raise InputError(
            "not a table of participants",
            where="participants",
            value=type(participants).__name__,
            remedy="pass what read_participants returns, or a DataFrame to kd.discover",
        )
    table = participants.table.sort_values(nm.PARTICIPANT, ignore_index=True)
    return replace(participants, table=table)


def _check_words(where: str, words: Sequence[str], valid: Sequence[str]) -> None:
    for word in words:
        if word not in valid:
            raise InputError("not known", where=where, value=word, remedy=nearest(word, valid))


def _study_group(
    people: Participants, groups: Sequence[str] | None
) -> tuple[Participants, pd.DataFrame]:
    if groups is None:
        return people, exclusion_table([])
    table = people.table
    _check_words("groups", groups, sorted(set(table["group"])))
    inside = table["group"].isin(list(groups))
    outside = table.loc[~inside, [nm.PARTICIPANT, "group"]].itertuples(index=False)
    rows = [(person, 0, f"group {group or 'n/a'} is not studied") for person, group in outside]
    return replace(people, table=table[inside].reset_index(drop=True)), exclusion_table(rows)


def _selection(
    modalities: Sequence[str] | None, people: Participants, tables: Sequence[FeatureTable]
) -> set[str]:
    """Return the modalities to use, the families of the tables among them."""
    families = {name for table in tables for name in table.about["modality"]}
    if people.covariates is not None:
        families.add(people.family)
    valid = (*MODALITIES, *sorted(families - set(MODALITIES)))
    _check_words("modalities", modalities or (), valid)
    return set(valid if modalities is None else modalities)


def _clinical_features(
    visits: Phenotype,
    people: Participants,
    outcome: Outcome,
    modalities: set[str],
    subscales: bool,
) -> list[FeatureTable]:
    """Return the features of participants and scales, without the outcome under any name."""
    tables = []
    visits = visits.without(columns_of_outcome(visits, outcome))
    is_one_file = people.file in visits.files
    if nm.DEMOGRAPHIC in modalities:
        tables.append(demographic_features(people.table))
        if is_one_file:
            visits = visits.without([str(name) for name in tables[0].about.index])
    if people.covariates is not None and people.family in modalities:
        inside = set(people.table[nm.PARTICIPANT])
        index = people.covariates.index
        own = people.covariates[np.array([who in inside for who in index], dtype=bool)]
        stem = Path(people.file or "").stem
        scores = [
            name
            for name in map(str, own)
            if name in outcome.columns
            or (is_one_file and (canonical_column(name, stem) or name) in visits.labels)
        ]
        tables.append(covariate_features(own.drop(columns=scores), people.family))
    if nm.SCALE in modalities:
        tables.append(scale_features(visits, subscales=subscales))
    return tables


def _images_of(images: xr.Dataset, people: pd.DataFrame) -> xr.Dataset:
    """Return the images of the study's participants: residuals depend on no others."""
    inside = np.isin(images[nm.PARTICIPANT].values, people[nm.PARTICIPANT].to_numpy(dtype=str))
    if not inside.any():
        raise InputError(
            "no participant of the study has volumes",
            where="volumes",
            value=str(images[nm.PARTICIPANT].values[0]),
            remedy=f"name them as in participants.tsv, for example {people[nm.PARTICIPANT][0]}",
        )
    return images.isel({nm.PARTICIPANT: inside})


def _volume_features(
    images: xr.Dataset, people: pd.DataFrame, scale: str, asymmetry: bool, sites: str
) -> FeatureTable:
    _check_words("harmonise", [sites], (NONE, SITE))
    table = volume_features(images, method=scale, asymmetry=asymmetry)
    return harmonise(table, people) if sites == SITE else table


def _cases_with_volumes(
    cases: pd.DataFrame, images: xr.Dataset
) -> tuple[pd.DataFrame, pd.DataFrame]:
    inside = cases[nm.PARTICIPANT].isin(images[nm.PARTICIPANT].values.tolist())
    others = cases.loc[~inside, [nm.PARTICIPANT, "period"]].assign(reason="no volumes")
    return cases[inside].reset_index(drop=True), others


def _drop_cases(
    cases: pd.DataFrame, value: np.ndarray, max_missing: float
) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    """Return cases and values without cases in which too many features are missing."""
    if not value.shape[1]:
        return cases, value, exclusion_table([])
    sparse = np.isnan(value).mean(axis=1) > max_missing
    reason = f"more than {max_missing:.0%} of the features are missing"
    exclusions = cases.loc[sparse, [nm.PARTICIPANT, "period"]].assign(reason=reason)
    return cases[~sparse].reset_index(drop=True), value[~sparse], exclusions


def _sort_exclusions(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    table = pd.concat(tables).astype({"period": np.int64, "reason": object, nm.PARTICIPANT: object})
    return EXCLUSIONS.check(table.sort_values([nm.PARTICIPANT, "period"], ignore_index=True))


def _check_cases(cases: pd.DataFrame, exclusions: pd.DataFrame, outcome: Outcome) -> None:
    if len(cases):
        return
    reasons = exclusions["reason"].value_counts()
    day = outcome.day
    most = f"; most often: {reasons.index[0]} ({reasons.iloc[0]})" if len(reasons) else ""
    raise InputError(
        f"no case has {outcome.name}{'' if day is None else f' at day {day}'}{most}",
        where="outcome",
        remedy="check the day, the names of sessions and the infusions in participants.tsv",
    )


def _dataset(
    cases: pd.DataFrame,
    people: pd.DataFrame,
    value: np.ndarray,
    about: pd.DataFrame,
    outcome: Outcome,
    courses: pd.DataFrame,
) -> tuple[xr.Dataset, Outcome]:
    """Return the dataset of the cases, and the outcome with the horizon of a time to event."""
    person = people.set_index(nm.PARTICIPANT).loc[cases[nm.PARTICIPANT]]

    period = cases["period"].to_numpy(dtype=np.int64)
    group = codes(*(np.asarray(c, dtype=str) for c in (person["trial"], cases[nm.ARM], period)))
    outcome = with_horizon(outcome, cases, group)
    endpoints = case_endpoints(cases, outcome, courses, group)

    def texts(values: Any) -> np.ndarray:
        return np.asarray(values, dtype=object).astype(np.str_)

    dataset = xr.Dataset(
        {
            "value": ((nm.CASE, nm.FEATURE), value),
            "baseline": (nm.CASE, cases["baseline"].to_numpy()),
            "followup": (nm.CASE, cases["followup"].to_numpy()),
            **{name: (nm.CASE, y) for name, y in endpoints.items()},
        },
        {
            nm.PARTICIPANT: (nm.CASE, texts(cases[nm.PARTICIPANT])),
            "period": (nm.CASE, period),
            nm.ARM: (nm.CASE, texts(cases[nm.ARM])),
            **{name: (nm.CASE, texts(person[name])) for name in _OF_PEOPLE if name in person},
            nm.FEATURE: (nm.FEATURE, texts(about.index)),
            **{name: (nm.FEATURE, texts(about[name])) for name in ABOUT},
        },
    )
    return dataset, outcome
