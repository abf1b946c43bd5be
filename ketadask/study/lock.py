"""Personas of a finished run, written to files that other trials can use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import __version__
from ketadask import names as nm
from ketadask.config.study import StudySettings
from ketadask.inference.lock import build_persona
from ketadask.inference.null import IDS
from ketadask.inference.second_stage import persona_sides
from ketadask.schema.errors import InputError, nearest
from ketadask.search.persona import INSIDE, OUTSIDE, DiscoveryRun, Persona
from ketadask.store.datasets import from_dataset
from ketadask.store.disk import write_locked
from ketadask.store.fingerprints import fingerprint
from ketadask.store.run_folder import RunFolder
from ketadask.study.from_settings import (
    brain_sources,
    read_study_participants,
    search_of,
    study_arms,
    units_of,
)
from ketadask.study.judge import SUMMARY, VERDICTS
from ketadask.study.paths import data_folder
from ketadask.study.predict import MODEL
from ketadask.study.problem import COHORT
from ketadask.study.run import PROVENANCE
from ketadask.study.screening import study_baselines

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ketadask.search.problem import SearchProblem

PREDICTOR = "predictor"


def lock_run(
    path: Path | str,
    names: Sequence[str] = (),
    *,
    anyway: bool = False,
    to: Path | str = ".",
) -> list[Path]:
    """Write a file per persona of a run; return their paths.

    Parameters
    ----------
    path
        Run folder with verdicts.
    names
        Ids of the personas, or ``predictor`` for the locked predictor; by default all that are
        supported.
    anyway
        Whether to lock what the study does not support; the file says so.
    to
        Folder of the files.
    """
    run, to = RunFolder.open(path), Path(to)
    files = [_lock_predictor(run, to)] if PREDICTOR in names else []
    ids = [name for name in names if name != PREDICTOR]
    if files and not ids:
        return files
    personas = personas_of_run(run, ids, anyway=anyway)
    return files + [persona.write(to / f"{persona.persona}.json") for persona in personas]


def personas_of_run(run: RunFolder, ids: Sequence[str], *, anyway: bool) -> list[Persona]:
    """Return the personas of a run by id; by default all that are supported."""
    verdicts = run.read_table(VERDICTS)
    rows = _rows(run, verdicts, ids)
    provenance, settings = run.read_json(PROVENANCE), settings_of_run(run)
    cohort = from_dataset(run.read_dataset(COHORT))
    units = units_of(settings, cohort)
    problem = search_of(settings).problem(units, memory=settings.execution.memory_bytes)
    origin = DiscoveryRun(
        name=settings.name,
        fingerprint=str(run.read_json(SUMMARY)["fingerprint"]),
        inputs=fingerprint(provenance["inputs"]),
        ketadask=__version__,
    )
    raw = _RawTables(settings, run, units)
    personas = []
    for row in rows:
        persona = build_persona(
            row,
            problem,
            units,
            run=origin,
            baseline=settings.design.baseline,
            arms=study_arms(settings, units),
            anyway=anyway,
            adjustments=raw.adjustments(str(row["features"]).split(" | ")),
        )
        _require_same_members(persona, row, problem, units, raw)
        personas.append(persona)
    return personas


def settings_of_run(run: RunFolder) -> StudySettings:
    """Return the settings of a study from its run folder."""
    return StudySettings.model_validate_json(json.dumps(run.read_json(PROVENANCE)["settings"]))


def _rows(run: RunFolder, verdicts: pd.DataFrame, ids: Sequence[str]) -> list[dict[str, Any]]:
    valid = verdicts["persona"].tolist()
    for name in ids:
        if name not in valid:
            raise InputError(
                "no such persona among the verdicts", file=run.path, value=name,
                remedy=nearest(name, [*valid, PREDICTOR]),
            )  # fmt: skip
    mask = verdicts["persona"].isin(ids) if ids else verdicts["verdict"] == nm.SUPPORTED
    rows = [{str(k): v for k, v in row.items()} for row in verdicts[mask].to_dict("records")]
    if not rows:
        raise InputError(
            "no persona of this run is supported",
            file=run.path,
            remedy="name one (--persona ID --anyway) to test it all the same; the ids are in "
            f"{VERDICTS.removesuffix('.parquet')}.csv",
        )
    return rows


class _RawTables:
    """The untreated tables of a run, read where volumes were adjusted or harmonised."""

    def __init__(self, settings: StudySettings, run: RunFolder, units: xr.Dataset) -> None:
        self._settings, self._units = settings, units
        self._folder = data_folder(settings, run.path.parent)

    def adjustments(self, names: list[str]) -> dict[str, Any]:
        """Return the adjustments of some features; empty where none was treated."""
        from ketadask.cohort.locked_adjustment import fit_adjustments

        features = self._settings.features
        modality = dict(zip(self._units[nm.FEATURE].values, self._units["modality"].values,
                            strict=True))  # fmt: skip
        volumes = [name for name in names if modality[name] == nm.VOLUME]
        if not volumes or (features.volumes, features.harmonise) == ("raw", "none"):
            return {}
        people = read_study_participants(self._settings, self._folder).table
        groups = self._settings.data.groups
        return fit_adjustments(
            volumes,
            next(
                image for image in brain_sources(self._settings, self._folder) if nm.VOLUME in image
            ),
            people if groups is None else people[people["group"].isin(groups)],
            volumes=features.volumes,
            asymmetry=features.asymmetry,
            harmonise=features.harmonise,
        )

    def table(self, persona: Persona) -> pd.DataFrame:
        """Return the features of the units, untreated where the persona treats them."""
        import pandas as pd

        units = self._units
        table = pd.DataFrame(units["value"].values, columns=units[nm.FEATURE].values.tolist())
        if all(part.head_size is None and part.sites is None for part in persona.literals):
            return table
        raw = study_baselines(self._settings, self._folder)
        participants = units[nm.PARTICIPANT].values.astype(str).tolist()
        other = raw.at(participants, units["period"].values.tolist(), persona.baseline)
        names = [part.feature for part in persona.literals if part.head_size or part.sites]
        names += [n for n in ("EstimatedTotalIntraCranialVol", "age", "sex") if n in other]
        return table.assign(**{name: other[name].to_numpy() for name in (*names, "trial", "site")})


def _require_same_members(
    persona: Persona,
    row: dict[str, Any],
    problem: SearchProblem,
    units: xr.Dataset,
    raw: _RawTables,
) -> None:
    """Raise unless the persona gives the members of the search."""
    member = persona.members(raw.table(persona))["member"].to_numpy()
    sides = persona_sides(problem, np.array([[row[name] for name in IDS]], dtype=np.int64))
    inside, outside = (side[0] for side in sides)
    if units.attrs.get("imputed", 0):  # an imputed value is missing in other trials
        certain = member != "unknown"
        inside, outside = inside & certain, outside & certain
    n_wrong = int(((member == INSIDE) != inside).sum() + ((member == OUTSIDE) != outside).sum())
    if n_wrong:
        raise InputError(
            f"the tables of the study do not give the members of the run ({n_wrong} differ)",
            where=f"persona {persona.persona}",
            remedy="restore the tables of the study, or run it again",
        )


def _lock_predictor(run: RunFolder, to: Path) -> Path:
    """Copy the locked predictor of a run."""
    from ketadask.predict.locked import read_locked_model

    source = run.path / MODEL
    if not source.is_file():
        raise InputError(
            "the run has no locked predictor",
            file=source,
            remedy="compute it (`ketadask predict STUDY.yaml`), then lock it",
        )
    read_locked_model(source)
    return write_locked(to / f"{PREDICTOR}.npz", source.read_bytes(), kind="locked predictor")
