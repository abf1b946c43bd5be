"""Results of a study that a report may contain."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ketadask import names as nm
from ketadask.schema.errors import InputError
from ketadask.schema.tables import EXCLUSIONS, VERDICTS

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


# Files of participants in BIDS and FreeSurfer folders, who may not be part of the study.
_PARTICIPANT_FILE = re.compile(r"(?:^|[/ ])(sub-[A-Za-z0-9]+)(?=[/_])|freesurfer/([^/]+)/stats/")
_COLUMNS: dict[str, Sequence[str]] = {
    "literals": ["literal", "feature", "low", "high", "text", "neighbours"],
    "verdicts": list(VERDICTS.columns),
    "nulls": ["relabelling", "q", "t"],
    "stability": ["feature", "frequency"],
    "exclusions": list(EXCLUSIONS.columns),
    "courses": ["participant", "period", "arm", "day", "score"],
}


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything a report may contain; results that do not exist yet are None or empty.

    Parameters
    ----------
    title
        Heading of the report.
    cohort, units
        Datasets that keep `schema.COHORT` and `schema.UNITS`.
    literals, verdicts
        Tables that keep `schema.LITERALS` and `schema.VERDICTS`.
    nulls
        One row per relabelled trial and method: relabelling, q and t (the largest ones).
    stability
        One row per feature and polarity: feature, frequency (fraction of splits that selected
        it), and optionally polarity, low and high (interval of the frequency).
    summary, provenance, settings
        Headline numbers, origin of the results, study settings; nested dicts of plain values.
    exclusions
        Table that keeps `schema.EXCLUSIONS`.
    courses
        One row per case and day: participant, period, arm, day, score (the outcome scale).
    explained, enrichment
        A table, or a dict of numbers and tables.
    stages
        Progress of an unfinished study: stage, unit, present and total.
    trials
        For several trials: tables ``trials``, ``summaries`` and ``left_out`` that keep the
        contracts of these names.
    columns
        What each column of the tables is used for: file, column, use, reason.
    prediction
        summary, cases and weights of a predictor of response from brain structure.
    recordings
        quality, spectra and failures of MEG recordings.

    Examples
    --------
    >>> ReportData("An unfinished study").missing[:2]
    ('cohort', 'units')
    """

    title: str
    cohort: xr.Dataset | None = None
    units: xr.Dataset | None = None
    literals: pd.DataFrame | None = None
    verdicts: pd.DataFrame | None = None
    nulls: pd.DataFrame | None = None
    stability: pd.DataFrame | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    exclusions: pd.DataFrame | None = None
    courses: pd.DataFrame | None = None
    explained: Any = None
    enrichment: Any = None
    prediction: Mapping[str, Any] | None = None
    recordings: Mapping[str, pd.DataFrame] | None = None
    stages: Sequence[Mapping[str, Any]] = ()
    trials: Mapping[str, pd.DataFrame] | None = None
    columns: Sequence[Mapping[str, str]] = ()

    def __post_init__(self) -> None:
        for name, columns in _COLUMNS.items():
            table = getattr(self, name)
            absent = [] if table is None else [c for c in columns if c not in table.columns]
            if absent:
                raise InputError(
                    f"the {name} table of a report lacks columns",
                    value=absent,
                    remedy="pass the table of a study unchanged",
                )

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the main results that are not available."""
        return tuple(n for n in _RESULTS if getattr(self, n) is None or len(getattr(self, n)) == 0)

    @property
    def is_prediction_only(self) -> bool:
        """Whether the study predicts response and has searched no personas."""
        searches = (self.literals, self.verdicts, self.nulls, self.stability)
        return self.prediction is not None and all(table is None for table in searches)

    @property
    def features(self) -> xr.Dataset | None:
        """The dataset with the features: the units, or else the cohort."""
        return self.units if self.units is not None else self.cohort

    @property
    def curve(self) -> pd.DataFrame | None:
        """The risk-coverage curve, or None."""
        tables = self.explained if isinstance(self.explained, Mapping) else {"": self.explained}
        for table in tables.values():
            if {"coverage", "accuracy"} <= set(getattr(table, "columns", ())):
                curve: pd.DataFrame = table
                return curve
        return None

    @property
    def spectra(self) -> pd.DataFrame | None:
        """The spectra of the recordings, or None."""
        return (self.recordings or {}).get("spectra")

    def participants(self) -> frozenset[str]:
        """Return every participant identifier in the results."""
        identifiers: set[str] = set()
        for dataset in (self.cohort, self.units):
            if dataset is not None and nm.PARTICIPANT in dataset.coords:
                identifiers.update(map(str, dataset[nm.PARTICIPANT].values))
        if self.exclusions is not None:
            identifiers.update(map(str, self.exclusions[nm.PARTICIPANT]))
        for table in (self.recordings or {}).values():
            identifiers.update(map(str, table.get(nm.PARTICIPANT, ())))
        for file in self.provenance.get("inputs") or ():
            for pair in _PARTICIPANT_FILE.findall(str(file)):
                identifiers.update(name for name in pair if name)
        return frozenset(identifiers)


_RESULTS = ("cohort", "units", "literals", "verdicts", "nulls", "stability")
