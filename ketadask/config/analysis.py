"""The sections of a study's YAML file, one frozen model each; every key says what it means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Fraction = Annotated[float, Field(gt=0, lt=1)]
PositiveCount = Annotated[int, Field(ge=1)]
Modality = Literal["demographic", "scale", "volume", "meg"]


class Section(BaseModel):
    """What all sections share: values are exact, unknown keys refused, nothing changes later."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True
    )


class SimulateSettings(Section):
    """A study folder with planted truth, made before the study where there is none."""

    participants: Annotated[int, Field(ge=1, le=99_999)] = Field(
        default=33, description="number of participants"
    )
    seed: Annotated[int, Field(ge=0)] = Field(default=7, description="seed of the simulated study")
    trials: Annotated[int, Field(ge=1, le=20)] = Field(
        default=1,
        description="number of trials, which differ in benefit, control response and scanner",
    )
    sites: Annotated[int, Field(ge=1, le=20)] = Field(
        default=1, description="number of sites in each trial, which differ in their scanner"
    )
    effect: Annotated[float, Field(ge=-10, le=10)] = Field(
        default=2.1,
        description="extra benefit of the planted persona, in standard deviations; 0 plants none",
    )
    persona_trials: Annotated[int, Field(ge=1, le=20)] | None = Field(
        default=None,
        description="in how many trials, the first ones, the persona benefits; all if not given",
    )
    prognostic: Annotated[float, Field(ge=-10, le=10)] = Field(
        default=0.4, description="what a standard deviation of age costs on both arms"
    )
    missing_visits: bool = Field(
        default=True, description="lose infusions and visits as real trials do"
    )
    layout: Literal["bids", "nda", "both"] = Field(
        default="bids", description="scales as BIDS phenotype/, as NDA texts, or both"
    )
    meg_seconds: Annotated[float, Field(ge=0, le=480)] = Field(
        default=0.0, description="seconds of resting MEG before each infusion; 0 makes none"
    )


class TableSettings(Section):
    """A table as people export it: CSV, TSV, Excel or Parquet."""

    file: str = Field(min_length=1, description="name of the file, relative to data.folder")
    sheet: str | None = Field(
        default=None, description="sheet of a workbook; the first if not given"
    )
    delimiter: str | None = Field(
        default=None, min_length=1, max_length=1, description="what separates the cells of a text"
    )
    decimal: Literal[".", ","] = Field(
        default=".", description="how decimals are written in the file"
    )
    columns: Mapping[str, str] = Field(
        default_factory=dict, description="name used here, by the name of the column in the file"
    )


class ScoreTableSettings(TableSettings):
    """A table of scores, with what its columns are."""

    participant: str = Field(default="participant_id", description="column of participants")
    session: str | None = Field(
        default=None, description="column of sessions, read by data.session_pattern"
    )
    period: str | None = Field(
        default=None, description="column of the infusion, 1 or 2, where there is no session"
    )
    arm: str | None = Field(
        default=None, description="column of the arm, missing at a baseline of both periods"
    )
    day: str | None = Field(default=None, description="column of days after the infusion")
    wide_pattern: str | None = Field(
        default=None,
        description="regular expression of headers where a participant has one row: groups name "
        "and session, or name, day and period or arm",
    )
    ignore: tuple[str, ...] = Field(default=(), description="columns left aside")
    na_values: tuple[float, ...] = Field(
        default=(), description="numbers that stand for a missing value, besides the usual ones"
    )


