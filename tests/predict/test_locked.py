"""The locked model: unchanged by writing and reading; every cohort is matched or refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ketadask.predict.classifier_data import classifier_data_from_volumes
from ketadask.predict.classifiers import Classifier
from ketadask.predict.locked import lock_model, read_locked_model
from ketadask.predict.nested import NestedCV
from ketadask.predict.preparation import PreparationSettings
from ketadask.schema.errors import InputError
from ketadask.sources.freesurfer import open_volumes
from tests.benchmarks.planted_cohorts import planted_cohorts
from tests.predict.small_cohorts import cohort, small


@pytest.fixture(scope="module")
def cohorts():
    return planted_cohorts(3, sizes=(60, 24, 20), effect=0.8)


@pytest.fixture(scope="module")
def external(cohorts):
    return cohorts.external


@pytest.fixture(scope="module")
def model(cohorts):
    classifier, preparation = Classifier(costs=(0.01, 1.0)), PreparationSettings(harmonise=True)
    return lock_model(NestedCV(small(repeats=1), classifier, preparation), cohorts.discovery)


def with_columns(cases, order, names=None):
    """Return cases with columns in another order, or under other names."""
    region = tuple(cases.region[j] for j in order) if names is None else tuple(names)
    return replace(cases, value=cases.value[:, order], region=region)


def with_value(cases, value):
    return replace(cases, value=value)


@pytest.mark.parametrize(
    ("name", "final", "harmonise"),
    [
        ("svc-linear", "vote", True),
        ("svc-linear", "refit", False),
        ("svc-rbf", "vote", True),
        ("logistic", "vote", False),
        ("sklearn.linear_model.RidgeClassifier", "vote", True),
    ],
)
def test_a_model_is_the_same_after_reading(tmp_path, cohorts, name, final, harmonise):
    preparation = PreparationSettings(harmonise=harmonise)
    nested_cv = NestedCV(small(repeats=1), Classifier(name, (0.1, 1.0)), preparation, final)
    locked = lock_model(nested_cv, cohorts.discovery)
    path = locked.write(tmp_path / "model.npz")
    model = read_locked_model(path)
    pd.testing.assert_frame_equal(model.apply(cohorts.external), locked.apply(cohorts.external))
    assert model.about == locked.about
    again = lock_model(nested_cv, cohorts.discovery).write(tmp_path / "again.npz")
    assert again.read_bytes() == path.read_bytes()
    with np.load(path, allow_pickle=False) as arrays:
        assert all(arrays[name].dtype != object for name in arrays.files)


def test_other_files_are_refused(tmp_path, model):
    with pytest.raises(InputError, match="no such model"):
        read_locked_model(tmp_path / "none.npz")
    content = model.write(tmp_path / "model.npz").read_bytes()
    for part in (b"", b"text", content[:1000], content[: len(content) // 2]):
        (tmp_path / "bad.npz").write_bytes(part)
        with pytest.raises(InputError, match=r"not a locked model|bad.npz"):
            read_locked_model(tmp_path / "bad.npz")
    np.savez(tmp_path / "pickle.npz", header=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="not a locked model"):
        read_locked_model(tmp_path / "pickle.npz")


def test_a_planted_effect_is_found_in_another_cohort_and_not_under_saline(cohorts, model):
    external, saline = model.apply(cohorts.external), model.apply(cohorts.saline)
    assert (external["predicted"] == cohorts.external.label).mean() > 0.75
    assert (saline["predicted"] == cohorts.saline.label).mean() < 0.75


def test_labels_of_another_cohort_are_not_used(external, model):
    flipped = external.with_labels(1 - external.label)
    one, two = (model.apply(cases).drop(columns="label") for cases in (external, flipped))
    pd.testing.assert_frame_equal(one, two)


def test_order_and_naming_of_columns_change_nothing(external, model):
    width = len(external.region)
    older = {"Left-Thalamus": "Left-Thalamus-Proper", "Right-Thalamus": "Right-Thalamus-Proper*"}
    names = [older.get(name, name) for name in external.region]
    assert names != list(external.region)
    for cases in (
        with_columns(external, np.random.default_rng(0).permutation(width)),
        with_columns(external, np.arange(width), names),
        with_columns(external, [*range(width), 0], [*external.region, "lh_unknown_volume"]),
    ):
        pd.testing.assert_frame_equal(model.apply(cases), model.apply(external))


def test_a_missing_region_is_refused_by_name_or_replaced(external, model):
    cases = with_columns(external, np.arange(2, len(external.region)))
    with pytest.raises(InputError, match=r"2 of the 184 regions.*lh_bankssts_volume.*median"):
        model.apply(cases)
    notes = model.apply(cases, missing_region="median").attrs["notes"]
    assert "lh_bankssts_volume" in notes[0]
    value = external.value.copy()
    value[:, 0] = np.nan
    with pytest.raises(InputError, match="1 of the 184 regions"):
        model.apply(with_value(external, value))


def test_a_new_site_is_named_and_harmonised(cohorts, external, model):
    scanner = np.random.default_rng(0).normal(size=len(external.region))
    value = external.value + 2 * scanner * cohorts.discovery.value.std(axis=0)
    table = model.apply(with_value(external, value))
    assert "external" in table.attrs["notes"][0]
    assert "own mean" in table.attrs["notes"][0]
    assert (table["predicted"] == model.apply(external)["predicted"]).mean() > 0.85


def test_another_unit_missing_covariates_and_duplicates_are_refused(external, model):
    with pytest.raises(InputError, match=r"0.00\d+ times .* mm3"):
        model.apply(with_value(external, external.value / 1000))
    bare = replace(external, covariate=np.empty((len(external), 0)), covariate_names=())
    with pytest.raises(InputError, match="age, sex, EstimatedTotalIntraCranialVol"):
        model.apply(bare)
    order = [*range(len(external.region)), external.region.index("Left-Thalamus")]
    twice = with_columns(external, order, [*external.region, "Left-Thalamus-Proper"])
    with pytest.raises(InputError, match="Left-Thalamus occurs twice"):
        model.apply(twice)


def test_a_classifier_that_is_not_linear_cannot_be_locked():
    classifier = Classifier("forest", grid=(("n_estimators", (5,)),))
    with pytest.raises(InputError, match=r"not linear.*lock svc-linear"):
        lock_model(NestedCV(small(), classifier), cohort())


def test_real_tables_of_another_freesurfer_are_matched(real_data):
    volumes = open_volumes(real_data / "freesurfer" / "aomic_piop2")
    participants = pd.DataFrame({"participant": volumes["participant"].values})
    participants["label"] = np.arange(len(participants)) % 2
    train = classifier_data_from_volumes(volumes, participants, "label", covariates=())
    model = lock_model(NestedCV(small(repeats=1), Classifier(costs=(0.1,))), train)
    other = open_volumes(real_data / "freesurfer" / "subjects")
    names = other["participant"].values.astype(str)
    table = pd.DataFrame({"participant": names, "label": 0})
    cases = classifier_data_from_volumes(other, table, "label", covariates=())
    prediction = model.apply(cases, missing_region="median")
    assert len(prediction) == len(names)
    assert prediction["probability"].between(0, 1).all()
