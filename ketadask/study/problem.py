"""The problem of a study, made once and kept in the run folder: cohort, units, literals, splits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.cohort.relabel import check_exchange
from ketadask.search.split_capacity import split_capacity
from ketadask.store.datasets import from_dataset, to_dataset
from ketadask.study.from_settings import read_cohort, search_of, splitter_of, units_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ketadask.cohort.splits import HoldoutSplit
    from ketadask.features.feature_table import FeatureTable
    from ketadask.features.meg.settings import MegSettings
    from ketadask.kernels.result import SearchResult
    from ketadask.pipeline.progress import Progress
    from ketadask.schema.cohort import Cohort
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.sources.meg.collection import RecordingFile
    from ketadask.store.parts import Parts
    from ketadask.store.run_folder import RunFolder
    from ketadask.study.run import RunPaths, StudyRun


COHORT, LITERALS, SPLITS = "cohort.zarr", "literals.parquet", "splits.zarr"
_MANY_CELLS, _MOST_CELLS = 5_000_000, 200_000_000


@dataclass(frozen=True, eq=False)
class StudyProblem:
    """What is searched: the cohort, its units, the literals and scores, and how.

    ``searched`` is what the search of all units has found, per polarity, once it was asked for;
    what is asked of more or fewer splits shares it.
    """

    cohort: Cohort
    units: xr.Dataset
    problem: SearchProblem
    search: PersonaSearch
    splitter: HoldoutSplit
    searched: dict[str, SearchResult] = field(default_factory=dict)

    def found(self, progress: Progress) -> dict[str, SearchResult]:
        """Search all units, once per polarity; says every now and then that it goes on."""
        wanted = self.search.polarities
        for number, polarity in enumerate(wanted, start=1):
            if polarity not in self.searched:
                what = f"search of all {self.units.sizes[nm.UNIT]:,} units"
                with progress.waiting(f"{what}: {polarity}, {number} of {len(wanted)}"):
                    self.searched[polarity] = self.search.solve(self.problem, polarity=polarity)
        return self.searched


def build_problem(work: StudyRun) -> StudyProblem:
    """Return the problem of the study, from the run folder where it is there already."""
    settings, run = work.settings, work.run
    cohort = cohort_of(work)
    units = units_of(settings, cohort)
    search = search_of(settings)
    problem = search.problem(units, memory=settings.execution.memory_bytes, folder=run.path)
    splitter = splitter_of(settings, units)
    alone = check_exchange(problem.trial, settings.null.method, where="null.method")
    if not run.has(LITERALS):
        run.write_table(LITERALS, problem.literals.table())
    _write_splits(work, units, splitter)
    print_problem(work, cohort.dataset, units, problem)
    narrow = split_capacity(search, splitter, units)
    if narrow is not None:
        work.progress.print(f"splits: {narrow.line()}")
    if alone:
        work.progress.print(
            f"null: {alone:,} of {units.sizes[nm.UNIT]:,} units have nobody to exchange with "
            "and are the same in every relabelled trial"
        )
    return StudyProblem(cohort, units, problem, search, splitter)


def cohort_of(work: StudyRun) -> Cohort:
    """Return the cohort, from the run folder where it is there already.

    Recordings that cannot be used stand among its findings.
    """
    if work.run.has(COHORT):
        return from_dataset(work.run.read_dataset(COHORT))
    measured = measure_recordings(work)
    table = None if measured is None else measured.table
    work.progress.print("cohort: reading the tables")
    with work.progress.waiting("cohort: reading"):
        cohort = read_cohort(work.settings, work.place.data, table)
    if measured is not None:
        cohort = replace(cohort, findings=[*cohort.findings, *measured.failures])
    work.run.write_dataset(COHORT, to_dataset(cohort))
    return cohort


def print_problem(
    work: StudyRun, cohort: xr.Dataset, units: xr.Dataset, problem: SearchProblem
) -> None:
    """Show what is searched, in one line."""
    work.progress.print(
        f"cohort: {cohort.sizes[nm.CASE]:,} cases of "
        f"{len(np.unique(cohort[nm.PARTICIPANT])):,} participants, {units.sizes[nm.UNIT]:,} units, "
        f"{cohort.sizes[nm.FEATURE]:,} features, {len(problem.literals.feature):,} literals"
    )


def _write_splits(work: StudyRun, units: xr.Dataset, splitter: HoldoutSplit) -> None:
    """Keep the train sides for readers; tasks draw their own, each from its number."""
    import xarray as xr

    count, size = splitter.n_splits, units.sizes[nm.UNIT]
    if count * size > _MOST_CELLS:
        work.progress.print("splits: too many to list; each can be drawn from its number")
        return
    if work.run.has(SPLITS) and work.run.read_dataset(SPLITS).sizes[nm.SPLIT] == count:
        return
    if count * size > _MANY_CELLS:
        work.progress.print(f"splits: listing {count:,} train sides")
    who, stratum, trial = (
        np.asarray(units[name]) for name in (nm.PARTICIPANT, "split_stratum", "trial")
    )
    train = np.stack([splitter.mask(i, who, stratum, trial) for i in range(count)])
    made = xr.Dataset(
        {nm.TRAIN: ((nm.SPLIT, nm.UNIT), train)},
        coords={nm.SPLIT: np.arange(count), nm.PARTICIPANT: (nm.UNIT, who.astype(str))},
        attrs={"seed": splitter.seed, "train_size": splitter.train_size, "scheme": splitter.scheme},
    )
    work.run.write_dataset(SPLITS, made)


QUALITY, SPECTRA, LEFT_OUT = "recordings.parquet", "spectra.parquet", "left_out.parquet"
_NAME = "recordings"


@dataclass(frozen=True, eq=False)
class RecordingTables:
    """Features of the recordings, how good each one is, and which cannot be used and why."""

    table: FeatureTable
    quality: pd.DataFrame
    failures: list[dict[str, str]]


def measure_recordings(work: StudyRun) -> RecordingTables | None:
    """Measure every recording that has no part yet; None where the study uses no MEG.

    The parts lie beside the runs: studies that ask other questions of the same recordings share
    them.
    """
    settings = work.settings
    if nm.MEG not in settings.features.modalities:
        return None
    import pandas as pd

    from ketadask.features.graph import recordings_stage
    from ketadask.features.meg.table import read_recordings, read_spectra
    from ketadask.pipeline.stage import require
    from ketadask.sources.visits import PERIODS
    from ketadask.study.from_settings import read_people
    from ketadask.study.run import EXTRACT

    found, measured, parts = _asked(work.place)
    require(work.run_stage(recordings_stage(found, measured, parts), EXTRACT))
    people = read_people(settings, work.place.data)
    table, quality, failed = read_recordings(
        found,
        parts,
        measured,
        session_pattern=settings.data.session_pattern or PERIODS,
        sequences=people.sequences,
    )
    for each in failed:
        work.progress.print(f"{_NAME}: {each[nm.RECORDING]} is left out: {each['reason']}")
    columns = [nm.PARTICIPANT, "session", nm.RECORDING, "reason"]
    folders = {each.name: f"{Path(each.path).parent}/" for each in found}
    told = [{**f, "reason": f["reason"].replace(folders[f[nm.RECORDING]], "")} for f in failed]
    work.run.write_table(LEFT_OUT, pd.DataFrame(told, columns=columns))
    work.run.write_table(SPECTRA, read_spectra(found, parts))
    work.run.write_table(QUALITY, quality, csv=True)
    return RecordingTables(table, quality, [_finding(each) for each in failed])


def measured_so_far(place: RunPaths) -> tuple[int, int]:
    """Return how many recordings a study has, and how many of them have a part."""
    from ketadask.features.meg.table import part_name

    found, _, parts = _asked(place)
    return len(found), len({part_name(each) for each in found} & set(parts.receipts()))


def _asked(place: RunPaths) -> tuple[list[RecordingFile], MegSettings, Parts]:
    """Return the recordings of a study, how they are measured, and where their parts lie."""
    from ketadask.features.meg.settings import MegSettings
    from ketadask.features.meg.table import recording_parts
    from ketadask.sources.meg.collection import find_recordings

    wanted = place.settings.features
    found = find_recordings(place.data, place.settings.data.task, anatomy=wanted.parcels)
    measured = MegSettings(
        features=wanted.meg, cardiac_artefact=wanted.cardiac_artefact, parcels=wanted.parcels
    )
    return found, measured, recording_parts(place.out, measured)


def quality_tables(run: RunFolder) -> dict[str, pd.DataFrame] | None:
    """Return quality, spectra and failures as the run folder holds them; None without MEG."""
    names = {"spectra": SPECTRA, "failures": LEFT_OUT, "quality": QUALITY}
    if not all(run.has(name) for name in names.values()):
        return None
    return {key: run.read_table(name) for key, name in names.items()}


def _finding(failed: dict[str, Any]) -> dict[str, str]:
    """Return a recording that cannot be used as the findings of tables are told."""
    return {
        "file": str(failed[nm.RECORDING]),
        "where": _NAME,
        "problem": str(failed["reason"]),
        "value": "",
        "remedy": "it is left out; the others are used",
    }
