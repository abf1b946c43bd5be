"""Prediction of response: outer folds, permutations, the locked model, external cohorts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask import names as nm
from ketadask.pipeline.stage import Stage
from ketadask.schema.errors import InputError
from ketadask.store.disk import set_aside
from ketadask.store.parts import Parts
from ketadask.study.from_settings import read_cohort
from ketadask.study.inputs import external_settings
from ketadask.study.prediction_inputs import classifier_cases, nested_of, predict_settings
from ketadask.study.problem import cohort_of
from ketadask.study.run import PREDICT

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.predict.classifier_data import ClassifierData
    from ketadask.predict.locked import LockedModel
    from ketadask.predict.nested import NestedCV
    from ketadask.predict.results import Prediction
    from ketadask.study.paths import RunPaths
    from ketadask.study.run import StudyRun

SUMMARY, CASES, WEIGHTS = "prediction.json", "prediction_cases.parquet", "weights.parquet"
MODEL, FOLDER = "locked_model.npz", "predict"
DISCOVERY, CONTROL = "discovery", "control arm"
CURVE, INSTEAD = "learning_curve.parquet", "svc-linear"
_TABLES = ("predictions", "choices", "weights")


@dataclass(frozen=True)
class PredictionTables:
    """Summary of a prediction, its cases and the weights of its models."""

    summary: dict[str, Any]
    cases: pd.DataFrame
    weights: pd.DataFrame


def predict_study(work: StudyRun) -> PredictionTables:
    """Compute the missing parts of the prediction and summarise all."""
    options = predict_settings(work.settings)
    from ketadask.predict.specificity import compare_arms

    cohort = cohort_of(work).dataset
    discovery, control = classifier_cases(work.settings, cohort)
    nested_cv = nested_of(work.settings, options.classifier)
    work.progress.print(
        f"predict: {len(discovery):,} cases, {int((discovery.label == 1).sum()):,} responders, "
        f"{len(discovery.region):,} regions"
    )
    folds = _out_of_fold(work, discovery, nested_cv)
    p, permutations = _permutation_test(work, discovery, nested_cv)
    curve = _learning_curve(work, discovery, nested_cv, folds)
    model = _locked_model(work, discovery, _lockable(work, folds, nested_cv))
    external, notes = _external(work, cohort, model)
    if options.control is not None:
        control_table, own = _apply_to(work, model, CONTROL, options.control.folder, nm.CONTROL)
        notes += own
    else:
        control_table = _control(control, folds, model)
    tables = {DISCOVERY: folds.cases, CONTROL: control_table, **external}
    summary = {
        "classifier": options.classifier,
        "cv": options.cv,
        "folds": f"{options.repeats} x {nested_cv.cv.outer_folds(discovery)} outer, "
        f"{options.inner_repeats} x {options.inner_folds} inner",
        "final": options.final,
        "regions": len(discovery.region),
        "covariates": list(options.covariates),
        "cohorts": {
            name: _discovery_measures(folds, p)
            if name == DISCOVERY
            else _measures(table, work.settings.seed)
            for name, table in tables.items()
            if len(table)
        },
        "order": [name for name, table in tables.items() if len(table)],
        "permutations": permutations,
        "p": p,
        "specificity": compare_arms(folds.cases, control_table, seed=work.settings.seed),
        "learning_curve": curve.to_dict("records"),
        "locked": model.about,
        "other_classifiers": {
            name: _out_of_fold(work, discovery, nested_of(work.settings, name)).measures
            for name in options.other_classifiers
        },
        "notes": notes,
    }
    cases = _one_table(tables)
    work.paths.require_unchanged_inputs()
    work.mark_outdated("predict")
    for name, table in ((CASES, cases), (WEIGHTS, folds.weights), (CURVE, curve)):
        work.folder.write_table(name, table, csv=True)
    _write_summary(work, summary)
    return PredictionTables(summary, cases, folds.weights)


def _write_summary(work: StudyRun, summary: dict[str, Any]) -> None:
    """Write the summary; if it has changed, mark the report as outdated."""
    earlier = work.folder.read_json(SUMMARY) if work.folder.has(SUMMARY) else None
    work.folder.write_json(SUMMARY, summary)
    if work.folder.read_json(SUMMARY) != earlier:
        work.mark_outdated("report")
    work.mark_current("predict", prediction_key(work.paths))


def read_prediction(work: StudyRun) -> PredictionTables | None:
    """Return the prediction if it is current, else None."""
    run = work.folder
    if work.settings.predict is None or not work.is_current("predict", prediction_key(work.paths)):
        return None
    return PredictionTables(run.read_json(SUMMARY), run.read_table(CASES), run.read_table(WEIGHTS))


def prediction_key(paths: RunPaths) -> str:
    """Return the key of the whole prediction, with all settings of the section."""
    predict = paths.settings.predict
    return paths.key("predict", None if predict is None else predict.model_dump(mode="json"))


def _out_of_fold(work: StudyRun, cases: ClassifierData, nested_cv: NestedCV) -> Prediction:
    """Compute the missing outer folds and summarise all."""
    from ketadask.predict.graph import fold_blocks
    from ketadask.predict.results import summarise_prediction

    nested_cv.cv.check(cases)
    name, fraction = nested_cv.classifier.name, nested_cv.cv.train_fraction
    name += f"-{fraction:g}" * (fraction < 1)
    parts = Parts(work.paths.path / FOLDER / name, work.paths.key("predict", name))
    total = nested_cv.cv.count(cases)
    work.complete_stage(
        Stage(
            f"predict {name}",
            "outer folds",
            total,
            lambda ranges: fold_blocks(cases, nested_cv, ranges, parts),
            parts,
        ),
        PREDICT,
    )
    return summarise_prediction(
        cases, nested_cv, {table: parts.read_all(table, total) for table in _TABLES}
    )


def _permutation_test(
    work: StudyRun, cases: ClassifierData, nested_cv: NestedCV
) -> tuple[dict[str, float] | None, int]:
    """Compute the missing permutations; return p and the number of permutations."""
    from ketadask.predict.graph import permutation_blocks
    from ketadask.predict.permutations import permutation_p

    options = predict_settings(work.settings)
    if not options.permutations:
        return None, 0
    permutation_cv = nested_of(work.settings, nested_cv.classifier.name, permutation=True)
    parts = Parts(
        work.paths.path / FOLDER / "permutations", work.paths.key("predict", "permutations")
    )
    total = options.permutations + 1
    work.complete_stage(
        Stage(
            "permute",
            "permutations",
            total,
            lambda ranges: permutation_blocks(cases, permutation_cv, ranges, parts),
            parts,
        ),
        PREDICT,
    )
    table = parts.read_below("permutations", total, "permutation")
    return permutation_p(table), options.permutations


def _learning_curve(
    work: StudyRun, cases: ClassifierData, nested_cv: NestedCV, folds: Prediction
) -> pd.DataFrame:
    """Return performance against the number of training cases; the last point has them all."""
    import pandas as pd

    from ketadask.predict.results import CURVE_COLUMNS, learning_point

    fractions = sorted(predict_settings(work.settings).learning_curve)
    points = []
    for fraction in fractions:
        part = nested_of(work.settings, nested_cv.classifier.name, train_fraction=fraction)
        points.append(learning_point(cases, part, _out_of_fold(work, cases, part)))
    points += [learning_point(cases, nested_cv, folds)] if points else []
    return pd.DataFrame(points, columns=CURVE_COLUMNS)


def _lockable(work: StudyRun, folds: Prediction, nested_cv: NestedCV) -> NestedCV:
    """Return a classifier that plain arrays describe: this one, or a linear one instead."""
    name = nested_cv.classifier.name
    if name == "svc-rbf" or len(folds.weights):
        return nested_cv
    work.progress.print(f"predict: {name} is not linear and cannot be locked; {INSTEAD} is locked")
    return nested_of(work.settings, INSTEAD)


def _locked_model(work: StudyRun, cases: ClassifierData, nested_cv: NestedCV) -> LockedModel:
    """Return the model fitted to all cases, from the run folder if it is current."""
    from ketadask.predict.locked import lock_model, read_locked_model

    path, key = work.folder.path / MODEL, work.paths.key("predict", "locked")
    if path.is_file():
        try:
            model = read_locked_model(path)
            if model.about.get("key") == key:
                return model
        except InputError as error:
            work.progress.print(
                f"predict: the locked model cannot be read and is fitted again: {error}"
            )
            set_aside(path, work.folder.path / "damaged")
    work.progress.print("predict: fitting the locked model")
    model = lock_model(nested_cv, cases)
    model.about["key"] = key
    model.write(path)
    return model


def _control(control: ClassifierData, folds: Prediction, model: LockedModel) -> pd.DataFrame:
    """Return predictions for the control arm by models without the participant's data.

    Training participants are scored by their outer folds, the others by the locked model.
    """
    import pandas as pd

    scores = folds.cases.set_index(nm.PARTICIPANT)
    inside = pd.Series(control.participant).isin(scores.index).to_numpy()
    # A participant with two active cases has two scores by the same models and regions.
    scores = scores[~scores.index.duplicated()]
    rows = scores.loc[control.participant[inside]].reset_index()
    rows = rows.assign(label=control.label[inside].astype(int))
    if inside.all():
        return rows
    return pd.concat([rows, model.apply(control.take(~inside))], ignore_index=True)


def _external(
    work: StudyRun, cohort: Any, model: LockedModel
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Apply the locked model to external trials of the folder and to external folders."""
    options = predict_settings(work.settings)
    tables, notes = {}, []
    for name in options.external_trials:
        tables[name], own = _apply_to(work, model, name, cohort, nm.ACTIVE)
        notes += own
    for name, folder in options.external.items():
        tables[name], own = _apply_to(work, model, name, folder, nm.ACTIVE)
        notes += own
    return tables, notes


