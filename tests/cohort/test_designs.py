"""Scores of the three designs, and the search matrix made from a cohort."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from dask.base import tokenize
from hypothesis import given, settings
from hypothesis import strategies as st

from ketadask.cohort.designs import design_exclusions, score_units, trial_arrays, trial_scores
from ketadask.cohort.relabel import relabel
from ketadask.kernels.scores import (
    cross_fitted,
    crossover_score,
    parallel_score,
    period_effect,
    pooled_score,
)
from ketadask.schema.cohort import Cohort
from ketadask.schema.datasets import UNITS
from ketadask.schema.errors import InputError
from tests.cohort.cohorts import cohort_of, crossover_cohort, parallel_cohort

outcomes = st.lists(
    st.tuples(st.floats(-50, 50), st.booleans(), st.integers(0, 2)), min_size=2, max_size=40
).filter(lambda rows: len({arm for _, arm, _ in rows}) == 2)


def columns(rows):
    y, arm, stratum = (np.array(column) for column in zip(*rows, strict=True))
    return y, arm.astype(bool), stratum


@settings(max_examples=100, deadline=None)
@given(outcomes)
def test_mean_pooled_score_is_the_difference_of_the_arms_means(rows):
    y, arm, _ = columns(rows)
    score = pooled_score(y, arm)
    assert score.mean() == pytest.approx(y[arm].mean() - y[~arm].mean(), abs=1e-9)
    # Adding the same to all, or to a whole arm, changes nothing or the mean by just that.
    assert pooled_score(y + 7, arm) == pytest.approx(score, abs=1e-9)
    assert pooled_score(y + 7 * arm, arm).mean() == pytest.approx(score.mean() + 7, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(outcomes)
def test_mean_parallel_score_is_the_stratified_difference(rows):
    y, arm, stratum = columns(rows)
    score = parallel_score(y, arm, stratum)
    for s in np.unique(stratum):
        own = stratum == s
        if 0 < arm[own].sum() < own.sum():
            difference = y[own & arm].mean() - y[own & ~arm].mean()
            assert score[own].mean() == pytest.approx(difference, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(outcomes)
def test_crossover_sequences_get_equal_means_and_keep_their_average(rows):
    y, first, _ = columns(rows)
    control = np.zeros(y.size)
    score = crossover_score(y, control, first)
    assert score[first].mean() == pytest.approx(score[~first].mean(), abs=1e-9)
    assert score[first].mean() == pytest.approx((y[first].mean() + y[~first].mean()) / 2, abs=1e-9)
    # A period effect of any size leaves the scores as they are.
    period = np.where(first, -4.0, 4.0)
    assert crossover_score(y + period, control, first) == pytest.approx(score, abs=1e-9)


def test_one_sequence_alone_has_no_period_effect():
    y = np.array([3.0, 5.0])
    for first in (True, False):
        assert period_effect(y, np.full(2, first)) == 0.0
        assert crossover_score(y, np.zeros(2), np.full(2, first)).tolist() == [3.0, 5.0]


def test_scores_without_an_arm_are_not_numbers():
    y = np.array([1.0, 2.0])
    for arm in (np.ones(2, bool), np.zeros(2, bool)):
        assert np.isnan(pooled_score(y, arm)).all()
        assert np.isnan(parallel_score(y, arm, np.zeros(2))).all()


def test_scores_of_a_set_estimate_its_own_benefit():
    # 4,000 cases, benefit 2 outside and 8 inside a set that half of them belong to, three arms
    # shares by site: the mean score inside must be 8 within four standard errors.
    rng = np.random.default_rng(1)
    site = rng.integers(0, 3, 4000)
    inside = rng.random(4000) < 0.5
    arm = rng.random(4000) < np.array([0.3, 0.5, 0.7])[site]
    y = rng.normal(3 * site, 2) + np.where(inside, 8.0, 2.0) * arm
    score = parallel_score(y, arm, site)
    for side, benefit in ((inside, 8.0), (~inside, 2.0)):
        error = score[side].std() / np.sqrt(side.sum())
        assert abs(score[side].mean() - benefit) < 4 * error


def test_a_good_prediction_narrows_the_scores_and_a_wrong_one_does_not_bias_them():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(3000, 5))
    X[rng.random(X.shape) < 0.05] = np.nan
    arm = rng.random(3000) < 0.5
    y = np.nan_to_num(X) @ [5.0, 3.0, 0.0, 0.0, 0.0] + 2.0 * arm + rng.normal(size=3000)
    plain = parallel_score(y, arm, np.zeros(3000))
    made = cross_fitted(X, y, arm, np.arange(3000) % 5)
    adjusted = parallel_score(y, arm, np.zeros(3000), made)
    assert adjusted.std() < 0.4 * plain.std()
    wrong = parallel_score(y, arm, np.zeros(3000), made[::-1])
    for score in (plain, adjusted, wrong):
        assert abs(score.mean() - 2.0) < 4 * score.std() / np.sqrt(3000)


def test_cross_fitted_predictions_never_see_the_unit():
    rng = np.random.default_rng(0)
    X, arm, fold = rng.normal(size=(40, 3)), np.arange(40) % 2 == 0, np.arange(40) // 2 % 4
    y = rng.normal(size=40)
    made = cross_fitted(X, y, arm, fold)
    changed = np.where(fold == 1, 100.0, y)
    again = cross_fitted(X, changed, arm, fold)
    assert (again[fold == 1] == made[fold == 1]).all()
    assert not np.allclose(again[fold != 1], made[fold != 1])


def test_ridge_is_that_of_the_normal_equations():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 4)), rng.normal(size=30)
    fold = np.r_[np.zeros(20), np.ones(10)]
    made = cross_fitted(X, y, np.ones(30, bool), fold, (3.0,))
    fit, out = fold == 0, fold == 1
    Z = (X - X[fit].mean(axis=0)) / X[fit].std(axis=0)
    beta = np.linalg.solve(Z[fit].T @ Z[fit] + 3.0 * np.eye(4), Z[fit].T @ (y[fit] - y[fit].mean()))
    assert made[out, 0] == pytest.approx(y[fit].mean() + Z[out] @ beta)


CASES = [
    ("a", 1, "active", 30, 20, "t", "s"),
    ("a", 2, "control", 28, 4, "t", "s"),
    ("b", 1, "control", 30, 6, "t", "s"),
    ("b", 2, "active", 26, 12, "t", "s"),
    ("c", 1, "active", 30, 16, "t", "s"),
    ("c", 2, "control", 30, 2, "t", "s"),
    ("d", 2, "active", 30, 3, "t", "s"),
    ("e", 1, "control", 30, 1, "t", "s"),
    ("e", 2, "active", 30, np.nan, "t", "s"),
]


def test_crossover_units_by_hand():
    value = np.arange(18.0).reshape(9, 2)
    value[1, 0] = np.nan
    made = score_units(cohort_of(CASES, value))
    assert made["participant"].values.tolist() == ["a", "b", "c"]
    assert made["outcome"].values.tolist() == [[20, 4], [12, 6], [16, 2]]
    # Differences 16, 6, 14; sequence means 15 and 6, so half their difference is 4.5.
    assert made["score"].values.tolist() == [11.5, 10.5, 9.5]
    # The mean of both baselines, or the one that was measured.
    assert made["value"].values.tolist() == [[0, 2], [5, 6], [9, 10]]
    assert made["period"].values.tolist() == [1, 2, 1]
    assert made["sequence"].values.tolist() == [
        "active-control",
        "control-active",
        "active-control",
    ]
    assert made["stratum"].values[0] == made["stratum"].values[2] != made["stratum"].values[1]
    assert exclusions() == [
        ("d", 2, "no improvement on control, so no pair"),
        ("e", 1, "no improvement on active, so no pair"),
        ("e", 2, "no improvement"),
    ]


def exclusions(design="crossover", before=()):
    columns = ["participant", "period", "reason"]
    cohort = Cohort(cohort_of(CASES), exclusions=pd.DataFrame(before, columns=columns))
    table = design_exclusions(cohort, design=design)
    return list(table.itertuples(index=False, name=None))


def test_crossover_units_with_the_first_baseline():
    made = score_units(cohort_of(CASES), baseline="first")
    assert made["value"].values.tolist() == [[0, 1], [4, 5], [8, 9]]


def test_pooled_units_by_hand():
    made = score_units(cohort_of(CASES), design="pooled")
    trial = trial_arrays(made)
    assert made.sizes["unit"] == 8
    y = np.array([20, 4, 6, 12, 16, 2, 3, 1.0])
    arm = np.array([1, 0, 0, 1, 1, 0, 1, 0])
    assert trial.arm.tolist() == arm.tolist()
    q = arm.mean()
    assert trial.score == pytest.approx((arm - q) / (q * (1 - q)) * (y - y.mean()))
    # Pairs with pairs of the same sequence; d and e are alone in their patterns.
    assert len(set(trial.stratum.tolist())) == 4
    assert trial.stratum[0] == trial.stratum[1] == trial.stratum[4] == trial.stratum[5]
    assert exclusions("pooled") == [("e", 2, "no improvement")]


def test_who_is_seen_once_keeps_the_sequence_that_was_given():
    cohort = cohort_of(CASES)
    given = np.where(cohort["participant"] == "d", "control-active", cohort["sequence"])
    made = score_units(cohort.assign_coords(sequence=("case", given.astype(str))), design="pooled")
    mine = (made["participant"] == "d").values
    assert made["sequence"].values[mine].tolist() == ["control-active"]
    assert not trial_arrays(made).active_first[mine].any()


def test_parallel_units_take_the_first_period_only():
    made = score_units(cohort_of(CASES), design="parallel")
    assert made["participant"].values.tolist() == ["a", "b", "c", "e"]
    assert {reason for _, _, reason in exclusions("parallel")} == {
        "a later period is no parallel comparison",
        "no improvement",
    }


def test_a_listed_exclusion_is_not_listed_twice():
    rows = exclusions(before=[("e", 0, "withdrew")])
    assert [(participant, period) for participant, period, _ in rows] == [("e", 0), ("d", 2)]


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
def test_endpoints(design):
    cohort = crossover_cohort(14, seed=3) if design != "parallel" else parallel_cohort(24)
    for endpoint in ("improvement", "response", "percent"):
        made = score_units(cohort, design=design, endpoint=endpoint)
        seen = made["outcome"].values[np.isfinite(made["outcome"].values)]
        if endpoint == "response":
            assert set(seen) <= {0.0, 1.0}
        assert made.attrs["endpoint"] == endpoint
    improvement = score_units(cohort, design=design)["outcome"].values
    assert made["outcome"].values == pytest.approx(improvement / 30.0 * 100, nan_ok=True)


def test_split_strata_are_those_of_whole_participants():
    made = score_units(crossover_cohort(20, 5, trials=2), design="pooled")
    table = made[["participant", "split_stratum", "stratum"]].to_dataframe()
    assert (table.groupby("participant")[["split_stratum", "stratum"]].nunique() == 1).all(
        axis=None
    )
    trial = trial_arrays(made)
    for s in np.unique(trial.split_stratum):
        own = trial.split_stratum == s
        assert np.unique(trial.trial[own]).size == 1
        assert np.unique(trial.active_first[own]).size == 1


@pytest.mark.parametrize(
    ("design", "names"),
    [("parallel", ["trial", "site"]), ("crossover", ["trial", "sequence"])],
)
def test_features_may_be_exchanged_within_what_the_design_names(design, names):
    made = parallel_cohort if design == "parallel" else crossover_cohort
    table = score_units(made(40, trials=2), design=design)[[*names, "stratum"]].to_dataframe()
    assert table.groupby(names)["stratum"].nunique().tolist() == [1] * 4
    assert table["stratum"].nunique() == 4


def test_trials_are_scored_each_by_itself():
    cohort = crossover_cohort(20, seed=4, trials=2)
    both = score_units(cohort)
    for name in ("t0", "t1"):
        alone = score_units(cohort.isel(case=cohort["trial"].values == name))
        own = both["trial"].values == name
        moved = both["score"].values[own] - alone["score"].values
        assert moved == pytest.approx(moved[0])
        assert both["participant"].values[own].tolist() == alone["participant"].values.tolist()


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
def test_a_trial_that_works_better_overall_moves_no_score(design):
    """Else a feature that tells the trials apart would pass for one that tells who benefits."""
    made = parallel_cohort if design == "parallel" else crossover_cohort
    cohort = made(40, seed=6, trials=2)
    better = cohort.copy(deep=True)
    helped = (cohort["trial"].values == "t1") & (cohort["arm"].values == "active")
    better["improvement"] = cohort["improvement"] + 9.0 * helped
    one, two = (score_units(c, design=design)["score"].values for c in (cohort, better))
    assert two - one == pytest.approx((two - one)[0])
    trial = score_units(cohort, design=design)["trial"].values
    assert one[trial == "t0"].mean() == pytest.approx(one[trial == "t1"].mean())
    of = trial_arrays(score_units(better, design=design))
    own = trial_scores(
        design, of.outcome, stratum=of.stratum, active_first=of.active_first, trial=of.trial,
        level=False,
    )  # fmt: skip
    assert two.mean() == pytest.approx(own.mean())
    assert not np.allclose(two, own)


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
def test_order_of_cases_does_not_matter(design):
    cohort = crossover_cohort(12, 4, seed=1)
    order = np.random.default_rng(0).permutation(cohort.sizes["case"])
    straight, shuffled = (
        score_units(cohort, design=design),
        score_units(cohort.isel(case=order), design=design),
    )
    for each in (straight, shuffled):
        each.coords["key"] = (
            "unit",
            [
                f"{p}{k}"
                for p, k in zip(each["participant"].values, each["period"].values, strict=True)
            ],
        )
    a, b = straight.sortby("key"), shuffled.sortby("key")
    assert a["score"].values == pytest.approx(b["score"].values)
    assert a["value"].values == pytest.approx(b["value"].values)
    assert (a["stratum"].values == b["stratum"].values).all()
    assert (a["split_stratum"].values == b["split_stratum"].values).all()


def test_outcomes_never_move_features():
    cohort = crossover_cohort(12, 4)
    other = cohort.copy(deep=True)
    other["improvement"] = ("case", other["improvement"].values[::-1] * 3.0)
    for design in ("crossover", "pooled", "parallel"):
        a, b = score_units(cohort, design=design), score_units(other, design=design)
        assert a["value"].values.tobytes() == b["value"].values.tobytes()


def test_adjusted_units_carry_their_prediction():
    made = score_units(parallel_cohort(60), design="parallel", adjust="ridge", within_arm=True)
    trial = trial_arrays(made)
    assert trial.within_arm
    again = trial_scores(
        "parallel",
        trial.outcome,
        stratum=trial.stratum,
        active_first=trial.active_first,
        trial=trial.trial,
        prediction=trial.prediction,
    )
    assert again.tobytes() == trial.score.tobytes()


def test_units_survive_a_file(tmp_path):
    made = score_units(crossover_cohort(8))
    made.to_netcdf(tmp_path / "units.nc")
    import xarray as xr

    with xr.open_dataset(tmp_path / "units.nc") as read:
        a, b = trial_arrays(UNITS.check(read.load())), trial_arrays(made)
    assert tokenize(a) == tokenize(b)


def test_a_trial_has_a_token_of_its_content():
    trial = trial_arrays(score_units(crossover_cohort(10)))
    assert tokenize(trial) == tokenize(pickle.loads(pickle.dumps(trial)))
    assert tokenize(trial) == tokenize(relabel(trial, seed=1, index=0)[1])
    others = [
        replace(trial, score=trial.score + 1e-12),
        replace(trial, design="pooled"),
        replace(trial, within_arm=True),
        replace(trial, stratum=trial.split_stratum, split_stratum=trial.stratum),
        relabel(trial, seed=1, index=0, method="arms")[1],
    ]
    tokens = {tokenize(each) for each in [trial, *others]}
    assert len(tokens) == 6


@pytest.mark.parametrize(
    ("cases", "options", "message"),
    [
        (CASES, {"design": "cross-over"}, "unknown design, found 'cross-over'; did you mean"),
        (CASES, {"endpoint": "remission"}, "unknown endpoint, found 'remission'"),
        (CASES, {"baseline": "last"}, "unknown baseline, found 'last'"),
        (CASES[:1] + CASES[3:4], {}, "no participant can enter the crossover analysis"),
        (
            CASES[:1] + CASES[4:5],
            {"design": "pooled"},
            "needs both arms in every trial, found 'only",
        ),
        ([*CASES, CASES[0]], {}, "two cases of the same period, found 'a'; keep one case per"),
        (
            [*CASES, ("a", 3, "active", 30, 5, "t", "s")],
            {},
            "two cases of the same arm, found 'a'",
        ),
        ([*CASES, ("a", 3, "active", 30, 5, "u", "s")], {}, "belongs to two trials, found 'a'"),
        ([("z", 1, "placebo", 30, 5, "t", "s")], {}, "case of z: unknown arm, found 'placebo'"),
    ],
)
def test_wrong_cohorts_and_options_are_refused(cases, options, message):
    with pytest.raises(InputError, match=message):
        score_units(cohort_of(cases), **options)


@pytest.mark.parametrize("arm", ["active", "control"])
@pytest.mark.parametrize("design", ["pooled", "crossover", "parallel"])
def test_a_handmade_matrix_without_an_arm_of_a_trial_names_trial_arm_and_remedy(design, arm):
    cohort = parallel_cohort(20) if design == "parallel" else crossover_cohort(20)
    made, other = (
        score_units(cohort, design=design),
        {"active": "control", "control": "active"}[arm],
    )
    later = np.isfinite(made["outcome"].sel(arm=other).values) & (np.arange(made.sizes["unit"]) > 9)
    made = made.assign_coords(trial=("unit", np.where(later, "later", "early")))
    made["outcome"].loc[{"unit": later, "arm": arm}] = np.nan
    with pytest.raises(InputError) as caught:
        trial_arrays(made)
    assert str(caught.value) == (
        f"trial later: the {design} analysis needs both arms in every trial, found "
        f"'only {other}, nobody on {arm}'; leave the units of this trial out, or fill the outcomes "
        "of that arm"
    )


@pytest.mark.parametrize(
    ("design", "row", "message"),
    [
        (
            "crossover",
            [5.0, np.nan],
            r"has an outcome on both arms, found \[5.0, nan\]; leave this",
        ),
        ("pooled", [5.0, 4.0], r"has an outcome on one arm, found \[5.0, 4.0\]; write NaN where"),
        ("pooled", [np.nan, np.nan], r"has an outcome on one arm, found \[nan, nan\]; leave this"),
    ],
)
def test_a_handmade_unit_without_its_outcomes_is_named(design, row, message):
    made = score_units(crossover_cohort(20), design=design)
    made["outcome"].values[3] = row
    who = made["participant"].values[3]
    with pytest.raises(InputError, match=rf"^outcome of participant {who}, trial \S+: .*{message}"):
        trial_arrays(made)


def test_a_handmade_matrix_of_other_arms_or_design_is_refused():
    made = score_units(crossover_cohort(20))
    with pytest.raises(InputError, match=r"^arm: unknown arms, found .'control', 'active'.; use"):
        trial_arrays(made.isel(arm=[1, 0]))
    made.attrs["design"] = "cross-over"
    with pytest.raises(InputError, match="unknown design, found 'cross-over'; did you mean 'cro"):
        trial_arrays(made)


def test_the_real_crossover_trial(real_data):
    # OpenNeuro ds005917 (NCT00088699), MDD, MADRS two days after each infusion: 53 cases, 24
    # participants with both arms; the numbers are taken from its two files by hand.
    folder = real_data / "clinical" / "ds005917"
    people = pd.read_csv(folder / "participants.tsv", sep="\t").set_index("participant_id")
    scores = pd.read_csv(folder / "phenotype" / "phenotype.tsv", sep="\t", na_values="n/a")
    wide = scores.pivot(index="participant_id", columns="session_id", values="MADRS_Total")
    wide = wide[people.loc[wide.index, "group"] == "MDD"]
    cases = []
    for who, row in wide.iterrows():
        for period, column in ((1, "infusion_1"), (2, "infusion_2")):
            letter = people.loc[who, column]
            arm = {"d": "active", "p": "control"}.get(letter)
            if arm:
                gain = row["ses-b0"] - row[f"ses-{letter}2"]
                cases.append((who, period, arm, row["ses-b0"], gain, "t", "s"))
    cohort = cohort_of(cases)
    pooled, paired = (
        trial_arrays(score_units(cohort, design="pooled")),
        trial_arrays(score_units(cohort)),
    )
    assert (pooled.score.size, paired.score.size) == (53, 24)
    assert np.bincount(paired.stratum).tolist() == [12, 12]
    active, control = (pooled.outcome[:, k] for k in (0, 1))
    assert pooled.score.mean() == pytest.approx(np.nanmean(active) - np.nanmean(control))
    assert pooled.score.mean() == pytest.approx(9.2222 - 1.9615, abs=1e-4)
    assert paired.score.mean() == pytest.approx(6.75)
