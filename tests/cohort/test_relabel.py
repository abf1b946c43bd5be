"""Relabelled trials keep what must be kept, and calibrate what is searched in them."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketadask.cohort.designs import TrialArrays, trial_arrays
from ketadask.cohort.relabel import check_exchange, relabel, unexchangeable_mask
from ketadask.cohort.units import score_units
from ketadask.schema.errors import InputError
from tests.cohort.cohorts import crossover_cohort, parallel_cohort

DESIGNS = ("crossover", "pooled", "parallel")


@cache
def trial_for(design, seed=0, participants=24, trials=2, **options):
    if design == "parallel":
        cohort = parallel_cohort(participants, seed=seed, trials=trials)
    else:
        cohort = crossover_cohort(participants, participants // 4, seed=seed, trials=trials)
    trial = trial_arrays(score_units(cohort, design=design, **options))
    for values in vars(trial).values():
        if isinstance(values, np.ndarray):
            values.setflags(write=False)  # one for many tests
    return trial


arguments = given(
    design=st.sampled_from(DESIGNS), seed=st.integers(0, 50), index=st.integers(0, 10**6)
)


@settings(max_examples=40, deadline=None)
@arguments
def test_features_move_in_blocks_within_stratum(design, seed, index):
    trial = trial_for(design, seed % 5)
    rows, relabelled = relabel(trial, seed=seed, index=index)
    assert rows.dtype == np.int64
    assert sorted(rows.tolist()) == list(range(trial.score.size))
    assert (trial.stratum[rows] == trial.stratum).all()
    assert (trial.trial[rows] == trial.trial).all()
    if design == "pooled":
        assert (trial.period[rows] == trial.period).all()
        assert (trial.arm[rows] == trial.arm).all()
    # Units of one participant get the features of one participant.
    for who in np.unique(trial.participant):
        assert np.unique(trial.participant[rows[trial.participant == who]]).size == 1
    assert relabelled is trial


@settings(max_examples=40, deadline=None)
@arguments
def test_relabelling_is_addressed_by_seed_and_index(design, seed, index):
    trial = trial_for(design)
    for how in ("features", "arms", "no-effect"):
        once = relabel(trial, seed=seed, index=index, method=how)
        again = relabel(trial, seed=seed, index=index, method=how)
        assert (once[0] == again[0]).all()
        assert once[1].score.tobytes() == again[1].score.tobytes()


def test_indices_and_seeds_differ():
    trial = trial_for("crossover")
    drawn = {
        relabel(trial, seed=seed, index=index)[0].tobytes()
        for seed in range(3)
        for index in range(10)
    }
    assert len(drawn) == 30


@settings(max_examples=40, deadline=None)
@arguments
def test_new_arms_keep_the_trial_and_rescore_it_by_its_own_formula(design, seed, index):
    trial = trial_for(design, seed % 5)
    for how in ("arms", "no-effect"):
        rows, new = relabel(trial, seed=seed, index=index, method=how)
        assert (rows == np.arange(rows.size)).all()
        for name in ("participant", "stratum", "split_stratum", "period", "trial", "site"):
            assert (getattr(new, name) == getattr(trial, name)).all()
        assert new.scores().tobytes() == new.score.tobytes()
        assert np.isfinite(new.outcome).sum() == np.isfinite(trial.outcome).sum()


@settings(max_examples=30, deadline=None)
@given(
    design=st.sampled_from(("pooled", "parallel")),
    seed=st.integers(0, 50),
    index=st.integers(0, 10**6),
)
def test_constant_effect_outcomes_differ_from_the_old_by_the_effect_or_not_at_all(
    design, seed, index
):
    trial = trial_for(design, seed % 5)
    effect = trial.level_effects()
    _, new = relabel(trial, seed=seed, index=index, method="arms")
    was = np.nansum(trial.outcome, axis=1) - effect * trial.arm
    now = np.nansum(new.outcome, axis=1) - effect * new.arm
    assert now == pytest.approx(was, abs=1e-9)
    if design == "parallel":
        level = trial.levels()
        kept = np.bincount(level, weights=trial.arm)
        assert (np.bincount(level, weights=new.arm) == kept).all()
        return
    who, count = np.unique(trial.participant, return_counts=True)
    both = np.isin(trial.participant, who[count == 2])
    total = np.bincount(trial.participant[both], weights=new.arm[both], minlength=who.size)
    assert (total[who[count == 2]] == 1).all()
    assert new.arm[~both].sum() == trial.arm[~both].sum()


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 50), index=st.integers(0, 10**6), how=st.sampled_from(("arms", "no-effect"))
)
def test_crossover_flips_the_sign_of_what_is_left_of_the_difference(seed, index, how):
    trial = trial_for("crossover", seed % 5)
    effect = trial.level_effects() if how == "arms" else 0.0
    _, new = relabel(trial, seed=seed, index=index, method=how)
    difference = new.outcome[:, 0] - new.outcome[:, 1]
    shift = trial.cell_centres() - trial.level_effects()
    own = (trial.outcome[:, 0] - trial.outcome[:, 1]) - shift
    flipped = difference - shift - effect
    assert np.abs(flipped) == pytest.approx(np.abs(own - effect), abs=1e-9)
    assert new.outcome.sum(axis=1) == pytest.approx(trial.outcome.sum(axis=1))


@pytest.mark.parametrize("design", DESIGNS)
def test_arms_preserve_the_overall_effect_on_average_and_no_effect_removes_it(design):
    trial = trial_for(design, participants=60, trials=1)
    if design == "pooled":  # who has one case only would be a comparison between participants
        trial = trial_arrays(score_units(crossover_cohort(60), design="pooled"))
    for how, expected in (("arms", trial.score.mean()), ("no-effect", 0.0)):
        means = [relabel(trial, seed=1, index=i, method=how)[1].score.mean() for i in range(300)]
        error = np.std(means) / np.sqrt(len(means))
        assert abs(np.mean(means) - expected) < 4 * error


def test_features_can_stay_within_arm():
    trial = trial_for("parallel", within_arm=True)
    for index in range(20):
        rows, _ = relabel(trial, seed=3, index=index)
        assert (trial.arm[rows] == trial.arm).all()
    free = replace(trial, within_arm=False)
    assert any((trial.arm[relabel(free, seed=3, index=i)[0]] != trial.arm).any() for i in range(20))


def test_an_unknown_relabelling_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="found 'arm'; did you mean 'arms'"):
        relabel(trial_for("pooled"), seed=1, index=0, method="arm")


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("how", ["features", "arms"])
def test_a_search_over_features_is_calibrated_when_benefit_does_not_depend_on_them(design, how):
    # 100 trials with prognostic features, a period and an overall effect; the search takes the
    # largest standardised mean score over thresholds of 12 features. At 20 %, its adjusted p
    # must be below in 20 +- 4 standard errors of the trials.
    rng = np.random.default_rng(5)
    rejected = 0
    for number in range(100):
        template = trial_for(design, participants=32, trials=1, seed=number)
        X = rng.normal(size=(template.score.size, 12))
        prognostic = 3.0 * X[:, 0] + 3.0 * X[:, 1]
        if design == "crossover":
            noise = rng.normal(0, 3, template.outcome.shape) + prognostic[:, None]
        else:
            noise = (rng.normal(0, 3, template.score.size) + prognostic)[:, None]
        first = np.where(template.period == 1, 0.0, 2.0)[:, None]
        seen = np.where(np.isfinite(template.outcome), 1.0, np.nan)
        outcome = (noise + np.array([6.0, 0.0]) + first) * seen
        trial = template.with_outcome(outcome)
        cover = (X > 0).astype(float)
        cover = (cover - cover.mean(axis=0)) / cover.std(axis=0)

        def best(rows, relabelled, cover=cover):
            s = relabelled.score
            return np.abs((s - s.mean()) @ cover[rows] / s.std()).max()

        observed = best(np.arange(trial.score.size), trial)
        null = [best(*relabel(trial, seed=number, index=i, method=how)) for i in range(19)]
        rejected += (1 + np.sum(np.array(null) >= observed)) / 20 <= 0.2
    assert 20 - 16 <= rejected <= 20 + 16


@pytest.mark.parametrize("how", ["features", "arms"])
@pytest.mark.parametrize("design", DESIGNS)
def test_who_is_alone_is_the_same_in_every_relabelling_and_nobody_else_is(design, how):
    # In a small trial the one participant of a sequence may lie on its mean, which flips to itself.
    trials = 1 if (design, how) == ("crossover", "arms") else 3
    trial = trial_for(design, participants=14, trials=trials, within_arm=True)
    first = trial.participant == trial.participant[0]
    trial = replace(trial, stratum=np.where(first, 99, trial.stratum))
    moved = np.zeros(trial.score.size, dtype=bool)
    for index in range(200):
        rows, new = relabel(trial, seed=1, index=index, method=how)
        moved |= trial.participant[rows] != trial.participant
        moved |= ~np.isclose(new.outcome, trial.outcome, equal_nan=True).all(axis=1)
    assert (unexchangeable_mask(trial, how) == ~moved).all()
    assert check_exchange(trial, how) == (~moved).sum()
    assert how != "features" or 0 < (~moved).sum() < moved.size


def test_a_trial_in_which_every_relabelling_is_the_trial_is_refused():
    trial = trial_for("parallel", participants=12, trials=3)
    each_its_own = replace(trial, stratum=np.arange(trial.score.size))
    assert check_exchange(trial, "features") == 0
    message = (
        r"null.method: all .* are alone .*'features'; 12 strata for 12 participants; give small"
    )
    with pytest.raises(InputError, match=message):
        check_exchange(each_its_own, "features", where="null.method")
    zero, y = np.zeros(4, dtype=np.int64), np.full((4, 2), np.nan)
    y[np.arange(4), [0, 1, 0, 1]] = np.arange(4.0)
    once = TrialArrays("pooled", y, np.arange(4), zero, zero, np.arange(4), zero == 0, zero)
    with pytest.raises(InputError, match=r"found 'arms'.*exchange features instead"):
        check_exchange(once, "arms")
    paired = trial_for("crossover")
    paired = replace(paired, stratum=np.arange(paired.score.size))
    with pytest.raises(InputError, match="randomise arms instead"):
        check_exchange(paired, "features")
    assert check_exchange(paired, "arms") == 0


def clustered(design, seed=0, same_arm=False):
    """Return a trial of one site with pairs, triplets and single ones of participants."""
    cohort = parallel_cohort(48, seed=seed) if design == "parallel" else crossover_cohort(40, 8)
    cohort["site"] = ("case", np.full(cohort.sizes["case"], "s"))
    number = np.unique(cohort["participant"].values, return_inverse=True)[1]
    if same_arm:  # neighbours have one sequence
        first = np.char.startswith(cohort["sequence"].values.astype(str), "active")
        pairs = np.column_stack((first, number))
        number = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)
        number = np.where(first, number - number[first].min() + 100, number)
    rank = number % 100
    family = np.where(rank < 12, rank // 2, np.where(rank < 18, 10 + rank // 3, 20 + rank))
    names = np.char.add("f", (100 * (number // 100) + family).astype(str))
    return trial_arrays(score_units(cohort.assign_coords(cluster=("case", names)), design=design))


@pytest.mark.parametrize("design", DESIGNS)
def test_clusters_exchange_features_with_clusters_of_the_same_pattern(design):
    moved = False
    for seed in range(3):
        trial = clustered(design, seed)
        assert np.bincount(np.unique(trial.cluster, return_inverse=True)[1]).max() >= 3
        for index in range(20):
            rows, _ = relabel(trial, seed=seed, index=index)
            assert sorted(rows.tolist()) == list(range(trial.score.size))
            assert (trial.stratum[rows] == trial.stratum).all()
            for name in ("cluster", "participant"):
                code = getattr(trial, name)
                for one in np.unique(code):
                    assert np.unique(code[rows[code == one]]).size == 1
                    assert (code == one).sum() == (code == code[rows[code == one]][0]).sum()
            twins = (
                np.bincount(trial.cluster)[trial.cluster]
                > np.bincount(trial.participant)[trial.participant]
            )
            moved |= bool((trial.cluster[rows] != trial.cluster)[twins].any())
    assert moved


@pytest.mark.parametrize("design", DESIGNS)
def test_names_of_clusters_do_not_matter_and_single_participants_are_as_without(design):
    trial = trial_for(design)
    single = replace(trial, cluster=trial.participant + 7)
    for method in ("features", "arms"):
        one = relabel(trial, seed=3, index=5, method=method)
        other = relabel(single, seed=3, index=5, method=method)
        assert (one[0] == other[0]).all()
        assert one[1].score.tobytes() == other[1].score.tobytes()


@pytest.mark.parametrize("design", DESIGNS)
def test_clusters_randomised_as_one_get_new_arms_as_one(design):
    as_one, apart = clustered(design, same_arm=True), clustered(design)
    split = 0
    for index in range(20):
        for trial in (as_one, apart):
            new = relabel(trial, seed=1, index=index, method="arms")[1]
            old, now = (np.nan_to_num(t.outcome, nan=-99.0) for t in (trial, new))
            changed = ~np.isclose(old, now).all(axis=1)
            of_clusters = [changed[trial.cluster == one] for one in np.unique(trial.cluster)]
            mixed = [own.any() and not own.all() for own in of_clusters]
            if trial is as_one:
                assert not any(mixed)
            split += sum(mixed)
        if design != "crossover":
            active = np.bincount(trial.levels(), weights=new.arm)
            assert design == "pooled" or (active == np.bincount(trial.levels(), trial.arm)).all()
    assert split > 20
