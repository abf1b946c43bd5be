"""What the readers of clinical tables return: participants, and their rating scales per visit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ketadask import names as nm
from ketadask.schema.roles import ColumnRole

if TYPE_CHECKING:
    import pandas as pd

Finding = Mapping[str, str]  # file, where, problem, value, remedy


@dataclass(frozen=True, eq=False)
class Participants:
    """The participants of a study.

    Parameters
    ----------
    table
        One row per participant: participant, sequence (arms in order of infusion), trial, site,
        age, sex, bmi, group, washout, and cluster where a study has clusters.
    infusions
        Dates of the infusions per participant, where known.
    findings
        Wrong cells of the file: file, where, problem, value, remedy.
    file
        File the table comes from.
    covariates
        Further columns from before treatment that are features: a row per participant, numbers or
        the text of categories, empty where missing; none if None.
    family
        Modality of the covariates.
    columns
        Role of every column of the file.
    arms
        ``active`` or ``control`` by the value of the column of arms, where one table is the trial.
    scales
        Scores of the same table, where one holds both.
    """

    table: pd.DataFrame
    infusions: Mapping[str, Sequence[date | None]] = field(default_factory=dict)
    findings: Sequence[Finding] = ()
    file: str | None = None
    covariates: pd.DataFrame | None = None
    family: str = nm.DEMOGRAPHIC
    columns: Sequence[ColumnRole] = ()
    arms: Mapping[str, str] = field(default_factory=dict)
    scales: Phenotype | None = None

    @cached_property
    def sequences(self) -> dict[str, str]:
        """Arms in order of infusion per participant, for example ``active-control``."""
        return dict(zip(self.table[nm.PARTICIPANT], self.table["sequence"], strict=True))

    def __repr__(self) -> str:
        return f"<Participants: {len(self.table)}, {len(self.findings)} findings>\n{self.table}"

    def _repr_html_(self) -> str:
        table: Any = self.table
        return str(table._repr_html_())


@dataclass(frozen=True, eq=False)
class Phenotype:
    """Rating scales of every visit.

    Parameters
    ----------
    table
        One row per participant and visit: participant, session, period (0: given by the arm, or
        shared by both periods), arm (active, control, shared or empty), day, then the scores.
    labels, limits, units
        Text, lowest and highest value, and unit of measurement of the scores, by column.
    findings
        Wrong cells of the files: file, where, problem, value, remedy.
    ignored
        Columns that hold no scores.
    folder, files
        Where the scores come from.
    session_pattern
        Regular expression of the session names; the default one if None.
    sequences
        Arms in order of infusion the sessions were compared with, by participant.
    ages
        Age in years at the first visit, by participant, where the files have it.
    """

    table: pd.DataFrame
    labels: Mapping[str, str] = field(default_factory=dict)
    findings: Sequence[Finding] = ()
    limits: Mapping[str, Sequence[float]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    ignored: Sequence[str] = ()
    folder: str | None = None
    files: Sequence[str] = ()
    session_pattern: str | None = None
    sequences: Mapping[str, str] = field(default_factory=dict)
    ages: Mapping[str, float] = field(default_factory=dict)

    def without(self, columns: Sequence[str]) -> Phenotype:
        """Return the visits without these columns."""
        drop = [name for name in columns if name in self.table.columns]
        return replace(self, table=self.table.drop(columns=drop)) if drop else self

    def __repr__(self) -> str:
        count = self.table[nm.PARTICIPANT].nunique()
        return (
            f"<Phenotype: {len(self.table)} visits of {count} participants, "
            f"{len(self.findings)} findings>\n{self.table}"
        )

    def _repr_html_(self) -> str:
        table: Any = self.table
        return str(table._repr_html_())
