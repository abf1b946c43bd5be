"""A study's YAML file as one value, and the settings on which each stage depends."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from ketadask.cohort.endpoints import Outcome
from ketadask.config.analysis import (
    DesignSettings,
    ExecutionSettings,
    FeatureSettings,
    GateSettings,
    NullSettings,
    ReportSettings,
    SplitSettings,
    VerdictSettings,
)
from ketadask.config.inputs import (
    DataSettings,
    RegionTableSettings,
    Section,
    TrialTableSettings,
)
from ketadask.config.prediction import PredictSettings
from ketadask.config.reading import read_settings
from ketadask.kernels.settings import LiteralSettings
from ketadask.search.settings import LengthSettings

_COHORT: dict[str, Any] = {
    "data": dict.fromkeys(
        set(DataSettings.model_fields) - {"folder", "simulate", "freesurfer", "table", "regions"},
        True,
    )
    | {"regions": {"__all__": set(RegionTableSettings.model_fields) - {"file"}}}
    | {"table": set(TrialTableSettings.model_fields) - {"file"}},
    "outcome": True,
    "features": True,
    "design": True,
}
_PROBLEM = _COHORT | {"literals": True, "search": True, "seed": True}
_SPLITS = {"splits": {"train_size", "group_by", "scheme", "stratify"}, "gates": True}
# Models do not depend on other cohorts, which are read and predicted again in every run.
_MODELS = set(PredictSettings.model_fields) - {
    "permutations",
    "other_classifiers",
    "learning_curve",
    "missing_region",
    "external",
    "control",
}
_SCIENCE: dict[str, dict[str, Any]] = {
    "data": {"data": {"simulate"}},
    "cohort": _COHORT,
    "search": _PROBLEM | _SPLITS,
    "null": _PROBLEM | {"null": {"method", "candidates"}},
    "evaluate": _PROBLEM | _SPLITS,
    "predict": _COHORT | {"seed": True, "predict": _MODELS},
    "judge": _PROBLEM | {"splits": True, "gates": True, "null": True, "verdict": True},
    "report": _PROBLEM
    | {"splits": True, "gates": True, "null": True, "verdict": True, "report": True}
    | {"predict": True},
}


def _check_search(search: LengthSettings) -> LengthSettings:
    search.check()
    return search


class StudySettings(Section):
    """All settings of a study."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)] = Field(
        description="name of the study; the run folder name begins with it"
    )
    seed: Annotated[int, Field(ge=0)] = Field(
        default=7, description="seed of splits and relabellings"
    )
    data: DataSettings = Field(description="inputs of the study")
    outcome: Outcome = Field(default=Outcome(), description="outcome and endpoint")
    features: FeatureSettings = Field(
        default=FeatureSettings(), description="features available to a persona"
    )
    design: DesignSettings = Field(default=DesignSettings(), description="trial design and score")
    literals: LiteralSettings = Field(
        default=LiteralSettings(), description="cut points of features"
    )
    search: Annotated[LengthSettings, AfterValidator(_check_search)] = Field(
        default=LengthSettings(), description="personas to search"
    )
    splits: SplitSettings = Field(
        default=SplitSettings(), description="splits into train and holdout"
    )
    gates: GateSettings = Field(default=GateSettings(), description="criteria of a hit")
    null: NullSettings = Field(default=NullSettings(), description="relabelled trials")
    verdict: VerdictSettings = Field(default=VerdictSettings(), description="criteria of a verdict")
    predict: PredictSettings | None = Field(
        default=None, description="prediction of response from brain structure; default: none"
    )
    report: ReportSettings = Field(default=ReportSettings(), description="content of the report")
    execution: ExecutionSettings = Field(
        default=ExecutionSettings(), description="speed and memory; no effect on results"
    )

    @model_validator(mode="after")
    def _check_consistency(self) -> StudySettings:
        smallest = 1 / (self.null.relabellings + 1)
        if smallest > self.verdict.alpha:
            need = math.ceil(1 / self.verdict.alpha - 1e-9) - 1
            raise ValueError(
                f"null.relabellings {self.null.relabellings} cannot give an adjusted p below "
                f"{smallest:.3g}, above verdict.alpha {self.verdict.alpha}; "
                f"set null.relabellings to {need} or more"
            )
        if self.outcome.level is not None and self.data.table is None:
            raise ValueError(
                "outcome.level is for data.table; write 0 and 1 in the table of the outcome"
            )
        if self.splits.group_by == "case" and self.design.kind != "pooled":
            raise ValueError(
                f"splits.group_by 'case' needs design.kind 'pooled', not {self.design.kind!r}; "
                "set splits.group_by to participant or design.kind to pooled"
            )
        if self.splits.scheme == "complementary" and self.splits.train_size != 0.5:
            raise ValueError(
                "complementary splits are halves, "
                f"found splits.train_size {self.splits.train_size}; "
                "set splits.train_size to 0.5"
            )
        if self.predict and (self.features.volumes, self.features.harmonise) != ("raw", "none"):
            raise ValueError(
                "with predict, features.volumes and features.harmonise would adjust volumes on "
                "training and test cases together; "
                "remove both and set predict.covariates and predict.harmonise"
            )
        return self

    def science(self, stage: str = "judge") -> dict[str, Any]:
        """Return the settings that can change the results of ``stage``.

        The numbers of splits and relabellings are not settings of ``search``, ``null`` and
        ``evaluate``: a larger number adds parts and keeps the present ones. The content of the
        input files is hashed separately.

        Examples
        --------
        >>> data = DataSettings(folder=Path("x"))
        >>> few = StudySettings(name="a", data=data, splits=SplitSettings(count=5))
        >>> many = StudySettings(name="a", data=data, splits=SplitSettings(count=9))
        >>> few.science("search") == many.science("search")
        True
        >>> few.science("judge") == many.science("judge")
        False
        """
        return self.model_dump(mode="json", include=_SCIENCE[stage])


def read_study(path: Path | str, overrides: Iterable[str] = ()) -> StudySettings:
    """Return the settings in the YAML file at ``path`` after the overrides ``a.b=c``."""
    return read_settings(path, StudySettings, overrides)
