"""The recordings of a study: found, measured by the executor, and handed to the cohort."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask import names as nm
from ketadask.schema import InputError
from ketadask.study.blocks import Ended

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.features import FeatureTable
    from ketadask.features.meg.settings import MegSettings
    from ketadask.sources.meg.collection import Found
    from ketadask.store import Parts, RunFolder
    from ketadask.study.work import Place, Work

QUALITY, SPECTRA, LEFT_OUT = "recordings.parquet", "spectra.parquet", "left_out.parquet"
_NAME = "recordings"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Measured:
    """Features of the recordings, how good each one is, and which cannot be used and why."""

    table: FeatureTable
    quality: pd.DataFrame
    failures: list[dict[str, str]]


def measure_recordings(work: Work) -> Measured | None:
    """Measure every recording that has no part yet; None where the study uses no MEG.

    The parts lie beside the runs: studies that ask other questions of the same recordings share
    them.
    """
    settings = work.settings
    if nm.MEG not in settings.features.families:
        return None
    import pandas as pd

    from ketadask.cluster import TaskFailure
    from ketadask.features.graph import feature_tasks
    from ketadask.features.meg.parts import read_recordings, read_spectra
    from ketadask.sources.visits import PERIODS
    from ketadask.study.stages import require
    from ketadask.study.trial import read_people
    from ketadask.study.work import EXTRACT

    found, measured, parts = _asked(work.place)
    tasks = list(feature_tasks(found, measured, parts).values())
    ended = Ended(_NAME, _NAME, len(found), reused=len(found) - len(tasks))
    if tasks:
        with work.progress.stage(_NAME, _NAME, total=ended.total, done=ended.reused) as stage:
            for index, result in work.executor(EXTRACT).compute(tasks):
                if isinstance(result, TaskFailure):
                    if isinstance(result.error, InputError):
                        raise result.error
                    _log.error("%s failed\n%s", result.task, result.trace)
                    ended.failures.append(((index, index), result))
                else:
                    ended.made += 1
                    stage.advance(1)
            ended.seconds = stage.seconds
    else:
        work.progress.say(f"{_NAME}: all {ended.total:,} are there already")
    work.ended.append(ended)
    require(ended)
    people = read_people(settings, work.place.data)
    table, quality, failed = read_recordings(
        found,
        parts,
        measured,
        visits=settings.data.visits or PERIODS,
        sequences=dict(zip(people[nm.PARTICIPANT], people["sequence"], strict=True)),
    )
    for each in failed:
        work.progress.say(f"{_NAME}: {each[nm.RECORDING]} is left out: {each['reason']}")
    columns = [nm.PARTICIPANT, "session", nm.RECORDING, "reason"]
    folders = {each.name: f"{Path(each.path).parent}/" for each in found}
    told = [{**f, "reason": f["reason"].replace(folders[f[nm.RECORDING]], "")} for f in failed]
    work.run.write_table(LEFT_OUT, pd.DataFrame(told, columns=columns))
    work.run.write_table(SPECTRA, read_spectra(found, parts))
    work.run.write_table(QUALITY, quality, csv=True)
    return Measured(table, quality, [_finding(each) for each in failed])


def measured_so_far(place: Place) -> tuple[int, int]:
    """Return how many recordings a study has, and how many of them have a part."""
    from ketadask.features.meg.parts import part_name

    found, _, parts = _asked(place)
    return len(found), len({part_name(each) for each in found} & set(parts.receipts()))


def _asked(place: Place) -> tuple[list[Found], MegSettings, Parts]:
    """Return the recordings of a study, how they are measured, and where their parts lie."""
    from ketadask.features.meg.parts import recording_parts
    from ketadask.features.meg.settings import MegSettings
    from ketadask.sources import find_recordings

    wanted = place.settings.features
    found = find_recordings(place.data, place.settings.data.task, anatomy=wanted.parcels)
    measured = MegSettings(features=wanted.meg, heart=wanted.heart, parcels=wanted.parcels)
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
