"""Folds: nobody on both sides, labels in proportion, each fold from its address alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketadask.predict.classifier_data import build_classifier_data
from ketadask.predict.classifiers import Classifier
from ketadask.predict.folds import CV_SCHEMES, NestedFolds, assign_folds
from ketadask.predict.nested import NestedCV
from ketadask.predict.results import nested_cross_validate
from ketadask.schema.errors import InputError
from tests.predict.small_cohorts import cohort, small


@given(st.integers(12, 60), st.integers(2, 6), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_folds_differ_by_at_most_one_participant_of_a_label(n, folds, seed):
    label = np.random.default_rng(seed).integers(0, 2, n)
    made = build_classifier_data(np.zeros((n, 1)), label)
    dealt = assign_folds(made, folds, seed=seed, address=(0,))
    for rows in (label == 0, label == 1, np.ones(n, bool)):
        counts = np.bincount(dealt[rows], minlength=folds)
        assert counts.max() - counts.min() <= 1


@given(st.integers(0, 20), st.integers(2, 5))
@settings(max_examples=40, deadline=None)
def test_a_participant_is_on_one_side(seed, folds):
    rng = np.random.default_rng(seed)
    who = rng.integers(0, 20, 60).astype(str)
    made = build_classifier_data(np.zeros((60, 1)), rng.integers(0, 2, 60), participant=who)
    dealt = assign_folds(made, folds, seed=seed, address=(1,))
    assert all(len(set(dealt[who == name])) == 1 for name in set(who))


@pytest.mark.parametrize("kind", CV_SCHEMES)
def test_every_case_is_held_out_once_per_repeat(kind):
    made, frame = cohort(sites=4), small(kind)
    count = frame.outer_folds(made)
    for repeat in range(frame.count(made) // count):
        held = [frame.outer(made, repeat * count + fold)[1] for fold in range(count)]
        assert sorted(np.concatenate(held)) == list(range(len(made)))


@pytest.mark.parametrize("kind", CV_SCHEMES)
def test_inner_folds_stay_inside_the_train_part(kind):
    made, frame = cohort(sites=4), small(kind, inner_repeats=2)
    train, _ = frame.outer(made, 1)
    inside = made.take(train)
    for inner_train, inner_test in frame.inner(inside, 1):
        assert set(inner_train) | set(inner_test) == set(range(len(inside)))
        assert not set(inner_train) & set(inner_test)


def test_sites_are_left_out_whole():
    made = cohort(sites=4)
    outside = small("leave-site-out")
    nested = small("nested-leave-site-out")
    for number in range(4):
        train, test = outside.outer(made, number)
        assert len(set(made.site[test])) == 1
        assert not set(made.site[test]) & set(made.site[train])
        inside = made.take(train)
        for inner_train, inner_test in nested.inner(inside, number):
            assert not set(inside.site[inner_test]) & set(inside.site[inner_train])


def test_repeats_differ_and_the_same_number_gives_the_same_fold():
    made, frame = cohort(), small()
    first, again, other = (frame.outer(made, number)[1] for number in (0, 0, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    inner = [next(iter(frame.inner(made.take(frame.outer(made, 0)[0]), k)))[1] for k in (0, 0, 1)]
    assert np.array_equal(inner[0], inner[1])
    assert not np.array_equal(inner[0], inner[2])


def test_what_cannot_be_divided_is_refused():
    made = cohort(sites=2)
    with pytest.raises(InputError, match="needs 3 sites"):
        small("nested-leave-site-out").check(made)
    with pytest.raises(InputError, match="leave-site-out"):
        NestedFolds("leave-sites-out")
    rare = made.with_labels(np.arange(len(made)) < 3)
    with pytest.raises(InputError, match="only 3 participants have label 1"):
        small(folds=4).check(rare)
    with pytest.raises(InputError, match="only 3 participants have label 1, the folds need 4"):
        small(folds=2).check(rare)
    with pytest.raises(InputError, match="needs at least 2"):
        NestedFolds(folds=1)


@pytest.mark.parametrize(
    ("kind", "responders", "out"),
    [
        ("leave-site-out", {"s0": 4}, "s0"),
        ("leave-site-out", {"s0": 4, "s1": 1}, "s0"),
        ("nested-leave-site-out", {"s0": 4, "s2": 4}, "s0 and s2"),
    ],
)
def test_sites_without_which_nothing_can_be_learnt_are_named(kind, responders, out):
    made = cohort(n=48, sites=4)
    label = np.zeros(48, dtype=int)
    for name, count in responders.items():
        label[np.flatnonzero(made.site == name)[:count]] = 1
    with pytest.raises(InputError, match=f"too few participants have label 1, found '{out}'; use"):
        small(kind).check(made.with_labels(label))
    label[np.flatnonzero(made.site == "s3")[:2]] = 1
    small(kind).check(made.with_labels(label))
    nested = NestedCV(small(kind), Classifier(costs=(1.0,)))
    assert len(nested_cross_validate(made.with_labels(label), nested).cases) == 48


def test_a_label_that_is_none_is_named():
    with pytest.raises(InputError, match=r"label: a label must be 0, 1, .* found 7; code response"):
        build_classifier_data(np.zeros((3, 1)), np.array([0, 1, 7]))
