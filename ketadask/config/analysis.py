"""Sections of a study's YAML file from outcome to report; each key has a description."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ketadask import names as nm
from ketadask.config.inputs import Fraction, PositiveCount, Section
from ketadask.features.meg.settings import MIN_RATE, MegSettings

MODALITIES = ("demographic", "scale", "volume")


class RecordingSettings(Section):
    """Preparation of MEG recordings; the defaults are those of `MegSettings`."""

    sensors: Literal["auto", "gradiometer", "magnetometer", "planar"] = Field(
        default="auto",
        description="kind of MEG sensors; auto: the first of these kinds that a recording has",
    )
    rate: Annotated[float, Field(ge=MIN_RATE, le=2000)] = Field(
        default=MegSettings.rate,
        description="values per second that recordings are brought near, by a whole factor",
    )
    grade: Literal[0, 1, 2, 3] = Field(
        default=3, description="gradient compensation of CTF recordings"
    )
    mains: Annotated[float, Field(ge=15, le=100)] = Field(
        default=MegSettings.mains,
        description="mains frequency in Hz, where a sidecar does not give it",
    )
    segment: Annotated[float, Field(ge=0.5, le=10)] = Field(
        default=MegSettings.segment, description="seconds of a segment, good or bad as a whole"
    )
    bad_sensor: Annotated[float, Field(gt=0)] = Field(
        default=MegSettings.bad_sensor,
        description="robust z of log power, compared with neighbours, beyond which a sensor is bad",
    )
    bad_segment: Annotated[float, Field(gt=0)] = Field(
        default=MegSettings.bad_segment,
        description="robust z of log power beyond which a segment is bad",
    )
    max_bad_sensors: Annotated[float, Field(ge=0, le=1)] = Field(
        default=MegSettings.max_bad_sensors,
        description="largest fraction of bad sensors of a recording that is used",
    )
    min_seconds: Annotated[float, Field(ge=0)] = Field(
        default=MegSettings.min_seconds,
        description="fewest clean seconds of a recording that is used",
    )


class FeatureSettings(Section):
    """Features available to a persona."""

    modalities: tuple[str, ...] = Field(
        default=MODALITIES,
        min_length=1,
        description="modalities to use: demographic, scale, volume, meg or eeg, families of "
        "tables; default: all but meg and eeg",
    )
    volumes: Literal["raw", "residual"] = Field(
        default="raw", description="volumes in mm3, or residualised on intracranial volume"
    )
    meg: Literal["core", "full", "power"] = Field(
        default="core", description="MEG or EEG features: a prespecified few, all, or band power"
    )
    cardiac_artefact: Literal["none", "ssp", "ica"] = Field(
        default="none", description="removal of cardiac artefacts from MEG: none, SSP or ICA"
    )
    recordings: RecordingSettings = Field(
        default=RecordingSettings(), description="preparation of MEG recordings"
    )
    parcels: bool = Field(
        default=False,
        description="add power and envelope correlation of brain parcels: by the forward "
        "solutions in derivatives/, else in a template head where fiducials are known",
    )
    asymmetry: bool = Field(
        default=False, description="add the asymmetry of each pair of left and right volumes"
    )
    subscales: bool = Field(
        default=False, description="add published subscales of rating scales with items"
    )
    harmonise: Literal["none", "site"] = Field(
        default="none",
        description="harmonise volumes across sites in mean and variance, without outcomes",
    )
    missing: Literal["unknown", "impute"] = Field(
        default="unknown",
        description="a missing value leaves membership unknown, or is imputed by the median of "
        "trial and site, without outcomes",
    )
    include: tuple[str, ...] | None = Field(
        default=None, description="features to use, names or patterns with *; default: all"
    )
    exclude: tuple[str, ...] = Field(
        default=(), description="features to exclude, names or patterns with *"
    )
    max_missing: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.2, description="largest fraction of missing values per feature"
    )
    max_missing_case: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.5, description="largest fraction of missing features per case"
    )

    @property
    def recording_modality(self) -> str:
        """Modality of the recordings: meg, eeg, or empty where the study uses none."""
        return next((own for own in (nm.MEG, nm.EEG) if own in self.modalities), "")

    @field_validator("modalities")
    @classmethod
    def _check_recordings(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if {nm.MEG, nm.EEG} <= set(value):
            raise ValueError("a study has features of MEG or of EEG; remove meg or eeg")
        return value


class DesignSettings(Section):
    """Trial design: how outcomes become one score per unit."""

    kind: Literal["crossover", "pooled", "parallel"] = Field(
        default="crossover",
        description="participants with both periods, all cases, or separate arms",
    )
    baseline: Literal["mean", "first"] = Field(
        default="mean",
        description="crossover: features are the mean or the first of both baselines",
    )
    adjust: Literal["none", "ridge"] = Field(
        default="ridge",
        description="outcomes are adjusted by a ridge regression on all "
        "features, or by the means of site and arm alone (none)",
    )
    washout: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="minimum number of days between infusions; an earlier second one is excluded",
    )
    within_arm: bool = Field(
        default=False, description="parallel: relabellings exchange features within arm only"
    )
    cluster: str | None = Field(
        default=None,
        min_length=1,
        description="column of the participants with families, twins or people enrolled twice; "
        "clusters are exchanged and split as one",
    )


class SplitSettings(Section):
    """Splits into train and holdout."""

    count: PositiveCount = Field(default=1_000, description="number of splits; may grow later")
    train_size: Fraction = Field(default=0.5, description="fraction of units in the training set")
    group_by: Literal["participant", "case"] = Field(
        default="participant", description="units that stay together; case as published"
    )
    scheme: Literal["holdout", "complementary", "bootstrap", "leave-trial-out"] = Field(
        default="holdout", description="how training sets are drawn"
    )
    stratify: bool = Field(default=True, description="stratify by sequence, response and trial")
    stop: Literal["never", "early"] = Field(
        default="never",
        description="early: stop when the best recurrence is known to within 3 percentage points",
    )


class GateSettings(Section):
    """Gates: criteria of a hit on train and of its confirmation on holdout."""

    p: Fraction = Field(default=0.05, description="largest p of a gate")
    d: Annotated[float, Field(ge=0)] = Field(default=0.5, description="smallest Cohen's d")
    use: Literal["published", "heterogeneity", "both"] = Field(
        default="heterogeneity", description="gate that decides; the other is stored too"
    )


class NullSettings(Section):
    """Relabelled trials: the null distribution of the search."""

    relabellings: Annotated[int, Field(ge=1)] = Field(
        default=999, description="number of relabelled trials; may grow later"
    )
    method: Literal["auto", "features", "arms", "no-effect", "both"] = Field(
        default="auto",
        description="features: exchanged between participants of a stratum; arms: randomised again "
        "under a constant effect; no-effect: randomised again under no effect; both: the larger p "
        "of features and arms; auto: both where a feature predicts the spread of the scores, "
        "and in a parallel trial whose outcome has two values; else features",
    )
    statistic: Literal["studentised", "q"] = Field(
        default="studentised",
        description="studentised: the best personas are ranked again by a t that allows for "
        "unequal spread; q: the statistic of the search",
    )
    candidates: PositiveCount = Field(
        default=20, description="personas with the largest Q that are ranked again by t"
    )
    stop: Literal["never", "early"] = Field(
        default="never",
        description="early: stop when no further relabelled trial can change a verdict",
    )
    calibration_studies: Annotated[int, Field(ge=0)] = Field(
        default=39,
        description="relabelled trials that are also searched on splits; 0 for none; a p of "
        "recurrence needs more than 1 / alpha - 1",
    )
    calibration_splits: Annotated[int, Field(ge=1)] = Field(
        default=20, description="splits of each of these: the first ones of the study"
    )


class VerdictSettings(Section):
    """Verdicts: significance levels, and overlap of personas that are one finding."""

    alpha: Fraction = Field(default=0.05, description="largest adjusted p of a supported persona")
    suggestive: Fraction = Field(
        default=0.2, description="largest adjusted p of a suggestive persona"
    )
    jaccard: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.8, description="smallest Jaccard index of two personas that are one finding"
    )
    linear_share: Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.2,
        description="part of alpha for the linear modifier, taken from that of the personas",
    )

    @model_validator(mode="after")
    def _check_order(self) -> VerdictSettings:
        if self.suggestive < self.alpha:
            raise ValueError(
                f"suggestive {self.suggestive} is below alpha {self.alpha}; raise suggestive"
            )
        return self


class ReportSettings(Section):
    """The report."""

    title: str | None = Field(default=None, description="title; default: the name of the study")
    identifiers: bool = Field(default=False, description="show participant identifiers")


class ExecutionSettings(Section):
    """Speed and memory; no effect on results."""

    block: PositiveCount | None = Field(
        default=None, description="splits or relabellings per task; default: from measured times"
    )
    task_seconds: Annotated[float, Field(gt=0)] = Field(
        default=10.0, description="target duration of a task if block is not set"
    )
    memory: str = Field(
        default="2GB",
        description="memory of a search process; larger cohorts are searched in blocks",
    )
    shared: Literal["group"] | None = Field(
        default=None,
        description="group: members of its group may read the run folder; default: only its owner",
    )

    @field_validator("memory")
    @classmethod
    def _check_memory(cls, value: str) -> str:
        from dask.utils import parse_bytes

        try:
            n_bytes = parse_bytes(value)
        except (ValueError, OverflowError):
            raise ValueError("not an amount of memory; write for example 2GB") from None
        if n_bytes < 300 * 10**6:
            raise ValueError("too little for a search; write at least 300MB")
        return value

    @property
    def memory_bytes(self) -> int:
        """Return the memory as a number of bytes."""
        from dask.utils import parse_bytes

        return int(parse_bytes(self.memory))
