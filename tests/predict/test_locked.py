"""The locked model: the same after writing and reading, and every cohort matched or refused."""

import numpy as np
import pandas as pd
import pytest

from ketadask.predict.classifier_data import build_classifier_data, classifier_data_from_volumes
from ketadask.predict.classifiers import Classifier
from ketadask.predict.locked import lock_model, read_locked_model
from ketadask.predict.nested import NestedCV
from ketadask.predict.preparation import PreparationSettings
from ketadask.schema.errors import InputError
from ketadask.sources.freesurfer import open_volumes
from tests.benchmarks.planted_cohorts import planted_cohorts
from tests.predict.small_cohorts import cohort, small


@pytest.fixture(scope="module")
def made():
    return planted_cohorts(3, sizes=(60, 24, 20), effect=0.8)


@pytest.fixture(scope="module")
def model(made):
    return lock_model(
        NestedCV(
            small(repeats=1), Classifier(costs=(0.01, 1.0)), PreparationSettings(harmonise=True)
        ),
        made.discovery,
    )


def with_columns(made, order, names=None):
    """Return cases with columns in another order, or under other names."""
    region = [made.region[j] for j in order] if names is None else names
    return build_classifier_data(
        made.value[:, order],
        made.label,
        region=region,
        participant=made.participant,
        site=made.site,
        covariate=made.covariate,
        covariate_names=made.covariate_names,
    )


@pytest.mark.parametrize(
    ("name", "final", "harmonise"),
    [
        ("svc-linear", "vote", True),
        ("svc-linear", "refit", False),
        ("svc-rbf", "vote", True),
        ("logistic", "vote", False),
    ],
)
def test_what_is_read_says_what_was_written(tmp_path, made, name, final, harmonise):
    nested = NestedCV(
        small(repeats=1),
        Classifier(name, (0.1, 1.0)),
        PreparationSettings(harmonise=harmonise),
        final,
    )
    locked = lock_model(nested, made.discovery)
    read = read_locked_model(locked.write(tmp_path / "model.npz"))
    pd.testing.assert_frame_equal(read.apply(made.external), locked.apply(made.external))
    assert read.about == locked.about
    first = (tmp_path / "model.npz").read_bytes()
    assert lock_model(nested, made.discovery).write(tmp_path / "again.npz").read_bytes() == first


def test_the_file_holds_plain_arrays(tmp_path, model):
    with np.load(model.write(tmp_path / "model.npz"), allow_pickle=False) as arrays:
        assert all(arrays[name].dtype != object for name in arrays.files)


def test_other_files_are_refused(tmp_path, model):
    with pytest.raises(InputError, match="no such model"):
        read_locked_model(tmp_path / "none.npz")
    whole = model.write(tmp_path / "model.npz").read_bytes()
    for content in (b"", b"text", whole[:1000], whole[: len(whole) // 2]):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(InputError, match=r"not a locked model"):
            read_locked_model(tmp_path / "bad.npz")
    np.savez(tmp_path / "pickled.npz", header=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="not a locked model"):
        read_locked_model(tmp_path / "pickled.npz")


def test_a_planted_effect_travels_and_saline_does_not_show_it(made, model):
    outside, saline = model.apply(made.external), model.apply(made.saline)
    assert (outside["predicted"] == made.external.label).mean() > 0.75
    assert (saline["predicted"] == made.saline.label).mean() < 0.75


def test_labels_of_another_cohort_play_no_part(made, model):
    flipped = made.external.with_labels(1 - made.external.label)
    one, two = model.apply(made.external), model.apply(flipped)
    pd.testing.assert_frame_equal(one.drop(columns="label"), two.drop(columns="label"))


def test_another_order_and_naming_of_columns_changes_nothing(made, model):
    order = np.random.default_rng(0).permutation(len(made.external.region))
    expected = model.apply(made.external)
    pd.testing.assert_frame_equal(model.apply(with_columns(made.external, order)), expected)
    older = [
        {"Left-Thalamus": "Left-Thalamus-Proper", "Right-Thalamus": "Right-Thalamus-Proper*"}.get(
            name, name
        )
        for name in made.external.region
    ]
    renamed = with_columns(made.external, np.arange(len(older)), older)
    assert renamed.region != made.external.region
    pd.testing.assert_frame_equal(model.apply(renamed), expected)


def test_a_missing_region_is_refused_by_name_or_replaced_when_asked(made, model):
    lacking = with_columns(made.external, np.arange(2, len(made.external.region)))
    with pytest.raises(InputError, match=r"2 of the 184 regions.*lh_bankssts_volume.*median"):
        model.apply(lacking)
    said = model.apply(lacking, missing_region="median")
    assert "lh_bankssts_volume" in said.attrs["notes"][0]
    empty = with_columns(made.external, np.arange(len(made.external.region)))
    empty.value[:, 0] = np.nan
    with pytest.raises(InputError, match="1 of the 184 regions"):
        model.apply(empty)


def test_more_regions_than_learnt_do_not_matter(made, model):
    order = [*range(len(made.external.region)), 0]
    more = with_columns(made.external, order, [*made.external.region, "lh_unknown_volume"])
    pd.testing.assert_frame_equal(model.apply(more), model.apply(made.external))


def test_an_unseen_site_is_named_and_brought_to_the_others(made, model):
    shifted = with_columns(made.external, np.arange(len(made.external.region)))
    scanner = np.random.default_rng(0).normal(size=len(shifted.region))
    shifted.value[:] += 2 * scanner * made.discovery.value.std(axis=0)
    said = model.apply(shifted)
    assert "external" in said.attrs["notes"][0]
    assert "own mean" in said.attrs["notes"][0]
    assert (said["predicted"] == model.apply(made.external)["predicted"]).mean() > 0.85


def test_another_unit_is_refused(made, model):
    shares = with_columns(made.external, np.arange(len(made.external.region)))
    shares.value[:] /= 1000
    with pytest.raises(InputError, match=r"0.00\d+ times .* mm3"):
        model.apply(shares)


def test_covariates_that_are_not_there_are_named(made, model):
    bare = build_classifier_data(
        made.external.value, made.external.label, region=made.external.region
    )
    with pytest.raises(InputError, match="age, sex, EstimatedTotalIntraCranialVol"):
        model.apply(bare)


def test_a_region_twice_is_refused(made, model):
    order = [*range(len(made.external.region)), made.external.region.index("Left-Thalamus")]
    twice = with_columns(made.external, order, [*made.external.region, "Left-Thalamus-Proper"])
    with pytest.raises(InputError, match="Left-Thalamus occurs twice"):
        model.apply(twice)


def test_a_forest_cannot_be_locked():
    with pytest.raises(InputError, match="lock svc-linear"):
        lock_model(NestedCV(small(), Classifier("forest", (1.0,))), cohort())


def test_real_tables_of_another_freesurfer_are_matched(real_data):
    volumes = open_volumes(real_data / "freesurfer" / "aomic_piop2")
    people = pd.DataFrame({"participant": volumes["participant"].values})
    people["label"] = np.arange(len(people)) % 2
    learnt = classifier_data_from_volumes(volumes, people, "label", covariates=())
    model = lock_model(NestedCV(small(repeats=1), Classifier(costs=(0.1,))), learnt)
    other = open_volumes(real_data / "freesurfer" / "subjects")
    one = other["participant"].values.astype(str)
    there = classifier_data_from_volumes(
        other, pd.DataFrame({"participant": one, "label": 0}), "label", covariates=()
    )
    said = model.apply(there, missing_region="median")
    assert len(said) == len(one)
    assert said["probability"].between(0, 1).all()
