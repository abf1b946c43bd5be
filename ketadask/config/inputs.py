"""The section `data` of a study's YAML file: tables, recordings and simulated studies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(gt=0, lt=1)]
PositiveCount = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A section: strict types, no unknown keys, immutable."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True
    )


class SimulateSettings(Section):
    """A simulated study with a planted persona, written to a folder before the study runs."""

    participants: Annotated[int, Field(ge=1, le=99_999)] = Field(
        default=33, description="number of participants"
    )
    seed: Annotated[int, Field(ge=0)] = Field(default=7, description="seed of the simulated study")
    trials: Annotated[int, Field(ge=1, le=20)] = Field(
        default=1,
        description="number of trials; they differ in benefit, control response and scanner",
    )
    sites: Annotated[int, Field(ge=1, le=20)] = Field(
        default=1, description="number of sites per trial; they differ in their scanner"
    )
    effect: Annotated[float, Field(ge=-10, le=10)] = Field(
        default=2.1,
        description="extra benefit of the planted persona in standard deviations; 0 for none",
    )
    persona: Literal["volume", "meg"] = Field(
        default="volume",
        description="planted persona: of volumes and crying, or of MEG, which needs meg_seconds",
    )
    persona_trials: Annotated[int, Field(ge=1, le=20)] | None = Field(
        default=None,
        description="number of trials, the first ones, in which the persona benefits; default: all",
    )
    second_effect: Annotated[float, Field(ge=-10, le=10)] = Field(
        default=0.0,
        description="extra benefit of a second persona (isthmus cingulate, lingual gyrus, "
        "cardiovascular symptoms) in SD; 0 for none",
    )
    prognostic: Annotated[float, Field(ge=-10, le=10)] = Field(
        default=0.4,
        description="improvement lost per standard deviation of age, on both arms, in SD",
    )
    brain: Annotated[float, Field(ge=-10, le=10)] = Field(
        default=0.0,
        description="extra benefit per SD of frontal minus cerebellar volume, in SD; 0 for none",
    )
    overall: Annotated[float, Field(ge=-10, le=10)] = Field(
        default=0.0, description="improvement added on both arms, in SD"
    )
    missing_visits: bool = Field(default=True, description="drop infusions and visits at random")
    missing_volumes: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="fraction of the volumes of brain regions missing at random"
    )
    shuffle_columns: bool = Field(
        default=False, description="columns of the brain volumes in another order"
    )
    layout: Literal["bids", "nda", "both"] = Field(
        default="bids", description="scales as BIDS phenotype/, as NDA tables, or both"
    )
    meg_seconds: Annotated[float, Field(ge=0, le=480)] = Field(
        default=0.0, description="seconds of resting MEG before each infusion; 0 for none"
    )


class TableFormat(Section):
    """How a table is written."""

    sheet: str | None = Field(default=None, description="sheet of a workbook; default: the first")
    delimiter: str | None = Field(
        default=None, min_length=1, max_length=1, description="column separator of a text file"
    )
    decimal: Literal[".", ","] = Field(default=".", description="decimal mark")
    columns: Mapping[str, str] = Field(
        default_factory=dict, description="new column names, by the names in the file"
    )


class TableSettings(TableFormat):
    """A table in the study folder."""

    file: str = Field(min_length=1, description="file name, relative to data.folder")


class ScoreTableSettings(TableSettings):
    """A table of rating scale scores and the roles of its columns."""

    participant: str = Field(default="participant_id", description="column of participants")
    session: str | None = Field(
        default=None, description="column of sessions, parsed by data.session_pattern"
    )
    period: str | None = Field(
        default=None, description="column of the period, 1 or 2, if there is no session column"
    )
    arm: str | None = Field(
        default=None, description="column of the arm, empty at a baseline of both periods"
    )
    day: str | None = Field(default=None, description="column of days after the infusion")
    wide_pattern: str | None = Field(
        default=None,
        description="regular expression of headers in a table with one row per participant: "
        "groups name and session, or name, day and period or arm",
    )
    ignore: tuple[str, ...] = Field(default=(), description="columns to ignore")
    na_values: tuple[float, ...] = Field(
        default=(), description="numbers that mean a missing value, besides the usual ones"
    )


class TrialTableSettings(TableFormat):
    """One table that holds the whole trial; roles that are not set are guessed."""

    file: Path = Field(description="the table")
    participant: str | None = Field(
        default=None, description="column of participants; default: guessed, else one per row"
    )
    arm: str | None = Field(default=None, description="column of arms; default: guessed")
    period: str | None = Field(
        default=None, description="column of the periods of a crossover; default: guessed"
    )
    day: str | None = Field(default=None, description="column of days; default: guessed")
    session: str | None = Field(
        default=None, description="column of visits such as baseline, week 4; default: guessed"
    )
    site: str | None = Field(default=None, description="column of sites; default: guessed")
    trial: str | None = Field(default=None, description="column of trials; default: guessed")
    wide_pattern: str | None = Field(
        default=None,
        description="regular expression of headers with a column per arm, period or day: groups "
        "name and arm, period or day",
    )
    sequence: str | None = Field(
        default=None,
        description="column of the arms in order, as AB or drug-placebo, with wide_pattern",
    )
    features: Literal["all"] | tuple[str, ...] = Field(
        default="all", description="columns from before treatment to use, or all"
    )
    family: str | None = Field(
        default=None, min_length=1, description="modality of these features; default: file name"
    )
    ignore: tuple[str, ...] = Field(default=(), description="columns to ignore")
    na_values: tuple[float, ...] = Field(
        default=(), description="numbers that mean a missing value, besides the usual ones"
    )


class ParticipantTableSettings(TableSettings):
    """The table of participants, and which of its columns are features."""

    features: Literal["all"] | tuple[str, ...] = Field(
        default=(), description="further columns to use as features, or all; besides age, sex, BMI"
    )
    family: str | None = Field(
        default=None, min_length=1, description="modality of these features; default: file name"
    )


class RegionTableSettings(Section):
    """Tables of one regional measure of the brain, of any tool."""

    file: str = Field(
        min_length=1, description="table, or folder of tables or stats, relative to data.folder"
    )
    measure: str | None = Field(
        default=None, description="volume, thickness, area, ...; needed where there are several"
    )
    atlas: str | None = Field(
        default=None, description="DK, DKT, Destrieux, ...; needed where there are several"
    )
    session: str | None = Field(
        default=None, description="session before treatment; needed where there are several"
    )
    columns: Mapping[str, str] = Field(
        default_factory=dict, description="regions by column name, for a table with its own names"
    )


class DataSettings(Section):
    """The inputs of the study."""

    table: TrialTableSettings | None = Field(
        default=None, description="one table of the whole trial; its path is enough"
    )
    arms: Mapping[str, Literal["active", "control"]] | None = Field(
        default=None,
        description="arm by the word in the tables, as Drug A: active; other words are left out",
    )

    folder: Path | None = Field(
        default=None,
        description="study folder: participants.tsv, phenotype/, derivatives/freesurfer/",
    )
    simulate: SimulateSettings | None = Field(
        default=None, description="simulate a study folder instead of reading one"
    )
    scales: tuple[str, ...] | None = Field(
        default=None, description="phenotype tables to read; default: all"
    )
    ignore: tuple[str, ...] = Field(
        default=(), description="columns of phenotype/ or nda/ to ignore"
    )
    tables: tuple[ScoreTableSettings, ...] | None = Field(
        default=None,
        min_length=1,
        description="plain tables of scores, read instead of phenotype/ or nda/",
    )
    participants: ParticipantTableSettings | None = Field(
        default=None, description="table of participants, read instead of participants.tsv"
    )
    freesurfer: Path | None = Field(
        default=None, description="folder of volumes; default: <folder>/derivatives/freesurfer"
    )
    regions: tuple[RegionTableSettings, ...] = Field(
        default=(), description="regional measures of the brain, beside or instead of freesurfer"
    )
    groups: tuple[str, ...] | None = Field(
        default=None, description="groups of participants.tsv in the study; default: all"
    )
    session_pattern: str | None = Field(
        default=None,
        description="regular expression of session names with groups day and period or arm; "
        "default: ses-p(?P<period>[12])d(?P<day>\\d+)",
    )
    task: str = Field(default="rest", min_length=1, description="task of the MEG recordings")
    proc: str | None = Field(
        default=None,
        min_length=1,
        description="label proc- or desc- of the MEG recordings to use, none for those without "
        "one; needed where a recording has several versions",
    )
    derivative: str | None = Field(
        default=None,
        min_length=1,
        description="folder in derivatives/ with processed MEG recordings, such as "
        "mne-bids-pipeline; default: recordings as recorded",
    )
    epochs: bool = Field(
        default=False, description="use files of epochs, _epo.fif, instead of recordings"
    )
    events: tuple[str, ...] = Field(
        default=(),
        description="names of events whose windows are measured: trial_type of events.tsv, else "
        "annotations, else codes of stimulus channels; default: all of a recording",
    )
    window: tuple[float, float] | None = Field(
        default=None,
        description="first and last second of a window after the onset of its event; default: the "
        "duration of the event",
    )
    bad_cells: Literal["stop", "missing"] = Field(
        default="stop", description="stop at an invalid cell, or treat it as missing and list it"
    )

    @model_validator(mode="after")
    def _check_window(self) -> DataSettings:
        if self.window and (not self.events or not self.window[0] < self.window[1]):
            raise ValueError("window needs events, and its first second before its last")
        return self

    @model_validator(mode="after")
    def _check_source(self) -> DataSettings:
        if self.table and (self.tables or self.scales or self.participants or self.simulate):
            raise ValueError(
                "table holds the whole trial; remove tables, scales, participants and simulate"
            )
        if self.table and self.folder is None:
            object.__setattr__(self, "folder", self.table.file.parent)
        if (self.folder is None) == (self.simulate is None):
            raise ValueError(
                "needs table, folder or simulate; give data.table: FILE or data.folder: PATH"
            )
        if self.tables is not None and self.scales is not None:
            raise ValueError("scales select phenotype/ files, tables replace them; remove one")
        if self.tables is not None and self.ignore:
            raise ValueError("data.ignore applies to phenotype/ and nda/; use ignore of the tables")
        return self
