"""Response predicted from brain structure: performance by cohort, curves, and the regions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ketadask.plot.brain import BrainMap, brain_maps, brain_svg
from ketadask.predict.weights import lobe_table
from ketadask.report.canvas import Drawing
from ketadask.report.context import ReportContext
from ketadask.report.downloads import Download, as_download
from ketadask.report.personas import rows_as
from ketadask.report.prediction_figures import (
    MAX_REGIONS,
    LearningPoint,
    Performance,
    RegionWeight,
    prediction_figures,
)

if TYPE_CHECKING:
    import pandas as pd
    from markupsafe import Markup

_BRAINS = {
    "pattern": "Patterns: covariance of a region with the decision of the models. Blue: larger in "
    "participants predicted to respond; brown: smaller.",
    "weight": "Weights: what the models use. A weight may only cancel what other regions share.",
}


@dataclass(frozen=True)
class LobePattern:
    """Mean pattern of the regions of a lobe, and the fraction above zero."""

    lobe: str
    regions: int
    pattern: float
    positive: float


@dataclass(frozen=True)
class BrainDrawing:
    """Maps of one column of the weights, as SVG."""

    name: str
    caption: str
    maps: tuple[Markup, ...]


@dataclass(frozen=True)
class CohortResult:
    """Performance in one cohort, and whether it is above chance by the p of its AUC."""

    name: str
    measures: Performance
    alpha: float

    @property
    def p_auc(self) -> float | None:
        """Permutation p of the AUC, None where it was not computed."""
        return self.measures.get("p_auc")

    @property
    def p_bac(self) -> float | None:
        """Permutation p of the balanced accuracy, None where it was not computed."""
        return self.measures.get("p_bac")

    @property
    def is_above(self) -> bool:
        """Whether the AUC is above chance at the level of the study."""
        return self.p_auc is not None and self.p_auc <= self.alpha

    @property
    def word(self) -> str:
        """The result in two or three words."""
        if self.p_auc is None:
            return "not tested"
        return "above chance" if self.is_above else "not above chance"


@dataclass(frozen=True)
class AnswerView:
    """First page of a study that only predicts; ``predictors`` names what it predicts from."""

    cohorts: tuple[CohortResult, ...]
    predictors: str
    n_regions: int
    permutations: int
    has_external: bool
    specificity: Mapping[str, float]
    alpha: float

    @property
    def discovery(self) -> CohortResult:
        """The cohort of the nested cross-validation."""
        return self.cohorts[0]


def answer_view(context: ReportContext) -> AnswerView | None:
    """Return the first page, or None where the study also searches personas."""
    part = context.data.prediction
    if not context.data.is_prediction_only or part is None or not part["summary"].get("cohorts"):
        return None
    summary, alpha = part["summary"], context.settings.alpha
    return AnswerView(
        cohorts=tuple(
            CohortResult(context.mask(name), summary["cohorts"][name], alpha)
            for name in summary["order"]
        ),
        predictors="brain structure",
        n_regions=summary["regions"],
        permutations=summary["permutations"],
        has_external=len(summary["order"]) > 2,
        specificity=summary.get("specificity") or {},
        alpha=alpha,
    )


@dataclass(frozen=True)
class PredictionView:
    """Response predicted from brain structure.

    ``locked_classifier`` differs from ``classifier`` where the latter cannot be locked; ``p`` are
    permutation p-values by measure, empty without permutations.
    """

    classifier: str
    locked_classifier: str
    cv: str
    folds: str
    n_regions: int
    covariates: tuple[str, ...]
    permutations: int
    p: Mapping[str, float]
    cohorts: Mapping[str, Performance]
    discovery: Performance
    other_classifiers: Mapping[str, Performance]
    notes: tuple[str, ...]
    figures: Mapping[str, Drawing]
    learning_curve: tuple[LearningPoint, ...]
    regions: tuple[RegionWeight, ...]
    lobes: tuple[LobePattern, ...]
    brains: tuple[BrainDrawing, ...]
    n_undrawn: int
    download: Download | None


def prediction_view(context: ReportContext) -> PredictionView | None:
    """Return the section, or None where the study predicts nothing."""
    import pandas as pd

    part, mask = context.data.prediction, context.mask
    if part is None or not part["summary"].get("cohorts"):
        return None
    summary, cases, weights = part["summary"], part["cases"], part["weights"]
    names = summary["order"]
    cohorts = {mask(name): summary["cohorts"][name] for name in names}
    points = pd.DataFrame(summary.get("learning_curve") or ())
    curve = tuple(rows_as(points, LearningPoint)) if len(points) else ()
    return PredictionView(
        classifier=summary["classifier"],
        locked_classifier=summary.get("locked", summary)["classifier"],
        cv=summary["cv"],
        folds=summary["folds"],
        n_regions=summary["regions"],
        covariates=tuple(summary["covariates"]),
        permutations=summary["permutations"],
        p=summary["p"] or {},
        cohorts=cohorts,
        discovery=summary["cohorts"][names[0]],
        other_classifiers=summary.get("other_classifiers", {}),
        notes=tuple(mask(note) for note in summary.get("notes", ())),
        figures=prediction_figures(cohorts, cases, weights, curve, names[0], mask),
        learning_curve=curve,
        regions=tuple(rows_as(weights.head(MAX_REGIONS), RegionWeight)) if len(weights) else (),
        lobes=tuple(rows_as(lobe_table(weights), LobePattern)) if len(weights) else (),
        brains=_brain_drawings(weights),
        n_undrawn=len(weights) - sum(len(brain.values) for brain in _maps(weights, "weight")),
        download=as_download(weights, "weights.csv") if len(weights) else None,
    )


def _maps(weights: pd.DataFrame, column: str) -> list[BrainMap]:
    pairs = zip(weights["region"], weights[column], strict=True)
    return brain_maps({str(region): float(value) for region, value in pairs})


def _brain_drawings(weights: pd.DataFrame) -> tuple[BrainDrawing, ...]:
    """Return maps of the patterns and of the weights."""
    return tuple(
        BrainDrawing(column, text, tuple(brain_svg(brain, column) for brain in maps))
        for column, text in _BRAINS.items()
        if (maps := _maps(weights, column))
    )
