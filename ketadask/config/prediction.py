"""The section about foretelling response from brain structure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ketadask.config.analysis import Fraction, PositiveCount, Section

LearnerName = Literal["svc-linear", "svc-rbf", "logistic", "forest"]
Positive = Annotated[float, Field(gt=0)]
Several = Annotated[int, Field(ge=2)]


class PredictSettings(Section):
    """Response foretold from brain structure; asked for where this section is."""

    classifier: LearnerName = Field(default="svc-linear", description="classifier")
    other_classifiers: tuple[LearnerName, ...] = Field(
        default=(), description="classifiers that are tried on the same folds for comparison"
    )
    costs: tuple[Positive, ...] = Field(
        default=tuple(2.0**k for k in range(-6, 5)),
        min_length=1,
        description="values of C that the inner folds choose from",
    )
    gammas: tuple[Positive | None, ...] = Field(
        default=(None,),
        min_length=1,
        description="svc-rbf: widths of the kernel, null for one over the variance",
    )
    explained_variance: tuple[Fraction | None, ...] = Field(
        default=(0.9,),
        min_length=1,
        description="shares of variance the principal components keep, null for none",
    )
    balanced: bool = Field(default=True, description="both labels weigh the same")
    covariates: tuple[str, ...] = Field(
        default=("age", "sex", "EstimatedTotalIntraCranialVol"),
        description="features whose linear part is removed from the volumes",
    )
    harmonise: bool = Field(default=False, description="bring sites to a common mean and spread")
    unseen_site: Literal["own", "as-is"] = Field(
        default="own",
        description="harmonise an unseen site by its own volumes, without outcomes, or leave it",
    )
    cv: Literal["pooled", "leave-site-out", "nested-leave-site-out"] = Field(
        default="pooled", description="folds mix sites, or leave them out, also inside"
    )
    repeats: PositiveCount = Field(default=10, description="repeats of the outer folds")
    folds: Several = Field(default=10, description="outer folds")
    inner_repeats: PositiveCount = Field(default=10, description="repeats of the inner folds")
    inner_folds: Several = Field(default=10, description="inner folds")
    final: Literal["vote", "refit"] = Field(
        default="vote", description="models of the inner folds vote, or one is fitted to all"
    )
    response_threshold: Fraction | None = Field(
        default=None,
        description="share of the baseline that must be gone; that of the outcome if not given",
    )
    permutations: Annotated[int, Field(ge=0)] = Field(
        default=0, description="permutations of the labels, each repeating the choice; may grow"
    )
    permuted_repeats: PositiveCount = Field(
        default=1, description="repeats of the outer folds in a permutation"
    )
    permuted_inner_repeats: PositiveCount = Field(
        default=1, description="repeats of the inner folds in a permutation"
    )
    external_trials: tuple[str, ...] = Field(
        default=(), description="trials of the same folder the locked model is only applied to"
    )
    external: Mapping[str, Path] = Field(
        default_factory=dict, description="folders of other cohorts, by the name they get"
    )
    missing_region: Literal["stop", "median"] = Field(
        default="stop",
        description="stop where another cohort lacks a region, or take the training median",
    )