class DataSettings(Section):
    """Where the study's tables are."""

    folder: Path | None = Field(
        default=None,
        description="study folder: participants.tsv, phenotype/, derivatives/freesurfer/",
    )
    simulate: SimulateSettings | None = Field(
        default=None, description="make a study folder with planted truth instead of reading one"
    )
    scales: tuple[str, ...] | None = Field(
        default=None, description="names of the phenotype tables read; all there are if not given"
    )
    ignore: tuple[str, ...] = Field(
        default=(), description="columns of phenotype/ or nda/ left aside"
    )
    tables: tuple[ScoreTableSettings, ...] | None = Field(
        default=None,
        min_length=1,
        description="plain tables of scores, read instead of phenotype/ or nda/",
    )
    participants: TableSettings | None = Field(
        default=None, description="table of participants, read instead of participants.tsv"
    )
    freesurfer: Path | None = Field(
        default=None,
        description="folder of volumes; <folder>/derivatives/freesurfer if not given",
    )
    groups: tuple[str, ...] | None = Field(
        default=None,
        description="groups of participants.tsv that belong to the study; all if not given",
    )
    session_pattern: str | None = Field(
        default=None,
        description="regular expression of session names with groups day and period or arm; "
        "ses-p(?P<period>[12])d(?P<day>\\d+) if not given",
    )
    task: str = Field(
        default="rest", min_length=1, description="which MEG recordings of the study are read"
    )
    bad_cells: Literal["stop", "missing"] = Field(
        default="stop", description="stop at a wrong cell, or count it as missing and list it"
    )

    @model_validator(mode="after")
    def _one_source(self) -> DataSettings:
        if (self.folder is None) == (self.simulate is None):
            raise ValueError("needs folder or simulate, one of the two; give data.folder: PATH")
        if self.tables is not None and self.scales is not None:
            raise ValueError("scales choose among phenotype/ files; leave them out with tables")
        if self.tables is not None and self.ignore:
            raise ValueError("data.ignore is for phenotype/ and nda/; write ignore into the tables")
        return self


class OutcomeSettings(Section):
    """What counts as getting better."""

    scale: str = Field(
        default="madrs", min_length=1, description="scale whose total is the outcome"
    )
    day: Annotated[int, Field(ge=0)] = Field(default=7, description="days after the infusion")
    window: Annotated[int, Field(ge=0)] = Field(
        default=0, description="how many days before or after that day a visit may be"
    )
    endpoint: Literal["improvement", "response", "percent"] = Field(
        default="improvement",
        description="baseline minus follow-up, response 0/1, or percent change",
    )
    response_threshold: Fraction = Field(
        default=0.4, description="share of the baseline that must be gone to count as response"
    )


class FeatureSettings(Section):
    """What a persona may be made of."""

    modalities: tuple[Modality, ...] = Field(
        default=("demographic", "scale", "volume"),
        min_length=1,
        description="families of features used",
    )
    volumes: Literal["raw", "residual"] = Field(
        default="raw", description="volumes in mm3, or residualised on intracranial volume"
    )
    meg: Literal["core", "full", "power"] = Field(
        default="core", description="MEG features: the few chosen in advance, all, or band power"
    )
    cardiac_artefact: Literal["none", "ssp", "ica"] = Field(
        default="none",
        description="field of the heart in MEG: kept, or taken off by a projector or by ICA",
    )
    parcels: bool = Field(
        default=False,
        description="add MEG band power of brain parcels where derivatives/ has forward solutions",
    )
    asymmetry: bool = Field(
        default=False, description="add the asymmetry of every pair of left and right volumes"
    )
    subscales: bool = Field(
        default=False, description="add published factor sums of the scales whose items are there"
    )
    harmonise: Literal["none", "site"] = Field(
        default="none",
        description="bring the volumes of all sites to one mean and spread, outcome-blind",
    )
    include: tuple[str, ...] | None = Field(
        default=None, description="features used, names or patterns with *; all if not given"
    )
    exclude: tuple[str, ...] = Field(
        default=(), description="features left out, names or patterns with *"
    )
    max_missing: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.2, description="largest share of missing values a feature may have"
    )
    max_missing_case: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.5, description="largest share of the features a case may lack"
    )


class DesignSettings(Section):
    """How a trial becomes one score per unit."""

    kind: Literal["crossover", "pooled", "parallel"] = Field(
        default="crossover",
        description="participants with both periods, all cases, or separate arms",
    )
    baseline: Literal["mean", "first"] = Field(
        default="mean",
        description="crossover: features are the mean of both baselines, or the first",
    )
    adjust: Literal["none", "ridge"] = Field(
        default="none", description="parallel: expected outcomes are means, or predicted by ridge"
    )
    washout: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="fewest days between the infusions; a second one earlier is left out",
    )
    within_arm: bool = Field(
        default=False, description="parallel: relabellings exchange features within arm only"
    )


