"""Check of a study: its tables are read, nothing else is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.cohort.endpoints import OF_BASELINE
from ketadask.config.study import StudySettings
from ketadask.pipeline.progress import Progress
from ketadask.schema.errors import InputError
from ketadask.search.split_capacity import SplitCapacity, split_capacity
from ketadask.sources.names_order import natural_key
from ketadask.study.comparison import comparison_of, persona_levels
from ketadask.study.from_settings import (
    exclusions_of,
    later_features,
    read_cohort,
    search_of,
    splitter_of,
    units_of,
)
from ketadask.study.inputs import input_hashes
from ketadask.study.paths import prepare_data

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ketadask.cohort.designs import TrialArrays
    from ketadask.cohort.endpoints import Outcome
    from ketadask.report.comparison import ComparisonFacts
    from ketadask.report.overall import OverallFacts
    from ketadask.schema.cohort import Cohort


_FEW = 6
_SMALLEST_SPREAD = 1e-9


@dataclass(frozen=True)
class StudyCheck:
    """Contents of a study's tables.

    Parameters
    ----------
    response
        Responders and cases per arm.
    n_unexchangeable
        Units that are alone in their stratum.
    duplicates
        Warning of participants with identical features; empty if there are none.
    n_sites
        Sites of volumes without harmonisation.
    invalid_cells
        File, position, problem, value and remedy of each; they stop the study if ``stops``.
    unusable
        Reason by name of each of the ``recordings`` that a run excludes.
    columns
        File, column, use and reason of every column of the tables.
    """

    folder: Path
    files: int
    flow: dict[str, Any]
    response: dict[str, tuple[int, int]]
    outcome: str
    endpoint: str
    units: int
    n_unexchangeable: int
    split_capacity: SplitCapacity | None
    trials: dict[str, int]
    duplicates: str
    n_sites: int
    design: str
    comparison: ComparisonFacts
    modalities: pd.DataFrame
    excluded_features: dict[str, str]
    exclusions: pd.DataFrame
    invalid_cells: list[dict[str, str]]
    stops: bool
    overall: OverallFacts
    recordings: int = 0
    unusable: Mapping[str, str] = field(default_factory=dict)
    columns: Sequence[Mapping[str, str]] = ()

    @property
    def reasons(self) -> dict[str, str]:
        """Number of exclusions by reason, with the participants if they are few."""
        by_reason = self.exclusions.groupby("reason", sort=False)["participant"].agg(list)
        return {
            str(reason): f"{len(names):,}"
            + (f" ({', '.join(names)})" if len(names) <= _FEW else "")
            for reason, names in sorted(by_reason.items(), key=lambda entry: -len(entry[1]))
        }


def check_study(settings: StudySettings, out: Path, progress: Progress) -> StudyCheck:
    """Read the tables of a study, count their contents and collect all invalid cells."""
    from ketadask.cohort.design_facts import score_facts
    from ketadask.cohort.designs import trial_arrays
    from ketadask.inference.null import check_relabelling
    from ketadask.inference.null_method import choose_null
    from ketadask.report.overall import overall_facts

    folder = prepare_data(settings, out, progress)
    cohort, units = _lenient_cohort(settings, folder)
    splitter, trial = splitter_of(settings, units), trial_arrays(units)
    require_computable(settings, cohort.dataset, trial)
    facts = score_facts(units, trial)
    null = choose_null(settings.null.method, units, seed=settings.seed, trial=trial)
    later = later_features(settings, cohort)
    recordings, unusable = _recordings(settings, folder)
    return StudyCheck(
        folder=folder,
        files=len(input_hashes(settings, folder)),
        flow=dict(cohort.flow),
        response={arm: _responders(cohort.dataset, arm) for arm in nm.ARMS},
        outcome=_response_text(settings.outcome),
        endpoint=f"{settings.outcome.endpoint} ({cohort.dataset.attrs['definition']})",
        units=units.sizes[nm.UNIT],
        n_unexchangeable=check_relabelling(trial, null.method, where="null.method"),
        split_capacity=split_capacity(search_of(settings), splitter, units),
        trials=_trials(units),
        duplicates=facts.warning,
        n_sites=_count_sites(settings, units),
        design=settings.design.kind,
        comparison=comparison_of(settings, units, trial, facts, persona_levels(settings), null),
        modalities=_count_features(cohort.dataset, later),
        excluded_features={k: v for k, v in cohort.dropped.items() if k not in later},
        exclusions=exclusions_of(settings, cohort),
        invalid_cells=[dict(issue) for issue in cohort.findings],
        stops=bool(cohort.findings) and settings.data.bad_cells == "stop",
        overall=overall_facts(units),
        recordings=recordings,
        unusable=unusable,
        columns=cohort.columns,
    )


def require_computable(settings: StudySettings, cohort: xr.Dataset, trial: TrialArrays) -> None:
    """Raise where scores or prediction would fail after all searches."""
    from ketadask.study.prediction_inputs import classifier_cases, nested_of

    score = trial.score[np.isfinite(trial.score)]
    if not len(score) or np.ptp(score) < _SMALLEST_SPREAD:
        raise InputError(
            "all scores are equal, so no persona differs from another",
            where="outcome",
            remedy="check the column of the outcome, or choose another scale or day",
        )
    if settings.predict is not None:
        classifier_cases(settings, cohort)
        nested_of(settings, settings.predict.classifier).classifier.check()


def _response_text(outcome: Outcome) -> str:
    """Return what counts as response; empty where nothing does."""
    from ketadask.report.labels import format_scale

    if outcome.endpoint not in (*OF_BASELINE, "remission", "binary"):
        return ""
    if outcome.endpoint in ("remission", "binary"):
        return f"{outcome.name}: {outcome.definition}"
    day = "" if outcome.day is None else f" at day {outcome.day}"
    scale = format_scale(outcome.name)
    return f"improvement of {outcome.response_threshold:.0%} or more on {scale}{day}"


def _recordings(settings: StudySettings, folder: Path) -> tuple[int, dict[str, str]]:
    """Return the number of recordings, and the reasons of unusable ones; none without MEG."""
    if not settings.features.recording_modality:
        return 0, {}
    from ketadask.sources.meg.collection import find_recordings, unusable_recordings

    recordings = find_recordings(
        folder,
        settings.data.task,
        proc=settings.data.proc,
        derivative=settings.data.derivative,
        events=settings.data.events,
        window=settings.data.window,
        epochs=settings.data.epochs,
        anatomy=settings.features.parcels,
        modality=settings.features.recording_modality,
    )
    return len(recordings), unusable_recordings(recordings)


def _lenient_cohort(settings: StudySettings, folder: Path) -> tuple[Cohort, xr.Dataset]:
    """Return the cohort with invalid cells as missing values, so that all are listed; its units."""
    lenient = settings.data.model_copy(update={"bad_cells": "missing"})
    try:
        cohort = read_cohort(settings.model_copy(update={"data": lenient}), folder)
        return cohort, units_of(settings, cohort)
    except InputError:
        if settings.data.bad_cells == "stop":
            read_cohort(settings, folder)  # its first invalid cell is the cause
        raise


def _trials(units: xr.Dataset) -> dict[str, int]:
    """Return the number of units by trial, in natural order."""
    names, counts = np.unique(units["trial"].to_numpy().astype(str), return_counts=True)
    sizes = dict(zip(names.tolist(), counts.tolist(), strict=True))
    return {name: sizes[name] for name in sorted(sizes, key=natural_key)}


def _count_sites(settings: StudySettings, units: xr.Dataset) -> int:
    """Return the number of sites of volumes without harmonisation; 1 if harmonised."""
    if settings.features.harmonise != "none" or nm.VOLUME not in units["modality"].to_numpy():
        return 1
    trial, site = (units[name].to_numpy().astype(str).tolist() for name in ("trial", "site"))
    return len(set(zip(trial, site, strict=True)))


def _responders(cohort: xr.Dataset, arm: str) -> tuple[int, int]:
    response = cohort["response"].to_numpy()[cohort[nm.ARM].to_numpy() == arm]
    return int(response.sum()), int(response.size)


def _count_features(cohort: xr.Dataset, later: Sequence[str]) -> pd.DataFrame:
    """Return a row per modality and kind; ``later`` features of recordings are not computed yet."""
    import pandas as pd

    missing = np.isnan(cohort["value"].to_numpy()).mean(axis=0)
    table = pd.DataFrame(
        {"modality": cohort["modality"].to_numpy(), "kind": cohort["kind"].to_numpy(), "m": missing}
    )
    counts = table.groupby(["modality", "kind"], as_index=False, sort=False).agg(
        features=("m", "size"), missing=("m", "mean"), most_missing=("m", "max")
    )
    if later:
        row: Any = [later[0].partition("_")[0], nm.CONTINUOUS, len(later), np.nan, np.nan]
        counts.loc[len(counts)] = row
    return counts
