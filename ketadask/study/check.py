"""What a study would be made of, found by reading its tables and computing nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.config.study import StudySettings
from ketadask.pipeline.progress import Progress
from ketadask.schema.errors import InputError
from ketadask.search.split_capacity import SplitCapacity, split_capacity
from ketadask.sources.names_order import natural_key
from ketadask.study.from_settings import (
    awaited,
    exclusions_of,
    read_cohort,
    search_of,
    splitter_of,
    units_of,
)
from ketadask.study.paths import input_hashes, prepare_data

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ketadask.schema.cohort import Cohort


_NAMED = 6


@dataclass(frozen=True)
class StudyCheck:
    """What the tables of a study hold; ``wrong`` cells stop the study where ``stops`` says so.

    ``unusable`` says by name which of the ``recordings`` its run will leave out, and why.
    """

    folder: Path
    files: int
    flow: dict[str, Any]
    response: dict[str, tuple[int, int]]
    outcome: str
    units: int
    alone: int
    split_capacity: SplitCapacity | None
    trials: dict[str, int]
    scanners: int
    design: str
    modalities: pd.DataFrame
    dropped: dict[str, str]
    exclusions: pd.DataFrame
    wrong: list[dict[str, str]]
    stops: bool
    recordings: int = 0
    unusable: Mapping[str, str] = field(default_factory=dict)

    @property
    def reasons(self) -> dict[str, str]:
        """How many participant periods were left out for each reason, and of whom if few."""
        people: dict[str, list[str]] = {}
        for who, reason in self.exclusions[["participant", "reason"]].itertuples(index=False):
            people.setdefault(reason, []).append(who)
        told = sorted(people.items(), key=lambda entry: -len(entry[1]))
        return {
            reason: f"{len(who):,}" + (f" ({', '.join(who)})" if len(who) <= _NAMED else "")
            for reason, who in told
        }


def check_study(settings: StudySettings, out: Path, progress: Progress) -> StudyCheck:
    """Read the tables of a study and count what is in them; every wrong cell is collected."""
    from ketadask.cohort.designs import trial_arrays
    from ketadask.cohort.relabel import check_exchange

    folder = prepare_data(settings, out, progress)
    cohort = _lenient_cohort(settings, folder)
    units = units_of(settings, cohort)
    splitter = splitter_of(settings, units)  # says what is wrong with the splits
    later = awaited(settings, cohort)
    threshold = settings.outcome.response_threshold
    recordings, unusable = _recordings(settings, folder)
    return StudyCheck(
        folder=folder,
        files=len(input_hashes(settings, folder)),
        flow=dict(cohort.flow),
        response={arm: _responders(cohort.dataset, arm) for arm in nm.ARMS},
        outcome=f"{threshold:.0%} better on {settings.outcome.scale} at day {settings.outcome.day}",
        units=units.sizes[nm.UNIT],
        alone=check_exchange(trial_arrays(units), settings.null.method, where="null.method"),
        split_capacity=split_capacity(search_of(settings), splitter, units),
        trials=_trials(units),
        scanners=_scanners(settings, units),
        design=settings.design.kind,
        modalities=_families(cohort.dataset, len(later)),
        dropped={k: v for k, v in cohort.dropped.items() if k not in later},
        exclusions=exclusions_of(settings, cohort),
        wrong=[dict(finding) for finding in cohort.findings],
        stops=bool(cohort.findings) and settings.data.bad_cells == "stop",
        recordings=recordings,
        unusable=unusable,
    )


def _recordings(settings: StudySettings, folder: Path) -> tuple[int, dict[str, str]]:
    """Return how many recordings there are, and why some cannot be opened; none without MEG."""
    if nm.MEG not in settings.features.modalities:
        return 0, {}
    from ketadask.sources.meg.collection import find_recordings, unusable_recordings

    wanted = settings.features
    found = find_recordings(folder, settings.data.task, anatomy=wanted.parcels)
    return len(found), unusable_recordings(found)


def _lenient_cohort(settings: StudySettings, folder: Path) -> Cohort:
    """Return the cohort with wrong cells counted as missing, so that all of them can be shown."""
    lenient = settings.data.model_copy(update={"bad_cells": "missing"})
    try:
        return read_cohort(settings.model_copy(update={"data": lenient}), folder)
    except InputError:
        if settings.data.bad_cells == "stop":
            read_cohort(settings, folder)  # the first wrong cell says more than what follows of it
        raise


def _trials(units: xr.Dataset) -> dict[str, int]:
    """Return how many units each trial gives, in the order a reader expects."""
    names, counts = np.unique(units["trial"].to_numpy().astype(str), return_counts=True)
    told = zip(names.tolist(), counts.tolist(), strict=True)
    return dict(sorted(told, key=lambda entry: natural_key(entry[0])))


def _scanners(settings: StudySettings, units: xr.Dataset) -> int:
    """Return how many sites gave volumes that are compared as they were measured."""
    if settings.features.harmonise != "none" or nm.VOLUME not in units["modality"].to_numpy():
        return 1
    trial, site = (units[name].to_numpy().astype(str).tolist() for name in ("trial", "site"))
    return len(set(zip(trial, site, strict=True)))


def _responders(cohort: xr.Dataset, arm: str) -> tuple[int, int]:
    given = cohort["response"].to_numpy()[cohort[nm.ARM].to_numpy() == arm]
    return int(given.sum()), int(given.size)


def _families(cohort: xr.Dataset, later: int) -> pd.DataFrame:
    """Return a row per family and kind; of ``later`` MEG features nothing is known yet."""
    import pandas as pd

    missing = np.isnan(cohort["value"].to_numpy()).mean(axis=0)
    table = pd.DataFrame(
        {"modality": cohort["modality"].to_numpy(), "kind": cohort["kind"].to_numpy(), "m": missing}
    )
    counted = table.groupby(["modality", "kind"], as_index=False, sort=False).agg(
        features=("m", "size"), missing=("m", "mean"), most_missing=("m", "max")
    )
    if later:
        counted.loc[len(counted)] = [nm.MEG, nm.CONTINUOUS, later, np.nan, np.nan]
    return counted