class SplitSettings(Section):
    """How often, and how, units are parted into train and holdout."""

    count: PositiveCount = Field(default=1_000, description="number of splits; may grow later")
    train_size: Fraction = Field(default=0.5, description="share of units on the train side")
    group_by: Literal["participant", "case"] = Field(
        default="participant", description="what stays together; case is the published way"
    )
    scheme: Literal["holdout", "complementary", "bootstrap", "leave-trial-out"] = Field(
        default="holdout", description="how train sides are drawn"
    )
    stratify: bool = Field(
        default=True, description="keep sequence, response and trial in proportion"
    )
    stop: Literal["never", "early"] = Field(
        default="never",
        description="early: end once the recurrence of the best is known to within 3 %",
    )


class GateSettings(Section):
    """What a persona must pass on train to be a hit and on holdout to be confirmed."""

    p: Fraction = Field(default=0.05, description="largest p of a gate")
    d: Annotated[float, Field(ge=0)] = Field(default=0.5, description="smallest Cohen's d")
    use: Literal["published", "heterogeneity", "both"] = Field(
        default="heterogeneity", description="the gate that counts; the other is stored too"
    )


class NullSettings(Section):
    """Relabelled trials: what the same search finds where there is nothing to find."""

    relabellings: Annotated[int, Field(ge=1)] = Field(
        default=999, description="number of relabelled trials; may grow later"
    )
    method: Literal["features", "arms", "no-effect"] = Field(
        default="features", description="what is exchanged between participants of a stratum"
    )
    stop: Literal["never", "early"] = Field(
        default="never",
        description="early: end once it is certain that no verdict can be more than noise",
    )
    calibration_studies: Annotated[int, Field(ge=0)] = Field(
        default=19,
        description="relabelled trials on which splits are searched, too; 0 makes no such null",
    )
    calibration_splits: Annotated[int, Field(ge=1)] = Field(
        default=20, description="splits of each of these, the first ones of the study"
    )


class VerdictSettings(Section):
    """When a persona is called supported, and when two are one finding."""

    alpha: Fraction = Field(
        default=0.05, description="adjusted p at or below which a persona is supported"
    )
    suggestive: Fraction = Field(
        default=0.2, description="adjusted p at or below which it is suggestive"
    )
    jaccard: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.8, description="overlap of covers from which two personas are one finding"
    )

    @model_validator(mode="after")
    def _ordered(self) -> VerdictSettings:
        if self.suggestive < self.alpha:
            raise ValueError(
                f"suggestive {self.suggestive} is below alpha {self.alpha}; raise suggestive"
            )
        return self


class ReportSettings(Section):
    """What the report shows."""

    title: str | None = Field(default=None, description="heading; the study's name if not given")
    identifiers: bool = Field(default=False, description="show participant identifiers")


_UNITS = {"K": 1, "M": 2, "G": 3, "T": 4}


def parse_bytes(text: str) -> int:
    """Return an amount of memory in bytes.

    Examples
    --------
    >>> amount("2GB"), amount("1.5 GiB")
    (2000000000, 1610612736)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([KMGT])(i?)B\s*", text, re.IGNORECASE)
    if found is None:
        raise ValueError(f"{text!r} is not an amount of memory; write for example 2GB")
    base = 1024 if found[3] else 1000
    return int(float(found[1]) * base ** _UNITS[found[2].upper()])


class ExecutionSettings(Section):
    """What changes speed and never a number."""

    block: PositiveCount | None = Field(
        default=None, description="splits or relabellings per task; measured if not given"
    )
    task_seconds: Annotated[float, Field(gt=0)] = Field(
        default=10.0, description="length a task should have when block is measured"
    )
    memory: str = Field(
        default="2GB",
        description="memory of a process that searches; larger cohorts are searched in blocks",
    )

    @field_validator("memory")
    @classmethod
    def _is_memory(cls, value: str) -> str:
        if parse_bytes(value) < 300 * 10**6:
            raise ValueError("too little for a search; write at least 300MB")
        return value

    @property
    def memory_bytes(self) -> int:
        """The memory as a number of bytes."""
        return parse_bytes(self.memory)
