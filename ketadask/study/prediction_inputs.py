"""The cases and the nested cross-validation of a prediction, from the settings of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ketadask import names as nm
from ketadask.config.prediction import PredictSettings
from ketadask.config.study import StudySettings
from ketadask.schema.errors import InputError, nearest

if TYPE_CHECKING:
    from ketadask.predict.classifier_data import ClassifierData
    from ketadask.predict.nested import NestedCV


def predict_settings(settings: StudySettings) -> PredictSettings:
    """Return the section `predict`; raise if the study has none."""
    if settings.predict is None:
        raise InputError(
            "the study has no section predict",
            where="predict",
            remedy="add a section predict, for example `predict: {classifier: svc-linear}`",
        )
    return settings.predict


def nested_of(
    settings: StudySettings,
    classifier: str,
    *,
    permutation: bool = False,
    train_fraction: float = 1.0,
) -> NestedCV:
    """Return the nested cross-validation of a classifier."""
    from ketadask.predict.classifiers import Classifier
    from ketadask.predict.folds import NestedFolds
    from ketadask.predict.nested import NestedCV
    from ketadask.predict.preparation import PreparationSettings

    options = predict_settings(settings)
    return NestedCV(
        cv=NestedFolds(
            scheme=options.cv,
            repeats=options.permuted_repeats if permutation else options.repeats,
            folds=options.folds,
            inner_repeats=options.permuted_inner_repeats if permutation else options.inner_repeats,
            inner_folds=options.inner_folds,
            seed=settings.seed,
            train_fraction=train_fraction,
        ),
        classifier=Classifier(
            name=classifier,
            costs=options.costs,
            gammas=options.gammas,
            explained_variance=options.explained_variance,
            balance_labels=options.balanced,
            grid=tuple(options.grid.items()) if classifier == options.classifier else (),
            seed=settings.seed,
        ),
        preparation=PreparationSettings(
            harmonise=options.harmonise, unseen_site=options.unseen_site
        ),
        final=options.final,
    )


def classifier_cases(settings: StudySettings, cohort: Any) -> tuple[ClassifierData, ClassifierData]:
    """Return the training cases, and those of the control arm."""
    from ketadask.predict.classifier_data import classifier_data

    options = predict_settings(settings)
    trials = sorted({str(name) for name in cohort["trial"].values})
    for name in options.external_trials:
        if name not in trials:
            raise InputError(
                "no such trial",
                where="predict.external_trials",
                value=name,
                remedy=nearest(name, trials),
            )
    trials = [name for name in trials if name not in options.external_trials]
    discovery, control = (
        classifier_data(
            cohort,
            arm=arm,
            covariates=options.covariates,
            threshold=options.response_threshold,
            trials=trials,
        )
        for arm in (nm.ACTIVE, nm.CONTROL)
    )
    if not len(discovery):
        raise InputError(
            "no case of the active arm has an outcome",
            where="predict.external_trials",
            value=", ".join(options.external_trials) or None,
            remedy="keep at least one trial for training",
        )
    return discovery, control
