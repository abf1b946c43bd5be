"""A whole study as asked for, and which of its answers can change the numbers of which stage."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, Field, model_validator

from ketadask.config.analysis import (
    DataSettings,
    DesignSettings,
    ExecutionSettings,
    FeatureSettings,
    GateSettings,
    Modality,
    NullSettings,
    OutcomeSettings,
    ReportSettings,
    Section,
    SplitSettings,
    VerdictSettings,
)
from ketadask.config.prediction import PredictSettings
from ketadask.config.reading import read_settings
from ketadask.kernels.settings import LiteralSettings, SearchSettings
from ketadask.schema.errors import nearest

_COHORT: dict[str, Any] = {
    "data": {
        "scales",
        "groups",
        "bad_cells",
        "session_pattern",
        "tables",
        "participants",
        "task",
        "ignore",
    },
    "outcome": True,
    "features": True,
    "design": True,
}
_PROBLEM = _COHORT | {"literals": True, "search": True, "seed": True}
_SPLITS = {"splits": {"train_size", "group_by", "scheme", "stratify"}, "gates": True}
# What is learnt does not depend on other cohorts; they are read and foretold anew each time.
_PREDICTED = set(PredictSettings.model_fields) - {
    "permutations",
    "other_classifiers",
    "missing_region",
    "external",
}
_SCIENCE: dict[str, dict[str, Any]] = {
    "data": {"data": {"simulate"}},
    "cohort": _COHORT,
    "search": _PROBLEM | _SPLITS,
    "null": _PROBLEM | {"null": {"method"}},
    "evaluate": _PROBLEM | _SPLITS,
    "predict": _COHORT | {"seed": True, "predict": _PREDICTED},
    "judge": _PROBLEM | {"splits": True, "gates": True, "null": True, "verdict": True},
    "report": _PROBLEM
    | {"splits": True, "gates": True, "null": True, "verdict": True, "report": True}
    | {"predict": True},
}


def _checked_search(search: SearchSettings) -> SearchSettings:
    search.check()
    modalities = get_args(Modality)
    for name in search.priority or ():
        if name not in modalities:
            raise ValueError(f"unknown modality {name!r} in priority; {nearest(name, modalities)}")
    return search


class StudySettings(Section):
    """One study: its data, its question, its method."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)] = Field(
        description="name of the study, begins the name of its run folder"
    )
    seed: Annotated[int, Field(ge=0)] = Field(
        default=7, description="seed of all splits and relabellings"
    )
    data: DataSettings = Field(description="where the tables are")
    outcome: OutcomeSettings = Field(
        default=OutcomeSettings(), description="what counts as getting better"
    )
    features: FeatureSettings = Field(
        default=FeatureSettings(), description="what a persona may be made of"
    )
    design: DesignSettings = Field(
        default=DesignSettings(), description="how a trial becomes one score per unit"
    )
    literals: LiteralSettings = Field(
        default=LiteralSettings(), description="where features may be cut"
    )
    search: Annotated[SearchSettings, AfterValidator(_checked_search)] = Field(
        default=SearchSettings(), description="which personas are searched, and how"
    )
    splits: SplitSettings = Field(default=SplitSettings(), description="train and holdout")
    gates: GateSettings = Field(default=GateSettings(), description="what a hit must pass")
    null: NullSettings = Field(default=NullSettings(), description="relabelled trials")
    verdict: VerdictSettings = Field(
        default=VerdictSettings(), description="when a persona is called supported"
    )
    predict: PredictSettings | None = Field(
        default=None, description="response foretold from brain structure, where asked for"
    )
    report: ReportSettings = Field(default=ReportSettings(), description="what the report shows")
    execution: ExecutionSettings = Field(
        default=ExecutionSettings(), description="speed; never changes a number"
    )

    @model_validator(mode="after")
    def _can_be_answered(self) -> StudySettings:
        smallest = 1 / (self.null.relabellings + 1)
        if smallest > self.verdict.alpha:
            need = math.ceil(1 / self.verdict.alpha - 1e-9) - 1
            raise ValueError(
                f"null.relabellings {self.null.relabellings} cannot give an adjusted p below "
                f"{smallest:.3g}, above verdict.alpha {self.verdict.alpha}; "
                f"set null.relabellings to {need} or more"
            )
        if self.splits.group_by == "case" and self.design.kind != "pooled":
            raise ValueError(
                f"splits.group_by 'case' has no meaning in design.kind {self.design.kind!r}; "
                "set splits.group_by to participant or design.kind to pooled"
            )
        if self.splits.scheme == "complementary" and self.splits.train_size != 0.5:
            raise ValueError(
                f"complementary splits are halves, splits.train_size is {self.splits.train_size}; "
                "set splits.train_size to 0.5"
            )
        if self.predict and (self.features.volumes, self.features.harmonise) != ("raw", "none"):
            raise ValueError(
                "predict takes head size and sites out within its folds; features.volumes and "
                "features.harmonise would do so with the cases that are foretold among them; "
                "leave both out, and set predict.covariates and predict.harmonise"
            )
        return self

    def science(self, stage: str = "judge") -> dict[str, Any]:
        """Return what can change the numbers of ``stage``: the only settings its parts depend on.

        Counts of splits and relabellings are not among those of ``search``, ``null`` and
        ``evaluate``, so that asking for more adds parts and invalidates none. The content of
        the input files is hashed beside it.

        Examples
        --------
        >>> made = Settings(name="a", data=Data(folder=Path("x")), splits=Splits(count=5))
        >>> more = Settings(name="a", data=Data(folder=Path("x")), splits=Splits(count=9))
        >>> made.science("search") == more.science("search")
        True
        >>> made.science("judge") == more.science("judge")
        False
        """
        return self.model_dump(mode="json", include=_SCIENCE[stage])


def read_study(path: Path | str, overrides: Iterable[str] = ()) -> StudySettings:
    """Return the study asked for in the YAML file at ``path``, changed by ``a.b=c`` words."""
    return read_settings(path, StudySettings, overrides)
