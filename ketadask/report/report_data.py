"""What a report is made of: the results of a study, whichever of them exist already."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ketadask import names as nm
from ketadask.schema.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


# Files of a person in BIDS and in FreeSurfer's folder, who may have no part in the study.
_FILE_OF = re.compile(r"(?:^|[/ ])(sub-[A-Za-z0-9]+)(?=[/_])|freesurfer/([^/]+)/stats/")


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything a report may show; what a study has not reached yet is None or empty.

    Parameters
    ----------
    title
        Heading of the report.
    cohort, units
        Datasets that keep `schema.COHORT` and `schema.UNITS`.
    literals, verdicts
        Tables that keep `schema.LITERALS` and `schema.VERDICTS`.
    nulls
        One row per relabelled trial and polarity: relabelling, polarity, q (the largest Q).
    stability
        One row per feature and polarity: feature, frequency (share of splits that selected
        it), and optionally polarity, low and high (interval of the frequency).
    summary, provenance, settings
        The headline numbers, where the results come from, what was asked; nested dicts of
        plain values. Keys the report has no words for are listed as they are.
    exclusions
        Table that keeps `schema.EXCLUSIONS`; None reads the list of the units or the cohort.
    courses
        One row per case and day: participant, period, arm, day, score (the outcome scale).
    explained, enrichment
        A table, or a dict of numbers and tables.
    stages
        How far an unfinished study is: stage, unit, present and total of each.
    trials
        Where there are several: tables ``trials``, ``summaries`` and ``left_out`` that keep the
        contracts of these names.
    prediction
        summary, cases and weights of a predictor of response from brain structure.
    recordings
        quality, spectra and failures of MEG recordings.

    Examples
    --------
    >>> Findings("A study that has only begun").missing[:2]
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

    def __post_init__(self) -> None:
        for name, needed in _NEEDED.items():
            table = getattr(self, name)
            lacking = [] if table is None else [c for c in needed if c not in table.columns]
            if lacking:
                raise InputError(
                    f"the {name} table of a report lacks columns",
                    value=lacking,
                    remedy="give the table as the study wrote it",
                )

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the parts that are not there."""
        return tuple(n for n in _PARTS if getattr(self, n) is None or len(getattr(self, n)) == 0)

    @property
    def features(self) -> xr.Dataset | None:
        """The dataset whose features were searched: the units, or else the cohort."""
        return self.units if self.units is not None else self.cohort

    def excluded(self) -> pd.DataFrame | None:
        """The exclusions: their own table, or the list of the units, or that of the cohort."""
        if self.exclusions is not None:
            return self.exclusions
        for dataset in (self.units, self.cohort):
            listed = None if dataset is None else dataset.attrs.get("exclusions")
            if listed is not None:
                import pandas as pd

                rows = json.loads(listed) if isinstance(listed, str) else listed
                return pd.DataFrame(rows, columns=_NEEDED["exclusions"])
        return None

    def participants(self) -> frozenset[str]:
        """Every participant identifier known to the findings."""
        known: set[str] = set()
        for dataset in (self.cohort, self.units):
            if dataset is not None and nm.PARTICIPANT in dataset.coords:
                known.update(map(str, dataset[nm.PARTICIPANT].values))
        excluded = self.excluded()
        if excluded is not None:
            known.update(map(str, excluded["participant"]))
        for table in (self.recordings or {}).values():
            known.update(map(str, table.get(nm.PARTICIPANT, ())))
        for file in self.provenance.get("inputs") or ():
            known.update(who for pair in _FILE_OF.findall(str(file)) for who in pair if who)
        return frozenset(known)


_PARTS = (
    "cohort",
    "units",
    "literals",
    "verdicts",
    "nulls",
    "stability",
    "summary",
    "provenance",
    "settings",
    "explained",
    "enrichment",
)
_NEEDED = {
    "literals": ["literal", "feature", "low", "high", "text"],
    "verdicts": ["rank", "persona", "text", "features", "verdict", "p_adjusted"],
    "nulls": ["relabelling", "polarity", "q"],
    "stability": ["feature", "frequency"],
    "exclusions": ["participant", "period", "reason"],
    "courses": ["participant", "period", "arm", "day", "score"],
}
