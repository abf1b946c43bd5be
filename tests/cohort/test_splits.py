"""Splits: addressed, stratified, and never one participant on both sides."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketadask.cohort.designs import trial_arrays
from ketadask.cohort.splits import HoldoutSplit
from ketadask.cohort.units import score_units
from ketadask.schema.errors import InputError
from tests.cohort.cohorts import crossover_cohort, parallel_cohort

people = st.lists(st.integers(0, 30), min_size=2, max_size=90).filter(lambda x: len(set(x)) > 1)


def strata_of(participant, classes):
    return np.array([hash_of % classes for hash_of in participant])


@settings(max_examples=150, deadline=None)
@given(
    participant=people,
    classes=st.integers(1, 5),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 10**6),
    i=st.integers(0, 10**9),
    scheme=st.sampled_from(("holdout", "bootstrap")),
)
def test_no_participant_is_on_both_sides(participant, classes, share, seed, i, scheme):
    participant = np.array(participant)
    splits = HoldoutSplit(3, seed=seed, train_size=share, scheme=scheme)
    train = splits.mask(i, participant, strata_of(participant, classes))
    assert train.dtype == bool
    assert train.shape == participant.shape
    assert not np.intersect1d(participant[train], participant[~train]).size


@settings(max_examples=150, deadline=None)
@given(
    participant=people,
    classes=st.integers(1, 6),
    share=st.sampled_from((0.1, 0.29, 0.5, 0.6, 0.7, 0.9)),
    i=st.integers(0, 10**6),
    keep=st.sampled_from(("participant", "case")),
)
def test_each_stratum_and_the_whole_take_floor_or_ceiling_of_the_share(
    participant, classes, share, i, keep
):
    participant = np.array(participant)
    stratum = strata_of(participant, classes)
    train = HoldoutSplit(3, seed=1, train_size=share, group_by=keep).mask(i, participant, stratum)
    if keep == "participant":
        _, first = np.unique(participant, return_index=True)
        train, stratum = train[first], stratum[first]
    for own in [stratum == s for s in np.unique(stratum)] + [np.ones(stratum.shape, bool)]:
        exact = share * own.sum()
        assert abs(train[own].sum() - exact) < 1
        if abs(exact - round(exact)) < 1e-9:
            assert train[own].sum() == round(exact)


def test_every_participant_has_the_same_chance_even_in_tiny_strata():
    participant = np.arange(33)
    stratum = np.array([0] * 1 + [1] * 3 + [2] * 7 + [3] * 9 + [4] * 13)
    splits = HoldoutSplit(2000, seed=5, train_size=0.5)
    chance = np.mean([splits.mask(i, participant, stratum) for i in range(2000)], axis=0)
    assert np.abs(chance - 0.5).max() < 4.5 * np.sqrt(0.25 / 2000)
    uneven = HoldoutSplit(2000, seed=5, train_size=0.7)
    chance = np.mean([uneven.mask(i, participant, stratum) for i in range(2000)], axis=0)
    assert np.abs(chance - 0.7).max() < 4.5 * np.sqrt(0.21 / 2000)


def test_a_split_is_the_same_alone_in_any_order_after_pickling_and_among_more():
    participant = np.arange(40) // 2
    few, many = HoldoutSplit(10, seed=3), pickle.loads(pickle.dumps(HoldoutSplit(5000, seed=3)))
    forwards = [few.mask(i, participant) for i in range(10)]
    backwards = [many.mask(i, participant) for i in reversed(range(10))][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        assert a.tobytes() == b.tobytes()
    assert len({mask.tobytes() for mask in forwards}) == 10
    assert not all(
        (HoldoutSplit(10, seed=4).mask(i, participant) == forwards[i]).all() for i in range(10)
    )


def test_the_bits_of_a_split_are_pinned():
    # A change of these bits breaks every stored study: it needs a new version, not a new test.
    participant = np.repeat(np.arange(8), 2)
    stratum = np.repeat([0, 0, 0, 1, 1, 1, 1, 1], 2)
    expected = {
        "holdout": "01101100",
        "bootstrap": "11101010",
    }
    for scheme, bits in expected.items():
        train = HoldoutSplit(1, seed=7, scheme=scheme).mask(11, participant, stratum)
        assert "".join(map(str, train[::2].astype(int))) == bits


def test_units_may_come_in_any_order():
    rng = np.random.default_rng(0)
    participant = np.repeat(np.arange(20), 2)
    stratum = participant % 3
    order = rng.permutation(40)
    splits = HoldoutSplit(10, seed=1)
    for i in range(10):
        straight = splits.mask(i, participant, stratum)
        assert (splits.mask(i, participant[order], stratum[order]) == straight[order]).all()


@settings(max_examples=50, deadline=None)
@given(participant=people, i=st.integers(0, 1000), stratify=st.booleans())
def test_complementary_splits_swap_sides(participant, i, stratify):
    participant = np.array(participant)
    splits = HoldoutSplit(10, seed=2, scheme="complementary", stratify=stratify)
    stratum = participant % 3
    even = splits.mask(2 * i, participant, stratum)
    assert (splits.mask(2 * i + 1, participant, stratum) == ~even).all()
    assert (even == HoldoutSplit(10, seed=2, stratify=stratify).mask(i, participant, stratum)).all()


def test_cases_split_singly_on_request():
    participant = np.repeat(np.arange(30), 2)
    train = HoldoutSplit(1, group_by="case").mask(0, participant)
    assert train.sum() == 30
    assert np.intersect1d(participant[train], participant[~train]).size


def test_bootstrap_takes_the_set_drawn_with_replacement_within_stratum():
    participant = np.arange(300)
    stratum = participant % 3
    splits = HoldoutSplit(50, scheme="bootstrap")
    shares = [splits.mask(i, participant, stratum).mean() for i in range(50)]
    assert abs(np.mean(shares) - (1 - np.exp(-1))) < 0.01
    # The draw itself: as many draws as members, from each stratum its own.
    alone = np.array([0, 1, 1, 1])
    assert splits.mask(0, np.arange(4), alone)[0]


def test_leaving_a_trial_out():
    trial = np.array([5, 5, 2, 2, 2, 9])
    splits = HoldoutSplit(1000, scheme="leave-trial-out")
    held = [~splits.mask(i, np.arange(6), None, trial) for i in range(3)]
    assert [np.unique(trial[side]).tolist() for side in held] == [[2], [5], [9]]
    assert splits.get_n_splits(np.zeros((6, 1)), groups=trial) == 3
    assert len(list(splits.split(np.zeros((6, 1)), groups=trial))) == 3


def test_scikit_learn_can_use_the_splits():
    from sklearn.dummy import DummyClassifier
    from sklearn.model_selection import cross_val_score

    rng = np.random.default_rng(0)
    X, y, groups = rng.normal(size=(60, 3)), np.arange(60) % 2, np.arange(60) // 2
    splits = HoldoutSplit(7, seed=1)
    made = cross_val_score(DummyClassifier(), X, y, groups=groups, cv=splits)
    assert made.shape == (7,)
    for train, holdout in splits.split(X, y, groups):
        assert np.intersect1d(groups[train], groups[holdout]).size == 0
        assert sorted([*train, *holdout]) == list(range(60))
    assert splits.get_n_splits() == 7
    singly = HoldoutSplit(1, seed=1)
    assert len(next(singly.split(X, y))[0]) == 30
    assert (y[next(singly.split(X, y))[0]].sum(), len(X)) == (15, 60)
    # A numeric outcome is no stratum.
    assert (
        next(singly.split(X, rng.normal(size=60)))[0].tolist() == next(singly.split(X))[0].tolist()
    )


@pytest.mark.parametrize(
    ("cohort", "design"),
    [
        (crossover_cohort(16, 4), "pooled"),
        (crossover_cohort(16, 4), "crossover"),
        (parallel_cohort(32), "parallel"),
    ],
)
def test_a_units_dataset_brings_its_own_participants_and_strata(cohort, design):
    made = score_units(cohort, design=design)
    splits = HoldoutSplit(5, seed=3)
    for i, (train, _) in enumerate(splits.split(made)):
        mask = splits.mask(i, made["participant"].values, made["split_stratum"].values)
        assert (np.flatnonzero(mask) == train).all()
        kept = made["participant"].values
        assert not np.intersect1d(kept[mask], kept[~mask]).size


def test_units_of_several_trials_leave_one_out():
    made = score_units(crossover_cohort(18, trials=3))
    splits = HoldoutSplit(1, scheme="leave-trial-out")
    assert splits.get_n_splits(made) == 3
    for i, (_, holdout) in enumerate(splits.split(made)):
        assert set(made["trial"].values[holdout]) == {f"t{i}"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"group_by": "participants"},
            "unknown group_by of the splits, found 'participants'; did you mean",
        ),
        ({"scheme": "jackknife"}, "unknown scheme of the splits, found 'jackknife'; valid are"),
        ({"train_size": 1.0}, "train_size must lie between 0 and 1, found 1.0"),
        (
            {"train_size": 0.6, "scheme": "complementary"},
            "need two halves, found 0.6; set train_size to 0.5",
        ),
        ({"n_splits": 0}, "n_splits of the splits must be a whole number, 1 or more, found 0"),
        ({"seed": -1}, "seed of the splits must be a whole number, 0 or more, found -1"),
        ({"seed": 1.5}, "seed of the splits must be a whole number"),
    ],
)
def test_wrong_options_are_refused_when_made(options, message):
    with pytest.raises(InputError, match=message):
        HoldoutSplit(**options)


def test_impossible_splits_are_refused():
    with pytest.raises(InputError, match="too few participants to split in two, found 1"):
        HoldoutSplit().mask(0, np.zeros(4))
    with pytest.raises(InputError, match="at least two trials"):
        HoldoutSplit(scheme="leave-trial-out").mask(0, np.arange(4), None, np.zeros(4))
    with pytest.raises(InputError, match="has 2 splits, one per trial, found 'split 2'"):
        HoldoutSplit(scheme="leave-trial-out").mask(2, np.arange(4), None, np.arange(4) // 2)
    with pytest.raises(InputError, match="belongs to two trials"):
        HoldoutSplit(scheme="leave-trial-out").mask(0, np.zeros(4), None, np.arange(4) // 2)
    with pytest.raises(InputError, match="0 or more, found -1"):
        HoldoutSplit().mask(-1, np.arange(4))


@settings(max_examples=200, deadline=None)
@given(
    count=st.integers(1, 60),
    share=st.floats(0.01, 0.99),
    classes=st.integers(1, 4),
    keep=st.sampled_from(("participant", "case")),
)
def test_a_share_is_refused_exactly_where_a_side_may_lack_two(count, share, classes, keep):
    splits, who = HoldoutSplit(1, train_size=share, group_by=keep), np.arange(count)
    who = np.repeat(who, 2) if keep == "participant" else who // 2
    on_train = round(share * count, 9)
    lacks = min(np.floor(on_train), count - np.ceil(on_train)) < 2
    if lacks:
        with pytest.raises(
            InputError, match=f"^train_size: with {count} {keep}s a training set"
        ) as told:
            splits.check_sides(who)
        if count >= 4:
            for word in told.value.remedy.split()[-3::2]:
                HoldoutSplit(1, train_size=float(word), group_by=keep).check_sides(who)
        return
    splits.check_sides(who)
    for i in range(5):
        train = splits.mask(i, who, who % classes)
        assert min(train.sum(), (~train).sum()) >= 2


def test_shares_of_other_schemes_say_nothing_about_their_sides():
    for scheme in ("bootstrap", "leave-trial-out"):
        HoldoutSplit(3, train_size=0.01, scheme=scheme).check_sides(np.arange(5))
    with pytest.raises(InputError, match=r"with 3 participants .*more participants are needed"):
        HoldoutSplit(3, scheme="complementary").check_sides(np.arange(3))


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
def test_clusters_stay_on_one_side(design):
    cohort = crossover_cohort(30, 6)
    number = np.unique(cohort["participant"].values, return_inverse=True)[1]
    families = np.char.add("f", (number // 3).astype(str))
    units = score_units(cohort.assign_coords(cluster=("case", families)), design=design)
    trial = trial_arrays(units)
    for scheme in ("holdout", "complementary", "bootstrap"):
        splits = HoldoutSplit(4, seed=3, scheme=scheme)
        for split in range(4):
            train = splits.train_mask(split, trial)
            assert (train == splits.train_mask(split, units)).all()
            for family in np.unique(trial.cluster):
                assert np.unique(train[trial.cluster == family]).size == 1
            assert 0 < train.sum() < train.size
