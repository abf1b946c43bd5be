"""How far a study is, read from its folder without changing it."""

from __future__ import annotations

from dataclasses import dataclass

from ketadask import names as nm
from ketadask.store.parts import Parts
from ketadask.store.ranges import disjoint_ranges, gaps, parse_range
from ketadask.store.run_folder import RunFolder
from ketadask.study.predict import SUMMARY as PREDICTION
from ketadask.study.predict import question
from ketadask.study.problem import SPLITS
from ketadask.study.run import EVALUATIONS, EXTRACT, LEFT_OUT, RunPaths


@dataclass(frozen=True)
class StageStatus:
    """One stage: how much is there, how much is missing, in how many parts."""

    stage: str
    unit: str
    total: int
    present: int
    parts: int
    damaged: int = 0
    first: str = ""

    @property
    def missing(self) -> int:
        """How many are not there."""
        return self.total - self.present


def stage_statuses(place: RunPaths) -> list[StageStatus]:
    """Return the state of every stage of a study."""
    settings, path = place.settings, place.path
    run = RunFolder(path)
    data, relabelled = place.data.is_dir(), settings.null.relabellings
    splits = _splits(place, run)
    made = [
        StageStatus("data", "folder", 1, int(data), int(data), first=str(place.data)),
        *_recordings(place, run),
        _file("cohort", run, "cohort.zarr"),
        _parts("search", "splits", place.hits(), _count(run, "splits", splits)),
        _parts("null", "relabelled trials", place.nulls(), _count(run, "relabellings", relabelled)),
    ]
    if settings.null.calibration_studies:
        counted = _count(run, "splits", splits)
        parts = place.calibrations(min(settings.null.calibration_splits, counted))
        made.append(
            _parts("calibrate", "relabelled studies", parts, settings.null.calibration_studies)
        )
    for stage, folder in (("evaluate", EVALUATIONS), ("leave out", LEFT_OUT)):
        written = [p for p in (path / folder).glob("*.json") if p.is_file()]
        if written or folder == EVALUATIONS:  # one trial leaves nothing to leave out
            made.append(StageStatus(stage, "parts", len(written), len(written), len(written)))
    keys = run.read_json("finished.json") if run.has("finished.json") else {}
    wanted = [("judge", "verdicts.parquet", place.key("judge"))]
    wanted += [("report", "report.html", place.key("report"))]
    if settings.predict is not None:
        wanted = [("predict", PREDICTION, question(place)), *wanted]
    for stage, name, key in wanted:
        there = int(run.has(name) and keys.get(stage) == key)
        made.append(
            StageStatus(stage, "file", 1, there, there, first=str(path / name) if there else "")
        )
    return made


def _splits(place: RunPaths, run: RunFolder) -> int:
    """Return how many splits are planned; leaving trials out gives as many as there are trials."""
    splits = place.settings.splits
    if splits.scheme == "leave-trial-out" and run.has(SPLITS):
        return int(run.read_dataset(SPLITS).sizes[nm.SPLIT])
    return splits.count


def _recordings(place: RunPaths, run: RunFolder) -> list[StageStatus]:
    """Return how many recordings are measured while the cohort waits for them."""
    waited_for = nm.MEG in place.settings.features.modalities and not run.has("cohort.zarr")
    if not waited_for or not place.data.is_dir():
        return []
    from ketadask.study.problem import measured_so_far

    total, present = measured_so_far(place)
    return [StageStatus(EXTRACT, "recordings", total, present, present)]


def _count(run: RunFolder, what: str, planned: int) -> int:
    """Return how many a stage needs: all, or those at which the study stopped."""
    record = run.read_json("stopped.json").get(what, {}) if run.has("stopped.json") else {}
    return int(record["made"]) if record.get("planned") == planned else planned


def _file(stage: str, run: RunFolder, name: str) -> StageStatus:
    there = int(run.has(name))
    return StageStatus(stage, "file", 1, there, there, first=str(run.path / name) if there else "")


def _parts(stage: str, unit: str, parts: Parts, total: int) -> StageStatus:
    ranges = [r for r in map(parse_range, parts.receipts()) if r is not None]
    missing = gaps(disjoint_ranges(ranges, total), total)
    left = sum(last - first + 1 for first, last in missing)
    return StageStatus(
        stage,
        unit,
        total,
        total - left,
        len(ranges),
        damaged=len(parts.damaged_files),
        first=", ".join(f"{a}-{b}" for a, b in missing[:5]) + (" ..." if len(missing) > 5 else ""),
    )
