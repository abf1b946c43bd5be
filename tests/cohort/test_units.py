"""The search matrix of a cohort: units, outcomes, strata and exclusions."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from dask.base import tokenize

from ketadask.cohort.designs import trial_arrays
from ketadask.cohort.units import design_exclusions, score_units
from ketadask.schema.cohort import Cohort
from ketadask.schema.datasets import UNITS
from ketadask.schema.errors import InputError
from tests.cohort.cohorts import cohort_of, crossover_cohort, parallel_cohort

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
    units = score_units(cohort_of(CASES, value))
    assert units["participant"].values.tolist() == ["a", "b", "c"]
    assert units["outcome"].values.tolist() == [[20, 4], [12, 6], [16, 2]]
    # Differences 16, 6, 14; sequence means 15 and 6, so half their difference is 4.5.
    assert units["score"].values.tolist() == [11.5, 10.5, 9.5]
    # The mean of both baselines, or the one that was measured.
    assert units["value"].values.tolist() == [[0, 2], [5, 6], [9, 10]]
    assert units["period"].values.tolist() == [1, 2, 1]
    assert units["sequence"].values.tolist() == [
        "active-control",
        "control-active",
        "active-control",
    ]
    assert units["stratum"].values[0] == units["stratum"].values[2] != units["stratum"].values[1]
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
    units = score_units(cohort_of(CASES), baseline="first")
    assert units["value"].values.tolist() == [[0, 1], [4, 5], [8, 9]]


def test_pooled_units_by_hand():
    units = score_units(cohort_of(CASES), design="pooled")
    trial = trial_arrays(units)
    assert units.sizes["unit"] == 8
    y = np.array([20, 4, 6, 12, 16, 2, 3, 1.0])
    arm = np.array([1, 0, 0, 1, 1, 0, 1, 0])
    assert trial.arm.tolist() == arm.tolist()
    # Cells of two by arm and period, so h = 1/2 and c = sqrt(1/2) undo each other; w is 2 or -2.
    deviation = np.array([2, 1, 2.5, 4.5, -2, -1, -4.5, -2.5])
    plain = trial_arrays(score_units(cohort_of(CASES), design="pooled", adjust="none"))
    assert plain.score == pytest.approx(9.5 + np.where(arm, 2, -2) * deviation)
    assert trial.score.mean() == pytest.approx(y[arm == 1].mean() - y[arm == 0].mean())
    # Pairs with pairs of the same sequence; d and e are alone in their patterns.
    assert len(set(trial.stratum.tolist())) == 4
    assert trial.stratum[0] == trial.stratum[1] == trial.stratum[4] == trial.stratum[5]
    assert exclusions("pooled") == [("e", 2, "no improvement")]


def test_who_is_seen_once_keeps_the_sequence_that_was_given():
    cohort = cohort_of(CASES)
    given = np.where(cohort["participant"] == "d", "control-active", cohort["sequence"])
    units = score_units(cohort.assign_coords(sequence=("case", given.astype(str))), design="pooled")
    mine = (units["participant"] == "d").values
    assert units["sequence"].values[mine].tolist() == ["control-active"]
    assert not trial_arrays(units).active_first[mine].any()


def test_parallel_units_take_the_first_period_only():
    units = score_units(cohort_of(CASES), design="parallel")
    assert units["participant"].values.tolist() == ["a", "b", "c", "e"]
    assert {reason for _, _, reason in exclusions("parallel")} == {
        "a later period is not a parallel comparison",
        "no improvement",
    }


def test_a_listed_exclusion_is_not_listed_twice():
    rows = exclusions(before=[("e", 0, "withdrew")])
    assert [(participant, period) for participant, period, _ in rows] == [("e", 0), ("d", 2)]


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
def test_endpoints(design):
    cohort = crossover_cohort(14, seed=3) if design != "parallel" else parallel_cohort(24)
    for endpoint in ("improvement", "response", "percent"):
        units = score_units(cohort, design=design, endpoint=endpoint)
        seen = units["outcome"].values[np.isfinite(units["outcome"].values)]
        if endpoint == "response":
            assert set(seen) <= {0.0, 1.0}
        assert units.attrs["endpoint"] == endpoint
    improvement = score_units(cohort, design=design)["outcome"].values
    assert units["outcome"].values == pytest.approx(improvement / 30.0 * 100, nan_ok=True)


def test_split_strata_are_those_of_whole_participants():
    units = score_units(crossover_cohort(20, 5, trials=2), design="pooled")
    table = units[["participant", "split_stratum", "stratum"]].to_dataframe()
    assert (table.groupby("participant")[["split_stratum", "stratum"]].nunique() == 1).all(
        axis=None
    )
    trial = trial_arrays(units)
    for s in np.unique(trial.split_stratum):
        own = trial.split_stratum == s
        assert np.unique(trial.trial[own]).size == 1
        assert np.unique(trial.active_first[own]).size == 1


@pytest.mark.parametrize(
    ("design", "names"),
    [("parallel", ["trial", "site"]), ("crossover", ["trial", "sequence"])],
)
def test_features_may_be_exchanged_within_what_the_design_names(design, names):
    cohort_for = parallel_cohort if design == "parallel" else crossover_cohort
    table = score_units(cohort_for(40, trials=2), design=design)[[*names, "stratum"]].to_dataframe()
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
    cohort_for = parallel_cohort if design == "parallel" else crossover_cohort
    cohort = cohort_for(40, seed=6, trials=2)
    better = cohort.copy(deep=True)
    helped = (cohort["trial"].values == "t1") & (cohort["arm"].values == "active")
    better["improvement"] = cohort["improvement"] + 9.0 * helped
    one, two = (score_units(c, design=design)["score"].values for c in (cohort, better))
    assert two - one == pytest.approx((two - one)[0])
    trial = score_units(cohort, design=design)["trial"].values
    assert one[trial == "t0"].mean() == pytest.approx(one[trial == "t1"].mean())
    of = trial_arrays(score_units(better, design=design))
    assert two.mean() == pytest.approx(of.level_effects().mean())
    assert np.ptp(of.level_effects()) > 1


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
def test_order_of_cases_does_not_matter(design):
    cohort = crossover_cohort(12, 4, seed=1)
    order = np.random.default_rng(0).permutation(cohort.sizes["case"])
    straight, shuffled = (
        score_units(cohort, design=design),
        score_units(cohort.isel(case=order), design=design),
    )
    a, b = (units.sortby(["participant", "period"]) for units in (straight, shuffled))
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


def test_units_survive_a_file(tmp_path):
    units = score_units(crossover_cohort(8))
    units.to_netcdf(tmp_path / "units.nc")
    with xr.open_dataset(tmp_path / "units.nc") as read:
        a, b = trial_arrays(UNITS.check(read.load())), trial_arrays(units)
    assert tokenize(a) == tokenize(b)


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
            "needs both arms in every trial, found 'no out",
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
    assert np.nanmean(active) - np.nanmean(control) == pytest.approx(9.2222 - 1.9615, abs=1e-4)
    parts = []
    for period in (1, 2):
        one, other = (y[np.isfinite(y) & (pooled.period == period)] for y in (active, control))
        weight = one.size * other.size / (one.size + other.size)
        parts.append((one.mean() - other.mean(), weight))
    within_periods = sum(d * w for d, w in parts) / sum(w for _, w in parts)
    assert pooled.score.mean() == pytest.approx(within_periods)
    assert within_periods == pytest.approx(7.2220, abs=1e-4)
    assert paired.score.mean() == pytest.approx(6.75)


def test_a_cluster_of_two_trials_is_refused():
    cohort = crossover_cohort(8, trials=2)
    families = np.where(cohort["participant"].values < "s002", "f", cohort["participant"].values)
    with pytest.raises(
        InputError, match=r"design.cluster: a cluster .* two trials, found 'f'; giv"
    ):
        score_units(cohort.assign_coords(cluster=("case", families)))
    # Participants without a cluster are each their own.
    alone = score_units(cohort.assign_coords(cluster=("case", np.full(cohort.sizes["case"], ""))))
    assert tokenize(trial_arrays(alone)) == tokenize(trial_arrays(score_units(cohort)))
