"""The section `predict` of a study's YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from ketadask.config.inputs import Fraction, PositiveCount, Section
from ketadask.schema.errors import nearest

ClassifierName = Literal["svc-linear", "svc-rbf", "logistic", "forest"]
GridValue = bool | int | float | str | None
Positive = Annotated[float, Field(gt=0)]
Several = Annotated[int, Field(ge=2)]


def _check_classifier(name: str) -> str:
    names = get_args(ClassifierName)
    if name not in names and "." not in name:
        raise ValueError(f"unknown classifier; {nearest(name, names)}, or an import path")
    return name


class ControlSettings(Section):
    """A cohort on the control treatment, read instead of the control arm of the study."""

    folder: Path = Field(description="folder of the cohort; its control arm is used")


class PredictSettings(Section):
    """Prediction of response from brain structure; a study with this section predicts."""

    classifier: Annotated[str, AfterValidator(_check_classifier)] = Field(
        default="svc-linear",
        description="svc-linear, svc-rbf, logistic, forest, or the import path of a classifier of "
        "scikit-learn's interface, such as sklearn.svm.NuSVC; its installed package is imported",
    )
    grid: Mapping[str, tuple[GridValue, ...]] = Field(
        default_factory=dict,
        description="forest or import path: candidate values of each parameter",
    )
    other_classifiers: tuple[ClassifierName, ...] = Field(
        default=(), description="classifiers compared on the same folds"
    )
    costs: tuple[Positive, ...] = Field(
        default=tuple(2.0**k for k in range(-6, 5)),
        min_length=1,
        description="candidate values of C",
    )
    gammas: tuple[Positive | None, ...] = Field(
        default=(None,),
        min_length=1,
        description="svc-rbf: candidate values of gamma; null: 1 / (n_features x variance)",
    )
    explained_variance: tuple[Fraction | None, ...] = Field(
        default=(0.9,),
        min_length=1,
        description="fractions of variance explained by the principal components; null: no PCA",
    )
    balanced: bool = Field(default=True, description="equal total weight of both classes")
    covariates: tuple[str, ...] = Field(
        default=("age", "sex", "EstimatedTotalIntraCranialVol"),
        description="features regressed out of the volumes",
    )
    harmonise: bool = Field(default=False, description="harmonise sites in mean and variance")
    unseen_site: Literal["own", "as-is"] = Field(
        default="own",
        description="a site without training data: harmonise by its own volumes, or leave as is",
    )
    cv: Literal["pooled", "leave-site-out", "nested-leave-site-out"] = Field(
        default="pooled",
        description="outer folds: pooled over sites, or one site each; nested: inner folds, too",
    )
    repeats: PositiveCount = Field(default=10, description="repeats of the outer folds")
    folds: Several = Field(default=10, description="outer folds")
    inner_repeats: PositiveCount = Field(default=10, description="repeats of the inner folds")
    inner_folds: Several = Field(default=10, description="inner folds")
    final: Literal["vote", "refit"] = Field(
        default="vote", description="vote of the inner models, or one model refitted to all"
    )
    response_threshold: Fraction | None = Field(
        default=None,
        description="minimum relative improvement of a responder; default: as the outcome",
    )
    permutations: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="number of label permutations, each with model selection; may grow later",
    )
    permuted_repeats: PositiveCount = Field(
        default=1, description="repeats of the outer folds in a permutation"
    )
    permuted_inner_repeats: PositiveCount = Field(
        default=1, description="repeats of the inner folds in a permutation"
    )
    external_trials: tuple[str, ...] = Field(
        default=(), description="trials of the folder used only as external test sets"
    )
    external: Mapping[str, Path] = Field(
        default_factory=dict, description="folders of external cohorts, by name"
    )
    control: ControlSettings | None = Field(
        default=None,
        description="a control cohort of its own; default: the control arm of the study",
    )
    learning_curve: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        default=(),
        description="fractions of the training participants, for performance against their number",
    )
    missing_region: Literal["stop", "median"] = Field(
        default="stop",
        description="a region missing in an external cohort: stop, or use the training median",
    )

    @model_validator(mode="after")
    def _check_grid(self) -> PredictSettings:
        if self.grid and self.classifier != "forest" and "." not in self.classifier:
            raise ValueError(
                f"predict.grid is not for {self.classifier}; "
                "set predict.costs, or name the import path of a classifier"
            )
        for name, values in self.grid.items():
            if not values:
                raise ValueError(f"predict.grid.{name} has no value; list one value or more")
        return self

    @property
    def folders(self) -> dict[str, Path]:
        """Folders of further cohorts, by name."""
        control = {} if self.control is None else {"control arm": self.control.folder}
        return {**self.external, **control}
