"""The stage that foretells response: from tables to the report, resumed, and with other cohorts."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ketadask.predict.classifier_data import build_classifier_data
from ketadask.predict.locked import read_locked_model
from ketadask.schema.errors import InputError
from ketadask.simulate.study import simulate_study
from ketadask.store.fingerprints import file_hash
from ketadask.store.run_folder import RunFolder
from ketadask.study.predict import _control
from ketadask.study.study import Study

YAML = """
name: foretold
seed: 3
data:
  simulate: {participants: 70, trials: 2, seed: 5, missing_visits: false}
outcome: {scale: madrs, day: 1, endpoint: response, response_threshold: 0.3}
features: {modalities: [demographic, volume]}
null: {relabellings: 19}
predict:
  costs: [0.015625, 0.5]
  other_classifiers: [logistic]
  repeats: 1
  folds: 4
  inner_repeats: 1
  inner_folds: 3
  permutations: 3
  learning_curve: [0.5]
  external_trials: [trial-2]
report: {title: Foretold, identifiers: false}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predict")
    (folder / "study.yaml").write_text(YAML)
    (folder / "here.yaml").write_text("kind: synchronous\n")
    return folder


def study(place, *changes):
    return Study.read(
        place / "study.yaml",
        changes=changes,
        out=place / "runs",
        cluster=place / "here.yaml",
    )


@pytest.fixture(scope="module")
def ending(place):
    return study(place).predict()


def test_everything_is_there(ending):
    assert set(ending.prediction["cohorts"]) == {"discovery", "control arm", "trial-2"}
    for name in ("prediction.json", "locked_model.npz", "weights.csv", "prediction_cases.parquet"):
        assert (ending.folder / name).is_file(), name
    made_by = json.loads((ending.folder / "provenance.json").read_text())["versions"]
    assert {"numpy", "scikit-learn"} <= set(made_by)
    assert ending.prediction["permutations"] == 3
    assert 0.25 <= ending.prediction["p"]["auc"] <= 1
    assert "bac" in ending.prediction["other_classifiers"]["logistic"]
    part, whole = ending.prediction["learning_curve"]
    assert part["training_cases"] < whole["training_cases"]
    assert whole["auc"] == ending.prediction["cohorts"]["discovery"]["auc"]
    curve = pd.read_csv(ending.folder / "learning_curve.csv")
    assert curve["auc"].tolist() == pytest.approx([part["auc"], whole["auc"]])
    for cohort in ending.prediction["cohorts"].values():
        assert 0 < cohort["p_auc"] <= 1
        assert 0 < cohort["p_bac"] <= 1


def test_the_report_shows_cohorts_side_by_side_and_names_nobody(ending):
    text = ending.report.read_text()
    assert 'id="prediction-table"' in text
    assert 'id="figure-learning"' in text
    for words in ("discovery", "control arm", "trial-2", "over folds", "cross-validation ratio"):
        assert words in text
    assert "sub-" not in text.replace("sub-folder", "")


def test_what_was_foretold_otherwise_is_not_reported(place, ending):
    other = ["predict.balanced=false"]
    assert study(place, *other).report().prediction is None
    missing = {each.stage: each.missing for each in study(place, *other).status()}
    assert missing["predict"] == 1
    assert study(place).report().prediction == ending.prediction
    missing = {each.stage: each.missing for each in study(place).status()}
    assert missing["predict"] == 0


def test_nothing_is_computed_twice_and_more_permutations_are_added(place, ending):
    again = study(place).predict()
    assert sum(each.new for each in again.stages) == 0
    assert json.dumps(again.prediction) == json.dumps(ending.prediction)
    more = study(place, "predict.permutations=5").predict()
    assert more.folder == ending.folder
    assert sum(each.new for each in more.stages) == 2


def test_another_folder_is_read_the_same_way(place, ending):
    data = next((place / "runs" / "data").iterdir())
    told = study(place, f"predict.external={{elsewhere: {data}}}").predict().prediction
    assert told["cohorts"]["elsewhere"]["n"] > told["cohorts"]["trial-2"]["n"]
    run = RunFolder.open(ending.folder)
    inputs = run.read_json("provenance.json")["inputs"]
    assert inputs["elsewhere: participants.tsv"] == file_hash(data / "participants.tsv")


