"""Folds: participants on one side, labels in proportion, each fold from its address alone."""

from dataclasses import replace

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
    cases = build_classifier_data(np.zeros((n, 1)), label)
    fold = assign_folds(cases, folds, seed=seed, address=(0,))
    for rows in (label == 0, label == 1, np.ones(n, bool)):
        counts = np.bincount(fold[rows], minlength=folds)
        assert counts.max() - counts.min() <= 1


@given(st.integers(0, 20), st.integers(2, 5))
@settings(max_examples=40, deadline=None)
def test_a_participant_is_in_one_fold(seed, folds):
    rng = np.random.default_rng(seed)
    participant = rng.integers(0, 20, 60).astype(str)
    cases = build_classifier_data(
        np.zeros((60, 1)), rng.integers(0, 2, 60), participant=participant
    )
    fold = assign_folds(cases, folds, seed=seed, address=(1,))
    assert all(len(set(fold[participant == name])) == 1 for name in set(participant))


@pytest.mark.parametrize("scheme", CV_SCHEMES)
def test_every_case_is_tested_once_and_inner_folds_stay_in_the_training_set(scheme):
    cases, cv = cohort(sites=4), small(scheme, inner_repeats=2)
    count = cv.outer_folds(cases)
    for repeat in range(cv.count(cases) // count):
        test = [cv.outer(cases, repeat * count + fold)[1] for fold in range(count)]
        assert sorted(np.concatenate(test)) == list(range(len(cases)))
    train = cases.take(cv.outer(cases, 1)[0])
    for inner_train, inner_test in cv.inner(train, 1):
        assert set(inner_train) | set(inner_test) == set(range(len(train)))
        assert not set(inner_train) & set(inner_test)


@pytest.mark.parametrize("scheme", CV_SCHEMES)
def test_smaller_training_sets_are_nested_with_the_same_test_cases(scheme):
    cases = cohort(n=96, sites=4)
    for index in range(4):
        rows = [
            replace(small(scheme), train_fraction=fraction).outer(cases, index)
            for fraction in (0.25, 0.5, 1.0)
        ]
        assert all(np.array_equal(test, rows[0][1]) for _, test in rows)
        (few, half, every) = (set(train.tolist()) for train, _ in rows)
        assert few < half < every
        assert len(half) == pytest.approx(len(every) / 2, abs=6)
        taken = cases.take(sorted(few))
        assert set(taken.site) == set(cases.site[sorted(every)])
        for site in set(taken.site):
            assert set(taken.label[taken.site == site]) == {0, 1}


def test_sites_are_left_out_whole():
    cases = cohort(sites=4)
    outer, inner = small("leave-site-out"), small("nested-leave-site-out")
    for index in range(4):
        train_rows, test_rows = outer.outer(cases, index)
        assert len(set(cases.site[test_rows])) == 1
        assert not set(cases.site[test_rows]) & set(cases.site[train_rows])
        train = cases.take(train_rows)
        for inner_train, inner_test in inner.inner(train, index):
            assert not set(train.site[inner_test]) & set(train.site[inner_train])


def test_repeats_differ_and_the_same_index_gives_the_same_fold():
    cases, cv = cohort(), small()
    outer = [cv.outer(cases, index)[1] for index in (0, 0, 4)]
    train = cases.take(cv.outer(cases, 0)[0])
    inner = [next(iter(cv.inner(train, index)))[1] for index in (0, 0, 1)]
    for first, again, other in (outer, inner):
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)


def test_messages():
    cases = cohort(sites=2)
    with pytest.raises(InputError, match="needs 3 sites"):
        small("nested-leave-site-out").check(cases)
    with pytest.raises(InputError, match="leave-site-out"):
        NestedFolds("leave-sites-out")
    rare = cases.with_labels(np.arange(len(cases)) < 3)
    for folds in (2, 4):
        with pytest.raises(InputError, match="only 3 participants have label 1, the folds need 4"):
            small(folds=folds).check(rare)
    with pytest.raises(InputError, match="needs at least 2"):
        NestedFolds(folds=1)
    with pytest.raises(InputError, match=r"label: a label must be 0, 1, .* found 7; code response"):
        build_classifier_data(np.zeros((3, 1)), np.array([0, 1, 7]))


@pytest.mark.parametrize(
    ("scheme", "responders", "out"),
    [
        ("leave-site-out", {"s0": 4}, "s0"),
        ("leave-site-out", {"s0": 4, "s1": 1}, "s0"),
        ("nested-leave-site-out", {"s0": 4, "s2": 4}, "s0 and s2"),
    ],
)
def test_the_error_names_sites_without_which_a_label_is_too_rare(scheme, responders, out):
    cases = cohort(n=48, sites=4)
    label = np.zeros(48, dtype=int)
    for name, count in responders.items():
        label[np.flatnonzero(cases.site == name)[:count]] = 1
    with pytest.raises(InputError, match=f"too few participants have label 1, found '{out}'; use"):
        small(scheme).check(cases.with_labels(label))
    label[np.flatnonzero(cases.site == "s3")[:2]] = 1
    small(scheme).check(cases.with_labels(label))
    nested_cv = NestedCV(small(scheme), Classifier(costs=(1.0,)))
    assert len(nested_cross_validate(cases.with_labels(label), nested_cv).cases) == 48