def _apply_to(
    work: StudyRun, model: LockedModel, name: str, source: Any, arm: str
) -> tuple[pd.DataFrame, list[str]]:
    """Apply the locked model to one arm of a trial of the cohort, or of another folder."""
    from ketadask.predict.classifier_data import classifier_data

    options = predict_settings(work.settings)
    trials: list[str] | None = [name]
    if isinstance(source, Path):
        work.progress.print(f"predict: reading {name} from {source}")
        other = read_cohort(external_settings(work.settings, source), source)
        source, trials = other.dataset, None
    cases = classifier_data(
        source,
        arm=arm,
        covariates=options.covariates,
        threshold=options.response_threshold,
        trials=trials,
    )
    if not len(cases):
        raise InputError(
            f"no case of the {arm} arm has an outcome", where="predict", value=name,
            remedy="check the name, the arms and the tables of the cohort",
        )  # fmt: skip
    table = model.apply(cases, missing_region=options.missing_region)
    return table, [f"{name}: {note}" for note in table.attrs["notes"]]


def _discovery_measures(folds: Prediction, p: dict[str, float] | None) -> dict[str, float]:
    """Return the performance out of fold; p repeats the whole procedure on permuted labels."""
    return folds.measures | ({} if p is None else {"p_auc": p["auc"], "p_bac": p["bac"]})


def _measures(table: pd.DataFrame, seed: int) -> dict[str, float]:
    """Return the performance of a model that never saw these labels, with p."""
    from ketadask.predict.performance import performance
    from ketadask.predict.permutations import fixed_model_p

    columns = ("label", "predicted", "decision", nm.PARTICIPANT)
    measures = performance(
        *(table[name].to_numpy() for name in columns), site=table["site"].to_numpy()
    )
    return measures | fixed_model_p(table, seed=seed)


def _one_table(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(
        [table.assign(cohort=name) for name, table in tables.items() if len(table)],
        ignore_index=True,
    )