def test_a_control_cohort_of_its_own_replaces_the_control_arm(place, ending):
    data = next((place / "runs" / "data").iterdir())
    prediction = study(place, f"predict.control.folder={data}").predict().prediction
    control = prediction["cohorts"]["control arm"]
    assert control["n"] > ending.prediction["cohorts"]["control arm"]["n"]
    assert prediction["cohorts"]["discovery"] == ending.prediction["cohorts"]["discovery"]
    if control["n_response"]:
        difference = prediction["specificity"]
        area = prediction["cohorts"]["discovery"]["auc"] - control["auc"]
        assert difference["auc"] == pytest.approx(area)
        assert 0 < difference["p_auc"] <= 1


def test_a_damaged_model_is_set_aside_and_locked_again(place, ending):
    model = ending.folder / "locked_model.npz"
    whole = read_locked_model(model)
    model.write_bytes(model.read_bytes()[:100])
    again = study(place).predict()
    assert (ending.folder / "damaged" / model.name).stat().st_size == 100
    assert read_locked_model(model).about == whole.about
    assert again.prediction["cohorts"] == ending.prediction["cohorts"]


def test_a_participant_with_two_active_cases_has_one_row_in_the_control_arm():
    control = build_classifier_data(
        np.zeros((3, 2)), np.array([0, 1, 1]), participant=["b", "a", "c"]
    )
    told = {"site": "1", "votes": 1.0, "decision": 0.5, "probability": 0.6, "predicted": 1}
    made = pd.DataFrame({"participant": ["a", "a", "b", "c"], "label": [1, 0, 1, 1], **told})
    rows = _control(control, SimpleNamespace(cases=made), None)
    assert rows["participant"].tolist() == ["b", "a", "c"]
    assert rows["label"].tolist() == [0, 1, 1]


def test_the_cohort_of_a_prediction_is_that_of_the_study_recordings_included(tmp_path):
    simulate_study(tmp_path / "study", participants=2, meg_seconds=10.0)
    (tmp_path / "here.yaml").write_text("kind: synchronous\n")
    (tmp_path / "study.yaml").write_text(
        "name: meg\ndata: {folder: study}\n"
        "features: {modalities: [demographic, meg]}\npredict: {}\n"
    )
    with pytest.raises(InputError):  # there are no volumes to foretell from
        study(tmp_path).predict()
    (run,) = (tmp_path / "runs").glob("meg-*")
    assert "meg" in RunFolder.open(run).read_dataset("cohort")["modality"]


def test_a_study_that_asks_for_none_says_so(place):
    (place / "without.yaml").write_text(YAML.partition("predict:")[0])
    with pytest.raises(InputError, match="no section predict"):
        Study.read(place / "without.yaml", out=place / "runs").predict()


def test_a_trial_that_is_not_there_is_answered_with_the_nearest(place):
    with pytest.raises(InputError, match=r"no such trial.*trial_2.*trial-2"):
        study(place, "predict.external_trials=[trial_2]").predict()


def test_no_case_to_learn_from_is_named(place):
    with pytest.raises(InputError, match="keep at least one trial"):
        study(place, "predict.external_trials=[trial-1, trial-2]").predict()


def test_a_classifier_by_import_path_and_what_is_locked_instead_is_named(place):
    changes = (
        "predict.classifier=sklearn.ensemble.RandomForestClassifier",
        "predict.grid={n_estimators: [20], max_depth: [2, null]}",
        "predict.learning_curve=[]",
        "predict.other_classifiers=[]",
        "predict.permutations=0",
        "predict.folds=2",
        "predict.inner_folds=2",
    )
    made = study(place, *changes, "name=forest").predict()
    assert made.prediction["classifier"] == "sklearn.ensemble.RandomForestClassifier"
    choices = (made.folder / "predict").glob("sklearn*/*choices*.parquet")
    assert set(pd.concat(map(pd.read_parquet, choices))["parameters"]) <= {
        '{"max_depth": 2, "n_estimators": 20}', '{"max_depth": null, "n_estimators": 20}',
    }  # fmt: skip
    assert made.prediction["locked"]["classifier"] == "svc-linear"
    assert made.prediction["locked"]["cost"] in (0.015625, 0.5)
    assert "cannot be locked: it is not linear" in made.report.read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("predict.classifier=svc-liner", "predict.classifier: unknown classifier.*svc-linear"),
        ("predict.classifier=sklearn.svm.SVCC", "predict.classifier: cannot be imported"),
        ("predict.grid={C: [1]}", "predict.grid is not for svc-linear.*predict.costs"),
    ],
)
def test_a_classifier_that_cannot_be_used_is_refused_before_anything_runs(place, change, message):
    with pytest.raises(InputError, match=message):
        study(place, change, "name=refused").check()
