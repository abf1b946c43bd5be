"""Locked personas tested in a new trial, with a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.cohort.baselines import FIRST, MEAN, OWN
from ketadask.cohort.designs import CROSSOVER, trial_arrays
from ketadask.schema.errors import InputError
from ketadask.search.persona import INSIDE, OUTSIDE, UNKNOWN, Persona
from ketadask.store.fingerprints import fingerprint
from ketadask.study.from_settings import (
    read_study_participants,
    study_arms,
    units_of,
)
from ketadask.study.problem import cohort_of, recording_tables
from ketadask.study.screening import arm_names, classify, study_baselines

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ketadask.study.run import StudyRun

_MAX_NAMES = 3


@dataclass(frozen=True)
class ConfirmationSummary:
    """Result of a confirmation: its first line, its table and the path of its report."""

    headline: str
    table: pd.DataFrame
    report: Path
    places: int


def read_personas(paths: Sequence[Path]) -> list[Persona]:
    """Read locked personas; raise where one is given twice."""
    personas = [Persona.read(path) for path in paths]
    ids = [persona.persona for persona in personas]
    for name in ids:
        if ids.count(name) > 1:
            raise InputError("a persona is given twice", value=name, remedy="name each file once")
    return personas


def confirm_study(
    work: StudyRun, personas: Sequence[Persona], *, alpha: float, relabellings: int
) -> ConfirmationSummary:
    """Test locked personas in the trial of a study; write table and report into its run folder."""
    from ketadask.inference.confirmation import conclusion, confirm_personas
    from ketadask.report.confirmation import ConfirmationData, render_confirmation
    from ketadask.report.labels import Endpoint

    settings, progress = work.settings, work.progress
    inputs = fingerprint(work.provenance()["inputs"])
    cohort = cohort_of(work)
    units = units_of(settings, cohort)
    for persona in personas:
        _check_trial(persona, units, inputs, is_column=settings.outcome.column is not None)
        _check_arms(persona, study_arms(settings, units))
    members = _members_of_units(work, personas, units)
    for persona, table in zip(personas, members, strict=True):
        counts = table["member"].value_counts()
        progress.print(
            f"confirm: persona {persona.persona}: "
            + ", ".join(f"{counts.get(word, 0):,} {word}" for word in (INSIDE, OUTSIDE, UNKNOWN))
        )
    with progress.waiting(f"confirm: {relabellings:,} relabelled trials"):
        confirmations = confirm_personas(
            trial_arrays(units),
            personas,
            [table["member"].to_numpy() for table in members],
            alpha=alpha,
            relabellings=relabellings,
            seed=settings.seed,
        )
    ids = [persona.persona for persona in personas]
    name = "-".join(ids) if len(ids) <= _MAX_NAMES else fingerprint(ids)[:12]
    stem, headline = f"confirmation-{name}", conclusion(confirmations)
    work.folder.write_table(stem, confirmations, csv=True)
    data = ConfirmationData(
        title=settings.report.title or settings.name,
        personas=tuple(personas),
        table=confirmations,
        reasons=tuple(_reasons(table) for table in members),
        design=settings.design.kind,
        alpha=alpha,
        relabellings=relabellings,
        adjust=settings.design.adjust,
        provenance=work.provenance(),
    )
    page = work.folder.write_text(f"{stem}.html", render_confirmation(data, headline))
    places = Endpoint(str(units.attrs["endpoint"]), "", "").places
    return ConfirmationSummary(headline, confirmations, page, places)


def _check_trial(persona: Persona, units: xr.Dataset, inputs: str, *, is_column: bool) -> None:
    """Raise where the trial is the discovery trial, or has another outcome."""
    if persona.run.inputs == inputs:
        raise InputError(
            "this is the trial that found the persona; only new participants can confirm it",
            where=f"persona {persona.persona}",
            remedy="give the study of another trial",
        )
    outcome, attributes = persona.outcome, units.attrs
    pairs: list[tuple[str, Any, Any]] = [
        ("column" if is_column else "scale", outcome.scale, attributes["outcome"]),
        ("day", outcome.day, attributes.get("day")),
        ("endpoint", outcome.endpoint, attributes["endpoint"]),
        ("direction", outcome.direction or None, attributes.get("direction")),
    ]
    if outcome.endpoint == "response":
        threshold = attributes.get("response_threshold")
        pairs.append(("response_threshold", outcome.response_threshold, threshold))
    for key, value, own in pairs:
        if value is not None and value != own:
            raise InputError(
                f"persona {persona.persona} was locked with another outcome",
                where=f"outcome.{key}",
                value=own,
                remedy=f"set outcome.{key} to {value}",
            )


def _check_arms(persona: Persona, arms: Mapping[str, str]) -> None:
    """Raise where an arm of the trial was the other arm at discovery."""
    for name, arm in arm_names(persona).items():
        if arms.get(name, arm) != arm:
            raise InputError(
                f"persona {persona.persona} was locked with this arm as {arm}",
                where=f"data.arms.{name}",
                value=arms[name],
                remedy=f"set it to {arm}",
            )


def _members_of_units(
    work: StudyRun, personas: Sequence[Persona], units: xr.Dataset
) -> list[pd.DataFrame]:
    """Return `Persona.members` of the units of the trial, from its untreated tables."""
    folder, recordings = work.paths.data, []
    if any(part.modality == nm.MEG for persona in personas for part in persona.literals):
        sequences = read_study_participants(work.settings, folder).sequences
        tables = recording_tables(work, sequences)
        recordings = [] if tables is None else [tables.table]
    baselines = study_baselines(work.settings, folder, *recordings)
    names = units[nm.PARTICIPANT].values.astype(str).tolist()
    periods = units["period"].values.astype(np.int64).tolist()
    members = []
    for persona in personas:
        choice = OWN
        if units.attrs["design"] == CROSSOVER:
            choice = MEAN if persona.baseline == MEAN else FIRST
        table = baselines.at(names, periods, choice)
        members.append(classify(persona, table, baselines.units, folder))
    return members


def _reasons(members: pd.DataFrame) -> dict[str, int]:
    counts = members.loc[members["member"] == UNKNOWN, "reason"].value_counts()
    return {str(reason): int(count) for reason, count in counts.items()}
