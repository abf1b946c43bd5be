"""The progress of a study, read from its folder without changing it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ketadask import names as nm
from ketadask.store.parts import Parts
from ketadask.store.ranges import parse_range, range_size
from ketadask.store.run_folder import RunFolder
from ketadask.study.judge import VERDICTS
from ketadask.study.paths import EVALUATIONS, WITHOUT_TRIAL, RunPaths
from ketadask.study.predict import SUMMARY as PREDICTION
from ketadask.study.predict import prediction_key
from ketadask.study.problem import COHORT, SPLITS, count_recordings
from ketadask.study.run import EXTRACT, KEYS, STOPS, n_items_at_stop

_LISTED_RANGES = 5


@dataclass(frozen=True)
class StageStatus:
    """One stage: items in all and present, number of parts; ``first`` missing items, or a file."""

    stage: str
    unit: str
    total: int
    present: int
    parts: int
    damaged: int = 0
    first: str = ""

    @property
    def missing(self) -> int:
        """Number of missing items."""
        return self.total - self.present


def stage_statuses(paths: RunPaths) -> list[StageStatus]:
    """Return the status of every stage of a study."""
    return list(_statuses(paths, RunFolder(paths.path)))


def _statuses(paths: RunPaths, folder: RunFolder) -> Iterator[StageStatus]:
    settings = paths.settings
    stops = folder.read_json(STOPS) if folder.has(STOPS) else {}
    has_data = paths.data.is_dir()
    yield _file_status("data", "folder", has_data, str(paths.data))
    if settings.features.recording_modality and has_data and not folder.has(COHORT):
        total, present = count_recordings(paths)
        yield StageStatus(EXTRACT, "recordings", total, present, present)
    has_cohort = folder.has(COHORT)
    yield _file_status("cohort", "file", has_cohort, str(folder.path / COHORT) * has_cohort)
    n_splits = n_items_at_stop(stops, "splits", _planned_splits(paths, folder))
    yield _parts_status("search", "splits", paths.hits(), n_splits)
    n_relabellings = n_items_at_stop(stops, "relabellings", settings.null.relabellings)
    yield _parts_status("null", "relabelled trials", paths.nulls(), n_relabellings)
    if settings.null.calibration_studies:
        parts = paths.calibrations(min(settings.null.calibration_splits, n_splits))
        yield _parts_status(
            "calibrate", "relabelled studies", parts, settings.null.calibration_studies
        )
    for stage, name in (("evaluate", EVALUATIONS), ("leave out", WITHOUT_TRIAL)):
        n_parts = sum(path.is_file() for path in (folder.path / name).glob("*.json"))
        if n_parts or name == EVALUATIONS:  # a study of one trial leaves none out
            yield StageStatus(stage, "parts", n_parts, n_parts, n_parts)
    keys = folder.read_json(KEYS) if folder.has(KEYS) else {}
    files = [
        ("judge", VERDICTS, paths.key("judge")),
        ("report", "report.html", paths.key("report")),
    ]
    if settings.predict is not None:
        files.insert(0, ("predict", PREDICTION, prediction_key(paths)))
    for stage, name, key in files:
        is_current = folder.has(name) and keys.get(stage) == key
        yield _file_status(stage, "file", is_current, str(folder.path / name) * is_current)


def _planned_splits(paths: RunPaths, folder: RunFolder) -> int:
    """Return the number of splits planned; leaving trials out gives as many as trials."""
    splits = paths.settings.splits
    if splits.scheme == "leave-trial-out" and folder.has(SPLITS):
        return int(folder.read_dataset(SPLITS).sizes[nm.SPLIT])
    return splits.count


def _file_status(stage: str, unit: str, present: bool, path: str) -> StageStatus:
    return StageStatus(stage, unit, 1, int(present), int(present), first=path)


def _parts_status(stage: str, unit: str, parts: Parts, total: int) -> StageStatus:
    n_parts = sum(parse_range(name) is not None for name in parts.receipts())
    missing = parts.missing(total, check=False)
    first = ", ".join(f"{a}-{b}" for a, b in missing[:_LISTED_RANGES])
    more = " ..." if len(missing) > _LISTED_RANGES else ""
    present, n_damaged = total - range_size(missing), len(parts.damaged_files)
    return StageStatus(stage, unit, total, present, n_parts, n_damaged, f"{first}{more}")
