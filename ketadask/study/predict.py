"""Response foretold from brain structure: folds, permutations, the locked model, other cohorts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ketadask import names as nm
from ketadask.config.prediction import PredictSettings
from ketadask.config.study import StudySettings
from ketadask.pipeline.stage import Stage
from ketadask.schema.errors import InputError, nearest
from ketadask.store.disk import set_aside
from ketadask.store.parts import Parts
from ketadask.study.from_settings import read_cohort
from ketadask.study.judge import FINISHED, completed_keys, forget
from ketadask.study.paths import external_settings
from ketadask.study.problem import cohort_of
from ketadask.study.run import PREDICT

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.predict.classifier_data import ClassifierData
    from ketadask.predict.locked import LockedModel
    from ketadask.predict.nested import NestedCV
    from ketadask.predict.results import Prediction
    from ketadask.study.run import RunPaths, StudyRun

SUMMARY, CASES, WEIGHTS = "prediction.json", "prediction_cases.parquet", "weights.parquet"
MODEL, FOLDER = "locked_model.npz", "predict"
DISCOVERY, CONTROL = "discovery", "control arm"
FOREST, INSTEAD = "forest", "svc-linear"
_LEAVES = (1.0, 5.0)
_TABLES = ("predictions", "choices", "weights")


@dataclass(frozen=True)
class PredictionTables:
    """What was foretold: the summary as written, and the tables beside it."""

    summary: dict[str, Any]
    cases: pd.DataFrame
    weights: pd.DataFrame


def predict_study(work: StudyRun) -> PredictionTables:
    """Do what is missing of the prediction and sum it up."""
    wanted = asked_for(work.settings)
    cohort = cohort_of(work).dataset
    discovery, control = _cases(work.settings, cohort)
    nested = nested_of(work.settings, wanted.classifier)
    work.progress.print(
        f"predict: {len(discovery):,} cases, {int((discovery.label == 1).sum()):,} respond, "
        f"{len(discovery.region):,} regions"
    )
    made = _out_of_fold(work, discovery, nested)
    p, permutations = _permuted(work, discovery, nested)
    model = _locked(work, discovery, nested)
    others, notes = _others(work, cohort, model)
    tables = {DISCOVERY: made.cases, CONTROL: _control(control, made, model), **others}
    summary = {
        "classifier": wanted.classifier,
        "cv": wanted.cv,
        "folds": f"{wanted.repeats} x {nested.cv.outer_folds(discovery)} outer, "
        f"{wanted.inner_repeats} x {wanted.inner_folds} inner",
        "final": wanted.final,
        "regions": len(discovery.region),
        "covariates": list(wanted.covariates),
        "cohorts": {
            name: _measures(table) | (made.measures if name == DISCOVERY else {})
            for name, table in tables.items()
            if len(table)
        },
        "order": [name for name, table in tables.items() if len(table)],
        "permutations": permutations,
        "p": p,
        "locked": model.about,
        "other_classifiers": {
            name: _out_of_fold(work, discovery, nested_of(work.settings, name)).measures
            for name in wanted.other_classifiers
        },
        "notes": notes,
    }
    cases = _one_table(tables)
    forget(work, "predict")
    for name, table in ((CASES, cases), (WEIGHTS, made.weights)):
        work.run.write_table(name, table, csv=True)
    _write_summary(work, summary)
    return PredictionTables(summary, cases, made.weights)


def _write_summary(work: StudyRun, summary: dict[str, Any]) -> None:
    """Write the summary; where it has changed, the report is no longer the right one."""
    earlier = work.run.read_json(SUMMARY) if work.run.has(SUMMARY) else None
    work.run.write_json(SUMMARY, summary)
    if work.run.read_json(SUMMARY) != earlier:
        forget(work, "report")
    work.run.write_json(FINISHED, completed_keys(work) | {"predict": question(work.place)})


def read_prediction(work: StudyRun) -> PredictionTables | None:
    """Return what was foretold where exactly what the study asks for is there."""
    run = work.run
    if work.settings.predict is None or completed_keys(work).get("predict") != question(work.place):
        return None
    return PredictionTables(run.read_json(SUMMARY), run.read_table(CASES), run.read_table(WEIGHTS))


def question(place: RunPaths) -> str:
    """Return the key of all that is foretold; that of the folds does not count how many."""
    predict = place.settings.predict
    return place.key("predict", None if predict is None else predict.model_dump(mode="json"))


def asked_for(settings: StudySettings) -> PredictSettings:
    """Return the section, or say that the study asks for no prediction."""
    if settings.predict is None:
        raise InputError(
            "this study asks for no prediction",
            where="predict",
            remedy="add a section predict, for example with classifier: svc-linear",
        )
    return settings.predict


def nested_of(settings: StudySettings, classifier: str, *, permuted: bool = False) -> NestedCV:
    """Return the nested cross-validation the settings ask for."""
    from ketadask.predict.classifiers import Classifier
    from ketadask.predict.folds import NestedFolds
    from ketadask.predict.nested import NestedCV
    from ketadask.predict.preparation import PreparationSettings

    wanted = asked_for(settings)
    return NestedCV(
        cv=NestedFolds(
            scheme=wanted.cv,
            repeats=wanted.permuted_repeats if permuted else wanted.repeats,
            folds=wanted.folds,
            inner_repeats=wanted.permuted_inner_repeats if permuted else wanted.inner_repeats,
            inner_folds=wanted.inner_folds,
            seed=settings.seed,
        ),
        classifier=Classifier(
            name=classifier,
            costs=_LEAVES if classifier == FOREST else wanted.costs,
            gammas=wanted.gammas,
            explained_variance=wanted.explained_variance,
            balance_labels=wanted.balanced,
            seed=settings.seed,
        ),
        preparation=PreparationSettings(harmonise=wanted.harmonise, unseen_site=wanted.unseen_site),
        final=wanted.final,
    )


def _cases(settings: StudySettings, cohort: Any) -> tuple[ClassifierData, ClassifierData]:
    """Return the cases to learn from, and those of the control arm."""
    from ketadask.predict.classifier_data import classifier_data

    wanted = asked_for(settings)
    known = sorted({str(name) for name in cohort["trial"].values})
    for name in wanted.external_trials:
        if name not in known:
            raise InputError(
                "no such trial",
                where="predict.external_trials",
                value=name,
                remedy=nearest(name, known),
            )
    trials = [name for name in known if name not in wanted.external_trials]
    learnt, control = (
        classifier_data(
            cohort,
            arm=arm,
            covariates=wanted.covariates,
            threshold=wanted.response_threshold,
            trials=trials,
        )
        for arm in (nm.ACTIVE, nm.CONTROL)
    )
    if not len(learnt):
        raise InputError(
            "no case of the active arm has an outcome",
            where="predict.external_trials",
            value=", ".join(wanted.external_trials) or None,
            remedy="leave at least one trial to learn from",
        )
    return learnt, control


def _out_of_fold(work: StudyRun, cases: ClassifierData, nested: NestedCV) -> Prediction:
    """Compute the outer folds that are missing and sum up all of them."""
    from ketadask.predict.graph import fold_blocks
    from ketadask.predict.results import summarise_prediction

    nested.cv.check(cases)
    name = nested.classifier.name
    parts = Parts(work.place.path / FOLDER / name, work.place.key("predict", name))
    total = nested.cv.count(cases)
    work.complete_stage(
        Stage(
            f"predict {name}",
            "outer folds",
            total,
            lambda ranges: fold_blocks(cases, nested, ranges, parts),
            parts,
        ),
        PREDICT,
    )
    return summarise_prediction(
        cases, nested, {table: parts.read_all(table, total) for table in _TABLES}
    )


def _permuted(
    work: StudyRun, cases: ClassifierData, nested: NestedCV
) -> tuple[dict[str, float] | None, int]:
    """Compute the permutations that are missing; return p and their number."""
    from ketadask.predict.graph import permutation_blocks
    from ketadask.predict.permutations import permutation_p

    wanted = asked_for(work.settings)
    if not wanted.permutations:
        return None, 0
    small = nested_of(work.settings, nested.classifier.name, permuted=True)
    parts = Parts(
        work.place.path / FOLDER / "permutations", work.place.key("predict", "permutations")
    )
    total = wanted.permutations + 1
    work.complete_stage(
        Stage(
            "permute",
            "permutations",
            total,
            lambda ranges: permutation_blocks(cases, small, ranges, parts),
            parts,
        ),
        PREDICT,
    )
    table = parts.read_below("permutations", total, "permutation")
    return permutation_p(table), wanted.permutations


def _locked(work: StudyRun, cases: ClassifierData, nested: NestedCV) -> LockedModel:
    """Return the model fitted to the whole cohort, from the run folder where it is there."""
    from ketadask.predict.locked import lock_model, read_locked_model

    path, key = work.run.path / MODEL, work.place.key("predict", "locked")
    if path.is_file():
        try:
            model = read_locked_model(path)
            if model.about.get("key") == key:
                return model
        except InputError as error:
            work.progress.print(f"predict: the locked model is set aside and made anew: {error}")
            set_aside(path, work.run.path / "damaged")
    if nested.classifier.name == FOREST:
        nested = nested_of(work.settings, INSTEAD)
        work.progress.print(f"predict: a {FOREST} cannot be locked, {INSTEAD} is locked instead")
    work.progress.print("predict: fitting the model that is locked")
    model = lock_model(nested, cases)
    model.about["key"] = key
    model.write(path)
    return model


def _control(control: ClassifierData, made: Prediction, model: LockedModel) -> pd.DataFrame:
    """Return what is said about the control arm, by models that never saw the participant.

    Participants who were learnt from are scored by their outer folds, the others by the locked
    model.
    """
    import pandas as pd

    said = made.cases.set_index(nm.PARTICIPANT)
    inside = pd.Series(control.participant).isin(said.index).to_numpy()
    # A participant with two active cases was scored twice, by the same models and regions.
    said = said[~said.index.duplicated()]
    rows = said.loc[control.participant[inside]].reset_index()
    rows = rows.assign(label=control.label[inside].astype(int))
    if inside.all():
        return rows
    return pd.concat([rows, model.apply(control.take(~inside))], ignore_index=True)


def _others(
    work: StudyRun, cohort: Any, model: LockedModel
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Apply the locked model to other trials of the folder and to other folders."""
    from ketadask.predict.classifier_data import classifier_data

    wanted = asked_for(work.settings)
    cohorts: dict[str, Any] = {name: (cohort, [name]) for name in wanted.external_trials}
    for name, folder in wanted.external.items():
        work.progress.print(f"predict: reading {name} from {folder}")
        other = read_cohort(external_settings(work.settings, folder), folder)
        cohorts[name] = (other.dataset, None)
    tables, notes = {}, []
    for name, (one, trials) in cohorts.items():
        cases = classifier_data(
            one,
            covariates=wanted.covariates,
            threshold=wanted.response_threshold,
            trials=trials,
        )
        if not len(cases):
            raise InputError(
                "no case of the active arm has an outcome", where="predict", value=name,
                remedy="check the name and its tables",
            )  # fmt: skip
        tables[name] = model.apply(cases, missing_region=wanted.missing_region)
        notes += [f"{name}: {note}" for note in tables[name].attrs["notes"]]
    return tables, notes


def _measures(table: pd.DataFrame) -> dict[str, float]:
    from ketadask.predict.performance import performance

    return performance(
        table["label"].to_numpy(),
        table["predicted"].to_numpy(),
        table["decision"].to_numpy(),
        table[nm.PARTICIPANT].to_numpy(),
        site=table["site"].to_numpy(),
    )


def _one_table(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(
        [table.assign(cohort=name) for name, table in tables.items() if len(table)],
        ignore_index=True,
    )
