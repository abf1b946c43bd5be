"""The problem of a study, stored in its run folder: recordings, cohort, units, literals, splits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.cohort.design_facts import score_facts
from ketadask.inference.null import check_relabelling
from ketadask.inference.null_method import NullChoice, choose_null
from ketadask.pipeline.stage import require
from ketadask.search.split_capacity import split_capacity
from ketadask.store.datasets import from_dataset, to_dataset
from ketadask.store.disk import limit_access, make_folder
from ketadask.store.run_folder import ACCESS
from ketadask.study.from_settings import (
    read_cohort,
    read_study_participants,
    search_of,
    splitter_of,
    units_of,
)
from ketadask.study.run import EXTRACT

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    from ketadask.study.paths import RunPaths
    from ketadask.study.run import StudyRun

COHORT, LITERALS, SPLITS = "cohort.zarr", "literals.parquet", "splits.zarr"
QUALITY, SPECTRA, EXCLUDED = "recordings.parquet", "spectra.parquet", "left_out.parquet"
_MANY_CELLS, _MAX_CELLS = 5_000_000, 200_000_000


@dataclass(frozen=True, eq=False)
class StudyProblem:
    """The cohort of a study, its units, literals and scores, the search and the splits.

    ``result_by_polarity`` caches the search of all units; problems with other numbers of splits
    share it.
    """

    cohort: Cohort
    units: xr.Dataset
    search_problem: SearchProblem
    search: PersonaSearch
    splitter: HoldoutSplit
    null: NullChoice = field(default_factory=NullChoice)
    result_by_polarity: dict[str, SearchResult] = field(default_factory=dict)

    def search_units(self, progress: Progress) -> dict[str, SearchResult]:
        """Return the search of all units by polarity; computed once, with progress lines."""
        polarities, results = self.search.polarities, self.result_by_polarity
        for index, polarity in enumerate(polarities, start=1):
            if polarity not in results:
                step = f"search of all {self.units.sizes[nm.UNIT]:,} units: {polarity}"
                with progress.waiting(f"{step}, {index} of {len(polarities)}"):
                    results[polarity] = self.search.solve(self.search_problem, polarity=polarity)
        return results


def build_problem(work: StudyRun) -> StudyProblem:
    """Return the problem of the study, and write literals and splits into the run folder."""
    settings, folder = work.settings, work.folder
    cohort = cohort_of(work)
    units = units_of(settings, cohort)
    search, splitter = search_of(settings), splitter_of(settings, units)
    memory = settings.execution.memory_bytes
    problem = search.problem(units, memory=memory, folder=folder.path)
    null = choose_null(settings.null.method, units, seed=settings.seed, trial=problem.trial)
    n_alone = check_relabelling(problem.trial, null.method, where="null.method")
    if not folder.has(LITERALS):
        folder.write_table(LITERALS, problem.literals.table())
    _write_splits(work, units, splitter)
    dataset, n_units = cohort.dataset, units.sizes[nm.UNIT]
    work.progress.print(
        f"cohort: {dataset.sizes[nm.CASE]:,} cases of "
        f"{len(np.unique(dataset[nm.PARTICIPANT])):,} participants, {n_units:,} units, "
        f"{dataset.sizes[nm.FEATURE]:,} features, {len(problem.literals.feature):,} literals"
    )
    facts = score_facts(units, problem.trial)
    if facts.n_imputations:
        work.progress.print(
            f"cohort: {facts.n_imputations:,} missing values are imputed within site"
        )
    if facts.warning:
        work.progress.print(f"cohort: {facts.warning}")
    capacity = split_capacity(search, splitter, units)
    if capacity is not None:
        work.progress.print(f"splits: {capacity.line()}")
    if n_alone:
        work.progress.print(
            f"null: {n_alone:,} of {n_units:,} units are alone in their stratum and the same in "
            "every relabelled trial"
        )
    return StudyProblem(cohort, units, problem, search, splitter, null)


def cohort_of(work: StudyRun) -> Cohort:
    """Return the cohort, from the run folder if it and the tables of its recordings are there."""
    has_meg = bool(work.settings.features.recording_modality)
    if work.folder.has(COHORT) and (not has_meg or quality_tables(work.folder) is not None):
        return from_dataset(work.folder.read_dataset(COHORT))
    participants = read_study_participants(work.settings, work.paths.data)
    recordings = recording_tables(work, participants.sequences)
    work.progress.print("cohort: reading the tables")
    with work.progress.waiting("cohort: reading"):
        table = None if recordings is None else recordings.table
        cohort = read_cohort(work.settings, work.paths.data, table, participants)
    if recordings is not None:
        cohort = replace(cohort, findings=[*cohort.findings, *recordings.failures])
    work.paths.require_unchanged_inputs()
    work.folder.write_dataset(COHORT, to_dataset(cohort))
    return cohort


def _write_splits(work: StudyRun, units: xr.Dataset, splitter: HoldoutSplit) -> None:
    """Write the training sets for readers; tasks draw their own from the index of the split."""
    import xarray as xr

    n_splits, n_cells = splitter.n_splits, splitter.n_splits * units.sizes[nm.UNIT]
    if n_cells > _MAX_CELLS:
        work.progress.print("splits: too many to list; each can be drawn from its index")
        return
    if work.folder.has(SPLITS) and work.folder.read_dataset(SPLITS).sizes[nm.SPLIT] == n_splits:
        return
    if n_cells > _MANY_CELLS:
        work.progress.print(f"splits: listing {n_splits:,} training sets")
    participant = np.asarray(units[nm.PARTICIPANT])
    train = np.stack([splitter.train_mask(split, units) for split in range(n_splits)])
    splits = xr.Dataset(
        {nm.TRAIN: ((nm.SPLIT, nm.UNIT), train)},
        coords={nm.SPLIT: np.arange(n_splits), nm.PARTICIPANT: (nm.UNIT, participant.astype(str))},
        attrs={"seed": splitter.seed, "train_size": splitter.train_size, "scheme": splitter.scheme},
    )
    work.folder.write_dataset(SPLITS, splits)


@dataclass(frozen=True, eq=False)
class RecordingTables:
    """Features and quality of the recordings, and the reasons why some cannot be used."""

    table: FeatureTable
    quality: pd.DataFrame
    failures: list[dict[str, str]]


def recording_tables(work: StudyRun, sequences: Mapping[str, str]) -> RecordingTables | None:
    """Extract the features of all recordings; None where the study uses no MEG.

    The parts are beside the runs: studies with other questions about the same recordings share
    them.
    """
    settings = work.settings
    if not settings.features.recording_modality:
        return None
    import pandas as pd

    from ketadask.features.graph import recordings_stage
    from ketadask.features.meg.table import read_recordings, read_spectra
    from ketadask.sources.visits import PERIODS

    recordings, options, parts = _recordings(work.paths)
    access = ACCESS[settings.execution.shared]
    limit_access(make_folder(parts.folder, access), access)
    result = work.run_stage(recordings_stage(recordings, options, parts), EXTRACT)
    require(result)
    if result.present and result.new:
        work.progress.print(
            f"recordings: features of {result.present:,} recordings are unchanged; {result.new:,} "
            "are new or changed; what depends on all participants is computed again"
        )
    table, quality, failures = read_recordings(
        recordings,
        parts,
        options,
        session_pattern=settings.data.session_pattern or PERIODS,
        sequences=sequences,
    )
    for failure in failures:
        work.progress.print(f"recordings: {failure[nm.RECORDING]} excluded: {failure['reason']}")
    folders = {recording.name: f"{Path(recording.path).parent}/" for recording in recordings}
    excluded = pd.DataFrame(failures, columns=[nm.PARTICIPANT, "session", nm.RECORDING, "reason"])
    excluded["reason"] = [f["reason"].replace(folders[f[nm.RECORDING]], "") for f in failures]
    work.folder.write_table(EXCLUDED, excluded)
    work.folder.write_table(SPECTRA, read_spectra(recordings, parts))
    work.folder.write_table(QUALITY, quality, csv=True)
    findings = [
        {
            "file": str(failure[nm.RECORDING]),
            "where": "recordings",
            "problem": str(failure["reason"]),
            "value": "",
            "remedy": "it is excluded; the others are used",
        }
        for failure in failures
    ]
    return RecordingTables(table, quality, findings)


def count_recordings(paths: RunPaths) -> tuple[int, int]:
    """Return the number of recordings of a study, and how many have a part."""
    from ketadask.features.meg.table import part_name

    recordings, _, parts = _recordings(paths)
    return len(recordings), len(set(map(part_name, recordings)) & set(parts.receipts()))


def _recordings(paths: RunPaths) -> tuple[list[RecordingFile], MegSettings, Parts]:
    """Return the recordings of a study, the settings of their features, and their parts."""
    from ketadask.features.meg.settings import MegSettings
    from ketadask.features.meg.table import recording_parts
    from ketadask.sources.meg.collection import find_recordings

    features, data = paths.settings.features, paths.settings.data
    recordings = find_recordings(
        paths.data,
        data.task,
        proc=data.proc,
        derivative=data.derivative,
        events=data.events,
        window=data.window,
        epochs=data.epochs,
        anatomy=features.parcels,
        modality=features.recording_modality,
    )
    options = MegSettings(
        features=features.meg,
        modality=features.recording_modality,
        cardiac_artefact=features.cardiac_artefact,
        parcels=features.parcels,
        **features.recordings.model_dump(),
    )
    return recordings, options, recording_parts(paths.out, options)


def quality_tables(folder: RunFolder) -> dict[str, pd.DataFrame] | None:
    """Return quality, spectra and failures from the run folder; None without MEG."""
    names = {"spectra": SPECTRA, "failures": EXCLUDED, "quality": QUALITY}
    if not all(folder.has(name) for name in names.values()):
        return None
    return {table: folder.read_table(name) for table, name in names.items()}
