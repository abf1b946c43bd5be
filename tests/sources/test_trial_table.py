"""One table holds a whole trial: participants, arms, covariates and visits are read from it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ketadask.schema.errors import InputError
from ketadask.sources.cells import Cells
from ketadask.sources.trial_table import read_trial_table
from ketadask.sources.visit_labels import visit_day

PARALLEL = {
    "id": ["b", "a", "c", "d"],
    "treatment": ["Drug A", "Placebo", "Drug A", "Drug B"],
    "age": ["30", "41", "52", "33"],
    "sex": ["F", "M", "n/a", "M"],
    "smoker": ["yes", "no", "", "no"],
    "crp": ["1.5", "2.5", "3.5", ""],
    "pain_pre": ["7", "6", "8", "5"],
    "pain_post": ["3", "6", "4", "5"],
}
ARMS = {"Drug A": "active", "Placebo": "control"}


def cells_of(columns):
    n = len(next(iter(columns.values())))
    return Cells(Path("trial.csv"), columns, range(2, n + 2))


def visit_table():
    """Return two participants of a crossover with a baseline and a day 7 in both periods."""
    rows = [
        (who, period, arm, day, score)
        for who, arms in (("p1", "DP"), ("p2", "PD"))
        for period, arm in enumerate(arms, start=1)
        for day, score in ((0, 30 + period), (7, 20 + period))
    ]
    names = ("subject", "period", "arm", "day", "madrs_total")
    return {name: [str(row[k]) for row in rows] for k, name in enumerate(names)} | {
        "smoker": ["yes"] * 4 + ["no"] * 4
    }


def test_a_parallel_trial_with_a_row_per_participant():
    participants = read_trial_table(cells_of(PARALLEL), arms=ARMS)
    table = participants.table.set_index("participant")
    assert table["sequence"].to_dict() == {"a": "control", "b": "active", "c": "active", "d": ""}
    assert table["left_out"]["d"] == "arm Drug B is not compared"
    assert table["age"].tolist() == [41, 30, 52, 33]
    np.testing.assert_array_equal(table["sex"], [0, 1, np.nan, 0])
    covariates = participants.covariates
    assert list(covariates) == ["smoker", "crp"]
    assert covariates.loc["b"].tolist() == ["yes", 1.5]
    visits = participants.scales.table.set_index(["participant", "day"])
    assert visits.loc[("b", 1), "pain_post"] == 3
    assert visits.loc[("b", 0), "pain_pre"] == 7
    assert np.isnan(visits.loc[("b", 0), "pain_post"])  # no feature from after treatment
    roles = {entry.column: entry.role for entry in participants.columns}
    assert roles["pain_pre"] == "baseline"
    assert roles["pain_post"] == "outcome"


def test_a_crossover_with_a_row_per_visit():
    participants = read_trial_table(cells_of(visit_table()))
    assert participants.sequences == {"p1": "active-control", "p2": "control-active"}
    visits = participants.scales.table.set_index(["participant", "period", "day"])
    assert visits.loc[("p1", 2, 7), "madrs_total"] == 22
    assert participants.scales.limits["madrs_total"] == (0, 60)
    assert participants.covariates["smoker"].to_dict() == {"p1": "yes", "p2": "no"}


def test_rows_and_columns_in_another_order_give_the_same_trial():
    table = pd.DataFrame(visit_table())
    shuffled = table.sample(frac=1, random_state=3)[list(table.columns[::-1])]
    one, other = (read_trial_table(cells_of(t.to_dict("list"))) for t in (table, shuffled))
    pd.testing.assert_frame_equal(one.table, other.table)
    keys = ["participant", "period", "day"]
    visits = [
        t.scales.table.drop(columns="session").sort_values(keys, ignore_index=True)
        for t in (one, other)
    ]
    pd.testing.assert_frame_equal(visits[0], visits[1])


def test_without_a_column_of_participants_every_row_is_one():
    columns = {name: values for name, values in PARALLEL.items() if name != "id"}
    assert read_trial_table(cells_of(columns), arms=ARMS).table["participant"].tolist() == [
        "row 2", "row 3", "row 4", "row 5"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {}, "column treatment: Drug A is compared with Placebo; left out: Drug B"),
        ({"treatment": list("XYXY")}, {}, "neither X nor Y is a word.*data.arm"),
        ({"treatment": list("wxyz"), "x2": ["1"] * 4}, {"arms": ARMS}, "no row has this arm"),
        ({"id": ["a", "a", "b", "b"], "treatment": ["Drug", "Drug", "Placebo", "Placebo"]}, {},
         "row 3.*two rows of the same visit.*data.table.day"),
        ({"crp": ["1", "2", "x", "4"], "treatment": ["D", "P", "D", "P"]}, {},
         "row 4, column crp: not a number, found 'x'"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_names_the_cell_and_the_remedy(change, options, message):
    with pytest.raises(InputError, match=message):
        read_trial_table(cells_of(PARALLEL | change), **options)


def test_a_trial_without_a_column_of_arms_lists_candidates():
    columns = PARALLEL | {"treatment": ["u", "v", "w", "x"]}
    cells = cells_of({("horTh" if k == "smoker" else k): v for k, v in columns.items()})
    with pytest.raises(InputError, match=r"no column names the arm; write data"):
        read_trial_table(cells, ignore=["treatment"])
    trial = read_trial_table(cells, ignore=["treatment"], role_columns={"arm": "horTh"})
    assert trial.sequences == {"a": "control", "b": "active", "c": "", "d": "control"}


def test_numbered_arms_match_however_they_are_written():
    cells = cells_of(PARALLEL | {"treatment": ["1.0", "2.0", "1.0", "2.0"]})
    trial = read_trial_table(cells, arms={"1": "active", "2": "control"})
    assert trial.sequences == {"b": "active", "a": "control", "c": "active", "d": "control"}


def test_weeks_are_days_and_names_of_visits_are_read():
    table = visit_table()
    week = {**table, "week": table.pop("day")}
    week.pop("day")
    assert set(read_trial_table(cells_of(week)).scales.table["day"]) == {0, 49}
    names = {"0": "Baseline", "7": "Day 7"}
    named = {**week, "visit": [names[value] for value in week.pop("week")]}
    named.pop("week")
    assert set(read_trial_table(cells_of(named)).scales.table["day"]) == {0, 7}
    assert visit_day("ses-baseline") == 0
    assert visit_day("ses-day7") == 7


def test_an_outcome_of_two_words_says_which_is_one():
    columns = PARALLEL | {"status": ["good", "poor", "poor", "good"]}
    trial = read_trial_table(cells_of(columns), role_columns={"outcome": "status"}, arms=ARMS)
    visits = trial.scales.table.set_index(["participant", "day"])["status"]
    assert [visits[who, 1] for who in "abcd"[:3]] == [0, 1, 0]
    entry = next(entry for entry in trial.columns if entry.column == "status")
    assert entry.reason == "1 is good, 0 is poor"


def test_a_level_of_a_text_outcome_counts_as_one():
    columns = PARALLEL | {"relief": ["full", "some", "none", "some"]}
    roles = {"outcome": "relief"}
    trial = read_trial_table(cells_of(columns), role_columns=roles, arms=ARMS, level="full")
    visits = trial.scales.table.set_index(["participant", "day"])["relief"]
    assert [visits[who, 1] for who in "abc"] == [0, 1, 0]
    entry = next(entry for entry in trial.columns if entry.column == "relief")
    assert entry.reason == "1 is full, 0 is none, some"
    with pytest.raises(InputError, match=r"outcome\.level, column relief: no row has this value"):
        read_trial_table(cells_of(columns), role_columns=roles, arms=ARMS, level="fully")
    with pytest.raises(InputError, match=r"'full'.*the value that counts as 1 in outcome\.level"):
        read_trial_table(cells_of(columns), role_columns=roles, arms=ARMS)


def test_a_column_that_names_the_arm_is_no_feature():
    columns = PARALLEL | {"dose_mg": ["2", "0", "2", "1"], "dose_g": ["2", "0", "2", "2"]}
    columns = {name: column * 4 for name, column in columns.items()}
    columns["id"] = [f"{who}{k}" for k, who in enumerate(columns["id"])]
    trial = read_trial_table(cells_of(columns), arms=ARMS)
    by_column = {entry.column: entry for entry in trial.columns}
    assert by_column["dose_g"].role == "feature"
    entry = by_column["dose_mg"]
    assert (entry.role, entry.reason) == ("not used", "has one value per arm, so it names the arm")


def test_measures_named_like_the_outcome_are_no_features():
    columns = {name: PARALLEL[name] for name in ("id", "treatment", "age")} | {
        "pacu_throat": ["1", "2", "3", "4"],
        "pacu_cough": ["0", "1", "1", "0"],
        "day1_throat": ["2", "2", "1", "1"],
        "pre_throat": ["3", "2", "3", "1"],
        "xray_6m": ["worse", "same", "better", "same"],
    }
    trial = read_trial_table(cells_of(columns), role_columns={"outcome": "pacu_throat"}, arms=ARMS)
    roles = {entry.column: entry.role for entry in trial.columns}
    assert roles["pacu_cough"] == roles["day1_throat"] == roles["xray_6m"] == "follow-up"
    assert roles["pre_throat"] in ("feature", "baseline")
